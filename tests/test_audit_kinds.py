"""The kinds of record in docs/audit.md are those that a run through the whole engine writes."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engine_helpers import (
    HELD,
    KEEPS,
    LATER,
    OFF,
    ON,
    POLICY,
    Clock,
    again,
    folder,
    request,
    world,
)

from fpmatch.audit import Kind
from fpmatch.errors import PolicyError
from fpmatch.parameters import AUDIT
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.types import RecordsRequest

DOCS = (Path(__file__).parent.parent / "docs" / "audit.md").read_text("utf-8")
WHERE = "immigration"
BEGIN = datetime.now(UTC)
"""The log is made by the machine's clock, and only what is oldest can be pruned."""
ORDER = {"order": "order 1", "authority": "a court"}
LOOKS = POLICY.replace('"CNA"]', '"CNA", "RECORDS", "EXPORT"]')
OPAQUE = (
    LOOKS.replace('protected_roles = ["advocate"]', 'status_visibility = "opaque"')
    .replace("expires_days = 30", "")
    .replace('mode = "deferred_disposition"', 'mode = "results_withheld"')
)
VOID = LOOKS.replace('author = "DOJ-FBI"', f'author = "{OFF}"')


def documented() -> dict[str, set[str]]:
    """Kinds in the tables of the page, each with its fields."""
    rows = re.findall(r"^\| ([A-Z_]+) \| [^|]+ \| ?([^|]*) ?\|$", DOCS, re.MULTILINE)
    return {kind: set(re.findall(r"\w+", fields)) for kind, fields in rows}


def through_the_engine(place: Path) -> None:
    """Whatever can happen to a gallery, once; the log is left to be read."""
    clock = Clock(BEGIN)
    with Engine.create(place, durability="off", clock=clock) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition(WHERE, 9, "DHS", expected_fingers=100)
        for name, records in world().items():
            e.enrol(name, records)
        e.publish(Policy.parse(LOOKS))
        e.request_opt_out(ON, WHERE, request="one")
        e.answer_opt_out("one", "refused", authority="DHS")
        asked = request(ON, copies_to=[KEEPS])
        response = e.search(asked)
        e.replay(response.audit_seq, asked)
        e.copy(response.tcn, KEEPS)
        e.search(request(KEEPS, retain=True))
        e.search(request(HELD))
        message = next(m for m in e.notifications() if m.owner == "DHS")
        e.envelope(message.id, "DHS")
        assert e.deliver(message.id)
        e.records(WHERE, RecordsRequest(booking_ori=ON))
        e.templates(WHERE, RecordsRequest(booking_ori=ON))
        e.update(WHERE, "I-7", protected=True, **ORDER)
        e.seal("I-7", partition=WHERE, **ORDER)
        e.unseal("I-7", partition=WHERE, **ORDER)
        e.expunge("I-8", partition=WHERE, **ORDER)
        used, gone = (e.search(again(request(LATER)))[WHERE].token for _ in range(2))
        e.cancel(gone)
        for refused in (
            lambda: e.cancel(gone),
            lambda: e.copy(response.tcn, KEEPS),
            lambda: e.envelope("N-none", "DHS"),
            lambda: e.update(WHERE, "I-none", protected=True, **ORDER),
            lambda: e.seal("I-none", partition=WHERE, **ORDER),
            lambda: e.expunge("I-none", partition=WHERE, **ORDER),
            lambda: e.publish(Policy.parse(VOID, lenient=True)),
        ):
            with pytest.raises(PolicyError):
                refused()
        e.request_opt_out(OFF, WHERE, request="two")
        with pytest.raises(PolicyError):
            e.answer_opt_out("two", "accepted", authority=KEEPS)
        e.publish(Policy.parse(OPAQUE))
        e.report_event(used, "CONVICTION")
    (place / "index" / "criminal" / "index.json").write_text("damaged")
    with closing(sqlite3.connect(place / "gallery.sqlite")) as database, database:
        database.execute("UPDATE partition SET sum_stamp = '', sum = zeroblob(length(sum))")
    clock.now += timedelta(days=AUDIT.retention_days + 2)
    with Engine.open(place, "rw", durability="off", clock=clock) as e:
        e.audit.export(place / "public.jsonl")


@pytest.fixture(scope="module")
def written():
    """Kinds that occur, each with the fields that any record of it has."""
    place = folder()
    out: dict[str, set[str]] = defaultdict(set)
    try:
        through_the_engine(place)
        with Engine.open(
            place,
            "rw",
            durability="off",
            clock=Clock(BEGIN + timedelta(days=AUDIT.retention_days + 3)),
        ) as e:
            list(e.audit.records(kind=Kind.GENESIS))
            assert e.audit.verify().ok
            found = list(e.audit.records())
            e.audit.prune(BEGIN + timedelta(days=1), "records officer")
            found += list(e.audit.records(kind=Kind.PRUNE))
            for one in found:
                out[one.kind] |= set(one.fields) - {"journal"}
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return dict(out)


def test_every_documented_kind_occurs_and_every_kind_that_occurs_is_documented(written):
    assert set(documented()) == set(written)
    assert set(written) == set(Kind)


def test_events_have_the_documented_fields(written):
    said = documented()
    events = [kind for kind in said if kind not in ("INTENT", "OUTCOME")]
    differing = {k: (said[k], written[k]) for k in events if said[k] != written[k]}
    assert not differing
