"""What a mock ABIS answers, and what it was asked."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.errors import FpmatchError


class AbisError(FpmatchError):
    """What a biometric service answers that cannot do what it is asked.

    Parameters
    ----------
    reason : str
        ``exists``, ``not found``, ``no data`` or what `MockAbis.fail_next` was told.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Match:
    """A reference that resembles the probe.

    Parameters
    ----------
    reference : str
        Its id.
    score : float
        -10*log10 of the false match rate.
    """

    reference: str
    score: float


@dataclass(frozen=True, slots=True)
class Call:
    """What the mock was asked.

    Parameters
    ----------
    operation : str
        ``insert``, ``identify``, ``delete``, ``ping``, ``pending_jobs`` or ``reference_count``.
    reference : str
        The reference it named; "" where none.
    failed : str
        Why it was not served; "" where it was.
    """

    operation: str
    reference: str = ""
    failed: str = ""
