"""What a file of minutiae holds: header, views, blocks, and how it deviates from its standard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_numbers
from fpmatch.errors import FormatError
from fpmatch.types import Impression

UNDIVIDED = -1
"""`Block.kind` of extended data that does not divide into blocks; kept as it stands."""

RIDGE_COUNTS = 1
CORES_AND_DELTAS = 2
ZONAL_QUALITY = 3
"""`Block.kind` as the standards number it; ISO/IEC 19794-2 alone has zonal quality."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """Where a file that was read departs from its standard.

    Parameters
    ----------
    at : int
        Bytes from the start of the file.
    what : str
    """

    at: int
    what: str


@dataclass(frozen=True, slots=True)
class QualityBlock:
    """Quality of one impression and who computed it.

    Parameters
    ----------
    value : int
        0 (worst) to 100; 254 not computed, 255 failed to compute (0 where a standard has neither).
    vendor, algorithm : int
        Registered numbers; 0 unknown.
    """

    value: int
    vendor: int = 0
    algorithm: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """A block of extended data, unparsed; see `fpmatch.formats.extended` for the known kinds."""

    kind: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Device:
    """What captured an impression, as numbered by its vendor.

    Parameters
    ----------
    kind : int
        Device type; 12 bits in ISO/IEC 19794-2:2005 and INCITS 378-2004, else 16.
    certification : int
        Compliance bits (4 in 2004 and 2005, 8 in INCITS 378-2009).
    vendor, technology : int
        ISO/IEC 19794-2:2011 only; 0 unknown.
    """

    kind: int = 0
    certification: int = 0
    vendor: int = 0
    technology: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One impression in a record: the numbers of the file, in the file's own units.

    Columns are given as integers of any width that fit; a copy is kept.

    Parameters
    ----------
    xy : (M, 2) uint16
        Pixels of the source; y down, but up in `.xyt`.
    angle : (M,) uint16
        Units of the format: see `fpmatch.formats.units`.
    kind : (M,) uint8
        0 other, 1 ending, 2 bifurcation, 3 reserved.
    quality : (M,) uint8 or None
        0 to 100, 0 or 254 where not reported; None where the file has no such column.
    width, height : int
        Pixels of the source; 0 where the file does not say.
    resolution : tuple of int
        Pixels per centimetre, x and y; 0 where the file does not say.
    position, impression, number : int
        Codes of the format; ``number`` counts the views of one finger.
    qualities : tuple of QualityBlock
    blocks : tuple of Block
    device : Device
    time : bytes
        Date and time of capture, nine bytes as in ISO/IEC 19794-1:2011; empty if absent.
    certifications : tuple of (int, int)
        Authority and scheme, ISO/IEC 19794-2:2011.
    ending : int
        How ridge endings are placed, ISO/IEC 19794-2:2011.
    """

    xy: NDArray[Any]
    angle: NDArray[Any]
    kind: NDArray[Any]
    quality: NDArray[Any] | None
    width: int = 0
    height: int = 0
    resolution: tuple[int, int] = (0, 0)
    position: int = 0
    impression: int = int(Impression.UNKNOWN)
    number: int = 0
    qualities: tuple[QualityBlock, ...] = ()
    blocks: tuple[Block, ...] = ()
    device: Device = Device()
    time: bytes = b""
    certifications: tuple[tuple[int, int], ...] = ()
    ending: int = 0

    def __post_init__(self) -> None:
        for name in ("xy", "angle", "kind"):
            check_numbers(name, getattr(self, name))
        if self.quality is not None:
            check_numbers("quality", self.quality)
        m = np.asarray(self.angle).size
        columns: list[tuple[str, Any, tuple[int, ...]]] = [
            ("xy", np.uint16, (m, 2)),
            ("angle", np.uint16, (m,)),
            ("kind", np.uint8, (m,)),
        ]
        if self.quality is not None:
            columns.append(("quality", np.uint8, (m,)))
        for name, dtype, shape in columns:
            given = np.asarray(getattr(self, name))
            try:
                if not np.isfinite(given.astype(np.float64)).all():
                    raise FormatError(f"{name} must be {np.dtype(dtype)}")
                array: NDArray[Any] = np.array(given, dtype=dtype, order="C", copy=True)
            except (TypeError, ValueError, OverflowError):
                raise FormatError(f"{name} must be {np.dtype(dtype)}") from None
            if array.shape != shape or not np.array_equal(array, given):
                raise FormatError(f"{name} must be {np.dtype(dtype)} of shape {shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.angle)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, View):
            return NotImplemented
        return _key(self) == _key(other)

    def __hash__(self) -> int:
        return hash(_key(self))

    def __repr__(self) -> str:
        # No coordinate: representations end up in logs.
        return f"<View of position {self.position}, {len(self)} minutiae>"


def _key(view: View) -> tuple[object, ...]:
    quality = None if view.quality is None else view.quality.tobytes()
    arrays = (view.xy.tobytes(), view.angle.tobytes(), view.kind.tobytes(), quality)
    rest = tuple(getattr(view, name) for name in View.__slots__ if name not in _COLUMNS)
    return arrays + rest


_COLUMNS = frozenset({"xy", "angle", "kind", "quality"})


@dataclass(frozen=True, slots=True)
class TemplateRecord:
    """A file of minutiae: all that its format holds, so that writing it loses nothing.

    Parameters
    ----------
    format : str
        A name in `fpmatch.formats.NAMES`.
    views : tuple of View
    product : tuple of int
        Owner and type of the product that made it (INCITS 378); 0 unknown.
    deviations : tuple of Deviation
        What reading leniently passed over; takes no part in equality.

    Raises
    ------
    FormatError
        From `View`, if columns differ in length or a number does not fit its width.
    """

    format: str
    views: tuple[View, ...]
    product: tuple[int, int] = (0, 0)
    deviations: tuple[Deviation, ...] = field(default=(), compare=False)
