"""Many submissions at once: each decided, logged and released by itself, scans shared."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from fpmatch.parameters import SEARCH
from fpmatch.search import pending
from fpmatch.search.crash_points import crash_point
from fpmatch.search.decision import prepare
from fpmatch.search.hold import Hold
from fpmatch.search.run import finish, intent_of
from fpmatch.search.running import Running
from fpmatch.search.searcher import PartitionSearcher
from fpmatch.search.state import State
from fpmatch.types import Outcome, PartitionResult, Reason, SearchRequest, SearchResponse

log = logging.getLogger(__name__)


def search_many(state: State, requests: Sequence[SearchRequest]) -> list[SearchResponse]:
    """See `Engine.search_many`."""
    out: list[SearchResponse] = []
    size = SEARCH.search_batch
    pending.catch_up(state)
    with Hold(state) as hold:
        batch = [hold.watch(prepare(state, request)) for request in requests]
        for first in range(0, len(batch), size):
            out += _batch(state, batch[first : first + size], hold)
    return out


def _batch(state: State, batch: list[Running], hold: Hold) -> list[SearchResponse]:
    seqs = state.audit.intents([intent_of(state, running) for running in batch], once=True)
    for running, seq in zip(batch, seqs, strict=True):
        running.intent = seq
    crash_point("search.intent")
    for sharing in _groups(batch).values():
        if len(sharing) > 1:
            _share(sharing)
    return [_finished(state, running, hold) for running in batch]


def _groups(batch: list[Running]) -> dict[str, list[tuple[Running, PartitionSearcher]]]:
    """By partition the submissions that are searched at once, for they may share a scan."""
    out: dict[str, list[tuple[Running, PartitionSearcher]]] = {}
    for running in batch:
        request = running.submission.request
        if len(request.fingers) > 1 or request.deadline_ms is not None:
            continue
        for searcher in running.searchers:
            out.setdefault(searcher.partition, []).append((running, searcher))
    return out


def _share(sharing: list[tuple[Running, PartitionSearcher]]) -> None:
    _, searcher = sharing[0]
    name = searcher.partition
    try:
        found = searcher.search_many([running.ask(name) for running, _ in sharing])
    except Exception as error:
        # Each is searched alone then, so that one bad submission fails by itself.
        log.warning("a shared scan failed: %s", type(error).__name__)
        return
    for (running, _), scores in zip(sharing, found, strict=True):
        running.scores[name] = scores


def _finished(state: State, running: Running, hold: Hold) -> SearchResponse:
    # Or its deadline would tell how long others' partitions took.
    running.started = time.monotonic()
    try:
        return finish(state, running, hold)
    except Exception as error:
        log.warning("a search of a batch failed: %s", type(error).__name__)
        sections = tuple(
            PartitionResult(d.partition, Outcome.FAILED, Reason.ERROR)
            for d in running.decision.partitions
        )
        return SearchResponse(
            running.submission.tcn,
            running.decision.policy_version,
            sections,
            running.intent,
            running.probe.notes,
        )
