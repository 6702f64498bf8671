"""Searches and changes of a partition take turns, and a deadline covers the wait."""

from __future__ import annotations

import random
import sqlite3
import threading
import time

import pytest
from engine_helpers import engine, record, request

from fpmatch.errors import AuditError
from fpmatch.search.read_write_lock import ReadWriteLock

LONG = 20.0
"""Seconds after which a thread that should have come through counts as stuck."""


class Thread(threading.Thread):
    """Started at once; joined with a limit."""

    def __init__(self, work) -> None:
        super().__init__(target=work, daemon=True)
        self.start()

    def end(self) -> None:
        self.join(LONG)
        assert not self.is_alive()


def complete(answer) -> bool:
    return answer["criminal"].complete


def until(condition) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_reader_goes_before_the_next_writer_however_many_wait():
    lock, order, leave, tried = ReadWriteLock(), [], threading.Event(), []

    def write(name):
        tried.append(name)
        with lock.writing():
            order.append(name)
            assert leave.wait(LONG)

    def read():
        with lock.reading() as held:
            assert held
            order.append("reader")

    first = Thread(lambda: write("first"))
    until(lambda: order == ["first"])
    reader = Thread(read)
    until(lambda: lock._queued == 1)
    others = [Thread(lambda: write("other")) for _ in range(3)]
    until(lambda: len(tried) == 4)
    leave.set()
    for thread in (first, reader, *others):
        thread.end()
    assert order == ["first", "reader", "other", "other", "other"]


def test_a_reader_waits_for_a_writer_that_was_there_first():
    lock, order = ReadWriteLock(), []
    with lock.reading():

        def write():
            with lock.writing():
                order.append("writer")

        def read():
            with lock.reading():
                order.append("reader")

        writer = Thread(write)
        until(lambda: lock._writers == 1)
        reader = Thread(read)
        until(lambda: lock._queued == 1)
    writer.end()
    reader.end()
    assert order == ["writer", "reader"]


def test_who_is_about_to_change_keeps_other_changes_out_and_no_reader():
    lock, order = ReadWriteLock(), []

    def write():
        with lock.writing():
            order.append("other")

    def look():
        with lock.settled():
            order.append("settled")

    with lock.changing():
        threads = [Thread(write), Thread(look)]
        with lock.reading(time.monotonic()) as held:
            assert held
        with lock.writing():
            order.append("change")
            with lock.reading(time.monotonic()) as held:
                assert not held
        with lock.reading(time.monotonic()) as held:
            assert held
        assert order == ["change"]
    for thread in threads:
        thread.end()
    assert sorted(order[1:]) == ["other", "settled"]


def test_a_deadline_ends_the_wait_and_leaves_the_gate_as_it_was():
    lock, leave, inside = ReadWriteLock(), threading.Event(), threading.Event()

    def write():
        with lock.writing():
            inside.set()
            assert leave.wait(LONG)

    writer = Thread(write)
    assert inside.wait(LONG)
    with lock.reading(time.monotonic() + 0.01) as held:
        assert not held
    assert lock._queued == 0
    leave.set()
    writer.end()
    with lock.reading(time.monotonic()) as held:
        assert held
    with lock.writing():
        pass
    assert (lock._readers, lock._writers, lock._writing) == (0, 0, False)


def test_an_interrupt_while_waiting_leaves_the_gate_as_it_was(monkeypatch):
    lock = ReadWriteLock()

    def interrupted(*_):
        raise KeyboardInterrupt

    with lock.reading():
        with monkeypatch.context() as patch:
            patch.setattr(lock._condition, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt), lock.writing():
                pass
        with lock.reading(time.monotonic() + LONG) as held:
            assert held
    with lock.writing(), monkeypatch.context() as patch:
        patch.setattr(lock._condition, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt), lock.reading():
            pass
    assert (lock._readers, lock._queued, lock._writers, lock._writing) == (0, 0, 0, False)


def test_never_a_writer_beside_anybody():
    lock, inside, wrong = ReadWriteLock(), [], []

    def some(seed):
        rng = random.Random(seed)
        for _ in range(200):
            if rng.random() < 0.3:
                with lock.writing():
                    inside.append("w")
                    if inside != ["w"]:
                        wrong.append(list(inside))
                    inside.remove("w")
            else:
                limit = time.monotonic() + rng.choice([0.0, 0.0005, LONG])
                with lock.reading(limit) as held:
                    if held:
                        inside.append("r")
                        if "w" in inside:
                            wrong.append(list(inside))
                        inside.remove("r")

    threads = [Thread(lambda s=s: some(s)) for s in range(6)]
    for thread in threads:
        thread.end()
    assert not wrong
    assert (lock._readers, lock._queued, lock._writers) == (0, 0, 0)


def test_a_search_whose_deadline_comes_while_its_partition_changes_is_incomplete():
    with engine() as e:
        state = e._state
        assert complete(e.search(request()))
        answers = []
        with state.partition_lock("criminal").writing():
            asked = request(deadline_ms=20.0, partitions=("criminal",))
            searching = Thread(lambda: answers.append(e.search(asked)))
            until(lambda: answers or not searching.is_alive())
        (answer,) = answers
        assert not complete(answer)
        assert answer["criminal"].candidates == ()
        assert e.audit.verify()
        assert e.search(request(partitions=("criminal",)))["criminal"].candidates


def test_a_change_of_another_partition_is_not_waited_for():
    with engine() as e, e._state.partition_lock("immigration").writing():
        answer = e.search(request(deadline_ms=1000.0 * LONG, partitions=("criminal",)))
        assert complete(answer)
        assert answer["criminal"].candidates


def test_a_deadline_covers_the_wait_for_the_log():
    with engine() as e:
        other = sqlite3.connect(e.audit.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        before = e.audit.verify().last_seq
        with pytest.raises(AuditError):
            e.search(request(deadline_ms=50.0))
        other.execute("ROLLBACK")
        other.close()
        assert e.audit.verify().last_seq == before
        assert complete(e.search(request()))


@pytest.mark.parametrize("leaders", ["hurried", "patient"])
def test_one_that_gives_up_on_the_log_does_not_take_others_with_it(leaders):
    """Whoever writes next does so for all that wait; one after the other comes to lead."""
    with engine() as e:
        other = sqlite3.connect(e.audit.path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        said = []

        def hurried(number, milliseconds):
            with pytest.raises(AuditError):
                e.search(request(deadline_ms=milliseconds, tcn=f"H-{number}"))
            said.append("gave up")

        def patient(number):
            said.append(complete(e.search(request(tcn=f"P-{number}"))))

        threads = [Thread(lambda: hurried(0, 200.0))]
        waits = [lambda i=i: hurried(i, 500.0) for i in range(1, 4)]
        asks = [lambda i=i: patient(i) for i in range(3)]
        for work in (*waits, *asks) if leaders == "hurried" else (*asks, *waits):
            time.sleep(0.01)  # they come to lead in about the order in which they came
            threads.append(Thread(work))
        until(lambda: said.count("gave up") == 4)
        other.execute("ROLLBACK")
        other.close()
        for thread in threads:
            thread.end()
        assert said.count(True) == 3
        assert e.audit.verify()
        logged = {r.tcn for r in e.audit.records(kind="INTENT")}
        assert {tcn for tcn in logged if tcn.startswith(("H-", "P-"))} == {"P-0", "P-1", "P-2"}


def test_enrolment_and_searches_go_on_together():
    with engine() as e:
        end = threading.Event()

        def bulk():
            for i in range(100, 160):
                assert e.enrol("criminal", [record(f"B-{i}", i)]).ok
            end.set()

        writer = Thread(bulk)
        made = 0
        while not end.is_set():
            assert complete(e.search(request()))
            made += 1
        writer.end()
        assert made > 1
