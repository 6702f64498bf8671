"""A search among named records, or with a record of the gallery itself, as duplicates are sought.

It is decided, logged, compared and released as any search is. A list of records narrows it and
opens nothing; the record that the probe is from is no candidate; nothing is kept for later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from fpmatch.errors import InputError
from fpmatch.parameters import CALIBRATION
from fpmatch.search import pending, run
from fpmatch.search.decision import prepare
from fpmatch.search.hold import Hold
from fpmatch.search.running import Running, StoredProbe
from fpmatch.search.state import State
from fpmatch.search.verification import locate
from fpmatch.types import SearchRequest, SearchResponse


@dataclass(frozen=True, slots=True)
class Identified:
    """What came of it.

    Parameters
    ----------
    response : SearchResponse
    evidenced : bool
        Whether the calibration supports the false positive rate that was asked for: beyond it the
        threshold is an extrapolation. True where none was asked for.
    """

    response: SearchResponse
    evidenced: bool


def identify(
    state: State,
    request: SearchRequest,
    *,
    within: tuple[str, ...] | None = None,
    apart: StoredProbe | None = None,
    target_fpir: float | None = None,
) -> Identified:
    """Search once.

    Parameters
    ----------
    state : State
        The open engine.
    request : SearchRequest
        What was asked; keeps nothing and sends no copies.
    within : tuple of str, optional
        The records to compare with, by the names that the agency knows. All by default.
    apart : StoredProbe, optional
        The record that the fingers are from.
    target_fpir : float, optional
        -10*log10 of the share of searches of strangers that may list anyone; sets the threshold.

    Raises
    ------
    InputError
        If the request is malformed, or asks for something to be kept or copied.
    """
    if request.retain or request.copies_to:
        raise InputError("an identification retains no probe and sends no copies")
    pending.catch_up(state)
    with Hold(state) as hold:
        running = hold.watch(prepare(state, request))
        running.records, running.apart, running.once = within, apart, True
        evidenced = target_fpir is None or _aim(state, running, target_fpir)
        run.begin(state, running)
        if within is not None:
            try:
                locate(state, running)
            except BaseException as error:
                run.fail(state, running, error)
                raise
        return Identified(run.finish(state, running, hold), evidenced)


def _aim(state: State, running: Running, target_fpir: float) -> bool:
    """Set the threshold for a false positive rate over all records that the agency may see.

    Of ``n`` records strangers reach a score with at most ``n`` times its false match rate. Only
    partitions whose results it sees count: others would show in what is listed.
    """
    n = 0
    for d in running.decision.partitions:
        if not (d.probe and d.view) or not state.searchable(d.partition):
            continue
        columns = state.gallery.columns(d.partition)
        barred = columns.barred(sees_protected=d.sees_protected, uses=running.uses)
        seen = int((~barred).sum())
        n += seen if running.records is None else min(seen, len(running.records))
    threshold = target_fpir + 10 * math.log10(max(n, 1))
    submission = running.submission
    request = replace(submission.request, threshold=threshold)
    running.submission = replace(submission, request=request)
    return threshold <= -10 * math.log10(CALIBRATION.least_fmr)
