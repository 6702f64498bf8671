"""The committed corpus: ``python -m fpmatch.synthetic.corpus data/synthetic`` rewrites it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fpmatch.synthetic.write import write_manifest, write_prints

FINGERS = 10
IMPRESSIONS = 4
FOLDERS = {"optical": 1000, "capacitive": 2000}
"""Folder and sensor, and its seed: twenty different fingers."""
COMMAND = "python -m fpmatch.synthetic.corpus data/synthetic"


def write_corpus(folder: str | Path) -> list[Path]:
    """Write the whole corpus, its ppi map and manifest; returns the images."""
    folder = Path(folder)
    paths = []
    for sensor, seed in FOLDERS.items():
        paths += write_prints(folder / sensor, FINGERS, IMPRESSIONS, seed, sensor=sensor)
    ppi = {f"synthetic/{sensor}": 500 for sensor in FOLDERS}
    (folder / "ppi.json").write_text(json.dumps(ppi, indent=1) + "\n")
    write_manifest(folder, COMMAND)
    return paths


if __name__ == "__main__":
    write_corpus(sys.argv[1])
