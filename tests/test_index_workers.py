"""Threads of an index: whoever asks works too, errors come in order, nobody waits for nothing."""

from __future__ import annotations

import threading

import pytest

from fpmatch.index.work import Workers


def test_all_tasks_are_done_and_the_caller_does_some():
    workers = Workers(3)
    done, threads = [], set()
    gate = threading.Barrier(3, timeout=30)

    def task(number):
        def run():
            if number < 3:
                gate.wait()
            done.append(number)
            threads.add(threading.current_thread())

        return run

    workers.run([task(number) for number in range(20)])
    assert sorted(done) == list(range(20))
    assert threading.current_thread() in threads
    assert len(threads) == 3
    workers.close()


def test_the_first_error_is_raised_after_all_have_ended():
    workers = Workers(2)
    done = []

    def task(number):
        def run():
            done.append(number)
            if number in (3, 7):
                raise ValueError(number)

        return run

    with pytest.raises(ValueError, match="3"):
        workers.run([task(number) for number in range(12)])
    assert sorted(done) == list(range(12))
    workers.close()


def test_an_interrupted_caller_begins_nothing_more():
    workers = Workers(2)
    done = []
    held = threading.Event()

    def interrupted():
        if threading.current_thread() is threading.main_thread():
            held.set()
            raise KeyboardInterrupt
        assert held.wait(30)

    def task():
        done.append(threading.current_thread())

    with pytest.raises(KeyboardInterrupt):
        # Whichever thread takes the second, the caller meets one of the first two.
        workers.run([interrupted, interrupted, *[task] * 10])
    assert threading.main_thread() not in done
    workers.close()


def test_a_search_does_not_wait_for_a_thread_that_is_busy_with_another():
    workers = Workers(2)
    begun, go_on = threading.Event(), threading.Event()
    mine = threading.Barrier(2, timeout=30)

    def long():
        mine.wait()
        begun.set()
        assert go_on.wait(30)

    other = threading.Thread(target=lambda: workers.run([long, long]))
    other.start()
    assert begun.wait(30)
    # Both threads are busy; the caller does its own tasks, and what it asked the pool for goes.
    done = []
    workers.run([lambda: done.append(1), lambda: done.append(2)])
    assert done == [1, 2]
    go_on.set()
    other.join(30)
    assert not other.is_alive()
    workers.close()
