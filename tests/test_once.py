"""A caller's key: the same act again changes nothing and is answered alike; another is refused."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import timedelta

import pytest
from engine_helpers import POLICY, Clock, engine, folder, print_of, record

from fpmatch.errors import ConflictError, InputError, RefusedError
from fpmatch.parameters import SEARCH
from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points, enrolment

ORDER = {"order": "o", "authority": "a"}
OTHER = {"order": "p", "authority": "a"}
STRICT = POLICY.replace('transactions = ["CAR", "CNA"]', 'transactions = ["CAR"]')

ACTS = {
    "seal": (
        lambda e, k: e.seal("C-1", **ORDER, key=k),
        lambda e, k: e.seal("C-1", **OTHER, key=k),
    ),
    "unseal": (
        lambda e, k: e.unseal("C-1", **ORDER, key=k),
        lambda e, k: e.seal("C-1", **ORDER, key=k),
    ),
    "expunge": (
        lambda e, k: e.expunge("C-1", **ORDER, key=k),
        lambda e, k: e.expunge("C-2", **ORDER, key=k),
    ),
    "expunge many": (
        lambda e, k: e.expunge_many(["C-2", "C-1"], **ORDER, key=k),
        lambda e, k: e.expunge_many(["C-1", "C-2"], **ORDER, key=k),
    ),
    "update": (
        lambda e, k: e.update("criminal", "C-1", protected=True, **ORDER, key=k),
        lambda e, k: e.update("criminal", "C-1", protected=False, **ORDER, key=k),
    ),
    "publish": (
        lambda e, k: e.publish(Policy.parse(POLICY), key=k),
        lambda e, k: e.publish(Policy.parse(STRICT), key=k),
    ),
    "enrol": (
        lambda e, k: e.enrol("criminal", [record("N-1", 30)], key=k),
        lambda e, k: e.enrol("criminal", [record("N-1", 31)], key=k),
    ),
}


def state_of(e: Engine) -> tuple[object, ...]:
    """All that an act changes."""
    kinds = ("SEAL", "UNSEAL", "EXPUNGE", "UPDATE", "POLICY", "ENROL")
    log = [r.seq for kind in kinds for r in e.audit.records(kind=kind)]
    gallery = e._state.gallery
    roots = [gallery.root(p.name) for p in e.partitions]
    return log, roots, gallery.policy()


@pytest.mark.parametrize("act", ["seal", "unseal", "update", "publish", "enrol"])
def test_an_answer_whose_number_was_not_noted_finds_its_own_in_the_log(act):
    """Its process ended when the log had it and the gallery did not: not 0, nor another's."""
    with engine() as e:
        first = ACTS[act][0](e, "key 1")
        e.seal("C-2", order="o", authority="a")
        with e._state.gallery.transaction() as database:
            database.execute("UPDATE answered SET seq = 0")
        e._state._numbers.clear()
        assert ACTS[act][0](e, "key 1") == first


@pytest.mark.parametrize("act", ACTS)
def test_the_same_again_changes_nothing_and_is_answered_alike(act):
    same, other = ACTS[act]
    with engine() as e:
        first = same(e, "key 1")
        now = state_of(e)
        assert same(e, "key 1") == first
        with pytest.raises(ConflictError):
            other(e, "key 1")
        assert state_of(e) == now
        if not act.startswith("expunge"):
            assert same(e, "key 2") is not None
            assert state_of(e) != now, "another key is another act"


@pytest.mark.parametrize("act", ACTS)
def test_an_answer_outlives_the_process(act):
    same, _ = ACTS[act]
    place = folder()
    shutil.rmtree(place)
    try:
        with Engine.create(place, clock=Clock(), durability="off") as e:
            e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
            e.publish(Policy.parse(POLICY))
            e.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
            first = same(e, "k")
            now = state_of(e)
        with Engine.open(place, "rw", clock=Clock(), durability="off") as e:
            assert same(e, "k") == first
            assert state_of(e) == now
    finally:
        shutil.rmtree(place)


def test_one_key_is_for_one_act_whatever_its_kind():
    with engine() as e:
        e.seal("C-1", **ORDER, key="k")
        for name, (same, _) in ACTS.items():
            if name != "seal":
                with pytest.raises(ConflictError):
                    same(e, "k")


def test_a_refused_act_leaves_its_key_free():
    with engine() as e:
        with pytest.raises(RefusedError):
            e.seal("C-none", **ORDER, key="k")
        assert e.seal("C-1", **ORDER, key="k")
        with pytest.raises(InputError):
            e.seal("C-1", **ORDER, key="x" * 256)
        for wrong in (None, 1, b"k"):
            with pytest.raises(InputError):
                e.seal("C-1", **ORDER, key=wrong)


def test_answers_are_forgotten_after_the_stated_time():
    clock = Clock()
    with engine(clock=clock) as e:
        first = e.seal("C-1", **ORDER, key="k")
        clock.now += timedelta(days=SEARCH.key_days)
        assert e.seal("C-1", **ORDER, key="k") == first
        clock.now += timedelta(seconds=1)
        assert e.seal("C-1", **ORDER, key="k") != first
        count = "SELECT COUNT(*) FROM answered"
        assert e._state.gallery.database.execute(count).fetchone() == (1,)


def test_a_report_is_repeated_whole(monkeypatch):
    """Errors, flags, notes and counts over several batches, called back alike."""
    few = dataclasses.replace(SEARCH, enrol_batch=3)
    monkeypatch.setattr(enrolment, "SEARCH", few)
    with engine() as e:
        batch = [
            record("N-1", 30),
            record("N-1", 31, event="another person's"),
            dataclasses.replace(record("C-2", 2), contributor="CA0990000"),
            record("N-1", 30, banned_uses=frozenset({"nothing"})),
            "no record at all",
            record("N-2", 32),
            record("N-2", 33, event="x"),
        ]
        calls: list[list] = [[], []]
        reports, states = [], []
        for said in calls:
            reports.append(
                e.enrol(
                    "criminal",
                    iter(batch),
                    key="k",
                    progress=lambda *n, said=said: said.append(n),
                    on_error=said.append,
                )
            )
            states.append(state_of(e))
        now = states[0]
        assert reports[0] == reports[1]
        assert calls[0] == calls[1]
        assert state_of(e) == now
        assert len(reports[0].errors) == 3
        assert len(reports[0].flags) == 2
        for other in (batch[:-1], batch[:3], [*batch, record("N-3", 34)], batch[::-1]):
            with pytest.raises(ConflictError):
                e.enrol("criminal", other, key="k")
        assert state_of(e) == now


def test_an_enrolment_that_was_cut_off_goes_on_where_it_ended(monkeypatch):
    monkeypatch.setattr(enrolment, "SEARCH", dataclasses.replace(SEARCH, enrol_batch=2))
    batch = [record(f"N-{n}", 30 + n) for n in range(7)]
    with engine() as whole:
        expected = whole.enrol("criminal", batch)
    for stop in range(len(batch) + 1):

        def broken(stop=stop):
            yield from batch[:stop]
            raise OSError("the source is gone")

        with engine() as e:
            with pytest.raises(OSError, match="the source is gone"):
                e.enrol("criminal", broken(), key="k")
            done = e._state.gallery.database.execute(
                "SELECT COUNT(*) FROM record WHERE record LIKE 'N-%'"
            ).fetchone()[0]
            assert done == max(0, stop - 1) // 2 * 2, "whole batches, known not to be the last"
            assert e.enrol("criminal", batch, key="k") == expected
            assert len(list(e.audit.records(kind="ENROL"))) == 4 + 4


def test_no_name_is_kept_with_an_answer():
    with engine() as e:
        wrong = record("Quillfeather", 1, banned_uses=frozenset({"CXX"}))
        again = record("Quillfeather", 3, identity="of another")
        e.enrol("criminal", [record("Quillfeather", 1)], key="Quillfeather 1")
        report = e.enrol("criminal", [wrong, again], key="Quillfeather 2")
        assert ["Quillfeather" in error.message for error in report.errors] == [False, True]
        e.update("criminal", "Quillfeather", protected=True, **ORDER, key="Quillfeather 3")
        e.seal("Quillfeather", **ORDER, key="Quillfeather 4")
        e.expunge("Quillfeather", **ORDER, key="Quillfeather 5")
        e.enrol("criminal", [record("Quillfeather", 1), record("Quillfeather II", 2)])
        both = ["Quillfeather", "Quillfeather II"]
        e.expunge_many(both, **ORDER, key="Quillfeather 6")
        for row in e._state.gallery.database.execute("SELECT * FROM answered"):
            assert "Quillfeather" not in str(row)
        files = [p for p in e._state.folder.rglob("*") if p.is_file()]
        assert [p.name for p in files if b"Quillfeather" in p.read_bytes()] == []
        assert e.enrol("criminal", [wrong, again], key="Quillfeather 2") == report


def test_flags_are_found_by_the_repetition_where_the_first_call_did_not_get_so_far(monkeypatch):
    batch = [record("C-1", 50, event="later")]
    with engine() as e:

        def hook(name):
            if name == "enrol.compared":
                raise KeyboardInterrupt

        monkeypatch.setattr(crash_points, "hook", hook)
        with pytest.raises(KeyboardInterrupt):
            e.enrol("criminal", batch, key="k")
        monkeypatch.setattr(crash_points, "hook", None)
        report = e.enrol("criminal", batch, key="k")
        assert [f.record for f in report.flags] == ["C-1"]
        assert e.enrol("criminal", batch, key="k") == report


def test_the_same_key_from_many_threads_at_once_acts_once():
    from concurrent.futures import ThreadPoolExecutor

    with engine() as e, ThreadPoolExecutor(8) as pool:
        made = lambda _: e.update(  # noqa: E731
            "criminal", "C-1", fingers=[print_of(40)], **ORDER, key="k"
        )
        receipts = list(pool.map(made, range(16)))
        assert len(set(receipts)) == 1
        assert len(list(e.audit.records(kind="UPDATE"))) == 1


@pytest.mark.parametrize("step", ["publish.committed", "log.appended", "publish.logged"])
def test_a_publication_that_is_cut_off_is_in_force_once_it_is_committed(monkeypatch, step):
    with engine() as e:
        version = e.policy.version

        def hook(name):
            if name == step:
                raise KeyboardInterrupt

        monkeypatch.setattr(crash_points, "hook", hook)
        with pytest.raises(KeyboardInterrupt):
            e.publish(Policy.parse(STRICT), key="k")
        monkeypatch.setattr(crash_points, "hook", None)
        assert e.policy.version == version + 1
        assert e.policy.declared.transactions == ("CAR",)
        assert e.publish(Policy.parse(STRICT), key="k") == version + 1
        assert [r.fields["policy_version"] for r in e.audit.records(kind="POLICY")] == [1, 2]
