"""fpmatch as pip leaves it: on the path, with the entry points that it declares."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def path_with(folder: Path) -> str:
    """A PYTHONPATH under which fpmatch is installed; its description goes into a folder."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    about = folder / "fpmatch_as_installed-0.dist-info"
    about.mkdir()
    head = "Metadata-Version: 2.1\nName: fpmatch-as-installed\nVersion: 0\n"
    (about / "METADATA").write_text(head)
    lines = [
        line
        for group, entries in told.items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in entries.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return f"{ROOT}:{folder}:{Path(__file__).parent}"
