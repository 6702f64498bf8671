"""Train the network; resumes from its checkpoint.

    python -m training.train --labels out/teacher --hold fvc2002_DB1_B --out out/net

Fixed seeds: a crop depends on (seed, step) alone, so an interrupted run goes on as if it had
never stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch

from training.distil import distance, teacher
from training.network import WIDTHS, MinutiaNet
from training.prints import Print, read
from training.samples import batch
from training.targets import loss
from training.unfold import unfold
from training.widen import widen

LAYOUT = torch.channels_last
WARM = 60
"""Steps until the full rate."""
SAVE = 100
"""Steps between checkpoints."""
CHECK = 500
"""Steps between looks at what is held out."""


def rate(step: int, steps: int, top: float) -> float:
    """Linear warm-up, then half a cosine down to nothing."""
    if step < WARM:
        return top * (step + 1) / WARM
    return top * 0.5 * (1 + float(np.cos(np.pi * step / steps)))


def _shares(names: list[str], args: argparse.Namespace) -> list[float]:
    """How often each source is drawn from: the databases share what the others leave."""
    fixed = {"formats": args.formats_share, "synthetic": args.synthetic_share}
    fixed |= {name: float(share) for name, share in (s.split("=") for s in args.share)}
    given = {name: share for name, share in fixed.items() if name in names}
    rest = (1 - sum(given.values())) / max(1, len(names) - len(given))
    return [given.get(name, rest) for name in names]


def save(path: Path, **state: object) -> None:
    """Write to a temporary name, then rename: an interruption leaves the old checkpoint whole."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path, required=True, help="folder of training.teach")
    parser.add_argument("--hold", nargs="*", default=[], help="sources kept for validation")
    parser.add_argument("--formats-share", type=float, default=0.15)
    parser.add_argument("--synthetic-share", type=float, default=0.35)
    parser.add_argument("--share", nargs="*", default=[], help="of further sources: NAME=SHARE")
    parser.add_argument(
        "--faults", type=float, default=1.0, help="share of crops that can have any"
    )
    parser.add_argument("--steps", type=int, default=16_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--start", type=Path, help="model file to go on from")
    parser.add_argument("--memory", type=float, default=0.999, help="of the averaged weights")
    parser.add_argument(
        "--widths", type=int, nargs=4, default=list(WIDTHS), help="--start is widened"
    )
    parser.add_argument("--teacher", type=Path, help="model file whose maps are asked for as well")
    parser.add_argument("--taught", type=float, default=0.5, help="share of the loss towards them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)

    sources = {f.stem: list(read(f).values()) for f in sorted(args.labels.glob("*.npz"))}
    held = [sources.pop(name) for name in args.hold]
    groups = list(sources.values())
    shares = _shares(list(sources), args)

    cv2.setNumThreads(1)
    # bfloat16 with channels last: 2.5 times the speed of float32 on a CPU with AVX-512.
    # Without that instruction set it is emulated: eight times slower.
    short = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    if args.start is None:
        net = MinutiaNet(tuple(args.widths))  # type: ignore[arg-type]
    else:
        rng = np.random.default_rng([args.seed, 10**7])
        net = widen(unfold(args.start, batch(groups, shares, 64, rng)[0]), tuple(args.widths))
    net = net.to(memory_format=LAYOUT)
    guide = None
    if args.teacher is not None:
        rng = np.random.default_rng([args.seed, 10**7 + 1])
        guide = teacher(args.teacher, batch(groups, shares, 64, rng)[0]).to(memory_format=LAYOUT)
    optimiser = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=0.01)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(args.memory), use_buffers=True
    )
    checkpoint = args.out / "checkpoint.pt"
    start = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        start = state["step"]
        print(f"resumed at step {start}", flush=True)
    (args.out / "arguments.json").write_text(json.dumps(vars(args), default=str, indent=1))

    def draw(step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Crops, targets and what the teacher says of the crops: beside the step before."""
        rng = np.random.default_rng([args.seed, step])
        images, targets = batch(groups, shares, args.batch, rng, faults=args.faults)
        crops = torch.from_numpy(images).contiguous(memory_format=LAYOUT)
        taught = None
        if guide is not None:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=short):
                taught = guide(crops).float()
        return crops, torch.from_numpy(targets), taught

    log = (args.out / "log.csv").open("a")
    totals: dict[str, float] = {}
    clock = time.monotonic()
    net.train()
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(draw, start)
        for step in range(start, args.steps):
            crops, targets, taught = ahead.result()
            ahead = pool.submit(draw, step + 1)
            for group in optimiser.param_groups:
                group["lr"] = rate(step, args.steps, args.rate)
            with torch.autocast("cpu", torch.bfloat16, enabled=short):
                output = net(crops).float()
            parts = loss(output, targets)
            if taught is not None:
                parts = {name: (1 - args.taught) * part for name, part in parts.items()}
                for name, part in distance(output, taught).items():
                    parts[name] = args.taught * part
            optimiser.zero_grad()
            sum(parts.values()).backward()  # type: ignore[union-attr]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            average.update_parameters(net)
            for name, value in parts.items():
                totals[name] = totals.get(name, 0.0) + value.item()
            if (step + 1) % 100 == 0:
                seconds = (time.monotonic() - clock) / 100
                row = {n: round(v / 100, 4) for n, v in totals.items()}
                if (step + 1) % SAVE == 0:
                    if held and (step + 1) % CHECK == 0:
                        row["held"] = round(validate(average, held, args), 4)
                    save(
                        checkpoint,
                        net=net.state_dict(),
                        average=average.state_dict(),
                        optimiser=optimiser.state_dict(),
                        step=step + 1,
                    )
                print(step + 1, row, f"{seconds:.2f} s/step", flush=True)
                log.write(json.dumps({"step": step + 1, **row}) + "\n")
                log.flush()
                totals, clock = {}, time.monotonic()
    save(
        checkpoint,
        net=net.state_dict(),
        average=average.state_dict(),
        optimiser=optimiser.state_dict(),
        step=args.steps,
    )


@torch.no_grad()
def validate(net: torch.nn.Module, held: list[list[Print]], args: argparse.Namespace) -> float:
    """Loss on fixed crops of the databases that were kept out."""
    net.eval()
    total = 0.0
    for i in range(8):
        rng = np.random.default_rng([args.seed, 10**6 + i])
        images, targets = batch(held, [1.0] * len(held), 16, rng, faults=0.0)
        parts = loss(net(torch.from_numpy(images)), torch.from_numpy(targets))
        total += float(sum(parts.values()))  # type: ignore[arg-type]
    net.train()
    return total / 8


if __name__ == "__main__":
    main()
