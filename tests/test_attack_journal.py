"""What a gallery has committed is in the log once, whoever moves it there and whatever fails."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from engine_helpers import Clock, engine, record

from fpmatch.audit import AuditLog, Kind
from fpmatch.errors import StorageError
from fpmatch.gallery import Gallery
from fpmatch.search import Engine

ORDER = {"order": "o", "authority": "CA"}


def in_the_log(e: Engine) -> list[str]:
    return [r.fields["journal"] for r in e.audit.records() if r.fields.get("journal")]


def at_once(*acts) -> list:
    ready = threading.Barrier(len(acts))
    out: list = [None] * len(acts)

    def run(i, act):
        ready.wait()
        out[i] = act()

    threads = [threading.Thread(target=run, args=(i, act)) for i, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


@pytest.fixture
def crowded(monkeypatch):
    """Who moves the journal waits until another has committed, or reads it too if it can."""
    unlogged, events = Gallery.unlogged, AuditLog.events
    both = threading.Barrier(2)

    def late(gallery):
        try:
            both.wait(0.1)
        except threading.BrokenBarrierError:
            both.reset()
        return unlogged(gallery)

    def slow(log, several):
        time.sleep(0.02)
        return events(log, several)

    with monkeypatch.context() as patch:

        def install():
            patch.setattr(Gallery, "unlogged", late)
            patch.setattr(AuditLog, "events", slow)

        yield install, patch.undo


def test_changes_of_several_partitions_at_once_are_logged_once_each(crowded):
    install, undo = crowded
    with engine() as e:
        install()
        at_once(
            lambda: e.enrol("criminal", [record("N-1", 21)]),
            lambda: e.enrol("immigration", [record("N-2", 22)]),
        )
        undo()
        assert max(Counter(in_the_log(e)).values()) == 1
        assert sum(1 for _ in e.audit.records(kind=Kind.ENROL)) == 4
        assert e._state.gallery.unlogged() == []


def test_each_is_told_the_number_of_its_own_record(crowded):
    install, undo = crowded
    with engine() as e:
        for _ in range(3):
            install()
            seqs = at_once(
                lambda: e.seal("C-1", partition="criminal", **ORDER),
                lambda: e.seal("I-1", partition="immigration", **ORDER),
            )
            undo()
            for seq, partition in zip(seqs, ("criminal", "immigration"), strict=True):
                (said,) = e.audit.records(first=seq, last=seq)
                assert (said.kind, said.fields["partition"]) == ("SEAL", partition)


@pytest.mark.parametrize("reopened", [False, True])
def test_an_entry_that_stays_in_the_journal_is_not_logged_again(reopened, monkeypatch):
    def fails(*_):
        raise OSError("full")

    with engine() as e:
        place = e._state.folder
        with monkeypatch.context() as patch:
            patch.setattr(Gallery, "logged", fails)
            with pytest.raises((OSError, StorageError), match="full"):
                e.seal("C-1", **ORDER)
        assert len(e._state.gallery.unlogged()) == 1
        if reopened:
            e.close()
            e = Engine.open(place, "rw", durability="off", clock=Clock())
        else:
            e.seal("C-2", **ORDER)
        assert e._state.gallery.unlogged() == []
        assert max(Counter(in_the_log(e)).values()) == 1
        assert sum(1 for _ in e.audit.records(kind=Kind.SEAL)) == (1 if reopened else 2)
        e.close()
