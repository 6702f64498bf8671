"""Processes that share what they must not: forks, second writers, locks that are names."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_helpers import POLICY, Clock, engine, folder, print_of, record, request, world
from processes import processes

from fpmatch import locking
from fpmatch.errors import LockedError, StorageError
from fpmatch.formats.abis import Adapter
from fpmatch.gallery.gallery import FILE
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.types import RecordsRequest

PROCESSES = processes()
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def place():
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, clock=Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        for name, records in world().items():
            e.enrol(name, records)
        e.publish(Policy.parse(POLICY))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def opened(place: Path, mode: str = "rw", **more: Any) -> Engine:
    return Engine.open(place, mode, clock=Clock(), durability="off", **more)


def in_child(act: Callable[[], str]) -> str:
    """What an act says in a forked child; "hangs" if it says nothing for a minute."""
    import select

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = act()
        except BaseException as error:
            said = type(error).__name__
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], 60)
    said = os.read(reader, 4096).decode() if ready else "hangs"
    if not ready:
        os.kill(child, 9)
    os.close(reader)
    os.waitpid(child, 0)
    return said


def calls(e: Engine) -> dict[str, Callable[[], Any]]:
    """Every public call of an engine."""
    asker = RecordsRequest("CA0380100")
    order = {"order": "o", "authority": "a"}
    return {
        "search": lambda: e.search(request()),
        "search_many": lambda: e.search_many([request()]),
        "transact": lambda: e.transact(b""),
        "abis": lambda: e.abis(b"", Adapter("CA0380100", "criminal"), fetch=lambda url: b""),
        "report_event": lambda: e.report_event("D", "CONVICTION"),
        "cancel": lambda: e.cancel("D"),
        "cascade": lambda: e.cascade("criminal"),
        "copy": lambda: e.copy("T", "CA0380100"),
        "replay": lambda: e.replay(1, request()),
        "verify": lambda: e.verify(request(), "C-1", partition="criminal"),
        "records": lambda: e.records("criminal", asker),
        "record": lambda: e.record("criminal", "C-1", asker),
        "count": lambda: e.count("criminal", asker),
        "templates": lambda: e.templates("criminal", asker),
        "taken": lambda: e.taken("criminal", "C-1"),
        "info": lambda: e.info(asker),
        "explain": lambda: e.explain(ori="CA0380100", partition="criminal"),
        "notifications": lambda: e.notifications(),
        "deliver": lambda: e.deliver("N"),
        "envelope": lambda: e.envelope("N", "DHS"),
        "add_partition": lambda: e.add_partition("x", 7, "y"),
        "partitions": lambda: e.partitions,
        "counters": lambda: e.counters(),
        "enrol": lambda: e.enrol("criminal", [record("X-1", 30)]),
        "publish": lambda: e.publish(Policy.parse(POLICY)),
        "policy": lambda: e.policy,
        "expunge": lambda: e.expunge("C-1", **order),
        "expunge_many": lambda: e.expunge_many(["C-1"], **order),
        "update": lambda: e.update("criminal", "C-1", protected=True, **order),
        "seal": lambda: e.seal("C-1", **order),
        "unseal": lambda: e.unseal("C-1", **order),
        "rekey": lambda: e.rekey(),
        "audit": lambda: e.audit.verify(),
        "request_opt_out": lambda: e.request_opt_out("CA0380100", "criminal"),
        "answer_opt_out": lambda: e.answer_opt_out("r", "refused", authority="DOJ-FBI"),
        "opt_outs": lambda: e.opt_outs(),
        "ineffective_opt_outs": lambda: e.ineffective_opt_outs(),
    }


def test_every_public_call_is_tried():
    public = {n for n in dir(Engine) if not n.startswith("_")}
    with engine() as e:
        assert public - {"create", "open", "close"} == set(calls(e))


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("mode", ["r", "rw"])
def test_a_forked_child_is_told_to_open_the_gallery_itself(place, mode, threads):
    with opened(place, mode, threads=threads) as e:
        assert e.search(request())["criminal"].candidates
        for name, call in calls(e).items():
            assert in_child(lambda c=call: str(c())) == "StorageError", name
        assert e.search(request())["criminal"].candidates
        if mode == "rw":
            assert e.enrol("criminal", [record("C-27", 27)]).accepted == 1
        assert e.audit.verify().ok


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_closing_in_a_forked_child_takes_nothing_from_the_parent(place):
    with opened(place) as e:
        assert in_child(lambda: str(e.close())) == "None"
        assert e.enrol("criminal", [record("C-27", 27)]).accepted == 1
        with pytest.raises(LockedError):
            opened(place)
    with opened(place, "r") as e:
        assert [c.record for c in e.search(request(person=27))["criminal"].candidates][:1] == [
            "C-27"
        ]


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_gallery_locked(place):
    e = opened(place)
    begun, go_on = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(begun[1], b"1")
        os.close(go_on[1])
        os.read(go_on[0], 1)
        os._exit(0)
    os.read(begun[0], 1)
    e.close()
    opened(place).close()
    for end in (*begun, *go_on):
        os.close(end)
    os.waitpid(child, 0)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_may_open_the_gallery_itself(place):
    with opened(place, "r") as e:
        e.search(request())

        def own() -> str:
            with opened(place, "r") as mine:
                return str(mine.search(request())["criminal"].candidates[0].record)

        assert in_child(own) == "C-1"


@pytest.mark.parametrize("mode", ["r", "rw"])
def test_a_closed_engine_says_so(place, mode):
    e = opened(place, mode)
    every = calls(e)
    e.close()
    e.close()
    for name, call in every.items():
        with pytest.raises(StorageError, match="closed"):
            call()
        assert name
    assert repr(e) == "<Engine, closed>"


# -- second writers ----------------------------------------------------------------------------


def _try(place: Path, out: Any) -> None:
    for mode in ("rw", "r"):
        try:
            opened(place, mode).close()
            out.put(f"{mode} opened")
        except StorageError as error:
            out.put(f"{mode} {type(error).__name__}")


@pytest.mark.slow
def test_no_lock_file_can_be_taken_from_under_a_writer(place):
    with opened(place) as e:
        for path in [*place.rglob("lock"), *(place / "living").iterdir()]:
            path.unlink()
        out = PROCESSES.Queue()
        worker = PROCESSES.Process(target=_try, args=(place, out))
        worker.start()
        assert [out.get(timeout=120) for _ in "12"] == ["rw LockedError", "r opened"]
        worker.join()
        with pytest.raises(LockedError):
            opened(place)
        e.enrol("criminal", [record("C-27", 27)])
        assert e.search(request(person=27))["criminal"].candidates[0].record == "C-27"


def test_a_writer_that_another_has_replaced_writes_nothing_more(place):
    """As on a file system whose locks do not reach the other machine."""
    e = opened(place)
    with sqlite3.connect(place / FILE) as database:
        database.execute("UPDATE meta SET value = 'somebody else' WHERE key = 'writer'")
    database.close()
    before = sqlite3.connect(place / FILE).execute("SELECT COUNT(*) FROM record").fetchone()
    with pytest.raises(LockedError):
        e.enrol("criminal", [record("C-27", 27)])
    with pytest.raises(LockedError):
        e.search(request())
    assert sqlite3.connect(place / FILE).execute("SELECT COUNT(*) FROM record").fetchone() == before
    e.close()


def test_an_index_that_is_in_use_is_not_made_anew(place):
    from fpmatch.index import PartitionIndex

    index = PartitionIndex.open(place / "index" / "criminal", "rw")
    held = sorted(p.name for p in (place / "index" / "criminal").iterdir())
    with pytest.raises(LockedError):
        opened(place)
    assert sorted(p.name for p in (place / "index" / "criminal").iterdir()) == held
    index.close()
    opened(place).close()


def test_readers_share(place):
    with opened(place, "r") as first, opened(place, "r") as second:
        assert first.search(request())["criminal"].candidates
        assert second.search(request())["criminal"].candidates
        with opened(place) as writer:
            assert writer.search(request())["criminal"].candidates


# -- systems without fcntl ---------------------------------------------------------------------


class FakeWindows:
    """`msvcrt` as far as locks go, over a table of our own."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self.held: set[tuple[int, int]] = set()

    def locking(self, handle: int, mode: int, count: int) -> None:
        found = os.fstat(handle)
        key = (found.st_dev, found.st_ino)
        if key in self.held:
            raise OSError(13, "locked")
        self.held.add(key)


def test_where_there_is_no_fcntl_a_file_is_locked(tmp_path, monkeypatch):
    windows = FakeWindows()
    monkeypatch.setattr(locking, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    lock = locking.FolderLock(tmp_path, shared=False)
    with pytest.raises(OSError, match="locked"):
        locking.FolderLock(tmp_path, shared=True)
    windows.held.clear()
    lock.close()
    locking.FolderLock(tmp_path, shared=False).close()


def test_the_engine_is_imported_without_fcntl():
    code = (
        "import sys; sys.modules['fcntl'] = None\n"
        "import fpmatch.search, fpmatch.index, fpmatch.locking\n"
        "print(fpmatch.locking.fcntl)"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "None", done.stderr
    assert print_of(1) is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_closing_in_a_forked_child_writes_nothing_of_the_parents():
    with engine() as e:
        e.enrol("criminal", [record("X-9", 31)])
        folder = e._state.folder

        def seen() -> dict[str, int]:
            return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}

        before = seen()
        child = os.fork()
        if not child:
            status = 1
            try:
                e.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert seen() == before
        assert e.search(request(person=31))["criminal"].candidates
