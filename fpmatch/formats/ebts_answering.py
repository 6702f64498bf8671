"""What only the caller can say in an answer: who people are, and what an examiner found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from fpmatch.checks import check_number, check_text, quoted
from fpmatch.errors import InputError
from fpmatch.parameters import FORMATS
from fpmatch.types import Candidate, Ori, PartitionResult

_UCN = re.compile(r"[A-Z0-9]{1,9}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z, -]{3,30}")


@dataclass(frozen=True, slots=True)
class Person:
    """A candidate as the repository's owner names them.

    Parameters
    ----------
    ucn : str
        Universal Control Number or FBI number: 1 to 9 capitals and digits.
    name : str
        Surname, comma, given names: 3 to 30 letters, commas, blanks and hyphens.

    Raises
    ------
    InputError
        If one is anything else: it could not be written (EBTS 9.1, 2.064).
    """

    ucn: str
    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.ucn, str) or _UCN.fullmatch(self.ucn) is None:
            raise InputError(f"ucn must be 1 to 9 capitals and digits, not {quoted(self.ucn)}")
        if not isinstance(self.name, str) or _NAME.fullmatch(self.name) is None:
            raise InputError(
                "a name must be 3 to 30 letters, commas, blanks and hyphens, not "
                f"{quoted(self.name)}"
            )


@dataclass(frozen=True, slots=True)
class Adjudication:
    """What an examiner found.

    Parameters
    ----------
    record : str or None
        The candidate that was identified; None if none was.
    """

    record: str | None = None

    def __post_init__(self) -> None:
        if self.record is not None:
            check_text("record", self.record, longest=255, empty=False)


@dataclass(frozen=True, slots=True)
class Lights:
    """From which score a rapid search is answered in which colour.

    Parameters
    ----------
    red : float
        A highly probable candidate, -10*log10(FMR).
    yellow : float
        A possible candidate; not above ``red``. Below it the light is green.
    """

    red: float = FORMATS.red_score
    yellow: float = FORMATS.yellow_score

    def __post_init__(self) -> None:
        check_number("red", self.red, -1e6, 1e6)
        if check_number("yellow", self.yellow, -1e6, 1e6) > self.red:
            raise InputError("yellow must not be above red")


Who = Callable[[str, Candidate], Person | None]
Adjudicate = Callable[[PartitionResult], Adjudication | None]
Control = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Answering:
    """How submissions are answered.

    Parameters
    ----------
    who : callable, optional
        Names a candidate of a partition; None for one who must not or cannot be named. Without it
        no answer names anyone, and TPIS and LFIS, whose answers list people, are not searched.
    adjudicate : callable, optional
        What an examiner found among a partition's candidates; None while nobody has looked.
        Without an identification no answer says that there is one.
    lights : Lights
        Of rapid searches.
    control : callable, optional
        The control number of an answer, from its type and partition; by default it follows from
        the answer's content, so that the same answer has the same number.
    sender : str
        The agency that answers; by default the one that the submission was sent to.
    """

    who: Who | None = None
    adjudicate: Adjudicate | None = None
    lights: Lights = field(default_factory=Lights)
    control: Control | None = None
    sender: str = ""

    def __post_init__(self) -> None:
        for name in ("who", "adjudicate", "control"):
            given = getattr(self, name)
            if given is not None and not callable(given):
                raise InputError(f"{name} must be a function, not {quoted(given)}")
        if not isinstance(self.lights, Lights):
            raise InputError(f"lights must be Lights, not {quoted(self.lights)}")
        if check_text("sender", self.sender):
            Ori(self.sender)
