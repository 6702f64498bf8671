"""What quality values are worth: rank correlation with mated scores, and errors left when poor
prints are rejected.

    python benchmarks/image_quality.py [--extractor NAME] [--values FILE] [--replicates 1000]

Development sets FVC2000 and FVC2002 DB1-4 B and the 180 rolled pairs of SD 4 under FPMATCH_DATA.
The lesser quality of a mated pair against its score (Spearman), within each set, the mean over the
FVC sets; FNMR at a pooled FMR of 0.1 % when the prints of least quality are rejected. Intervals:
95 %, over fingers. ``--values`` keeps the values of NFIQ 2, which take minutes, for the next run.
A print for which a measure gives no value counts as the worst: it would be rejected first.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from fpmatch import quality, read_image
from fpmatch.evaluate.bootstrap import identity_weights
from fpmatch.evaluate.evaluation import load_samples
from fpmatch.evaluate.extraction import Sample
from fpmatch.evaluate.protocol import Comparer, Pairs, fill_failures, score_pairs, within_folders
from fpmatch.image.nfiq2 import nfiq2, nfiq2_installed

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FPMATCH_DATA", ROOT / ".." / "shared" / "data"))
FVC = [f"fvc{year}/DB{n}_B" for year in (2000, 2002) for n in (1, 2, 3, 4)]
SHARES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
FMR = 1e-3
WORST = -1
"""In the place of 254 and 255."""


def values_of_nfiq2(samples: list[Sample], kept: Path | None) -> list[int]:
    known = json.loads(kept.read_text()) if kept is not None and kept.exists() else {}
    out = []
    for sample in samples:
        name = "/".join(sample.path.parts[-3:])
        if name not in known:
            known[name] = nfiq2(read_image(sample.path, ppi=sample.ppi))
        out.append(known[name])
    if kept is not None:
        kept.write_text(json.dumps(known))
    return out


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Ties get their mean rank; NaN where one does not vary."""
    x, y = rankdata(a), rankdata(b)
    if not np.ptp(x) or not np.ptp(y):
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def draws(samples: list[Sample], replicates: int) -> Iterator[np.ndarray]:
    """How often each identity counts: as it is first, then resampled."""
    yield np.ones(1 + max(s.identity for s in samples), np.int64)
    yield from identity_weights(samples, replicates, seed=1)


def interval(values: list[float]) -> str:
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return f"{values[0]:.2f} [{low:.2f}, {high:.2f}]"


class Quality:
    """One measure on one collection of sets, each pair under the quality of its lesser print."""

    def __init__(self, samples: list[Sample], pairs: Pairs, value: np.ndarray) -> None:
        self.pairs, self.value = pairs, value
        self.lesser = np.minimum(value[pairs.probe], value[pairs.candidate])
        identity = np.array([s.identity for s in samples])
        self.mine = identity[pairs.probe]
        self.sets = [np.flatnonzero(pairs.mated & (pairs.database == d))
                     for d in np.unique(pairs.database)]  # fmt: skip

    def correlation(self, weights: np.ndarray) -> float:
        """Mean over the sets, fingers counting as often as they were drawn."""
        found = []
        for members in self.sets:
            drawn = np.repeat(members, weights[self.mine[members]])
            found.append(spearman(self.lesser[drawn], self.pairs.score[drawn]))
        return float(np.nanmean(found))

    def discarded(self, weights: np.ndarray, share: float, threshold: float) -> float:
        """FNMR in percent when so large a share of the prints, the worst, is rejected."""
        kept = self.lesser > self.limit(share) if share else np.ones(len(self.lesser), bool)
        mated = self.pairs.mated & kept
        count = weights[self.mine] * mated
        return 100 * float((count * (self.pairs.score < threshold)).sum() / max(count.sum(), 1))

    def limit(self, share: float) -> float:
        """The highest value that is rejected: whole values, so that at least the share goes."""
        ordered = np.sort(self.value)
        return float(ordered[max(round(share * len(ordered)) - 1, 0)])

    def rejected(self, share: float) -> float:
        return 100 * float((self.value <= self.limit(share)).mean()) if share else 0.0


def measure(folders: list[str], options: argparse.Namespace) -> None:
    samples, _ = load_samples(
        [DATA / folder for folder in folders],
        ppi_map=DATA / "ppi.json",
        identities=DATA / "identities.csv" if len(folders) > 1 else None,
        extractor=options.extractor,
        processes=1,
    )
    pairs = within_folders(samples)
    pairs = score_pairs(Comparer(samples), pairs)
    (score,) = fill_failures(pairs.score)
    pairs = Pairs(pairs.probe, pairs.candidate, pairs.mated, pairs.database, score)
    nonmated = np.sort(score[~pairs.mated])[::-1]
    threshold = float(np.nextafter(nonmated[int(FMR * len(nonmated))], np.inf))
    ours = [WORST if s.template is None else s.template.image_quality for s in samples]
    named = {"ours": np.array(ours)}
    if nfiq2_installed():
        found = np.array(values_of_nfiq2(samples, options.values))
        named["NFIQ 2"] = np.where(found > 100, WORST, found)
    named["minutiae"] = np.array([0 if s.template is None else len(s.template) for s in samples])
    measures = {name: Quality(samples, pairs, value) for name, value in named.items()}
    print(
        f"\n{', '.join(folders)}: {len(samples)} prints, {pairs.mated.sum()} mated and "
        f"{(~pairs.mated).sum()} non-mated pairs; FMR 0.1 % at a score of {threshold:.1f}"
    )
    weights = list(draws(samples, options.replicates))
    for name, one in measures.items():
        none = (one.value == WORST).sum()
        print(f"{name:10} {none:4} prints without a value; Spearman "
              f"{interval([one.correlation(w) for w in weights])}")  # fmt: skip
    print("FNMR %      " + "".join(f"{100 * share:>20.0f} %" for share in SHARES))
    for name, one in measures.items():
        cells = [
            interval([one.discarded(w, share, threshold) for w in weights])
            + f" ({one.rejected(share):.1f})"
            for share in SHARES
        ]
        print(f"{name:10}" + "".join(f"{cell:>24}" for cell in cells))


def exact(options: argparse.Namespace) -> None:
    """The examples that come with NFIQ 2, against the values that they state."""
    folder = DATA / "formats" / "nfiq2" / "Examples"
    right, lines = 0, []
    for path in sorted((folder / "Images").glob("*.pgm")):
        text = (folder / "Expected" / f"{path.stem}_output.txt").read_text()
        stated = int(text.split("UnifiedQualityScore:")[1].split()[0])
        found = quality(read_image(path, ppi=500), extractor=options.extractor)
        right += found.nfiq2 == stated
        lines.append(f"{stated}/{found.nfiq2}/{found.value}")
    print(f"NFIQ 2's own examples, stated/computed/ours: {' '.join(lines)}; {right} exact")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extractor")
    parser.add_argument("--values", type=Path)
    parser.add_argument("--replicates", type=int, default=1000)
    options = parser.parse_args()
    if nfiq2_installed():
        exact(options)
    measure(FVC, options)
    measure(["sd4"], options)


if __name__ == "__main__":
    main()
