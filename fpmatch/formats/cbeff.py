"""CBEFF files in XML (ISO/IEC 19785-3), as MOSIP writes them, and the fingers in them."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace

from fpmatch.checks import quoted
from fpmatch.errors import FormatError, FpmatchError
from fpmatch.formats import fir, fmr
from fpmatch.formats.cbeff_read import read
from fpmatch.formats.cbeff_values import FINGER, NAME, BiometricRecord, Bir
from fpmatch.formats.cbeff_write import write
from fpmatch.formats.codec import Codec
from fpmatch.formats.fir_values import MAGIC as FIR
from fpmatch.formats.fir_values import FingerImageRecord, ImageView
from fpmatch.formats.fmr_layouts import MAGIC as FMR
from fpmatch.formats.pictures import Picture
from fpmatch.formats.values import TemplateRecord, View
from fpmatch.types import FingerPosition

_LOOK = 1 << 16
_FIRST = re.compile(r"<(!DOCTYPE\s+)?([\w.-]+:)?BIR(?![\w.:-])")
_SKIPPED = (("<?", "?>"), ("<!--", "-->"))
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FINGERS = ("Thumb", "IndexFinger", "MiddleFinger", "RingFinger", "LittleFinger")
SUBTYPES = {
    frozenset((side, finger)): FingerPosition(first + i)
    for side, first in (("Right", 1), ("Left", 6))
    for i, finger in enumerate(_FINGERS)
}
"""Position of each pair of a side and a finger."""
_EXCEPTION = "EXCEPTION"
"""The fact by which MOSIP says that a finger is missing."""


def recognise(data: bytes) -> str | None:
    """``cbeff`` if the first element is a BIR; a look at the first 64 KiB."""
    head = data[:_LOOK]
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            text = head[len(mark) :].decode(encoding, "replace")
            break
    else:
        if head.lstrip()[:1] != b"<":
            return None
        text = head.decode("latin-1")
    at = _first_element(text)
    return NAME if _FIRST.match(text, at) is not None else None


def _first_element(text: str) -> int:
    """Where what follows the declaration and comments begins; each is walked over once."""
    at = 0
    while True:
        while text[at : at + 1].isspace():
            at += 1
        for begin, end in _SKIPPED:
            if text.startswith(begin, at):
                found = text.find(end, at + len(begin))
                if found < 0:
                    return len(text)
                at = found + len(end)
                break
        else:
            return at


@dataclass(frozen=True, slots=True)
class Fingers:
    """What a file holds of fingers.

    Parameters
    ----------
    pictures : tuple of Picture
    templates : tuple of TemplateRecord
        Blocks of minutiae, ISO/IEC 19794-2.
    passed_over : tuple of str
        What was left out, each with its place in the file and the reason.
    unreadable : int
        How many of those are finger blocks that hold something and cannot be read.
    """

    pictures: tuple[Picture, ...] = ()
    templates: tuple[TemplateRecord, ...] = ()
    passed_over: tuple[str, ...] = field(default=())
    unreadable: int = 0


def fingers(record: BiometricRecord) -> Fingers:
    """The finger blocks of a file; other modalities are passed over, and named.

    Parameters
    ----------
    record : BiometricRecord

    Returns
    -------
    Fingers
        A block is of a finger if its Type says so, or it has none and its content is a record of
        fingers. Where that record names no finger, the Subtype does; a block where the two differ
        is passed over, for either may be wrong.
    """
    pictures: list[Picture] = []
    templates: list[TemplateRecord] = []
    passed_over: list[str] = []
    unreadable = 0
    for bir in record.blocks:
        why = _no_finger(bir)
        if why is None:
            try:
                content = block_of(bir)
            except FpmatchError as error:
                why, unreadable = str(error)[:120], unreadable + 1
            else:
                if isinstance(content, TemplateRecord):
                    templates.append(content)
                else:
                    pictures += fir.pictures(content)
        if why is not None:
            passed_over.append(f"BIR at byte {bir.at}: {why}")
    return Fingers(tuple(pictures), tuple(templates), tuple(passed_over), unreadable)


def _no_finger(bir: Bir) -> str | None:
    """Why a block is passed over without a look at it."""
    about = bir.about
    if about is not None and about.types:
        kinds = [kind.lower() for kind in about.types]
        if kinds != [FINGER.lower()]:
            return f"{quoted(' '.join(about.types))} is no finger"
    elif not bir.data.startswith((FIR, FMR)):
        return "no type, and no record of fingers"
    if not bir.data:
        missing = dict(bir.others).get(_EXCEPTION, "").lower() == "true"
        return "the finger is missing, it says" if missing else "no data"
    return None


def block_of(bir: Bir) -> FingerImageRecord | TemplateRecord:
    """The finger record in a block, under the position that its Subtype says where it says none.

    Parameters
    ----------
    bir : Bir

    Raises
    ------
    FormatError
        If it is encrypted, of no known format, damaged, or its position is not that of the Subtype.
    """
    if bir.about is not None and bir.about.encrypted:
        raise FormatError("the block is encrypted")
    content: FingerImageRecord | TemplateRecord | None = fir.find(bir.data)
    if content is None:
        content = fmr.find(bir.data)
    if content is None:
        raise FormatError("the block is no finger image record and no record of minutiae")
    position = subtype_position(bir)
    if position is None:
        return content
    at = bir.at
    if isinstance(content, FingerImageRecord):
        images = tuple(_image_as_said(view, position, at) for view in content.views)
        return replace(content, views=images)
    views = tuple(_view_as_said(view, position) for view in content.views)
    return replace(content, views=views)


def subtype_position(bir: Bir) -> FingerPosition | None:
    """The finger that the Subtype names; None if it names none.

    Raises
    ------
    FormatError
        If it has words and they are no finger: half a name could be another finger.
    """
    words = () if bir.about is None else bir.about.subtypes
    if not words or [word.upper() for word in words] == ["UNKNOWN"]:
        return None
    found = SUBTYPES.get(frozenset(words))
    if found is None or len(words) != 2:
        raise FormatError(f"Subtype {quoted(' '.join(words))} names no finger")
    return found


def _agreed(code: int, position: FingerPosition) -> int:
    if code not in (FingerPosition.UNKNOWN, position):
        raise FormatError(f"its Subtype is that of position {int(position)}, the block says {code}")
    return int(position)


def _image_as_said(view: ImageView, position: FingerPosition, at: int) -> ImageView:
    return replace(view, position=_agreed(view.position, position), at=at)


def _view_as_said(view: View, position: FingerPosition) -> View:
    return replace(view, position=_agreed(view.position, position))


CODEC = Codec((NAME,), recognise, read, write)
