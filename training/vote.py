"""Better labels of real prints: the other impressions of a finger vote on each minutia.

    python -m training.vote --labels out/teacher --out out/voted [--own DATA --names fvc2002/DB2_B]

Impressions of a finger (``<finger>_<impression>``) are aligned by the package's own matcher and
bent onto each other by local affine maps through the matched minutiae. A minutia that most others
show is there, however faint it is here; one that four others could show and none shows is not asked
for; one that three others show and that was not found here is not held against a claim.

With ``--own`` the labels themselves come from the network that the package ships, which looks
twice at every print: where there is no teacher, or no hour for it.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fpmatch as fp
from fpmatch.errors import ExtractionError
from fpmatch.image import FingerImage
from fpmatch.minutiae.network import model
from fpmatch.minutiae.neural import extract_neural
from fpmatch.parameters import TEMPLATE, NeuralParameters
from fpmatch.template import Template
from training.prints import CELL, Print, read, write
from training.split import left_out
from training.teach import confirmed, further, taught

TWICE = NeuralParameters(threshold=0.03, second_look=1.01)
"""Own labels: every claim, after two looks."""
SCORE = 50.0
"""Least score of a comparison whose alignment is believed ..."""
PAIRS = 8
"""... and the fewest matched minutiae."""
SIGMA = 45.0
"""Reach of a matched pair in the local map, pixels."""
NEAR, TURN = 12.0, np.pi / 7
"""The same minutia, pixels and radians."""
SUPPORT = 2.0
"""Weight of matched pairs round a point below which its place in the other print is not known."""
CLEAR = 0.6
"""Quality of a true minutia of a synthetic print from which on it is asked for, seen or not."""
FIRM = 0.2
"""Confidence from which on a claim that the truth does not have is not held against the network."""
RAISE = 0.4
"""What votes can add to the heat: what is hardly seen here is not asked for as if it were clear."""
RIM = 12
"""Pixels from the border of the finger within which an impression has no vote."""


def own(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(M, 5) labels by the shipped network, with the confidence before its scaling, squared."""
    found = extract_neural(FingerImage(pixels), None, TWICE)
    header, _ = model()
    q = np.clip(found.quality.astype(np.float64), 1e-6, 1 - 1e-6)
    logit = (np.log(q / (1 - q)) - header.confidence_offset) / header.confidence_slope
    heat = 1 / (1 + np.exp(-logit))
    return np.c_[found.xy, found.angle, found.kind, heat**2].astype(np.float32)


def local_map(
    at: NDArray[np.float64], source: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Moving least squares through matched points (Schaefer et al. 2006).

    Returns
    -------
    place : (N, 2)
    turn : (N,)
        Of a direction at the point, radians.
    weight : (N,)
        Of the matched points near by.
    """
    near = np.exp(-((at[:, None] - source[None]) ** 2).sum(-1) / (2 * SIGMA**2))
    # A little of every pair keeps the map near the rigid one where few are close.
    w = near + 0.02
    total = w.sum(1, keepdims=True)
    a, b = w @ source / total, w @ target / total
    x, y = source[None] - a[:, None], target[None] - b[:, None]
    same = (w * (x * y).sum(-1)).sum(1)
    cross = (w * (x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0])).sum(1)
    turn = np.arctan2(cross, same)
    scale = np.hypot(same, cross) / np.maximum((w * (x * x).sum(-1)).sum(1), 1e-9)
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    d = at - a
    place = b + np.stack([c * d[:, 0] - s * d[:, 1], s * d[:, 0] + c * d[:, 1]], -1)
    return place, turn, near.sum(1)


def inside(one: Print, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a point and what lies `RIM` round it is finger."""
    length = np.hypot(*one.orientation.astype(np.float32).transpose(2, 0, 1)) > 0
    out = np.ones(len(xy), np.bool_)
    for dx, dy in ((0, 0), (RIM, 0), (-RIM, 0), (0, RIM), (0, -RIM)):
        j, i = np.floor((xy + np.array([dx, dy])) / CELL).astype(int).T
        known = (i >= 0) & (j >= 0) & (i < length.shape[0]) & (j < length.shape[1])
        out &= known & length[np.where(known, i, 0), np.where(known, j, 0)]
    return out


def same_place(
    xy: NDArray[np.float64], angle: NDArray[np.float64], labels: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """(N, M) whether a point with a direction is a label."""
    apart = np.hypot(*(xy[:, None] - labels[None, :, :2]).transpose(2, 0, 1))
    turn = np.abs(np.angle(np.exp(1j * (angle[:, None] - labels[None, :, 2]))))
    found: NDArray[np.bool_] = (apart <= NEAR) & (turn <= TURN)
    return found


def voted(prints: Mapping[str, Print], templates: Mapping[str, Template]) -> dict[str, Print]:
    """The prints of one finger with the labels that all of them agree on."""
    matched = {}
    names = list(prints)
    for n, a in enumerate(names):
        for b in names[n + 1 :]:
            score = fp.compare(templates[a], templates[b])
            if float(score) < SCORE or len(score.pairs) < PAIRS:
                continue
            pa = templates[a].xy[score.pairs[:, 0]].astype(float) / TEMPLATE.subpixel
            pb = templates[b].xy[score.pairs[:, 1]].astype(float) / TEMPLATE.subpixel
            matched[a, b], matched[b, a] = (pa, pb), (pb, pa)
    return {name: _voted(name, prints, matched) for name in names}


def _voted(
    name: str,
    prints: Mapping[str, Print],
    matched: Mapping[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> Print:
    one = prints[name]
    labels = one.minutiae.copy()
    heat = np.sqrt(np.maximum(labels[:, 4], 0))
    could, shown = np.zeros((2, len(labels)), int)
    others = []
    for other in prints:
        if (name, other) not in matched:
            continue
        here, there = matched[name, other]
        theirs = prints[other].minutiae
        theirs = theirs[theirs[:, 4] > 0.09]
        place, turn, support = local_map(labels[:, :2].astype(float), here, there)
        votes = (support >= SUPPORT) & inside(prints[other], place)
        could += votes
        shown += votes & same_place(place, labels[:, 2] + turn, theirs).any(1)
        sure = theirs[theirs[:, 4] > 0.25]
        place, turn, support = local_map(sure[:, :2].astype(float), there, here)
        keep = (support >= SUPPORT) & inside(one, place)
        others.append(np.c_[place, sure[:, 2] + turn, sure[:, 3:]][keep].astype(np.float32))
    share = shown / np.maximum(could, 1)
    true = (could >= 2) & (share >= 0.5)
    raised = np.minimum(0.5 + 0.45 * share, heat + RAISE)
    labels[true, 4] = np.maximum(heat, raised)[true] ** 2
    alone = (could >= 4) & (shown == 0)
    labels[alone & (heat >= 0.3), 4] = -1
    labels = labels[~(alone & (heat < 0.3))]
    unseen = _unseen(others, labels)
    return Print(one.pixels, np.r_[labels, unseen].astype(np.float32), one.orientation)


def _unseen(others: list[NDArray[np.float32]], labels: NDArray[np.float32]) -> NDArray[np.float32]:
    """What three others show and this print does not: nothing is asked there."""
    out = [np.zeros((0, 5), np.float32)]
    if len(others) < 3:
        return out[0]
    for k, theirs in enumerate(others[:-2]):
        free = ~same_place(theirs[:, :2], theirs[:, 2], np.r_[labels, *out]).any(1)
        again = sum(
            same_place(theirs[:, :2], theirs[:, 2], later).any(1).astype(int)
            for later in others[k + 1 :]
        )
        new = theirs[free & (again >= 2)]
        new[:, 4] = -1
        out.append(new)
    return np.concatenate(out)


def witnessed(one: Print) -> Print:
    """A synthetic print with the labels of its truth that can be seen, by our own network or by
    the truth's own clearness.

    What the network claims and the truth does not have is asked for nowhere: where it claims it
    firmly nothing is asked, for the generator too makes breaks that are no minutiae.
    """
    seen = own(one.pixels)
    labels = confirmed(one.minutiae, seen)
    truth = len(one.minutiae)
    clear = (labels[:truth, 4] < 0) & (one.minutiae[:, 4] >= CLEAR)
    labels[:truth][clear, 4] = np.float32(0.5)
    firm = np.r_[np.ones(truth, np.bool_), labels[truth:, 4] <= -FIRM]
    return Print(one.pixels, labels[firm], one.orientation)


def readable(prints: Mapping[str, Print], label: Callable[[Print], Print]) -> dict[str, Print]:
    """Each print labelled; without those in which nothing is found, so light or so wet they are."""
    out = {}
    for name, one in prints.items():
        try:
            out[name] = label(one)
        except ExtractionError:
            continue
    return out


def by_finger(prints: Mapping[str, Print]) -> dict[str, dict[str, Print]]:
    """Impressions of each finger, by ``<finger>_<impression>``."""
    out: dict[str, dict[str, Print]] = defaultdict(dict)
    for name, one in prints.items():
        out[name.rsplit("_", 1)[0]][name] = one
    return out


def vote(prints: Mapping[str, Print]) -> tuple[dict[str, Print], str]:
    """All fingers of a set, and what changed, in words."""
    out: dict[str, Print] = {}
    for group in by_finger(prints).values():
        templates = {}
        for name, one in group.items():
            try:
                templates[name] = fp.extract(FingerImage(one.pixels))
            except ExtractionError:
                out[name] = one
        out |= voted({n: group[n] for n in templates}, templates)
    before = np.concatenate([prints[n].minutiae[:, 4] for n in out])
    after = np.concatenate([p.minutiae[:, 4] for p in out.values()])
    said = (
        f"{len(out)} prints, {(before > 0.25).sum()} clear labels before, "
        f"{(after > 0.25).sum()} after, nothing asked at {(after < 0).sum()}"
    )
    return out, said


def own_prints(data: Path, names: list[str]) -> dict[str, dict[str, Print]]:
    """Sets of a data folder, labelled by the shipped network, without what `training.split` keeps
    back; ``formats`` are sample records."""
    ppi = json.loads((data / "ppi.json").read_text())
    sets = {}
    for name in names:
        if name == "formats":
            images = dict(further(data / name))
        else:
            files = sorted((data / name).glob("*.[tp][in][fg]"))
            kept = left_out(name, [f.stem for f in files])
            images = {
                f.stem: fp.read_image(f, ppi=ppi[name]).pixels for f in files if f.stem not in kept
            }
        prints = {}
        for stem, pixels in images.items():
            try:
                prints[stem] = taught(own, pixels)
            except ExtractionError:
                continue
        sets[name.replace("/", "_")] = prints
    return sets


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path, help="folder of training.teach")
    parser.add_argument("--own", type=Path, help="folder with ppi.json, labelled by ourselves")
    parser.add_argument("--names", nargs="*", default=[], help="sets of it")
    parser.add_argument("--synthetic", type=Path, help="of training.synthesise")
    parser.add_argument("--every", type=int, default=1, help="take every so manieth of them")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for name in args.names:
        target = args.out / f"{name.replace('/', '_')}.npz"
        if not target.exists():
            _write(target, own_prints(args.own, [name])[target.stem])
    target = args.out / "synthetic.npz"
    if args.synthetic and not target.exists():
        prints = read(args.synthetic)
        some = list(prints)[:: args.every]
        _write(target, readable({name: prints[name] for name in some}, witnessed))
    for file in sorted(args.labels.glob("*.npz")) if args.labels else []:
        if not (args.out / file.name).exists():
            _write(args.out / file.name, read(file))


def _write(target: Path, prints: Mapping[str, Print]) -> None:
    """Sample records and synthetic prints have no other impressions to ask, or need none."""
    out, said = (prints, f"{len(prints)} prints") if target.stem in ALONE else vote(prints)
    write(target, out)
    print(f"{target.stem}: {said}", flush=True)


ALONE = ("formats", "synthetic")
"""Sources without votes."""


if __name__ == "__main__":
    main()
