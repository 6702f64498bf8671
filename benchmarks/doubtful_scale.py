"""What the search over scales is worth, and what it claims of prints of different fingers.

    python -m benchmarks.doubtful_scale [DATA] [--templates CACHE.npz]

Probes of two sets are read with a false resolution and extracted anew; the gallery is as it is.
Then all non-mated pairs of one sensor, nine sets, at any scale: observed by claimed false match
rates. Some minutes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import fpmatch as fp
from benchmarks.fit_calibration import DATA, identities, read_templates
from fpmatch.descriptor import encode, pack
from fpmatch.evaluate import verification_metrics
from fpmatch.matcher import calibrate, compare_many, fuse
from fpmatch.parameters import SCALE
from fpmatch.template.scaling import scaled
from training.sizes import SHOWN, ratios

SETS = ("fvc2002/DB1_B", "fvc2000/DB3_B")
WRONG = (1.0, 0.87, 1.15)
"""True by stated resolution of the probes."""


def values_at(probe, gallery, rows, factors):
    """Values of one print against rows, as `fpmatch.compare` gives them."""
    raw = np.max([compare_many(encode(scaled(probe, f)), gallery, rows) for f in factors], axis=0)
    value, where = np.unique(calibrate(raw), return_inverse=True)
    return np.array([fuse([v], [len(factors)]) for v in value])[where]


def wrong_resolutions(data, templates):
    """Errors with probes of a false resolution."""
    for folder in SETS:
        names = [name for name in templates if name.startswith(folder)]
        finger = np.array([name.rsplit("_", 1)[0] for name in names])
        gallery, rows = pack([encode(templates[n]) for n in names]), np.arange(len(names))
        first, second = np.triu_indices(len(names), 1)
        mated = finger[first] == finger[second]
        for wrong in WRONG:
            probes = [
                fp.extract(fp.read_image(data / f"{name}.tif", ppi=500 / wrong)) for name in names
            ]
            for label, factors in (("stated", (1.0,)), ("any", SCALE.factors)):
                start = time.process_time()
                found = np.array([values_at(p, gallery, rows, factors) for p in probes])
                cost = (time.process_time() - start) / len(names) * 1e3
                scores = found[first, second]
                m = verification_metrics(scores[mated], scores[~mated])
                print(
                    f"{folder} x {wrong:4} {label:6s} EER {m.eer:.2f} FMR1000 {m.fmr1000:.2f} "
                    f"median mated {np.median(scores[mated]):.0f}; {cost:.1f} ms CPU a probe "
                    f"against {len(names)}",
                    flush=True,
                )


def claims(data, templates):
    """Observed by claimed rates of all non-mated pairs of one sensor, at any scale."""
    names = list(templates)
    folder = np.array([name.rsplit("/", 1)[0] for name in names])
    identity = identities(data, names)
    forms = [encode(t) for t in templates.values()]
    found = []
    for name in np.unique(folder):
        own = np.flatnonzero(folder == name)
        gallery = pack([forms[i] for i in own])
        for i in own:
            rows = np.flatnonzero((own > i) & (identity[own] != identity[i]))
            if len(rows):
                found.append(values_at(templates[names[i]], gallery, rows, SCALE.factors))
    values = np.concatenate(found)
    told = ", ".join(f"{r:.2f} at {at}" for r, at in zip(ratios(values), SHOWN, strict=True))
    print(f"{len(values)} non-mated pairs at any scale, observed / claimed: {told}")


def main() -> None:
    """Compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--templates", type=Path)
    arguments = parser.parse_args()
    templates = read_templates(arguments.data, arguments.templates, "ppi.json")
    wrong_resolutions(arguments.data, templates)
    claims(arguments.data, templates)


if __name__ == "__main__":
    main()
