"""What a check is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fpmatch.testing.bench import Bench
from fpmatch.testing.responses import differences, told
from fpmatch.types import SearchResponse

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found


@dataclass(frozen=True, slots=True)
class Check:
    """One way in which an engine may leak.

    Parameters
    ----------
    leak : str
        Its entry in the catalogue of ``docs/security.md``, for instance ``L1``.
    name : str
        What holds of an engine that passes, in a few words with hyphens.
    says : str
        The same as a sentence.
    run : callable
        Raises AssertionError where it does not hold.
    """

    leak: str
    name: str
    says: str
    run: Callable[[Bench], None]

    @property
    def id(self) -> str:
        """Leak and name."""
        return f"{self.leak}-{self.name}"


def expect(holds: bool, complaint: str) -> None:
    """Fail with a complaint unless something holds."""
    if not holds:
        raise AssertionError(complaint)


def same(one: bytes, other: bytes, complaint: str) -> None:
    """Fail unless two answers are the same bytes; shows where they part.

    Parameters
    ----------
    one, other : bytes
        Two answers.
    complaint : str
        What it means that they differ.
    """
    if one == other:
        return
    at = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    start = max(0, at - 60)
    shown = [text[start : at + 100].decode("utf-8", "replace") for text in (one, other)]
    dots = "..." if start else ""
    raise AssertionError(
        f"{complaint}\n  one says    {dots}{shown[0]}\n  the other   {dots}{shown[1]}\n"
        f"  {' ' * (12 + len(dots) + at - start)}^ here they part"
    )


def same_answer(
    one: SearchResponse,
    other: SearchResponse,
    complaint: str,
    columns: tuple[str, str] = ("one", "the other"),
) -> None:
    """Fail unless two answers tell the same; shows section by section what is different.

    Parameters
    ----------
    one, other : SearchResponse
        Two answers to one question.
    complaint : str
        What it means that they differ.
    columns : (str, str)
        What the two are called.
    """
    if told(one) == told(other):
        return
    found = differences(one, other, columns=columns)
    if not found:
        same(told(one), told(other), complaint)
    raise AssertionError("\n".join([complaint, *found]))
