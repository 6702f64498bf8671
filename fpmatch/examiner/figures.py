"""The pictures of an examiner's page, of what whoever asks for the page handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fpmatch.checks import quoted
from fpmatch.drawing import Drawing, draw
from fpmatch.drawing.pairs import halves_of
from fpmatch.errors import ExtractionError, InputError
from fpmatch.image import FingerImage
from fpmatch.matcher import compare
from fpmatch.template import Template, extract
from fpmatch.types import Candidate, FingerScore, Pairing

Print = FingerImage | Template
"""A print as it is handed in: a picture of it, or its minutiae."""
Prints = Mapping[str | tuple[str, int], Print]
"""Prints of candidates: by record, or by record and number of the impression, from 0."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A probe's print and a candidate's, side by side.

    Parameters
    ----------
    drawings : (Drawing, Drawing)
    pairs : int
        Paired minutiae.
    made_here : float or None
        The score of a comparison that was made for the page, where the response has none.
    """

    drawings: tuple[Drawing, Drawing]
    pairs: int
    made_here: float | None = None


def probe_drawing(print_: Print, number: int) -> Drawing:
    """One print of the submission, with its minutiae.

    Parameters
    ----------
    print_ : FingerImage or Template
        As it was handed in.
    number : int
        Its place in the submission, from 0.
    """
    title = f"Probe, impression {number + 1}"
    if isinstance(print_, Template):
        return draw(None, print_, title=title)
    try:
        return draw(print_, extract(print_), title=title)
    except ExtractionError:
        return draw(print_, _empty(print_), title=title)


def comparison_of(
    candidate: Candidate, finger: FingerScore, probes: Sequence[Print], prints: Prints
) -> Comparison | None:
    """What a finger's score rests on; None where that was not told and prints are missing.

    Parameters
    ----------
    candidate : Candidate
        As listed.
    finger : FingerScore
        One of its fingers.
    probes : sequence of FingerImage or Template
        The submission's prints in order; may be empty.
    prints : mapping
        Of the candidates.

    Raises
    ------
    InputError
        If a print is of another size than the impression that was compared.
    """
    names = "probe", f"candidate {candidate.record}"[:200]
    pairing = finger.pairing
    if pairing is None:
        theirs = prints.get(candidate.record)
        if theirs is None or len(probes) != 1 or len(candidate.fingers) != 1:
            return None
        return _made_here(probes[0], theirs, names)
    mine = probes[pairing.finger] if pairing.finger < len(probes) else None
    theirs = prints.get((candidate.record, pairing.impression), prints.get(candidate.record))
    if mine is not None:
        _check_size("probe", mine, pairing.probe_size)
    if theirs is not None:
        _check_size(f"candidate {quoted(candidate.record)}", theirs, pairing.record_size)
    return Comparison(_sides(mine, theirs, pairing, names), len(pairing.pairs))


def _sides(
    mine: Print | None, theirs: Print | None, pairing: Pairing, names: tuple[str, str]
) -> tuple[Drawing, Drawing]:
    one, other = halves_of(*_split(mine), *_split(theirs), pairing, names)
    return one.alone(), other.alone()


def _split(print_: Print | None) -> tuple[FingerImage | None, Template | None]:
    if isinstance(print_, Template):
        return None, print_
    return print_, None


def _made_here(mine: Print, theirs: Print, names: tuple[str, str]) -> Comparison | None:
    try:
        a, b = (p if isinstance(p, Template) else extract(p) for p in (mine, theirs))
    except ExtractionError:
        return None
    score = compare(a, b)
    one, other = halves_of(_split(mine)[0], a, _split(theirs)[0], b, score, names)
    return Comparison((one.alone(), other.alone()), len(score.pairs), score.value)


def _check_size(which: str, print_: Print, size: tuple[int, int]) -> None:
    if isinstance(print_, Template):
        found = print_.width, print_.height
    else:
        found = print_.pixels.shape[1], print_.pixels.shape[0]
    if found != size:
        raise InputError(
            f"the print of {which} has {found[0]}x{found[1]} pixels at 500 ppi, the impression "
            f"that was compared {size[0]}x{size[1]}: it is another one"
        )


def _empty(image: FingerImage) -> Template:
    height, width = image.pixels.shape
    none, small = np.zeros(0, np.uint16), np.zeros(0, np.uint8)
    return Template(none.reshape(0, 2), none, small, small, width, height)
