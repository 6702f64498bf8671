"""Two answers beside each other, and what is different."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from fpmatch.checks import check_number, quoted
from fpmatch.errors import InputError
from fpmatch.types import Candidate, Note, PartitionResult, SearchResponse

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

SHOWN = 16
"""Lines of a list that a message shows."""


def assert_same_response(
    actual: SearchResponse,
    expected: SearchResponse,
    *,
    scores: float | None = 0.0,
    notes: bool = True,
    policy_version: bool = True,
) -> None:
    """Hold one answer against another; the message shows section by section what is different.

    Control numbers, tokens and positions in a log are not looked at: no two engines share them.

    Parameters
    ----------
    actual : SearchResponse
        Of the engine under test.
    expected : SearchResponse
        For instance of `fpmatch.reference.ReferenceEngine`.
    scores : float or None
        How far scores may lie apart, of candidates and of their fingers; candidates that lie that
        near to each other may change places. None does not look at scores, only at records and
        their order.
    notes : bool
        Whether the remarks on the submission's own fingers have to be the same.
    policy_version : bool
        Whether the version of the policy has to be the same.

    Raises
    ------
    AssertionError
        If they differ.
    InputError
        If one is no response.
    """
    found = differences(actual, expected, scores=scores, notes=notes, policy_version=policy_version)
    if found:
        raise AssertionError("the answer is not the expected one:\n" + "\n".join(found))


def differences(
    actual: SearchResponse,
    expected: SearchResponse,
    *,
    scores: float | None = 0.0,
    notes: bool = True,
    policy_version: bool = True,
    columns: tuple[str, str] = ("it says", "expected"),
) -> list[str]:
    """What `assert_same_response` complains of, line by line; empty where there is nothing.

    Parameters
    ----------
    actual, expected : SearchResponse
        As there.
    scores : float or None
        As there.
    notes, policy_version : bool
        As there.
    columns : (str, str)
        What the two answers are called above a list.

    Raises
    ------
    InputError
        If one is no response, or ``scores`` is no number from 0 on.
    """
    for name, given in (("actual", actual), ("expected", expected)):
        if not isinstance(given, SearchResponse):
            raise InputError(f"{name} must be a SearchResponse, not {quoted(given)}")
    near = None if scores is None else check_number("scores", scores, 0, 1e9)
    out = []
    if policy_version and actual.policy_version != expected.policy_version:
        out.append(f"  policy_version: {actual.policy_version}, not {expected.policy_version}")
    mine = [s.partition for s in actual]
    wanted = [s.partition for s in expected]
    if sorted(mine) != sorted(wanted):
        out.append(f"  sections: {_listed(mine)}, not {_listed(wanted)}")
    elif mine != wanted:
        out.append(f"  order of the sections: {_listed(mine)}, not {_listed(wanted)}")
    for section in expected:
        if section.partition in mine:
            out += _section(actual[section.partition], section, near, columns)
    if notes and _notes(actual.notes) != _notes(expected.notes):
        out.append(f"  notes: {_notes(actual.notes)}, not {_notes(expected.notes)}")
    return out


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _notes(notes: Sequence[Note]) -> list[tuple[str, tuple[int, ...]]]:
    return sorted((note.kind.value, note.fingers) for note in notes)


def _section(
    actual: PartitionResult,
    expected: PartitionResult,
    near: float | None,
    columns: tuple[str, str],
) -> list[str]:
    name = expected.partition
    out = []
    for field in ("outcome", "reason", "complete"):
        got, want = getattr(actual, field), getattr(expected, field)
        if got != want:
            out.append(f"  {name}: {field} {got}, not {want}")
    if bool(actual.token) != bool(expected.token):
        got, want = (("has", "none"), ("has no", "one"))[not actual.token]
        out.append(f"  {name}: {got} token, where there must be {want}")
    mine, wanted = actual.candidates, expected.candidates
    if (mine is None) != (wanted is None):
        got = "none are told" if mine is None else f"{len(mine)} are told"
        want = "none may be" if wanted is None else f"{len(wanted)} have to be"
        out.append(f"  {name}: candidates: {got}, where {want}")
    elif mine is not None and wanted is not None and not _alike(mine, wanted, near):
        out.append(f"  {name}: candidates")
        out += _table(mine, wanted, near, columns)
    return out


def _alike(mine: Sequence[Candidate], wanted: Sequence[Candidate], near: float | None) -> bool:
    if near is None:
        return [c.record for c in mine] == [c.record for c in wanted]
    if near == 0:
        return tuple(mine) == tuple(wanted)
    if len(mine) != len(wanted):
        return False
    scores = {c.record: c for c in wanted}
    ranks = zip(mine, wanted, strict=True)
    return all(abs(a.score - b.score) <= near for a, b in ranks) and all(
        c.record in scores and _near(c, scores[c.record], near) for c in mine
    )


def _near(one: Candidate, other: Candidate, near: float) -> bool:
    positions = [f.position for f in one.fingers] == [f.position for f in other.fingers]
    return (
        positions
        and abs(one.score - other.score) <= near
        and all(
            abs(a.score - b.score) <= near for a, b in zip(one.fingers, other.fingers, strict=True)
        )
    )


def _table(
    mine: Sequence[Candidate],
    wanted: Sequence[Candidate],
    near: float | None,
    columns: tuple[str, str],
) -> list[str]:
    """Rank by rank, those that differ marked."""
    out = [f"      {'rank':4}  {columns[0]:28}  {columns[1]}"]
    for i in range(max(len(mine), len(wanted))):
        if len(out) > SHOWN:
            return [*out, f"      and {max(len(mine), len(wanted)) - i} more"]
        a = mine[i] if i < len(mine) else None
        b = wanted[i] if i < len(wanted) else None
        same = a is not None and b is not None and _alike([a], [b], near)
        out.append(f"    {' ' if same else '>'} {i + 1:4}  {_row(a):28}  {_row(b)}".rstrip())
        if near == 0 and a is not None and b is not None and a.record == b.record:
            out += [
                f"            {part}: {_part(a, part)}, not {_part(b, part)}"
                for part in ("fmr", "fingers")
                if getattr(a, part) != getattr(b, part)
            ]
    return out


def _row(candidate: Candidate | None) -> str:
    if candidate is None:
        return "-"
    return f"{candidate.record[:18]:18} {candidate.score:9.2f}"


def _part(candidate: Candidate, part: str) -> str:
    value = getattr(candidate, part)
    if part != "fingers":
        return str(value)
    return ", ".join(f"{f.position.name} {f.score:.2f}" for f in value) or "none"


def told(response: SearchResponse) -> bytes:
    """What an answer tells, apart from what every answer has of its own."""
    plain = tuple(dataclasses.replace(s, token="x" if s.token else "") for s in response.sections)
    return dataclasses.replace(response, tcn="", sections=plain).to_bytes()
