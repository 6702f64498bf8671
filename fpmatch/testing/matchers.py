"""Another matcher beside the reference."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Sequence

from fpmatch.checks import check_integer, check_number, quoted
from fpmatch.errors import InputError
from fpmatch.reference.engine import Compare
from fpmatch.template import Template
from fpmatch.testing.prints import print_of, score

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

SHOWN = 8
"""Pairs that a message shows."""


def pairs(persons: int = 8, touches: int = 3) -> Iterator[tuple[str, Template, Template]]:
    """Pairs of prints and what they are called; mated ones first.

    Parameters
    ----------
    persons : int
        2 to 100.
    touches : int
        Of each, 2 to 20.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    many = check_integer("persons", persons, 2, 100)
    each = check_integer("touches", touches, 2, 20)
    for person in range(many):
        for a in range(each):
            for b in range(a + 1, each):
                called = f"person {person}, touches {a} and {b}"
                yield called, print_of(person, a), print_of(person, b)
    for one in range(many):
        for other in range(one + 1, many):
            yield f"persons {one} and {other}", print_of(one, 1), print_of(other, 2)


def _scored(compare: Compare, called: str, probe: Template, candidate: Template) -> float:
    value = compare(probe, candidate)
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isnan(value):
        raise AssertionError(f"{called}: the score is {quoted(value)}, which is no number")
    return float(value)


def assert_same_scores(
    compare: Compare,
    expected: Compare = score,
    *,
    within: float = 0.0,
    prints: Sequence[tuple[Template, Template]] | None = None,
) -> None:
    """Hold a matcher's scores against the reference's, pair by pair.

    For another implementation of this matcher. One with a scale of its own is held by
    `assert_mates_first`.

    Parameters
    ----------
    compare : callable
        ``compare(probe, candidate)`` gives a score.
    expected : callable
        What to hold it against; the reference by default.
    within : float
        How far scores may lie apart.
    prints : sequence of (Template, Template), optional
        Pairs to compare; by default mated and non-mated ones of eight persons.

    Raises
    ------
    AssertionError
        If scores differ; the message shows the worst.
    InputError
        If one of the matchers cannot be called.
    """
    _callable(compare, expected)
    near = check_number("within", within, 0, 1e9)
    several = list(pairs()) if prints is None else [(f"pair {i}", *p) for i, p in enumerate(prints)]
    rows = []
    for called, a, b in several:
        rows.append((_scored(compare, called, a, b), _scored(expected, called, a, b), called))
    wrong = sorted(
        (r for r in rows if not abs(r[0] - r[1]) <= near), key=lambda r: -abs(r[0] - r[1])
    )
    if wrong:
        lines = [f"  {'pair':34} {'it says':>10} {'expected':>10}"]
        lines += [f"  {name:34} {a:10.2f} {b:10.2f}" for a, b, name in wrong[:SHOWN]]
        lines += [f"  and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        raise AssertionError(
            f"{len(wrong)} of {len(rows)} scores are not the expected ones:\n" + "\n".join(lines)
        )


def assert_mates_first(compare: Compare, *, persons: int = 8, touches: int = 3) -> float:
    """Every pair of one finger scores above every pair of two fingers, whatever the scale.

    Scores have to be numbers, the same each time, and the higher the more alike. The prints are
    clear ones: a matcher that fails here finds nobody.

    Parameters
    ----------
    compare : callable
        ``compare(probe, candidate)`` gives a score.
    persons : int
        How many, 2 to 100.
    touches : int
        Of each finger, 2 to 20.

    Returns
    -------
    float
        A threshold half way between the two.

    Raises
    ------
    AssertionError
        If they overlap, or a score is no number or changes.
    InputError
        If the matcher cannot be called, or a number is out of range.
    """
    _callable(compare)
    mated: list[tuple[float, str]] = []
    other: list[tuple[float, str]] = []
    for called, a, b in pairs(persons, touches):
        value = _scored(compare, called, a, b)
        again = _scored(compare, called, a, b)
        if value != again:
            raise AssertionError(f"{called}: the score is {value} and, asked again, {again}")
        (mated if called.startswith("person ") else other).append((value, called))
    worst, best = min(mated), max(other)
    if worst[0] <= best[0]:
        below = sum(value <= best[0] for value, _ in mated)
        raise AssertionError(
            f"prints of one finger do not score above those of two: {below} of {len(mated)} mated "
            f"pairs score no more than the best of {len(other)} others\n"
            f"  lowest of one finger    {worst[0]:10.2f}  {worst[1]}\n"
            f"  highest of two fingers  {best[0]:10.2f}  {best[1]}"
        )
    return (worst[0] + best[0]) / 2


def _callable(*compared: object) -> None:
    for one in compared:
        if not callable(one):
            raise InputError(f"a matcher is a function of two templates, not {quoted(one)}")
