"""The stored form of one impression: columnar, quantised, comparable bit for bit."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_integer, check_number, quoted
from fpmatch.errors import InputError, TemplateError
from fpmatch.finger import SLAPS, FingerPosition, Impression
from fpmatch.parameters import QUALITY, TEMPLATE
from fpmatch.template import codec

QUALITY_UNKNOWN = 255
_LONGEST_PERIOD = 255.0
"""Pixels that fit the stored form."""
E = TypeVar("E", bound=enum.IntEnum)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Template:
    """Minutiae of one impression of one finger; immutable.

    Parameters
    ----------
    xy : (M, 2) uint16
        Position, eighths of a pixel at 500 ppi; x to the right, y down.
    angle : (M,) uint16
        Direction, units of 2 pi / 65536; 0 along +x, clockwise on the screen. See `Minutiae`.
    kind : (M,) uint8
        `MinutiaType`.
    quality : (M,) uint8
        0 (worst) to 100.
    width, height : int
        Of the image, pixels at 500 ppi.
    position : FingerPosition
    impression : Impression
    image_quality : int
        0 (worst) to 100 as in ISO/IEC 29794-1, or 255 if unknown: the extractor's own measure, no
        NFIQ 2. Interchange formats write 254 and 255 where none was computed or none could be;
        both are read as 255. What it is worth: `docs/quality.md`.
    extractor : str
        Name and version of the extractor, up to 31 ASCII characters.
    orientation : (h, w) uint8 or None
        Ridge orientation in cells of 16 pixels: 0 outside the finger, else 1 + angle * 255 / pi
        rounded down, of the angle in [0, pi). None where the source had none (interchange formats).
    ridge_period : float or None
        Median distance of the ridges, pixels at 500 ppi, to 1/256; None where unknown. Fingers have
        6 to 13: far from that, the stated resolution was false.
    ppi_source : str
        Who stated the resolution: ``given`` by the caller, ``recorded`` in the file, ``estimated``
        from the ridges; empty where unknown.
    slap : int
        Position code of the slap that the finger was cut from (13, 14 or 15), and with it from
        whose order its position is known; 0 if it was captured by itself or nothing is known.

    Raises
    ------
    TemplateError
        If shapes, dtypes or ranges do not fit.
    """

    xy: NDArray[np.uint16]
    angle: NDArray[np.uint16]
    kind: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    width: int
    height: int
    position: FingerPosition = FingerPosition.UNKNOWN
    impression: Impression = Impression.UNKNOWN
    image_quality: int = QUALITY_UNKNOWN
    extractor: str = ""
    orientation: NDArray[np.uint8] | None = None
    ridge_period: float | None = None
    ppi_source: str = ""
    slap: int = 0

    def __post_init__(self) -> None:
        m = len(self.angle) if isinstance(self.angle, np.ndarray) and self.angle.ndim else 0
        for name, dtype, shape in (
            ("xy", np.uint16, (m, 2)),
            ("angle", np.uint16, (m,)),
            ("kind", np.uint8, (m,)),
            ("quality", np.uint8, (m,)),
        ):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
                raise TemplateError(f"{name} must be {np.dtype(dtype)} of shape {shape}")
            object.__setattr__(self, name, _frozen(array))
        if m > TEMPLATE.max_minutiae:
            raise TemplateError(f"{m} minutiae; a template holds at most {TEMPLATE.max_minutiae}")
        for name, most in (("width", 8191), ("height", 8191)):
            object.__setattr__(self, name, _whole(name, getattr(self, name), 1, most))
        limit = np.array([self.width, self.height]) * TEMPLATE.subpixel
        if m and (self.xy >= limit).any():
            raise TemplateError("a minutia lies outside the image")
        if m and (int(self.kind.max()) > 2 or int(self.quality.max()) > 100):
            raise TemplateError("minutia kind must be 0..2 and quality 0..100")
        quality = _whole("image quality", self.image_quality, 0, QUALITY_UNKNOWN)
        if 100 < quality < QUALITY_UNKNOWN:
            raise TemplateError(f"image quality {quality} is not 0..100 or 255")
        object.__setattr__(self, "image_quality", quality)
        extractor = self.extractor
        if not isinstance(extractor, str) or len(extractor) > 31 or not extractor.isascii():
            raise TemplateError("extractor must be up to 31 ASCII characters")
        object.__setattr__(self, "position", code_of(FingerPosition, self.position))
        object.__setattr__(self, "impression", code_of(Impression, self.impression))
        object.__setattr__(self, "ridge_period", _period(self.ridge_period))
        if not isinstance(self.ppi_source, str) or self.ppi_source not in codec.SOURCES:
            raise TemplateError(f"{quoted(self.ppi_source)} is no source of a resolution")
        slap = _whole("slap", self.slap, 0, 255)
        if slap and slap not in SLAPS:
            raise TemplateError(f"position {slap} is no slap")
        object.__setattr__(self, "slap", slap)
        if self.orientation is not None:
            cell = TEMPLATE.orientation_cell
            shape = (-(-self.height // cell), -(-self.width // cell))
            field = self.orientation
            if not isinstance(field, np.ndarray) or field.dtype != np.uint8 or field.shape != shape:
                raise TemplateError(f"orientation must be uint8 of shape {shape}")
            object.__setattr__(self, "orientation", _frozen(field))

    def __len__(self) -> int:
        return int(self.angle.shape[0])

    @property
    def retake(self) -> bool:
        """Whether the print is so poor that it should be captured again.

        An image quality under what `parameters.QUALITY.retake` says of the extractor; False where
        no quality is known, or nothing of the extractor.
        """
        least = (n for name, n in QUALITY.retake if self.extractor.startswith(name))
        return self.image_quality < next(least, 0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Template):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        # No coordinate and no image size: representations end up in logs.
        return (
            f"<Template {self.position.name}{' cut from a slap' if self.slap else ''}, "
            f"{len(self)} minutiae, {self.extractor or 'import'}>"
        )

    def __reduce__(self) -> tuple[Callable[[bytes], Template], tuple[bytes]]:
        # The stored form: arrays that were pickled themselves could be written to afterwards.
        return Template.from_bytes, (self.to_bytes(),)

    def to_bytes(self) -> bytes:
        """The stored form; see `fpmatch.template.codec`."""
        return codec.to_bytes(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Template:
        """Read the stored form; raises `TemplateError` on anything damaged."""
        fields = codec.from_bytes(data)
        try:
            return cls(**fields)
        except ValueError as error:
            raise TemplateError(f"template content is damaged: {error}") from error


def _frozen(array: NDArray) -> NDArray:
    out = np.array(array, order="C", copy=True)
    out.flags.writeable = False
    return out


def _period(value: object) -> float | None:
    """In the units that are stored."""
    if value is None:
        return None
    try:
        found = check_number("ridge period", value, 1, _LONGEST_PERIOD)
    except InputError as error:
        raise TemplateError(str(error)) from None
    return round(found * codec.PERIOD_UNIT) / codec.PERIOD_UNIT


def _whole(name: str, value: object, low: int, high: int) -> int:
    try:
        return check_integer(name, value, low, high)
    except InputError as error:
        raise TemplateError(str(error)) from None


def code_of(kind: type[E], value: object) -> E:
    """A position or an impression by its number.

    Parameters
    ----------
    kind : type
        `FingerPosition` or `Impression`.
    value : object
        As it was handed in.

    Raises
    ------
    TemplateError
        If it is no number, or none of the kind.
    """
    try:
        return kind(check_integer(kind.__name__, value, 0, 255))
    except ValueError:
        raise TemplateError(f"{quoted(value)} is no {kind.__name__}") from None
