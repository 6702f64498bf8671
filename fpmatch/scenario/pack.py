"""Where the fourteen scenarios are; looks, and loads nothing else."""

from __future__ import annotations

from pathlib import Path

from fpmatch.errors import InputError


def scenario_folder() -> Path:
    """The folder of scenarios that came with the library.

    Raises
    ------
    InputError
        If there is none.
    """
    folder = Path(__file__).resolve().parents[2] / "data" / "synthetic" / "scenarios"
    if not folder.is_dir():
        raise InputError(
            "the scenario pack comes with the source, not with the installed package: "
            "name its folder with --folder, or a file"
        )
    return folder
