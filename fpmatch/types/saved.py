"""A response that was saved as JSON, read back; whoever wrote it, every value is checked."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from fpmatch.checks import (
    check_flag,
    check_integer,
    check_number,
    check_several,
    check_text,
    quoted,
)
from fpmatch.errors import InputError
from fpmatch.finger import FingerPosition, Impression, MinutiaType
from fpmatch.types.access import Outcome, Reason
from fpmatch.types.claim import claim_of
from fpmatch.types.coverage import NAMES, Coverage
from fpmatch.types.pairing import Minutia, Pairing
from fpmatch.types.search import (
    Candidate,
    FingerScore,
    Note,
    NoteKind,
    PartitionResult,
    SearchResponse,
)

MOST_BYTES = 1 << 28
MOST_LISTED = 100_000
"""Candidates of a partition, and pairs of a finger; more is no response."""
_HIGHEST = 1e6
_LARGEST = 8191
W = TypeVar("W", bound=enum.StrEnum)
N = TypeVar("N", bound=enum.IntEnum)


def read_response(data: str | bytes) -> SearchResponse:
    """The response that ``fpmatch search --json`` or `SearchResponse.to_bytes` wrote.

    Parameters
    ----------
    data : str or bytes
        JSON.

    Raises
    ------
    InputError
        If it is anything else; says what is wrong with it.

    Notes
    -----
    `SearchResponse.audit_seq` and the cost of a search are not saved.
    """
    if not isinstance(data, str | bytes) or len(data) > MOST_BYTES:
        raise InputError(f"a saved response is JSON, not {quoted(data)}")
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        raise InputError("a saved response is JSON; this is none") from None
    said = _mapping("a response", said, "tcn", "policy_version", "partitions")
    return SearchResponse(
        check_text("tcn", said["tcn"]),
        check_integer("policy_version", said["policy_version"], 0, 2**53),
        tuple(_section(s) for s in check_several("partitions", said["partitions"], most=256)),
        notes=tuple(_note(n) for n in check_several("notes", said.get("notes", []), most=10_000)),
    )


def _section(said: Any) -> PartitionResult:
    said = _mapping("a partition", said, "partition", "outcome", "reason", "complete")
    listed = said.get("candidates")
    outcome = _one_of(Outcome, said["outcome"])
    if (listed is not None) != (outcome is Outcome.SEARCHED_DISCLOSED):
        raise InputError("a partition lists candidates if it is SEARCHED_DISCLOSED, and only then")
    return PartitionResult(
        check_text("partition", said["partition"], longest=200),
        outcome,
        _one_of(Reason, said["reason"]),
        None
        if listed is None
        else tuple(_candidate(c) for c in check_several("candidates", listed, most=MOST_LISTED)),
        bool(check_flag("complete", said["complete"])),
        check_text("token", said.get("token", "")),
        _coverage(said.get("coverage")),
    )


def _coverage(said: Any) -> Coverage | None:
    if said is None:
        return None
    told = _mapping("coverage", said, *NAMES)
    return Coverage(*(check_integer(name, told[name], 0, 2**53) for name in NAMES))


def _candidate(said: Any) -> Candidate:
    said = _mapping("a candidate", said, "record", "score", "fingers")
    score = _score(said["score"])
    return Candidate(
        check_text("record", said["record"], longest=255, empty=False),
        score,
        # Not as it is said there: what a score claims follows from the score.
        claim_of(score).fmr,
        tuple(_finger(f) for f in check_several("fingers", said["fingers"], most=100)),
    )


def _finger(said: Any) -> FingerScore:
    said = _mapping("a finger", said, "position", "score")
    pairing = said.get("pairing")
    return FingerScore(
        _number_of(FingerPosition, said["position"]),
        _score(said["score"]),
        None if pairing is None else _pairing(pairing),
    )


def _pairing(said: Any) -> Pairing:
    said = _mapping(
        "a pairing", said, "finger", "impression", "position", "kind", "probe_size", "record_size",
        "pairs",
    )  # fmt: skip
    pairs = []
    for pair in check_several("pairs", said["pairs"], most=MOST_LISTED):
        sides = check_several("a pair", pair, most=2)
        if len(sides) != 2:
            raise InputError("a pair is two minutiae")
        pairs.append((_minutia(sides[0]), _minutia(sides[1])))
    return Pairing(
        check_integer("finger", said["finger"], 0, 10_000),
        check_integer("impression", said["impression"], 0, 2**31 - 1),
        _number_of(FingerPosition, said["position"]),
        _number_of(Impression, said["kind"]),
        _size(said["probe_size"]),
        _size(said["record_size"]),
        tuple(pairs),
    )


def _minutia(said: Any) -> Minutia:
    values = check_several("a minutia", said, most=5)
    if len(values) != 5:
        raise InputError("a minutia is index, x, y, angle and kind")
    index, x, y, angle, kind = values
    return Minutia(
        check_integer("index", index, 0, 254),
        check_number("x", x, 0, _LARGEST + 1),
        check_number("y", y, 0, _LARGEST + 1),
        check_number("angle", angle, 0, 360),
        _number_of(MinutiaType, kind),
    )


def _size(said: Any) -> tuple[int, int]:
    sides = check_several("a size", said, most=2)
    if len(sides) != 2:
        raise InputError("a size is width and height")
    width, height = (check_integer("a size", side, 1, _LARGEST) for side in sides)
    return width, height


def _note(said: Any) -> Note:
    said = _mapping("a note", said, "kind", "positions", "fingers", "score")
    kind = _one_of(NoteKind, said["kind"])
    positions = check_several("positions", said["positions"], most=2)
    if len(positions) < (2 if kind is NoteKind.SAME_FINGER else 1):
        raise InputError("a note names the labels that it is about")
    return Note(
        kind,
        tuple(_number_of(FingerPosition, p) for p in positions),
        tuple(
            check_integer("fingers", f, 0, 10_000)
            for f in check_several("fingers", said["fingers"], most=2)
        ),
        _score(said["score"]),
    )


def _score(said: Any) -> float:
    return check_number("score", said, -3000.0, _HIGHEST)


def _mapping(what: str, said: Any, *wanted: str) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise InputError(f"{what} of a saved response is an object, not {quoted(said)}")
    missing = [name for name in wanted if name not in said]
    if missing:
        raise InputError(f"{what} of a saved response has the field {missing[0]!r}; here is none")
    return said


def _one_of(kind: type[W], said: Any) -> W:
    try:
        return kind(check_text(kind.__name__, said))
    except ValueError:
        raise InputError(f"{quoted(said)} is no {kind.__name__}") from None


def _number_of(kind: type[N], said: Any) -> N:
    try:
        return kind(check_integer(kind.__name__, said, 0, 255))
    except ValueError:
        raise InputError(f"{quoted(said)} is no {kind.__name__}") from None
