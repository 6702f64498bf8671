"""Which minutiae a score rests on, as the engine tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.reference.matcher import ReferenceScore
from fpmatch.template import Template
from fpmatch.types import (
    FingerPosition,
    FingerScore,
    Minutia,
    MinutiaType,
    Pairing,
    SearchRequest,
)


@takes(finger=FingerScore, request=SearchRequest)
def explained(
    finger: FingerScore,
    request: SearchRequest,
    under: Mapping[FingerPosition, FingerPosition],
    records: Sequence[Template],
    compared: Callable[[Template, Template], ReferenceScore],
) -> FingerScore:
    """A finger's score with the best of the comparisons that it is the best of.

    Parameters
    ----------
    finger : FingerScore
        Of a candidate.
    request : SearchRequest
        The submission.
    under : mapping of FingerPosition
        The finger that each label of the submission counts as.
    records : sequence of Template
        The record's impressions in their order.
    compared : callable
        The matcher.
    """
    found = [
        (compared(probe, record), i, n)
        for i, probe in enumerate(request.fingers)
        if under[probe.position] == finger.position
        for n, record in enumerate(records)
        if request.positions == "any"
        or 0 in (record.position, finger.position)
        or record.position == finger.position
    ]
    # Of equal ones the first.
    best, i, n = max(found, key=lambda one: one[0].raw)
    return replace(finger, pairing=pairing_of(request.fingers[i], records[n], best.pairs, i, n))


@takes(probe=Template, record=Template)
def pairing_of(
    probe: Template, record: Template, pairs: NDArray[np.int64], finger: int, impression: int
) -> Pairing:
    """The paired minutiae of two impressions.

    Parameters
    ----------
    probe, record : Template
        The two impressions.
    pairs : (P, 2) int64
        Index in the probe, index in the record.
    finger : int
        The probe's impression: its place in the submission, from 0.
    impression : int
        The record's: its place among those of the record, from 0.
    """
    return Pairing(
        finger,
        impression,
        record.position,
        record.impression,
        (probe.width, probe.height),
        (record.width, record.height),
        tuple((_minutia(probe, i), _minutia(record, j)) for i, j in pairs.tolist()),
    )


def _minutia(template: Template, i: int) -> Minutia:
    """Stored are eighths of a pixel and 65536ths of a turn."""
    x, y = template.xy[i].tolist()
    turned = round(int(template.angle[i]) / 65536 * 360, 2)
    angle = 0.0 if turned >= 360 else turned
    return Minutia(i, x / 8, y / 8, angle, MinutiaType(int(template.kind[i])))
