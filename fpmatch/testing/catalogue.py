"""The leak catalogue as a test kit: every check of it, on any engine behind a small adapter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fpmatch.checks import quoted
from fpmatch.errors import InputError
from fpmatch.reference.engine import Compare
from fpmatch.testing import leaks_denied, leaks_later, leaks_logged, leaks_masked, leaks_withheld
from fpmatch.testing.adapter import Make
from fpmatch.testing.bench import NotChecked, bench
from fpmatch.testing.check import Check
from fpmatch.testing.prints import score

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (
            *leaks_masked.CHECKS,
            *leaks_denied.CHECKS,
            *leaks_withheld.CHECKS,
            *leaks_later.CHECKS,
            *leaks_logged.CHECKS,
        ),
        key=lambda check: int(check.leak[1:]),
    )
)
"""All checks, in the order of the catalogue of ``docs/security.md``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check came to.

    Parameters
    ----------
    check : Check
        Which.
    ok : bool or None
        Whether it holds; None where it cannot be checked on this engine.
    why : str
        What is wrong, or what it would take to check it; empty where it holds.
    """

    check: Check
    ok: bool | None
    why: str = ""

    def __str__(self) -> str:
        word = {True: "holds", False: "LEAKS", None: "not checked"}[self.ok]
        return f"{self.check.id}: {word}{': ' if self.why else ''}{self.why}"


def findings(
    make: Make, *, compare: Compare = score, checks: Iterable[str] | None = None
) -> Iterator[Finding]:
    """Put an engine through the catalogue, one check after the other.

    Parameters
    ----------
    make : callable
        Makes a new engine from a `Setup`.
    compare : callable
        The matcher that the engine is given.
    checks : iterable of str, optional
        Only these: ``L1`` for all of that leak, or a whole id.

    Yields
    ------
    Finding

    Raises
    ------
    InputError
        If a check is not known, or what ``make`` makes is no engine.
    """
    for check in chosen(checks):
        with bench(make, compare) as made:
            try:
                check.run(made)
            except NotChecked as reason:
                yield Finding(check, None, str(reason))
            except AssertionError as wrong:
                yield Finding(check, False, str(wrong))
            except InputError as error:
                if "is no engine under test" in str(error):
                    raise
                yield Finding(check, False, f"raised {type(error).__name__}: {error}")
            except Exception as error:
                yield Finding(check, False, f"raised {type(error).__name__}: {error}")
            else:
                yield Finding(check, True)


def chosen(checks: Iterable[str] | None) -> tuple[Check, ...]:
    """The checks of some names, all of them for None.

    Raises
    ------
    InputError
        If there is no check of a name.
    """
    if checks is None:
        return CHECKS
    names = [checks] if isinstance(checks, str) else list(checks)
    for name in names:
        if not any(name in (c.leak, c.id) for c in CHECKS):
            known = ", ".join(dict.fromkeys(c.leak for c in CHECKS))
            raise InputError(f"no check is called {quoted(name)}; leaks checked are {known}")
    return tuple(c for c in CHECKS if c.leak in names or c.id in names)


def assert_masks_respected(
    make: Make, *, compare: Compare = score, checks: Iterable[str] | None = None
) -> list[Finding]:
    """Fail if an engine tells more than it may; the message names every leak found.

    A partition that is not granted is never searched; masked records change no rank, count, order
    or amount of work; withheld and opaque answers are constants; what was expunged never returns.

    Parameters
    ----------
    make : callable
        ``make(setup)`` makes a new engine; see `fpmatch.testing.EngineUnderTest`.
    compare : callable
        The matcher that the engine is given as ``setup.compare``; the reference's by default.
    checks : iterable of str, optional
        Only these: ``L1`` for all of that leak, or a whole id.

    Returns
    -------
    list of Finding
        Of checks that hold, and of those that could not be made.

    Raises
    ------
    AssertionError
        If there is a leak.
    InputError
        If a check is not known, or what ``make`` makes is no engine.
    """
    found = list(findings(make, compare=compare, checks=checks))
    leaks = [f for f in found if f.ok is False]
    if leaks:
        held = sum(f.ok is True for f in found)
        unsure = sum(f.ok is None for f in found)
        lines = "\n".join(
            f"  {f.check.id}: {f.check.says}\n    but {_indented(f.why)}" for f in leaks
        )
        raise AssertionError(
            f"{len(leaks)} of {len(found)} checks of the leak catalogue fail "
            f"({held} hold, {unsure} could not be made):\n{lines}"
        )
    return found


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
