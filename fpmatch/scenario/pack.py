"""Where the fourteen scenarios are; looks, and loads nothing else."""

from __future__ import annotations

from pathlib import Path

from fpmatch.samples import sample


def scenario_folder() -> Path:
    """The folder of scenarios that came with the library.

    Raises
    ------
    InputError
        If there is none.
    """
    return sample("scenarios")
