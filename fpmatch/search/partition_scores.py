"""What the search of one partition found: a plain value, also as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import (
    check_flag,
    check_integer,
    check_number,
    check_several,
    check_text,
    quoted,
)
from fpmatch.errors import InputError
from fpmatch.search.frame import Frame, Kind, write
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.types import Coverage, FingerPosition, SearchCost

VERSION = 2
MOST_RECORDS = 2**31 - 1
MOST_STAGES = 64
LARGEST = 2**63 - 1
COUNTERS = ("live_fingers", "codes_scanned", "fingers_scanned", "fingers_verified")
FIELDS = (
    "partition", "records", "fingers", "root", "milliseconds", "complete", "coverage", *COUNTERS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class PartitionScores:
    """Scored records of one partition, before anything is cut or released.

    Parameters
    ----------
    partition : str
    records : (K,) int64
        Keys of the records in the system of record, each once. They are the same in every process
        that has the gallery open, and are never used twice.
    scores : (K,) float64
        Fused values, multiples of 0.01.
    fingers : sequence of (position, (K,) float64)
        Best value of each probe finger; NaN where the record has no such finger.
    cost : SearchCost
    root : str
        The partition's root at the time: what was searched.
    """

    partition: str
    records: NDArray[np.int64]
    scores: NDArray[np.float64]
    fingers: tuple[tuple[FingerPosition, NDArray[np.float64]], ...]
    cost: SearchCost
    root: str

    def to_bytes(self) -> bytes:
        """The scores as bytes; equal scores give equal bytes. Cost linear in the records."""
        cost = self.cost
        fields = {
            "partition": self.partition,
            "records": len(self.records),
            "fingers": [int(p) for p, _ in self.fingers],
            "root": self.root,
            "milliseconds": dict(cost.milliseconds),
            "complete": cost.complete,
            "coverage": None if cost.coverage is None else cost.coverage.numbers,
            **{name: getattr(cost, name) for name in COUNTERS},
        }
        columns = [self.records, self.scores, *(values for _, values in self.fingers)]
        return write(Kind.SCORES, VERSION, fields, columns)

    @classmethod
    def from_bytes(cls, data: bytes, request: PartitionRequest) -> PartitionScores:
        """Read what `to_bytes` wrote.

        Parameters
        ----------
        data : bytes
            Of foreign origin: everything that a release relies on is checked.
        request : PartitionRequest
            The one that it must be the answer to.

        Raises
        ------
        InputError
            On anything else, and on the answer of another partition or to another probe.
        """
        frame = Frame(Kind.SCORES, VERSION, data, FIELDS)
        f = frame.fields
        partition = check_text("partition", f["partition"], empty=False)
        positions = [position for position, _ in request.probe.fingers]
        told = check_several("fingers", f["fingers"], most=len(positions))
        if partition != request.partition or list(told) != positions:
            raise InputError(f"the answer of partition {quoted(partition)} is not to this request")
        count = check_integer("records", f["records"], 0, MOST_RECORDS)
        records = frame.column(np.int64, (count,))
        scores = frame.column(np.float64, (count,))
        fingers = tuple((p, frame.column(np.float64, (count,))) for p in positions)
        frame.end()
        if len(np.unique(records)) < count:
            raise InputError("the records of an answer must differ")
        if not np.isfinite(scores).all() or any(np.isinf(v).any() for _, v in fingers):
            raise InputError("the scores of an answer must be finite")
        root = check_text("root", f["root"])
        cost = replace(cost_of(f), coverage=_coverage(f["coverage"]))
        return cls(partition, records, scores, fingers, cost, root)


def _coverage(said: Any) -> Coverage | None:
    if said is None:
        return None
    told = [
        check_integer("coverage", n, 0, LARGEST) for n in check_several("coverage", said, most=4)
    ]
    if len(told) != 4 or told[0] > told[1] or told[2] > told[3]:
        raise InputError("coverage is told by four numbers, parts of how many")
    return Coverage(*told)


def cost_of(fields: Mapping[str, Any]) -> SearchCost:
    """What a search has cost, from the fields of a message.

    Parameters
    ----------
    fields : mapping
        Those of `COUNTERS`, ``milliseconds`` and ``complete``.

    Raises
    ------
    InputError
        If one is none.
    """
    spent = fields["milliseconds"]
    if not isinstance(spent, dict) or len(spent) > MOST_STAGES:
        raise InputError(f"milliseconds must map up to {MOST_STAGES} stages to numbers")
    counted: dict[str, Any] = {
        name: check_integer(name, fields[name], 0, LARGEST) for name in COUNTERS
    }
    cost = SearchCost(
        milliseconds={
            check_text("a stage", stage): check_number("milliseconds", ms, 0.0, LARGEST)
            for stage, ms in spent.items()
        },
        complete=bool(check_flag("complete", fields["complete"])),
    )
    return replace(cost, **counted)
