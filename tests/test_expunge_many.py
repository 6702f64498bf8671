"""Many records expunged in one call: as one by one, all or none, each file written once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from engine_helpers import KEEPS, LATER, ON, engine, record, request

from fpmatch.errors import ConflictError, InputError, RefusedError
from fpmatch.gallery import Receipt
from fpmatch.index.store import Store
from fpmatch.search import Engine, crash_points, removal
from fpmatch.search.crash_points import EXPUNGE

BY = {"order": "o", "authority": "a"}
MANY = [f"N-{n}" for n in range(12)]


@contextmanager
def filled(**options: Any) -> Iterator[Engine]:
    with engine(**options) as e:
        people = [record(name, 30 + n, identity=f"P-{n % 4}") for n, name in enumerate(MANY)]
        e.enrol("criminal", people)
        yield e


def state_of(e: Engine) -> tuple[Any, ...]:
    gallery = e._state.gallery
    roots = [gallery.root(p.name) for p in e.partitions]
    held = gallery.database.execute("SELECT record FROM record ORDER BY id").fetchall()
    left = gallery.unlogged(), gallery.unfinished()
    return roots, held, left, e._state.indexes["criminal"].row_ids().tolist()


def log_of(e: Engine, kind: str = "EXPUNGE") -> list[dict[str, Any]]:
    return [
        {name: value for name, value in r.fields.items() if name != "journal"}
        for r in e.audit.records(kind=kind)
    ]


def found(e: Engine, number: int) -> list[str]:
    answer = e.search(request(ON, number, threshold=30))
    return [c.record for c in answer["criminal"].candidates or ()]


def test_many_at_once_are_as_one_by_one():
    with filled() as one, filled() as many:
        apart = [one.expunge(name, **BY) for name in MANY[:7]]
        told: list[tuple[int, int]] = []
        together = many.expunge_many(MANY[:7], **BY, progress=lambda *said: told.append(said))
        assert told == [(n, 7) for n in range(1, 8)]
        assert [dataclasses.replace(r, audit_seq=0) for r in together] == [
            dataclasses.replace(r, audit_seq=0) for r in apart
        ]
        assert state_of(many) == state_of(one)
        assert log_of(many) == log_of(one)
        (first, last) = (together[0].audit_seq, together[-1].audit_seq)
        assert [r.audit_seq for r in together] == list(range(first, last + 1))
        said = many.audit.records(first=first, last=last)
        assert [r.fields["roots"]["criminal"]["after"] for r in said] == [
            r.roots[0][2] for r in together
        ]
        for n in range(12):
            assert found(many, 30 + n) == found(one, 30 + n) == ([MANY[n]] if n >= 7 else [])
        assert many.audit.verify().ok


def test_identities_go_with_their_kept_probes():
    with filled() as e:
        for n, identity in enumerate(("P-0", "P-1", "P-2")):
            more = {"attributes": {"identity": identity}}
            e.search(request(KEEPS, 30 + n, retain=True, **more))
            e.search(request(LATER, 30 + n, **more))
        receipts = e.expunge_many(["P-2", "P-0", "P-3"], level="identity", **BY)
        assert [(r.records, r.probes) for r in receipts] == [(3, 2), (3, 2), (3, 0)]
        ledger = e._state.ledger
        kept = [p.identity for kind in ("deferred", "retained") for p in ledger.kept(kind)]
        assert kept == ["P-1", "P-1"]
        assert [name for name in MANY if found(e, 30 + MANY.index(name))] == MANY[1::4]


def test_every_segment_is_written_once_and_the_log_synced_once(monkeypatch):
    with filled() as e:
        e._state.indexes["criminal"].flush()
        written, real = [], Store._rewrite
        monkeypatch.setattr(Store, "_rewrite", lambda *a: (written.append(1), real(*a))[1])
        appended, events = [], type(e.audit).events
        monkeypatch.setattr(
            type(e.audit),
            "events",
            lambda log, some: (appended.append(len(some)), events(log, some))[1],
        )
        e.expunge_many(MANY[:6], **BY)
        assert (len(written), appended) == (1, [6])
        for name in MANY[6:9]:
            e.expunge(name, **BY)
        assert (len(written), appended) == (4, [6, 1, 1, 1])


WRONG: dict[str, tuple[list[Any], type[Exception], str]] = {
    "unknown": (
        [*MANY[:3], "nobody", MANY[3], "no one"],
        RefusedError,
        r"number 4 and 1 others of 6",
    ),
    "unknown alone": (["nobody"], RefusedError, "not open to you$"),
    "twice": ([*MANY[:3], MANY[0]], InputError, "twice"),
    "in two partitions": ([*MANY[:2], "both"], InputError, "number 3: several partitions"),
    "no text": ([MANY[0], 7], InputError, "record must be text"),
    "too many": ([*MANY, "C-1"], InputError, "12"),
}


@pytest.mark.parametrize("what", WRONG)
def test_all_of_them_or_none(what, monkeypatch):
    names, error, match = WRONG[what]
    monkeypatch.setattr(removal, "SEARCH", dataclasses.replace(removal.SEARCH, most_expunged=12))
    with filled() as e:
        for partition in ("criminal", "immigration"):
            e.enrol(partition, [record("both", 60)])
        before = state_of(e)
        with pytest.raises(error, match=match):
            e.expunge_many(names, **BY)
        assert state_of(e) == before
        assert log_of(e) == []
        assert len(log_of(e, "AUTH_FAILED")) == (error is RefusedError)
        assert e.expunge_many((), **BY) == ()
        assert len(e.expunge_many([*MANY[:11], "both"], partition="criminal", **BY)) == 12


def test_what_the_progress_raises_undoes_all():
    with filled() as e:
        before = state_of(e)

        def stop(done: int, total: int) -> None:
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            e.expunge_many(MANY, **BY, progress=stop)
        assert state_of(e) == before
        assert found(e, 30) == ["N-0"]
        assert len(e.expunge_many(MANY, **BY)) == 12


@pytest.mark.parametrize("key", ["", "k"])
@pytest.mark.parametrize("step", [*EXPUNGE, "log.appended"])
def test_cut_off_anywhere_it_is_finished_and_its_repetition_answered(step, key, monkeypatch):
    def hook(name: str) -> None:
        if name == step:
            raise KeyboardInterrupt

    def comparable(receipts: tuple[Receipt, ...]) -> list[Receipt]:
        return [dataclasses.replace(r, audit_seq=0) for r in receipts]

    with filled() as whole:
        expected = whole.expunge_many(MANY[:5], **BY, key=key)
        wanted = state_of(whole)
    with filled() as e:
        monkeypatch.setattr(crash_points, "hook", hook)
        with pytest.raises(KeyboardInterrupt):
            e.expunge_many(MANY[:5], **BY, key=key)
        monkeypatch.setattr(crash_points, "hook", None)
        assert found(e, 30) == []
        if key:
            with pytest.raises(ConflictError):
                e.expunge_many(MANY[:6], **BY, key=key)
            answers = [e.expunge_many(MANY[:5], **BY, key=key) for _ in range(2)]
            assert answers[0] == answers[1]
        else:
            answers = [e.expunge_many(MANY[:5], **BY)]
            with pytest.raises(RefusedError):
                e.expunge_many(MANY[:5], **BY)
        assert comparable(answers[0]) == comparable(expected)
        assert state_of(e) == wanted
        seqs = [r.seq for r in e.audit.records(kind="EXPUNGE")]
        assert [r.audit_seq for r in answers[0]] == seqs


def test_what_a_call_that_was_cut_off_removed_is_answered_among_others(monkeypatch):
    with filled() as e:

        def hook(name: str) -> None:
            if name == "expunge.committed":
                raise KeyboardInterrupt

        monkeypatch.setattr(crash_points, "hook", hook)
        with pytest.raises(KeyboardInterrupt):
            e.expunge_many(MANY[:3], **BY)
        monkeypatch.setattr(crash_points, "hook", None)
        with pytest.raises(RefusedError, match="number 2 of 3"):
            e.expunge_many([MANY[0], "nobody", MANY[5]], **BY)
        again = [e.expunge_many([MANY[5], MANY[1], MANY[6]], **BY, key="k") for _ in range(2)]
        assert again[0] == again[1]
        (one,) = (r for r in e.audit.records(kind="EXPUNGE") if r.seq == again[0][1].audit_seq)
        assert one.fields["roots"]["criminal"]["after"] == again[0][1].roots[0][2]
        assert [r.records for r in again[0]] == [1, 1, 1]
        assert e.expunge(MANY[0], **BY).records == 1
        with pytest.raises(RefusedError):
            e.expunge_many([MANY[1]], **BY)
        assert len(log_of(e)) == 5


def test_a_number_that_is_forgotten_is_looked_up_in_the_log(monkeypatch):
    """The journal's entries are logged, and the process ends before the notes are dropped."""
    with filled() as e:

        def hook(name: str) -> None:
            if name == "expunge.logged":
                raise KeyboardInterrupt

        monkeypatch.setattr(crash_points, "hook", hook)
        with pytest.raises(KeyboardInterrupt):
            e.expunge_many(MANY[:3], **BY)
        monkeypatch.setattr(crash_points, "hook", None)
        e._state._numbers.clear()
        answers = e.expunge_many(MANY[:3], **BY)
        seqs = [r.seq for r in e.audit.records(kind="EXPUNGE")]
        assert [r.audit_seq for r in answers] == seqs
