"""What one search has asked one set of replicas so far, and how far each of them is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from fpmatch.errors import ClusterError

Essence = Callable[[bytes, bytes], object]
"""Of a question and its answer: what must be equal whichever replica answers.

Raises `Unusable` where the answer is none: the host lives, and another has to be asked.
"""


class Unusable(ClusterError):
    """What a host said is no answer to the question: it is behind, or does not know the search."""


def whole(question: bytes, answer: bytes) -> object:
    """The essence of answers that do not differ at all.

    Parameters
    ----------
    question, answer : bytes
    """
    return answer


@dataclass(slots=True)
class Leg:
    """One replica in a talk.

    Parameters
    ----------
    host : str
    at : int
        Number of the question that it answers now, or will be asked next.
    future : Future of bytes or None
        The answer to it; kept when another replica was faster, so that no replica is asked the
        same twice.
    since : float
        When that question was sent.
    heard : float
        When it last gave a sign of life: an answer, or one to a ping; or was sent the question.
    ping : Future of bytes or None
    """

    host: str
    at: int = 0
    future: Future[bytes] | None = None
    since: float = 0.0
    heard: float = 0.0
    ping: Future[bytes] | None = None


@dataclass(slots=True)
class Talk:
    """One search's conversation with one set of replicas; made by `Asking.talk`, of one thread.

    Parameters
    ----------
    replicas : tuple of str
        Hosts that hold the same, in the order in which they are asked.
    essence : callable
        What a replayed answer is compared by.

    Attributes
    ----------
    questions : list of bytes
        Of all rounds so far.
    answers : list of object
        The essence of each answer that was used.
    covered : bool
        False from the moment when no replica is left.
    """

    replicas: tuple[str, ...]
    essence: Essence = whole
    questions: list[bytes] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)
    covered: bool = True
    legs: dict[str, Leg] = field(default_factory=dict)
    running: list[Leg] = field(default_factory=list)
    """Those that the round is waiting for, the first asked first."""
    out: set[str] = field(default_factory=set)
    """Replicas that this search asks no more."""

    @property
    def round(self) -> int:
        """Number of the question that is open, or was last."""
        return len(self.questions) - 1
