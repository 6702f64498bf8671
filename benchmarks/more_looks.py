"""Whether more looks at a print, or other ones, help the learned extractor.

    python -m benchmarks.more_looks [VARIANT ...] [--large] [--teacher LEADER.onnx] \\
        [--sets fvc2000/DB3_B sd4] [--window 260 260] [--seen] [--data DATA]

Variants change what the network in force is shown, never its weights: turned by half a turn,
mirrored, smoothed along its own ridges, at other scales, under other contrast, together with the
large network. Each is measured as `benchmarks.extractor_left_out` measures model files, the network
in force first, changes paired. With ``--teacher`` there are variants whose minutiae are LEADER's
(`training/teach.py`; needs onnxruntime), plain, turned, and both merged by vote, inside our area
and with our orientation. What came out is in `docs/neural.md`. A minute of processor time a
variant; the teacher's take five minutes a turn.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from benchmarks.extractor_left_out import add_prints, changes, read_templates, report
from fpmatch.minutiae import neural
from fpmatch.minutiae.decode import decode
from fpmatch.minutiae.extract import EXTRACTORS
from fpmatch.minutiae.network import forward, model, normalise
from fpmatch.minutiae.neural import extract_neural
from fpmatch.parameters import NEURAL, NEURAL_LARGE, NeuralParameters
from training.teach import label

NEAR = 8.0
"""Claims of two looks this close, pixels ..."""
TURN = np.pi / 6
"""... and of a direction this close, radians, are of one minutia."""
MIRRORED = np.array([1, -1, 1, -1, 1, 1, 1, -1, 1], np.float32)[:, None, None]
"""Sign of every map after left and right change sides."""
WHOLE = 16
"""Sides that the network reads are whole multiples of this."""
STEPS = 9
"""Steps to either side along a ridge; two deviations in all."""


def even(pixels):
    """Sides filled up to whole cells with the local level, so that a mirror keeps the cells."""
    bottom, right = (-n % WHOLE for n in pixels.shape)
    return np.pad(pixels, ((0, bottom), (0, right)), mode="edge")


def mirrored(pixels, name, *, turned=False):
    """Maps of the mirror image, mirrored back."""
    flipped = np.ascontiguousarray(even(pixels)[:, ::-1])
    return forward(flipped, name, turned=turned)[:, :, ::-1] * MIRRORED


def mean_of(looks: Iterable[np.ndarray]) -> np.ndarray:
    """The mean of the maps of several looks."""
    return np.mean(list(looks), axis=0, dtype=np.float32)


def along(level, maps, sigma):
    """Gaussian of `sigma` pixels along the ridges, following them."""
    height, width = level.shape
    smooth = (cv2.GaussianBlur(maps[k], (0, 0), 1.5) for k in (6, 7))
    cos, sin = (cv2.resize(m, None, fx=4, fy=4)[:height, :width] for m in smooth)
    angle = (np.arctan2(sin, cos) / 2).astype(np.float32)
    field = np.cos(angle), np.sin(angle)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    total, weights, step = level.copy(), 1.0, np.float32(2 * sigma / STEPS)
    for sign in (1, -1):
        x, y, ux, uy = columns, rows, sign * field[0], sign * field[1]
        for k in range(1, STEPS + 1):
            x, y = x + ux * step, y + uy * step
            vx, vy = (
                cv2.remap(f, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
                for f in field
            )
            same = np.where(vx * ux + vy * uy < 0, -1, 1).astype(np.float32)
            ux, uy = vx * same, vy * same
            weight = float(np.exp(-0.5 * (k * step / sigma) ** 2))
            total += weight * cv2.remap(
                level, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            weights += weight
    return total / np.float32(weights)


def smoothed(pixels, name, maps, sigma):
    """Maps of a print smoothed along its ridges, at the contrast that it had."""
    level = normalise(pixels, 12.0, 4.0)
    soft = along(level, maps, sigma)
    had, has = (np.sqrt(cv2.GaussianBlur(v * v, (0, 0), 12)) for v in (level, soft))
    gray = 128 + 32 * soft * had / (has + np.float32(0.05))
    return forward(np.clip(gray, 0, 255).astype(np.uint8), name)


def third_look(sigma):
    """Where in doubt: plain, turned, and smoothed along the ridges."""

    def look(pixels, name, *, turned=False):
        plain = forward(pixels, name)
        if not turned:
            return plain
        other = forward(pixels, name, turned=True)
        soft = smoothed(pixels, name, (plain + other) / 2, sigma)
        # The extractor takes the mean of this and of the plain look.
        return (2 * (plain + other + soft) / 3 - plain).astype(np.float32)

    return look


def both_networks(pixels, name, *, turned=False):
    """Maps of the small and of the large network, their confidence on one scale."""
    small, large = (model(p.model)[0] for p in (NEURAL, NEURAL_LARGE))
    other = forward(pixels, NEURAL_LARGE.model, turned=turned)
    odds = large.confidence_slope * other[0] + large.confidence_offset
    other[0] = (odds - small.confidence_offset) / small.confidence_slope
    return mean_of([forward(pixels, NEURAL.model, turned=turned), other])


def shown(change: Callable):
    """The picture changed before it is looked at."""
    return lambda pixels, name, *, turned=False: forward(change(pixels), name, turned=turned)


def merged(looks: list[np.ndarray], most=False) -> np.ndarray:
    """Claims of several looks, one a minutia; confidence is the mean, or the most, of the looks."""
    claims = np.concatenate([np.c_[f, np.full(len(f), k)] for k, f in enumerate(looks)])
    free, out = np.ones(len(claims), np.bool_), []
    for i in np.argsort(-claims[:, 4], kind="stable"):
        if not free[i]:
            continue
        own = claims[i]
        far = np.hypot(*(claims[:, :2] - own[:2]).T)
        turn = np.abs(np.angle(np.exp(1j * (claims[:, 2] - own[2]))))
        same = [i]
        for k in range(len(looks)):
            near = free & (far <= NEAR) & (turn <= TURN) & (claims[:, 5] == k)
            if k != own[5] and near.any():
                same.append(np.flatnonzero(near)[np.argmin(far[near])])
        free[same] = False
        part = claims[same]
        weight = part[:, 4]
        angle = np.arctan2(weight @ np.sin(part[:, 2]), weight @ np.cos(part[:, 2]))
        xy = np.average(part[:, :2], axis=0, weights=weight)
        sure = weight.max() if most else weight.sum() / len(looks)
        out.append([*xy, angle % (2 * np.pi), own[3], sure])
    return np.array(out, np.float32).reshape(-1, 5)


class Claims:
    """Claims from elsewhere in place of the network's, inside its area."""

    def __init__(self, find: Callable):
        self.find, self.pixels = find, None

    def forward(self, pixels, name, *, turned=False):
        """The network's own maps: area and orientation are theirs."""
        self.pixels = pixels
        return forward(pixels, name, turned=turned)

    def decode(self, maps, mask, stride, least, parameters, odds):
        """Claims in the order of `fpmatch.minutiae.decode`."""
        own = decode(maps, mask, stride, least, parameters, odds)
        found = self.find(self.pixels, own)
        column, row = np.rint(found[:, :2]).astype(np.intp).T
        inside = (column >= 0) & (row >= 0) & (column < mask.shape[1]) & (row < mask.shape[0])
        inside[inside] = mask[row[inside], column[inside]] > 0
        return found[inside & (found[:, 4] >= least)]


def scales(factors, parameters):
    """Claims of the print at other scales, merged with those at its own."""

    def find(pixels, own):
        looks = [own]
        header = model(parameters.model)[0]
        odds = (header.confidence_slope, header.confidence_offset)
        for factor in factors:
            way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
            other = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=way)
            everywhere = np.ones(other.shape, np.uint8)
            maps = forward(other, parameters.model)
            claims = decode(maps, everywhere, header.stride, 0.05, parameters, odds)
            claims[:, :2] = (claims[:, :2] + 0.5) / factor - 0.5
            looks.append(claims)
        return merged(looks)

    return find


class Teacher:
    """LEADER's minutiae of a picture, turned by half a turn or not; each is asked once."""

    def __init__(self, path: Path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options)
        self.known: dict[tuple[bytes, bool], np.ndarray] = {}

    def seen(self, pixels, turned):
        """(M, 5) in the picture's own coordinates."""
        key = hashlib.sha256(pixels.tobytes()).digest(), turned
        if key not in self.known:
            shown = np.ascontiguousarray(pixels[::-1, ::-1]) if turned else pixels
            found = label(self.session, shown)
            if turned:
                found[:, :2] = np.array(pixels.shape[::-1], np.float32) - 1 - found[:, :2]
                found[:, 2] += np.pi
            found[:, 2] %= 2 * np.pi
            self.known[key] = found
        return self.known[key]

    def finder(self, turns: tuple[bool, ...], most: bool):
        """What the turns claim together."""
        return lambda pixels, own: merged([self.seen(pixels, t) for t in turns], most)


def variants(args, base: NeuralParameters) -> dict[str, tuple[Callable, Callable, dict]]:
    """By name: what looks, what claims, and parameters that differ."""
    one, soft = {"second_look": 0.0}, cv2.createCLAHE(2.0, (8, 8))
    looks = {
        "in force": (forward, {}),
        "one look": (forward, one),
        "turned too": (forward, {"second_look": 1.01}),
        "mirrored too": (lambda x, n: mean_of([forward(x, n), mirrored(x, n)]), one),
        "all four": (lambda x, n: mean_of(
            f(x, n, turned=t) for f in (forward, mirrored) for t in (False, True)), one),
        "both networks": (both_networks, one),
        "smoothed 3 where in doubt": (third_look(3), {}),
        "smoothed 5 where in doubt": (third_look(5), {}),
        "log of the gray": (shown(
            lambda x: np.rint(60 * np.log1p(x / 8.0)).astype(np.uint8)), one),
        "CLAHE": (shown(soft.apply), one),
        "blurred 0.8": (shown(lambda x: cv2.GaussianBlur(x, (0, 0), 0.8)), one),
    }  # fmt: skip
    out = {name: (look, decode, changed) for name, (look, changed) in looks.items()}
    found = {"scales 0.9, 1, 1.1": (scales((0.9, 1.1), base), one)}
    if args.teacher:
        leader = Teacher(args.teacher)
        for least in (0.15, 0.25):
            for turns in ((False,), (True,), (False, True)):
                name = " and ".join("turned" if t else "plain" for t in turns)
                for most in (False, True)[: len(turns)]:
                    key = f"LEADER {name}{', most' if most else ''}, {least}"
                    found[key] = (leader.finder(turns, most), {"threshold": least})
    for name, (find, changed) in found.items():
        claims = Claims(find)
        out[name] = (claims.forward, claims.decode, changed)
    return out


def main() -> None:
    """The network in force, then each variant against it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="VARIANT")
    parser.add_argument("--large", action="store_true", help="the large network")
    parser.add_argument("--teacher", type=Path)
    add_prints(parser)
    args = parser.parse_args()
    base = NEURAL_LARGE if args.large else NEURAL
    known = variants(args, base)
    names = list(dict.fromkeys(["in force", *(args.names or known)]))
    if unknown := set(names) - set(known):
        parser.error(f"no variant {sorted(unknown)}; there are {list(known)}")
    scores = []
    for name in names:
        neural.forward, neural.decode, changed = known[name]
        parameters = dataclasses.replace(base, **changed)
        EXTRACTORS["neural"] = functools.partial(extract_neural, parameters=parameters)
        print(name)
        scores.append(report(read_templates(args), args))
    if len(scores) > 1:
        print("changes from the network in force")
        changes(scores, names, args)


if __name__ == "__main__":
    main()
