"""The rounds of a search over several shards, as bytes: a question and its answer.

A shard's search begins with a `PartitionRequest`; what follows is in these two. What they hold
does not grow with the gallery but where a list itself is taken, which is as long as was asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_choice, check_integer, check_several
from fpmatch.errors import InputError
from fpmatch.index.cutting import RANGES
from fpmatch.index.rounds import LARGEST, Answer, Cut, Question, Spread, Step
from fpmatch.index.verifying import ABSENT
from fpmatch.search.frame import Frame, Kind, write
from fpmatch.search.partition_scores import COUNTERS, cost_of
from fpmatch.types.checked import MOST_FINGERS

VERSION = 2
MOST_ENTRIES = 1 << 48
"""Of a list: so few that those of all shards can be added up."""
ASKED = ("step", "finger", "visible", "sizes", "cuts", "votes", "low", "width", "rows", "scale")
SAID = (
    "visible", "groups", "spreads", "list", "rows", "scores", "milliseconds", "complete", *COUNTERS,
)  # fmt: skip


def question_to_bytes(question: Question) -> bytes:
    """A question as bytes; equal questions give equal bytes."""
    rows = question.rows
    fields = {
        "step": question.step.value,
        "finger": question.finger,
        "visible": question.visible,
        "sizes": question.sizes,
        "cuts": [None if cut is None else [cut.votes, cut.last] for cut in question.cuts],
        "votes": question.votes,
        "low": question.low,
        "width": question.width,
        "rows": None if rows is None else len(rows),
        "scale": question.scale,
    }
    return write(Kind.QUESTION, VERSION, fields, [] if rows is None else [rows])


def question_from_bytes(data: bytes) -> Question:
    """Read what `question_to_bytes` wrote.

    Parameters
    ----------
    data : bytes
        Of foreign origin: every number is checked. Whether it is in turn says the shard.

    Raises
    ------
    InputError
        On anything else.
    """
    frame = Frame(Kind.QUESTION, VERSION, data, ASKED)
    f = frame.fields
    rows = None if f["rows"] is None else _ids(frame, f["rows"])
    frame.end()
    return Question(
        Step(check_choice("step", f["step"], [step.value for step in Step])),
        _number("finger", f["finger"], MOST_FINGERS),
        _numbers("visible", f["visible"]),
        _numbers("sizes", f["sizes"], MOST_ENTRIES),
        tuple(_cut(cut) for cut in check_several("cuts", f["cuts"], most=MOST_FINGERS)),
        _number("votes", f["votes"]),
        _number("low", f["low"]),
        check_integer("width", f["width"], 1, LARGEST),
        rows,
        _number("scale", f["scale"], MOST_FINGERS),
    )


def answer_to_bytes(answer: Answer) -> bytes:
    """An answer as bytes; equal answers give equal bytes."""
    cost = answer.cost
    fields = {
        "visible": answer.visible,
        "groups": answer.groups,
        "spreads": [[len(s.values), s.low, s.high] for s in answer.spreads],
        "list": len(answer.ids),
        "rows": [len(rows) for rows in answer.rows],
        "scores": len(answer.scores),
        "milliseconds": dict(cost.milliseconds),
        "complete": cost.complete,
        **{name: getattr(cost, name) for name in COUNTERS},
    }
    spreads = [column for s in answer.spreads for column in (s.values, s.counts)]
    columns: list[NDArray] = [*spreads, answer.ids, answer.votes, *answer.rows, answer.scores]
    return write(Kind.ANSWER, VERSION, fields, columns)


def answer_from_bytes(data: bytes, question: Question, positions: int) -> Answer:
    """Read what `answer_to_bytes` wrote.

    Parameters
    ----------
    data : bytes
        Of foreign origin: everything that the next round relies on is checked.
    question : Question
        The one that it must be the answer to.
    positions : int
        Different positions that the search's fingers are searched under.

    Raises
    ------
    InputError
        On anything else, and on an answer to another question.
    """
    frame = Frame(Kind.ANSWER, VERSION, data, SAID)
    f = frame.fields
    told = check_several("spreads", f["spreads"], most=MOST_FINGERS)
    answer = Answer(
        visible=_numbers("visible", f["visible"]),
        groups=_number("groups", f["groups"]),
        spreads=tuple(_spread(frame, one) for one in told),
        ids=_ids(frame, f["list"]),
        votes=_ids(frame, f["list"]),
        rows=tuple(_ids(frame, n) for n in check_several("rows", f["rows"], most=positions)),
        scores=frame.column(np.int32, (_number("scores", f["scores"]),)),
        cost=cost_of(f),
    )
    frame.end()
    _check_shape(answer, question, positions)
    _check_lists(answer, question)
    return answer


def _check_shape(answer: Answer, question: Question, positions: int) -> None:
    """Whether an answer has what its question asked for, and nothing else."""
    step = question.step
    spreads = 1 if step is Step.TIES else len(question.sizes)
    scores = 0 if question.rows is None else len(question.rows)
    fits = (
        len(answer.visible) == (positions if step is Step.COUNT else 0)
        and (step is Step.COUNT or not answer.groups)
        and len(answer.spreads) == spreads
        and (step is Step.TAKE or not len(answer.ids))
        and len(answer.rows) in ((0, positions) if step is Step.TAKE else (0,))
        and len(answer.scores) == scores
        and int(answer.scores.min(initial=0)) >= ABSENT
    )
    if not fits:
        raise InputError(f"an answer is not to a round of {step.value}")


def _check_lists(answer: Answer, question: Question) -> None:
    """Whether its lists are as long as was asked for at most, and in order."""
    for number, spread in enumerate(answer.spreads):
        ascending = bool((np.diff(spread.values) > 0).all()) and bool((spread.counts > 0).all())
        if question.step is Step.TIES:
            fits = int(spread.values.max(initial=0)) < RANGES
            fits = fits and spread.total <= MOST_ENTRIES
        else:
            fits = spread.total <= question.sizes[number]
        span = (0 <= spread.low <= spread.high) if len(spread.values) else spread.high < spread.low
        if not (ascending and fits and span):
            raise InputError("a list of an answer is not in order, or longer than was asked for")
    ids, votes = answer.ids, answer.votes
    falls = np.diff(votes)
    if not ((falls < 0) | ((falls == 0) & (np.diff(ids) > 0))).all():
        raise InputError("the list of an answer is not in order")
    if not all((np.diff(rows) > 0).all() for rows in answer.rows):
        raise InputError("the rows of an answer are not in order")


def _spread(frame: Frame, said: Any) -> Spread:
    told = check_several("a spread", said, most=3)
    if len(told) != 3:
        raise InputError("a spread is told by three numbers")
    count = _number("numbers of votes", told[0])
    values = _checked(frame.column(np.int64, (count,)))
    counts = _checked(frame.column(np.int64, (count,)))
    low = _number("the least id", told[1])
    return Spread(values, counts, low, check_integer("the greatest id", told[2], -1, LARGEST))


def _cut(said: Any) -> Cut | None:
    if said is None:
        return None
    pair = check_several("a cut", said, most=2)
    if len(pair) != 2:
        raise InputError("a cut is told by two numbers")
    last = check_integer("the last id of a cut", pair[1], -1, LARGEST)
    return Cut(_number("the votes of a cut", pair[0]), last)


def _ids(frame: Frame, said: Any) -> NDArray[np.int64]:
    return _checked(frame.column(np.int64, (_number("entries", said),)))


def _checked(column: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(column) and int(column.min()) < 0:
        raise InputError("a number in a message must not be negative")
    return column


def _numbers(name: str, said: Any, most: int = LARGEST) -> tuple[int, ...]:
    return tuple(_number(name, n, most) for n in check_several(name, said, most=MOST_FINGERS))


def _number(name: str, said: Any, most: int = LARGEST) -> int:
    return check_integer(name, said, 0, most)
