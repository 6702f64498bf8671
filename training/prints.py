"""A labelled print, and the files that hold many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

CELL = 8
"""Side of a cell of the orientation labels, pixels at 500 ppi."""


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """One print and what is known of it.

    Parameters
    ----------
    pixels : (H, W) uint8
        Gray levels at 500 ppi.
    minutiae : (M, 5) float32
        x, y, direction (radians, y down), type (1 ending, 2 bifurcation), confidence. A negative
        confidence marks a place where nothing is asked of the network.
    orientation : (H / CELL, W / CELL, 2) float16
        Cosine and sine of twice the ridge orientation at the middle of each cell; 0 where no
        finger is, and the length says how sure it is.
    """

    pixels: NDArray[np.uint8]
    minutiae: NDArray[np.float32]
    orientation: NDArray[np.float16]

    @classmethod
    def of(cls, pixels: NDArray, minutiae: NDArray, field: NDArray) -> Self:
        """From an orientation in radians, NaN outside the finger."""
        double = 2 * np.nan_to_num(field)
        known = np.isfinite(field)
        vectors = np.stack([np.cos(double) * known, np.sin(double) * known], axis=-1)
        return cls(pixels, minutiae.astype(np.float32), vectors.astype(np.float16))


def write(path: Path, prints: Mapping[str, Print]) -> None:
    """All prints into one ``.npz``."""
    arrays: dict[str, NDArray] = {}
    for name, one in prints.items():
        arrays |= {
            f"{name}.pixels": one.pixels,
            f"{name}.minutiae": one.minutiae,
            f"{name}.orientation": one.orientation,
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part.npz")
    np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    temporary.replace(path)


def read(path: Path) -> dict[str, Print]:
    """What `write` wrote."""
    with np.load(path) as archive:
        names = [key.removesuffix(".pixels") for key in archive.files if key.endswith(".pixels")]
        return {
            name: Print(*(archive[f"{name}.{part}"] for part in Print.__slots__))
            for name in sorted(names)
        }
