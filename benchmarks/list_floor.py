"""What a lowest score of the candidate list costs in misses, and what it keeps off the list.

    python benchmarks/list_floor.py --data ../shared/data [--extractor classical] [--processes 2]

FVC2000 and FVC2002 DB1-4 B (eight impressions a finger) and sd4 (two): the first impression of each
finger is enrolled, the others are searched. Prints for each threshold the share of the mates that
score less, which are missed by the list, its exact upper 95 % limit where that is none, and how
many of 1 000 records of other people are listed all the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fpmatch.evaluate import evaluate
from fpmatch.evaluate.identification import rates_at

FVC = [f"fvc{year}/DB{n}_B" for year in (2000, 2002) for n in (1, 2, 3, 4)]
SETS = {"FVC2000, FVC2002 B": FVC, "sd4": ["sd4"]}
THRESHOLDS = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--extractor")
    parser.add_argument("--processes", type=int, default=1)
    asked = parser.parse_args()
    print(
        "| set | searches | lowest score | mates missed, % | mated pairs less, % | of 1000 others |"
    )
    print("|---|---|---|---|---|---|")
    for name, folders in SETS.items():
        found = evaluate(
            [asked.data / folder for folder in folders],
            ppi_map=asked.data / "ppi.json",
            identities=asked.data / "identities.csv",
            extractor=asked.extractor,
            processes=asked.processes,
            replicates=0,
        )
        searches, pairs = found.searches, found.pairs
        for threshold in THRESHOLDS:
            _, missed = rates_at(searches, threshold)
            below = 100 * float(np.mean(pairs.score[pairs.mated] < threshold))
            chance = 1000 * float(np.mean(pairs.score[~pairs.mated] >= threshold))
            print(
                f"| {name} | {int(searches.mated.sum())} | {threshold:g} | {missed:.2f} "
                f"| {below:.2f} of {int(pairs.mated.sum())} | {chance:.1f} |"
            )


if __name__ == "__main__":
    main()
