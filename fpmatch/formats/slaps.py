"""The fingers of a record's picture: one, or those that a slap is cut into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from fpmatch.argument_types import takes
from fpmatch.errors import ExtractionError, FpmatchError, InputError
from fpmatch.formats.pictures import Picture
from fpmatch.template import Template, extract
from fpmatch.types import FingerPosition

if TYPE_CHECKING:
    from fpmatch.image import FingerImage, SlapFinger

_LONGEST_REASON = 120


@takes(picture=Picture)
def cut_slap(
    picture: Picture,
    *,
    missing: Iterable[FingerPosition] = (),
    ppi: float | None = None,
    trust_ppi: bool = False,
    isolated: bool = False,
) -> tuple[SlapFinger, ...]:
    """Cut a slap into its fingers, where its record says that they lie or else where they are seen.

    Parameters
    ----------
    picture : Picture
        Of position 13, 14 or 15.
    missing : iterable of FingerPosition
        Fingers that are not there, besides those of which the record itself says so.
    ppi, trust_ppi, isolated
        As `Picture.read` takes them.

    Returns
    -------
    tuple of SlapFinger
        From left to right. Where the record says where the fingers lie, and that can be true, so
        they are cut (``stated``); else as `segment_slap` finds them, with a note if the record said
        something that cannot be true.

    Raises
    ------
    ExtractionError
        If the picture is no slap, or its fingers cannot be told for certain; see `segment_slap`.
    InputError
        If the picture cannot be read, see `Picture.read`, or ``missing`` is no list of fingers.
    """
    from fpmatch.image import segment_slap
    from fpmatch.image.slap import fingers_missing

    absent = fingers_missing(missing) | fingers_missing(picture.amputated)
    if not picture.slap:
        raise ExtractionError(f"position {_shown(picture)} is no slap of several fingers")
    image = picture.read(ppi=ppi, trust_ppi=trust_ppi, isolated=isolated)
    notes: tuple[str, ...] = ()
    if picture.segments or picture.unclear:
        try:
            return _as_stated(picture, image, absent)
        except InputError as error:
            notes = (f"the record's own segmentation is not used: {error}",)
    found = segment_slap(image, picture.slap, missing=[FingerPosition(n) for n in absent])
    return tuple(replace(one, notes=(*notes, *one.notes)) for one in found)


def _as_stated(picture: Picture, image: FingerImage, absent: set[int]) -> tuple[SlapFinger, ...]:
    from fpmatch.image import cut_stated

    if picture.unclear:
        raise InputError(picture.unclear)
    both = sorted(absent & {one.position for one in picture.segments})
    if both:
        raise InputError(f"finger {both[0]} is said to be absent, and where it lies")
    across = image.pixels.shape[1] / image.original_shape[1]
    down = image.pixels.shape[0] / image.original_shape[0]
    outlines: dict[FingerPosition, list[tuple[float, float]]] = {}
    for one in picture.segments:
        if not 1 <= one.position <= max(FingerPosition) or one.position in outlines:
            raise InputError(f"finger {one.position} is none of a slap, or is stated twice")
        outlines[FingerPosition(one.position)] = [(x * across, y * down) for x, y in one.points]
    return cut_stated(image, picture.slap, outlines)


@takes(picture=Picture)
def templates_in(
    picture: Picture,
    *,
    missing: Iterable[FingerPosition] = (),
    ppi: float | None = None,
    trust_ppi: bool = False,
    extractor: str | None = None,
    isolated: bool = False,
) -> tuple[list[Template], tuple[str, ...]]:
    """The templates of all fingers of a picture.

    Parameters
    ----------
    picture : Picture
        Of one finger, or a plain slap.
    missing : iterable of FingerPosition
        Fingers that a slap does not show.
    extractor : str, optional
        See `fpmatch.template.extract`.
    ppi, trust_ppi, isolated
        As `Picture.read` takes them.

    Returns
    -------
    list of Template
        One for each finger; `Template.slap` says which were cut from a slap.
    tuple of str
        What was passed over: fingers of a slap that were cut but could not be extracted, and what
        its record says of them that could not be used.

    Raises
    ------
    ExtractionError
        If the picture is of no single finger and no slap, or nothing of it could be extracted.
    InputError
        If the picture cannot be read, or ``missing`` is no list of fingers.
    """
    if not picture.slap:
        if picture.finger is None:
            raise ExtractionError(f"position {_shown(picture)} is no single finger")
        image = picture.read(ppi=ppi, trust_ppi=trust_ppi, isolated=isolated)
        return [_template(picture, image, picture.finger, extractor)], ()
    found: list[Template] = []
    passed_over: list[str] = []
    for one in cut_slap(picture, missing=missing, ppi=ppi, trust_ppi=trust_ppi, isolated=isolated):
        passed_over += (note for note in one.notes if "segmentation" in note)
        try:
            found.append(_template(picture, one.image, one.position, extractor))
        except FpmatchError as error:
            name = one.position.name.lower().replace("_", " ")
            passed_over.append(f"{name}, cut from a slap: {str(error)[:_LONGEST_REASON]}")
    if not found:
        raise ExtractionError("; ".join(dict.fromkeys(passed_over)))
    return found, tuple(dict.fromkeys(passed_over))


def _template(
    picture: Picture, image: FingerImage, finger: FingerPosition, extractor: str | None
) -> Template:
    return extract(image, position=finger, impression=picture.impression_type, extractor=extractor)


def _shown(picture: Picture) -> int | tuple[int, ...]:
    return picture.positions[0] if len(picture.positions) == 1 else picture.positions
