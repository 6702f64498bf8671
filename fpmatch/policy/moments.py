"""Arithmetic with points in time that ends at the first and last ones that there are.

``9999-12-31`` is what many systems write for "for ever", so that a policy may well hold it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


def later(moment: datetime, days: int) -> datetime:
    """A moment some days later, at most the last one.

    Parameters
    ----------
    moment : datetime
        In UTC.
    days : int
        From 0.
    """
    return LAST if moment > LAST - timedelta(days=days) else moment + timedelta(days=days)


def just_before(moment: datetime) -> datetime:
    """The moment before another; the first one itself has none."""
    return moment - timedelta(microseconds=1) if moment > FIRST else moment
