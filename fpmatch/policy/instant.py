"""Points in time, as callers write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from fpmatch.checks import quoted
from fpmatch.errors import InputError

Instant = datetime | date | str


def instant(at: Instant | None) -> datetime:
    """A point in time from a datetime with an offset, a date (midnight UTC), or ISO text.

    Raises
    ------
    InputError
        If the text is no ISO date, a datetime has no offset, or it lies outside the years 1 to
        9999 in UTC.
    """
    if at is None:
        return datetime.now(UTC)
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at) if len(at) > 10 else date.fromisoformat(at)
        except ValueError:
            raise InputError(f"{quoted(at)} is no ISO date; write it as 2011-08-05") from None
    if not isinstance(at, date):
        raise InputError(f"a point in time is a datetime, a date or text, not {quoted(at)}")
    if not isinstance(at, datetime):
        return datetime.combine(at, time(), UTC)
    if at.tzinfo is None:
        raise InputError(f"{at} has no UTC offset; give a datetime with a time zone")
    try:
        return at if at.tzinfo is UTC else at.astimezone(UTC)
    except OverflowError:
        raise InputError(f"{at} lies outside the years 1 to 9999 in UTC") from None
