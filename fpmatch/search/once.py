"""Acts under a caller's key: done once, and answered alike as often as they are repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fpmatch.checks import check_text
from fpmatch.gallery import answers
from fpmatch.gallery.answers import Answer, Once
from fpmatch.search.state import State
from fpmatch.template import Template

LONGEST = 255


@dataclass(frozen=True, slots=True)
class Turn:
    """One act, and what it was answered where it was done before.

    Parameters
    ----------
    once : Once or None
        Goes into the act's transaction; None where the caller has no key.
    answer : Answer or None
    """

    state: State
    once: Once | None = None
    answer: Answer | None = None

    @property
    def seq(self) -> int:
        """Number of the log's record of what was done before."""
        assert self.answer is not None
        return self.answer.seq or self.state.log(self.answer.journal)


def check_key(key: object) -> str:
    """InputError unless it can be a caller's key; empty is none."""
    return check_text("key", key, longest=LONGEST)


@contextmanager
def turn(state: State, key: str, said: object, part: int = 0) -> Iterator[Turn]:
    """Do an act of a key while no other of the same key is done.

    Parameters
    ----------
    state : State
        The open engine, for writing.
    key : str
        The caller's; "" where it has none.
    said : object
        All that is asked, as JSON can write it.
    part : int
        Which transaction of the call, from 0.

    Raises
    ------
    ConflictError
        If the key was used for something else.
    """
    if not key:
        yield Turn(state)
        return
    once = answers.once(state.gallery, key, part, said, state.clock().timestamp())
    with state.turns[once.key[0] % len(state.turns)]:
        yield Turn(state, once, answers.find(state.gallery, once))


def digest(finger: Template) -> str:
    """SHA-256 of an impression, as what is asked holds it."""
    return hashlib.sha256(finger.to_bytes()).hexdigest()
