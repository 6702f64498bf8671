"""Where the committed prints of a source checkout are."""

from __future__ import annotations

from pathlib import Path


def bundled_prints() -> Path | None:
    """The committed synthetic prints in a source checkout; None in an installed package."""
    folder = Path(__file__).resolve().parents[2] / "data" / "synthetic"
    return folder if (folder / "ppi.json").is_file() else None
