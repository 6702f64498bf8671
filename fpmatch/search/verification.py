"""One probe against one record: a search that sees nothing but that record.

It is decided, logged, released and audited as any search of the submission is, so that it can
show no more than one: it tells what the score of this record would have been.
"""

from __future__ import annotations

from dataclasses import replace

from fpmatch.checks import check_integer, check_text
from fpmatch.errors import InputError
from fpmatch.search import pending, probe, run
from fpmatch.search.decision import kept_quiet, prepare
from fpmatch.search.hold import Hold
from fpmatch.search.naming import keys_of
from fpmatch.search.running import Running
from fpmatch.search.state import State
from fpmatch.types import SearchRequest, SearchResponse, Verification

LOWEST = 0.0
"""Lowest score that two prints can have."""


def verify(state: State, request: SearchRequest, record: str, partition: str | int) -> Verification:
    """See `Engine.verify`.

    Parameters
    ----------
    state : State
        The open engine.
    request : SearchRequest
        What was asked.
    record : str
        The record's id.
    partition : str or int
        Its name.
    """
    check_text("record", record, longest=255, empty=False)
    asked = _request(state, request, partition)
    pending.catch_up(state)
    with Hold(state) as hold:
        running = hold.watch(prepare(state, asked))
        running.records, running.once = (record,), True
        run.begin(state, running)
        try:
            locate(state, running)
        except BaseException as error:
            run.fail(state, running, error)
            raise
        response = run.finish(state, running, hold)
    (name,) = running.submission.requested or ("",)
    return _result(response, name, record)


def _request(state: State, request: SearchRequest, partition: str | int) -> SearchRequest:
    """The submission as a search of one partition that shows one record at most."""
    if isinstance(partition, str):
        check_text("partition", partition, longest=200, empty=False)
    else:
        check_integer("partition", partition, 0, 2**31 - 1)
    if isinstance(request, SearchRequest) and request.threshold is None:
        request = replace(request, threshold=LOWEST)
    request = probe.check(request, state.gallery.partitions).request
    if request.partitions is not None and partition not in request.partitions:
        raise InputError("the submission does not ask for that partition")
    if request.retain or request.copies_to:
        raise InputError("a verification retains no probe and sends no copies")
    return replace(request, partitions=(partition,), max_candidates=1)


def locate(state: State, running: Running) -> None:
    """Find the named records in what may be searched; it may be none.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, whose `records` are named.
    """
    recipient = running.submission.facts.chain[0]
    running.only = {}
    for searcher in running.searchers:
        name = searcher.partition
        with kept_quiet(running, name):
            opaque = running.decision[name].opaque
            running.only[name] = keys_of(
                state, name, running.records or (), recipient if opaque else None
            )


def _result(response: SearchResponse, partition: str, record: str) -> Verification:
    section = response[partition]
    found = (section.candidates or (None,))[0]
    return Verification(
        response.tcn,
        response.policy_version,
        partition,
        record,
        section.outcome,
        section.reason,
        score=None if found is None else found.score,
        fmr=None if found is None else found.fmr,
        fingers=() if found is None else found.fingers,
        complete=section.complete,
        audit_seq=response.audit_seq,
    )
