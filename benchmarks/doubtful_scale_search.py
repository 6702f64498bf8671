"""What a search over scales is worth in a large gallery, and what it costs.

    python -m benchmarks.doubtful_scale_search [DATA] [--fingers N] [--every K] [--cache FOLDER]

The gallery: the first impressions of the FVC sets and synthetic fingers. Probes: every K-th of the
other impressions, read with a false resolution and extracted anew. Each is searched at the stated
scale and at any, in the same run; effort balanced, one thread, processor time. Cheaper ways of
searching at any scale are looked at beside: lists of fewer scales, and verification at the scale of
most votes and its neighbours alone. Then the same probes made to look like photographs: half the
resolution, blurred, unevenly lit, with noise, each read with a resolution of its own that is false
by 0.82 to 1.22. With a cache folder extraction and gallery are kept.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import zlib
from pathlib import Path

import cv2
import numpy as np

import fpmatch as fp
from benchmarks.fit_calibration import DATA, identities
from fpmatch.bench.gallery import ProbeSet, opened
from fpmatch.descriptor import encode, encode_scales, pack
from fpmatch.errors import ExtractionError
from fpmatch.index.scales import best_rows
from fpmatch.matcher import best_of, calibrate
from fpmatch.parameters import SCALE
from fpmatch.template import Template

PHOTOGRAPHS = 0.0
WRONG = (1.0, 0.82, 0.87, 1.15, 1.22, PHOTOGRAPHS)
"""True by stated resolution of the probes; of what looks like photographs each has its own."""
THRESHOLD = 60
STATED = SCALE.factors.index(1.0)
FEWER = {"stated": (STATED,), "0.905, 1.105": (1, 3), "0.82, 1, 1.22": (0, 2, 4)}
"""Scales of the lists that are looked at beside."""


def photograph(path: Path, ppi: float) -> fp.FingerImage:
    """An image of a set as if a telephone had taken it; the same one each time."""
    rng = np.random.default_rng(zlib.crc32(f"{path.parent.name}/{path.stem}".encode()))
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    half = cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    half = cv2.GaussianBlur(half, (0, 0), 0.6).astype(np.float64)
    y, x = np.mgrid[-1 : 1 : half.shape[0] * 1j, -1 : 1 : half.shape[1] * 1j]
    turn = rng.uniform(0, 2 * np.pi)
    half *= 0.8 + 0.2 * (np.cos(turn) * x + np.sin(turn) * y)
    half += rng.normal(0, 6, half.shape)
    _, data = cv2.imencode(".png", np.clip(half, 0, 255).astype(np.uint8))
    return fp.read_image(data.tobytes(), ppi=ppi / 2 / np.exp(rng.uniform(-0.2, 0.2)))


def read_at(data: Path, wrong: float, cache: Path) -> dict[str, Template]:
    """Templates of all FVC images read at a false resolution, by ``folder/finger_impression``."""
    at = cache / f"probes-{wrong}.npz"
    if not at.exists():
        made = {}
        for folder, ppi in json.loads((data / "fvc.json").read_text()).items():
            for path in sorted((data / folder).glob("*.tif")):
                try:
                    read = (
                        photograph(path, ppi)
                        if wrong == PHOTOGRAPHS
                        else fp.read_image(path, ppi=ppi / wrong)
                    )
                    made[f"{folder}/{path.stem}"] = fp.extract(read)
                except ExtractionError as error:
                    print(f"{folder}/{path.stem}: {error}")
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(at, **{k: np.frombuffer(t.to_bytes(), np.uint8) for k, t in made.items()})
    with np.load(at) as stored:
        return {name: Template.from_bytes(stored[name].tobytes()) for name in stored.files}


def tops(raw, own, tries):
    """Value of the probe's own finger, -1 where it is not listed, and of the best other one."""
    value = best_of(calibrate(raw), tries)
    return value[own].max(initial=-1), value[~own].max(initial=-1)


def searched(index, template, own):
    """All that is told of one probe, by name; `own` says which rows are of its finger."""
    begun = time.process_time()
    search = index.begin()
    alone = search.shortlist(encode(template))
    listed = time.process_time()
    raw = search.verify(encode(template), alone.row_ids)
    done = time.process_time()
    mate, other = tops(raw, own(alone.row_ids), 1)
    out = {"stated": (mate, other, listed - begun, done - listed)}

    begun = time.process_time()
    forms = encode_scales(template)
    search = index.begin()
    each = [search.shortlist(form) for form in forms]
    found = best_rows(each)
    listed = time.process_time()
    raws = np.stack([search.verify(form, found.row_ids) for form in forms])
    done = time.process_time()
    mine = own(found.row_ids)
    out["any"] = (*tops(raws.max(axis=0), mine, len(forms)), listed - begun, done - listed)

    votes = np.stack([_votes(one, found.row_ids) for one in each])
    near = np.abs(np.arange(len(forms))[:, None] - votes.argmax(axis=0)) <= 1
    cost = (listed - begun, (done - listed) * near.mean())
    out["neighbours"] = (*tops(np.where(near, raws, 0).max(axis=0), mine, len(forms)), *cost)
    for name, scales in FEWER.items():
        rows = best_rows([each[n] for n in scales]).row_ids
        out[f"lists of {name}"] = (0.0 if own(rows).any() else -1.0, -1.0, 0.0, 0.0)
    return out


def _votes(short, rows):
    """Votes that a list gives some rows; 0 for those that are not on it."""
    order = np.argsort(short.row_ids)
    ids, votes = short.row_ids[order], short.votes[order]
    at = np.minimum(np.searchsorted(ids, rows), len(ids) - 1)
    return np.where(ids[at] == rows, votes[at], 0)


def told(name, found):
    """One line of figures."""
    mate, other, listing, verifying = np.array(found).T
    listed = f"mates listed {100 * np.mean(mate >= 0):.2f} %"
    if name.startswith("lists"):
        return f"  {name}: {listed}"
    return (
        f"  {name}: {listed}, rank-1 {100 * np.mean(mate > other):.2f} %, "
        f"FNIR at {THRESHOLD} {100 * np.mean(mate < THRESHOLD):.2f} %, median mate "
        f"{np.median(mate):.0f}, best other {other.max():.0f}; "
        f"lists {1e3 * np.mean(listing):.1f} ms, verification {1e3 * np.mean(verifying):.1f} ms"
    )


def main() -> None:
    """Search, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--fingers", type=int, default=40_000)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--wrong", type=float, nargs="*", default=WRONG)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare_ways(arguments, arguments.cache or Path(folder))


def compare_ways(arguments: argparse.Namespace, cache: Path) -> None:
    """Every probe in every way."""
    right = read_at(arguments.data, 1.0, cache)
    names = list(right)
    identity = dict(zip(names, identities(arguments.data, names), strict=True))
    enrolled = [name for name in names if name.endswith("_1")]
    whose = np.array([identity[name] for name in enrolled])
    mates = pack([encode(right[name]) for name in enrolled])
    own = ProbeSet((), np.zeros(0, np.int64), mates, whose, "first impressions of FVC2000, 2002 B")
    probes = [name for name in names if not name.endswith("_1")][:: arguments.every]
    with opened(arguments.fingers, own, 1, cache, None) as index:
        for wrong in arguments.wrong:
            read = read_at(arguments.data, wrong, cache)
            found: dict[str, list] = {}
            for name in probes:
                if name not in read:
                    continue
                rows = np.flatnonzero(whose == identity[name])
                for way, one in searched(
                    index, read[name], lambda ids, rows=rows: np.isin(ids, rows)
                ).items():
                    found.setdefault(way, []).append(one)
            label = f"true by stated {wrong}" if wrong else "photographs"
            print(f"{label}: {len(found['any'])} of {len(probes)} probes")
            for way, those in found.items():
                print(told(way, those), flush=True)


if __name__ == "__main__":
    main()
