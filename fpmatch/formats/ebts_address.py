"""Where the answers to an EBTS 9.1 submission go, and what they repeat of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fpmatch.checks import quoted
from fpmatch.errors import FormatError
from fpmatch.formats.ebts import KINDS
from fpmatch.formats.ebts_fields import (
    ANSWERED,
    BOOKING,
    CHARACTERS,
    CONTROL,
    DESTINATION,
    KIND,
    ORI,
    ORIGIN,
    PRIORITY,
    control_of,
    oris_of,
    position_of,
    present,
    second_of,
    single,
    text_of,
)
from fpmatch.formats.itl_values import RS, US, Field, TaggedRecord, Transaction
from fpmatch.types import Ori

TENPRINT_ERROR, LATENT_ERROR = "ERRT", "ERRL"
ATTENTION, CASE, LATENT_CASE, LATENT_EXTENSION, NAME = 6, 9, 10, 11, 18
"""Of the Type-2 record: ATN, OCA, CIN, CIX, NAM."""

REPEATED = {
    "SRE": (ATTENTION, CASE, NAME, 39, 40, 41, BOOKING, 87),
    "SRT": (ATTENTION, CASE, 39, 40, 41, BOOKING),
    "SRL": (ATTENTION, LATENT_CASE, LATENT_EXTENSION, 12, 13, BOOKING),
    "RPISR": (ATTENTION, CASE, BOOKING),
    TENPRINT_ERROR: (ATTENTION, CASE, BOOKING),
    LATENT_ERROR: (ATTENTION, LATENT_CASE, LATENT_EXTENSION, 12, 13, 61, BOOKING),
}
"""Fields of Type-2 that an answer returns as they were submitted (EBTS 9.1, tables D-1 and E-1).

2.007 is not among them: it would ask a bureau to pass the submitter's answer on, and each copy has
a mask of its own.
"""
MANDATORY = {
    "SRE": (NAME,),
    "SRL": (ATTENTION, LATENT_CASE, LATENT_EXTENSION),
    "RPISR": (ATTENTION,),
}
"""Those that the answer must have and only the submission can give; 2.073 is asked for anyway."""

# fmt: off
RESPONSES = frozenset((
    "SRE", "ERRT", "LSR", "ERRL", "RPISR", "IRR", "ISR", "ERRI", "PRR", "PDR", "SRT", "TPRR", "NAR",
    "SRL", "LPNR", "ULM", "UULD", "LRSR", "LSMR", "ERRA", "EHRR", "EQRR", "EQER", "FISR", "ULDR",
    "ULAR",
))
# fmt: on
"""Answers themselves: one is never answered, or two systems would answer each other for ever."""
LATENT = frozenset(("LFS", "LFIS", "LFFS", "ELR", "CFS", "LPNQ", "LRSQ", "LSMQ", "ULD", "ULAC"))
"""Submissions whose error is an ERRL; that of all others is an ERRT."""

_LONGEST = {
    ATTENTION: 30,
    CASE: 20,
    LATENT_CASE: 49,
    LATENT_EXTENSION: 4,
    12: 11,
    13: 4,
    NAME: 30,
    39: 120,
    40: 50,
    41: 120,
    61: 50,
    BOOKING: 29,
    87: 1,
}
"""Characters of each field, separators between items included."""
_GROUPED = frozenset({LATENT_CASE, BOOKING})
_LAYOUT = "\t\r\n"


@dataclass(frozen=True, slots=True)
class Address:
    """The envelope of the answers to one submission.

    Parameters
    ----------
    kind : str
        Type of the submission (1.004).
    recipient : str
        The agency that is answered: 1.008 of the submission, 1.007 of the answer.
    sender : str
        Who answers: 1.007 of the submission, 1.008 of the answer.
    control : bytes
        1.009 of the submission, 1.010 of the answer.
    priority, characters : bytes
        1.006 and 1.015 as submitted, or empty.
    repeated : mapping of int to bytes
        Fields of Type-2 as submitted.
    """

    kind: str
    recipient: str
    sender: str
    control: bytes
    priority: bytes = b""
    characters: bytes = b""
    repeated: Mapping[int, bytes] = field(default_factory=dict, repr=False)

    @property
    def answer(self) -> str:
        """The type of the answer; "" where the sender wants none, or nothing was asked."""
        return KINDS[self.kind].answer if self.kind in KINDS else ""

    @property
    def error(self) -> str:
        """The type of an answer that says that the submission could not be processed."""
        return LATENT_ERROR if self.kind in LATENT else TENPRINT_ERROR

    def check(self) -> None:
        """Refuse a submission whose answer would lack a mandatory field.

        Raises
        ------
        FormatError
        """
        for number in MANDATORY.get(self.answer, ()):
            if number not in self.repeated:
                raise FormatError(
                    f"2.{number:03d} is mandatory in its answer: absent, empty or malformed"
                )


def address_of(transaction: Transaction, *, sender: str = "") -> Address:
    """Read what an answer needs; the rest of the submission may be damaged.

    Parameters
    ----------
    transaction : Transaction
    sender : str
        Who answers, where that is not whom the submission was sent to.

    Raises
    ------
    FormatError
        If it cannot be answered: it is an answer itself, its sender (1.008), whom it was sent to
        (1.007) or its control number (1.009) is absent or malformed.
    """
    header = transaction.header
    kind = text_of(header, KIND)
    if kind in RESPONSES:
        at = position_of(header, KIND)
        raise FormatError(f"{kind} is an answer, which is not answered", at)
    if kind not in KINDS and header.get(ANSWERED) is not None:
        at = position_of(header, ANSWERED)
        raise FormatError(f"1.010 makes {quoted(kind)} an answer, which is not answered", at)
    control_of(header, CONTROL)
    return Address(
        kind=kind,
        recipient=oris_of(header, ORIGIN)[0],
        sender=Ori(sender) if sender else _sender(header),
        control=present(header, CONTROL).value,
        priority=_raw(header, PRIORITY, 1),
        characters=_raw(header, CHARACTERS, 80, grouped=True),
        repeated=_repeated(transaction),
    )


def _sender(header: TaggedRecord) -> str:
    text = text_of(header, DESTINATION)
    if len(text) != ORI or not (text.isascii() and text.isalnum()):
        raise FormatError(
            "1.007 must be nine letters and digits, or say who answers",
            position_of(header, DESTINATION),
        )
    return text


def _raw(header: TaggedRecord, number: int, longest: int, *, grouped: bool = False) -> bytes:
    found = header.all(number)
    usable = len(found) == 1 and _writable(found[0], longest, grouped=grouped)
    return found[0].value if usable else b""


def _repeated(transaction: Transaction) -> dict[int, bytes]:
    """The fields that an answer may return, but those that are malformed or stand twice."""
    try:
        second = second_of(transaction)
    except FormatError:
        return {}
    out = {}
    for number, longest in _LONGEST.items():
        try:
            found = single(second, number)
            if number == BOOKING and found is not None:
                oris_of(second, number, longest)
        except FormatError:
            continue
        if found is not None and _writable(found, longest, grouped=number in _GROUPED):
            out[number] = found.value
    return out


def _writable(found: Field, longest: int, *, grouped: bool) -> bool:
    text = found.text
    if grouped:
        text = text.replace(RS.decode(), " ").replace(US.decode(), " ")
    return 0 < len(text) <= longest and all(c.isprintable() or c in _LAYOUT for c in text)
