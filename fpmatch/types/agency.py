"""The originating agency identifier."""

from __future__ import annotations

import re

from fpmatch.checks import quoted
from fpmatch.errors import InputError

_ORI = re.compile(r"[A-Z]{2}[A-Z0-9]{7}")


class Ori(str):
    """Nine-character originating agency identifier, e.g. ``CA0380100``.

    Two letters and seven letters or digits (NIBRS check). Nothing about state, county or
    parent is inferred from the characters: that comes from the agency registry alone.

    Raises
    ------
    InputError
        If the text has another form.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Ori:  # noqa: D102
        if not isinstance(text, str) or _ORI.fullmatch(text) is None:
            raise InputError(
                f"{quoted(text)} is no ORI: expected two capital letters and seven capital "
                "letters or digits, as in 'CA0380100'"
            )
        return super().__new__(cls, text)
