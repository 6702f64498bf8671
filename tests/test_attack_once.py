"""What may happen once happens once: tokens, copies, deliveries and control numbers.

In many threads, in many processes, and whatever dies in between.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_helpers import (
    HELD,
    KEEPS,
    LATER,
    NOW,
    OFF,
    ON,
    POLICY,
    Clock,
    engine,
    folder,
    request,
    told,
    world,
)
from processes import killed_in, processes

from fpmatch.audit import verify_proof
from fpmatch.database import create_file
from fpmatch.errors import AuditError, InputError, RefusedError
from fpmatch.ledger import FILE, Ledger, tables
from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points
from fpmatch.search.living import Living
from fpmatch.types import Outcome

PROCESSES = processes()


def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """Run acts in threads that start together: what each returned, or the error's type."""
    out: list[Any] = [None] * len(acts)
    barrier = threading.Barrier(len(acts))

    def work(i: int) -> None:
        barrier.wait()
        try:
            out[i] = acts[i]()
        except Exception as error:
            out[i] = type(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


@pytest.fixture
def hook():
    """Sets what is called after each step."""

    def set_(function: Callable[[str], None]) -> None:
        crash_points.hook = function

    yield set_
    crash_points.hook = None


def token_of(e: Engine, ori: str = LATER) -> str:
    return e.search(request(ori))["immigration"].token


def made(place: Path, clock: Clock | None = None) -> Path:
    """A gallery in a folder, closed, with its policy."""
    shutil.rmtree(place)
    with Engine.create(place, clock=clock or Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        for name, records in world().items():
            e.enrol(name, records)
        e.publish(Policy.parse(POLICY))
    return place


@pytest.fixture
def place():
    path = made(folder())
    yield path
    shutil.rmtree(path, ignore_errors=True)


def opened(place: Path, mode: str = "r", clock: Clock | None = None) -> Engine:
    return Engine.open(place, mode, clock=clock or Clock(), durability="off")


# -- tokens ------------------------------------------------------------------------------------


def test_an_event_reported_by_many_threads_makes_one_search():
    with engine() as e:
        for _ in range(8):
            token = token_of(e)
            found = at_once([lambda t=token: e.report_event(t, "CONVICTION")] * 4)
            answers = [r for r in found if r is not RefusedError]
            assert [a["immigration"].outcome for a in answers] == [Outcome.SEARCHED_DISCLOSED]
        assert Counter(r.kind for r in e.audit.records())["INTENT"] == 16
        assert e.audit.verify().ok


def test_a_cancel_and_an_event_are_not_both_obeyed():
    with engine() as e:
        for i in range(12):
            token = token_of(e)
            acts = [lambda t=token: e.report_event(t, "CONVICTION"), lambda t=token: e.cancel(t)]
            found = at_once(acts if i % 2 else acts[::-1])
            assert found.count(RefusedError) == 1
        cancelled = sum(1 for _ in e.audit.records(kind="DEFER_CANCELLED"))
        searched = sum(
            r.partitions["immigration"]["outcome"] == "SEARCHED_DISCLOSED"
            for r in e.audit.records(kind="OUTCOME")
        )
        assert cancelled + searched == 12


def test_a_token_cancelled_by_many_threads_is_cancelled_once():
    with engine() as e:
        token = token_of(e)
        found = at_once([lambda: e.cancel(token)] * 6)
        assert Counter(found) == {None: 1, RefusedError: 5}
        assert sum(1 for _ in e.audit.records(kind="DEFER_CANCELLED")) == 1


def test_a_token_does_not_expire_while_its_event_is_searched(hook):
    clock = Clock()
    with engine(clock=clock) as e:
        token = token_of(e)
        done: list[Any] = []

        def later(name: str) -> None:
            if name == "search.compared" and not done:
                done.append(name)
                clock.now = NOW + timedelta(days=31)
                with pytest.raises(RefusedError):
                    e.report_event("D" + "0" * 32, "CONVICTION")  # destroys what has expired
                clock.now = NOW

        hook(later)
        assert e.report_event(token, "CONVICTION")["immigration"].candidates
        assert not list(e.audit.records(kind="DEFER_CANCELLED"))


def test_expiry_is_logged_once_by_many_threads():
    clock = Clock()
    with engine(clock=clock) as e:
        token_of(e)
        clock.now = NOW + timedelta(days=31)
        at_once([lambda: e.cancel("D" + "0" * 32)] * 6)
        assert [r.fields["why"] for r in e.audit.records(kind="DEFER_CANCELLED")] == ["expired"]


def test_a_taken_token_looks_like_one_that_never_was(hook):
    with engine() as e:
        token = token_of(e)
        said: list[str] = []

        def during(name: str) -> None:
            if name == "search.compared":
                for other in (token, "D" + "0" * 32):
                    with pytest.raises(RefusedError) as refused:
                        e.report_event(other, "CONVICTION")
                    said.append(str(refused.value))

        hook(during)
        e.report_event(token, "CONVICTION")
        assert len(said) == 2
        assert len(set(said)) == 1


def test_a_token_whose_search_failed_is_good_again(monkeypatch):
    import fpmatch.search.run as run

    with engine() as e:
        token = token_of(e)
        with monkeypatch.context() as patch:
            patch.setattr(run, "run_comparisons", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.report_event(token, "CONVICTION")
        with monkeypatch.context() as patch:
            patch.setattr("fpmatch.search.probe.check", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.report_event(token, "CONVICTION")
        assert e.report_event(token, "CONVICTION")["immigration"].candidates
        with pytest.raises(RefusedError):
            e.report_event(token, "CONVICTION")


def test_a_token_whose_search_was_logged_is_spent_whatever_fails_then(monkeypatch):
    import fpmatch.search.run as run

    with engine() as e:
        token = token_of(e)
        with monkeypatch.context() as patch:
            patch.setattr(run.outbox, "show", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.report_event(token, "CONVICTION")
        with pytest.raises(RefusedError):
            e.report_event(token, "CONVICTION")


def test_a_token_that_still_waits_stays_good():
    with engine() as e:
        token = token_of(e)
        for _ in range(3):
            answer = e.report_event(token, "HEARING", disposition="pending")
            assert answer["immigration"].outcome is Outcome.DEFERRED
        assert e.report_event(token, "CONVICTION")["immigration"].candidates


def test_two_cascades_at_once_search_each_probe_once():
    with engine() as e:
        for person in (1, 2, 7):
            e.search(request(KEEPS, person, retain=True))
        found = at_once([lambda: e.cascade("immigration")] * 3)
        seen = Counter(r.tcn.partition("/")[0] for answers in found for r in answers)
        assert len(seen) == 3
        at_a_time = Counter(told(r) for answers in found for r in answers)
        assert sum(at_a_time.values()) == sum(seen.values())
        assert len(e.cascade("immigration")) == 3  # a later one searches them all again
        assert e.audit.verify().ok


def test_cascade_passes_over_a_probe_that_is_being_searched(hook):
    with engine() as e:
        e.search(request(KEEPS, retain=True))
        inner: list[list[Any]] = []

        def during(name: str) -> None:
            if name == "search.compared" and not inner:
                inner.append([])
                inner[0] += e.cascade("immigration")

        hook(during)
        assert len(e.cascade("immigration")) == 1
        assert inner == [[]]


def _report(place: Path, token: str, start: Any, out: Any) -> None:
    with opened(place) as e:
        start.wait()
        try:
            out.put(str(e.report_event(token, "CONVICTION")["immigration"].outcome))
        except RefusedError:
            out.put("refused")


@pytest.mark.slow
def test_an_event_reported_by_several_processes_makes_one_search(place):
    with opened(place, "rw") as e:
        tokens = [token_of(e) for _ in range(2)]
    for token in tokens:
        barrier, out = PROCESSES.Barrier(3), PROCESSES.Queue()
        workers = [
            PROCESSES.Process(target=_report, args=(place, token, barrier, out)) for _ in "123"
        ]
        for worker in workers:
            worker.start()
        said = sorted(out.get(timeout=120) for _ in workers)
        for worker in workers:
            worker.join()
        assert said == ["SEARCHED_DISCLOSED", "refused", "refused"]


# -- copies and deliveries ---------------------------------------------------------------------


def test_a_copy_is_handed_out_once_by_many_threads():
    with engine() as e:
        for i in range(6):
            e.search(request(ON, tcn=f"C-{i}", copies_to=[KEEPS]))
            found = at_once([lambda i=i: e.copy(f"C-{i}", KEEPS)] * 6)
            assert found.count(RefusedError) == 5


def test_a_message_is_delivered_once_by_many_threads():
    with engine() as e:
        e.search(request(HELD))
        for message in e.notifications():
            found = at_once([lambda m=message: e.deliver(m.id)] * 6)
            assert Counter(found) == {True: 1, False: 5}


def test_another_agency_with_the_same_number_touches_no_copy():
    with engine() as e:
        first = e.search(request(ON, 1, tcn="T-1", copies_to=[KEEPS]))
        e.search(request(OFF, 2, tcn="T-1", copies_to=[KEEPS]))
        with pytest.raises(InputError, match="booking_ori"):
            e.copy("T-1", KEEPS)
        mine = e.copy("T-1", KEEPS, booking_ori=ON)
        assert [c.record for c in mine["criminal"].candidates] == [
            c.record for c in first["criminal"].candidates
        ]
        with pytest.raises(RefusedError):
            e.copy("T-1", KEEPS, booking_ori=ON)
        e.copy("T-1", KEEPS)
        with pytest.raises(RefusedError):
            e.copy("T-1", KEEPS)


# -- control numbers ---------------------------------------------------------------------------


def intents(e: Engine, tcn: str) -> list[str]:
    return [r.fields["cri"] for r in e.audit.records(kind="INTENT", tcn=tcn)]


def test_a_control_number_is_bound_to_its_first_submission():
    with engine() as e:
        first = request(OFF, tcn="T-1")
        e.search(first)
        for second in (first, dataclasses.replace(first, fingers=request(person=2).fingers)):
            with pytest.raises(InputError, match="T-1"):
                e.search(second)
        with pytest.raises(InputError, match="T-1"):
            e.search_many([request(OFF), first])
        assert intents(e, "T-1") == [OFF]
        assert verify_proof(e.audit.prove_not_searched("T-1", "immigration")).ok


def test_a_number_that_comes_twice_in_one_list_starts_nothing():
    with engine() as e:
        with pytest.raises(InputError, match="T-2"):
            e.search_many([request(ON), request(ON, tcn="T-2"), request(ON, 2, tcn="T-2")])
        assert not list(e.audit.records(kind="INTENT"))
        both = e.search_many([request(ON, tcn="T-2"), request(OFF, tcn="T-2")])
        assert [r.tcn for r in both] == ["T-2", "T-2"]


def test_a_failed_search_keeps_its_number(monkeypatch):
    import fpmatch.search.run as run

    with engine() as e:
        with monkeypatch.context() as patch:
            patch.setattr(run, "run_comparisons", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.search(request(ON, tcn="T-3"))
        with pytest.raises(InputError, match="T-3"):
            e.search(request(ON, tcn="T-3"))


def test_a_request_that_is_refused_before_it_is_logged_uses_no_number():
    with engine() as e:
        with pytest.raises(InputError):
            e.search(request(ON, tcn="T-4", effort="none"))
        assert e.search(request(ON, tcn="T-4")).tcn == "T-4"


def test_a_proof_is_of_one_agencys_transaction():
    with engine() as e:
        for ori in (OFF, LATER, ON):
            e.search(request(ori, tcn="T-5"))
        with pytest.raises(AuditError, match="cri="):
            e.audit.prove_not_searched("T-5", "immigration")
        witness = e.audit.checkpoint()
        proof = e.audit.prove_not_searched("T-5", "immigration", witness, cri=OFF)
        assert verify_proof(proof).ok
        assert OFF in proof.sentence
        with pytest.raises(AuditError):
            e.audit.prove_not_searched("T-5", "immigration", cri=ON)
        other = e.audit.prove_not_searched("T-5", "immigration", witness, cri=LATER)
        assert verify_proof(other).ok
        joined = dataclasses.replace(
            proof,
            records=(*proof.records, *other.records),
            paths=(*proof.paths, *other.paths),
        )
        assert "several agencies" in verify_proof(joined).why


def test_many_threads_with_one_number_make_one_search():
    with engine() as e:
        found = at_once([lambda: e.search(request(ON, tcn="T-6"))] * 6)
        assert found.count(InputError) == 5
        assert intents(e, "T-6") == [ON]


def _submit(place: Path, start: Any, out: Any) -> None:
    with opened(place) as e:
        for number in range(4):
            start.wait()
            try:
                out.put((number, e.search(request(ON, tcn=f"P-{number}")).tcn))
            except InputError:
                out.put((number, "used"))


@pytest.mark.slow
def test_several_processes_with_one_number_make_one_search(place):
    barrier, out = PROCESSES.Barrier(3), PROCESSES.Queue()
    workers = [PROCESSES.Process(target=_submit, args=(place, barrier, out)) for _ in "123"]
    for worker in workers:
        worker.start()
    said = Counter(out.get(timeout=120) for _ in range(12))
    for worker in workers:
        worker.join()
    assert said == {
        **{(n, f"P-{n}"): 1 for n in range(4)},
        **{(n, "used"): 2 for n in range(4)},
    }


# -- other processes, living and dead ----------------------------------------------------------


@pytest.mark.parametrize("step", ["search.intent", "search.compared", "search.prepared"])
@pytest.mark.parametrize(("ori", "more"), [(HELD, {}), (LATER, {}), (KEEPS, {"retain": True})])
def test_an_opening_leaves_a_running_search_alone(place, hook, step, ori, more):
    with opened(place) as e:
        opens = []

        def during(name: str) -> None:
            if name == step and not opens:
                opens.append(name)
                with opened(place):
                    pass

        hook(during)
        answer = e.search(request(ori, **more))
        assert opens
        logged = next(iter(e.audit.records(kind="OUTCOME", tcn=answer.tcn))).partitions
        promised = {n for p in logged.values() for n in p["notifications"]}
        assert {m.id for m in e.notifications()} == promised
        if ori == LATER:
            assert e.report_event(answer["immigration"].token, "CONVICTION")
        if ori == KEEPS:
            assert len(e.cascade("immigration")) == 1
    with opened(place) as e:
        assert {m.id for m in e.notifications()} >= promised


def test_an_opening_leaves_an_event_alone_that_is_being_searched(place, hook):
    with opened(place) as e:
        token = token_of(e)
        opens = []

        def during(name: str) -> None:
            if name == "search.compared" and not opens:
                opens.append(name)
                with opened(place) as other, pytest.raises(RefusedError):
                    other.report_event(token, "CONVICTION")

        hook(during)
        assert e.report_event(token, "CONVICTION")["immigration"].candidates
        assert opens


def _die(place: Path, token: str, step: str) -> None:
    def kill(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with opened(place) as e:
        crash_points.hook = kill
        e.report_event(token, "CONVICTION")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "good"),
    [("search.decided", True), ("search.prepared", True), ("search.outcome", False)],
)
def test_a_token_taken_up_by_a_process_that_died(place, step, good):
    with opened(place, "rw") as e:
        token = token_of(e)
    assert killed_in(_die, place, token, step) == -signal.SIGKILL
    with opened(place, "rw") as e:
        if good:
            assert e.report_event(token, "CONVICTION")["immigration"].candidates
        with pytest.raises(RefusedError):
            e.report_event(token, "CONVICTION")
        assert e.audit.verify().ok


def _open_and_close(place: Path, stop: Any, ready: Any) -> None:
    while not stop.is_set():
        with opened(place):
            ready.set()


@pytest.mark.slow
def test_no_message_is_lost_while_others_open_and_close(place):
    stop, ready = PROCESSES.Event(), PROCESSES.Event()
    worker = PROCESSES.Process(target=_open_and_close, args=(place, stop, ready))
    worker.start()
    try:
        assert ready.wait(120)
        with opened(place) as e:
            for i in range(150):
                e.search(request(HELD, 1 + i % 2))
            promised = {
                name
                for r in e.audit.records(kind="OUTCOME")
                for p in r.partitions.values()
                for name in p["notifications"]
            }
            assert len(promised) == 300
            assert {m.id for m in e.notifications()} == promised
    finally:
        stop.set()
        worker.join(120)


# -- who is alive ------------------------------------------------------------------------------


def test_an_opening_is_alive_until_it_is_closed(tmp_path):
    first, second = Living(tmp_path), Living(tmp_path)
    assert first.alive(first.name)
    assert second.alive(first.name)
    second.clear()
    assert second.alive(first.name)
    first.close()
    assert not second.alive(first.name)
    assert not second.alive("")
    assert not second.alive("0" * 32)
    second.close()
    assert not list((tmp_path / "living").iterdir())


def test_the_file_of_a_dead_process_is_cleared(tmp_path):
    living = Living(tmp_path)
    (tmp_path / "living" / ("0" * 32)).write_bytes(b"")
    assert not living.alive("0" * 32)
    living.clear()
    assert [p.name for p in (tmp_path / "living").iterdir()] == [living.name]
    living.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_its_parent_alive(tmp_path):
    living = Living(tmp_path)
    begun, go_on = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(begun[1], b"1")
        os.close(go_on[1])
        os.read(go_on[0], 1)
        os._exit(0)
    os.read(begun[0], 1)
    living._file.close()  # as if the parent had died
    other = Living(tmp_path)
    assert not other.alive(living.name)
    other.close()
    for end in (*begun, *go_on):
        os.close(end)
    os.waitpid(child, 0)


# -- ledgers made before -----------------------------------------------------------------------


def test_a_ledger_without_owners_is_given_them(place):
    with opened(place, "rw") as e:
        token = token_of(e)
        e.search(request(HELD))
        waiting = {m.id for m in e.notifications()}
    with sqlite3.connect(place / FILE) as database:
        for table, column in tables.LEDGER_COLUMNS:
            database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    database.close()
    with opened(place, "rw") as e:
        assert {m.id for m in e.notifications()} == waiting
        assert e.report_event(token, "CONVICTION")["immigration"].candidates


def test_columns_are_added_by_several_at_once(tmp_path):
    create_file(tmp_path / FILE, tables.LEDGER)
    with sqlite3.connect(tmp_path / FILE) as database:
        for table, column in tables.LEDGER_COLUMNS:
            database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    database.close()
    found = at_once([lambda: Ledger.open(tmp_path, durability="off").kept("deferred")] * 4)
    assert found == [[]] * 4
