"""Segments written and merged while searches, additions and tombstones go on."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from engine_helpers import Clock, engine, folder, record
from packed_rows import packed_codes
from processes import killed_in

from fpmatch.descriptor import encode, pack
from fpmatch.index import PartitionIndex, segment_format, store
from fpmatch.index.build import select_rows
from fpmatch.index.work import Background
from fpmatch.parameters import INDEX
from fpmatch.search import Engine
from fpmatch.synthetic.gallery import mates, templates

ROWS = 60
TAIL = 5


@pytest.fixture(scope="module")
def gallery():
    return pack([encode(t) for t in templates(ROWS, 77)])


@pytest.fixture(scope="module")
def probe():
    return encode(next(mates(1, 77, start=3)))


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """A segment for every five rows, and merges from the third on."""
    low = dataclasses.replace(INDEX, tail_rows=TAIL, segments_most=2, waiting_most=1000)
    monkeypatch.setattr(store, "INDEX", low)


def fill(index, gallery, rows):
    rows = np.asarray(rows, np.int64)
    index.add(rows, select_rows(gallery, rows), np.zeros(len(rows), np.uint8))


def one_after_the_other(index, gallery):
    for first in range(0, 40, TAIL):
        fill(index, gallery, range(first, first + TAIL))
        index._store._background.wait()


class Held:
    """A step of the background that waits to be let go."""

    def __init__(self, monkeypatch, name):
        self.begun, self.go_on = threading.Event(), threading.Event()
        real = getattr(store, name)

        def step(*args):
            self.begun.set()
            assert self.go_on.wait(60)
            return real(*args)

        monkeypatch.setattr(store, name, step)


@pytest.mark.parametrize("step", ["write_parts", "write_merged"])
def test_everything_goes_on_meanwhile(tmp_path, gallery, probe, monkeypatch, step):
    held = Held(monkeypatch, step)
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        if step == "write_merged":
            for first in range(0, 3 * TAIL, TAIL):
                fill(index, gallery, range(first, first + TAIL))
                if first < 2 * TAIL:
                    index.settle()
        else:
            fill(index, gallery, range(3 * TAIL))
        assert held.begun.wait(60)
        assert index.row_ids().tolist() == list(range(15))
        before = index.verify(probe, np.arange(15)).tolist()
        assert int(np.argmax(before)) == 3
        assert index.tombstone(np.array([3, 9])) == 2
        fill(index, gallery, range(15, 19))
        left = [r for r in range(19) if r not in (3, 9)]
        assert index.row_ids().tolist() == left
        assert sorted(index.shortlist(probe).row_ids.tolist()) == left
        assert index.missing(np.arange(20)).tolist() == [19]
        assert not held.go_on.is_set(), "none of this waited"
        held.go_on.set()
        index.settle()
        assert index.row_ids().tolist() == left
        assert index.tombstones
        scores = index.verify(probe, np.array(left))
        assert scores[:13].tolist() == [before[r] for r in left[:13]]
    with PartitionIndex.open(tmp_path / "i", "rw") as again:
        assert again.row_ids().tolist() == left
        again.compact()
        assert not again.tombstones
        assert again.row_ids().tolist() == left


def test_compaction_waits_for_a_merge_and_takes_the_bytes(tmp_path, gallery, monkeypatch):
    secret = packed_codes(gallery[3])
    held = Held(monkeypatch, "write_merged")
    index = PartitionIndex.create(tmp_path / "i", expected_fingers=1000)
    for first in range(0, 20, TAIL):
        fill(index, gallery, range(first, first + TAIL))
        index._store._background.wait() if first < 10 else None
    assert held.begun.wait(60)
    index.tombstone(np.array([3]))
    assert 3 not in index.row_ids()
    compaction = threading.Thread(target=index.compact)
    compaction.start()
    compaction.join(0.2)
    assert compaction.is_alive()
    held.go_on.set()
    compaction.join(60)
    files = [p.read_bytes() for p in (tmp_path / "i").iterdir()]
    assert not any(secret in content for content in files)
    assert len(index._store.manifest.segments) == 1
    index.settle()
    assert not any(secret in p.read_bytes() for p in (tmp_path / "i").iterdir())
    index.close()


@pytest.mark.parametrize("step", ["write_parts", "write_merged"])
def test_an_error_is_raised_once_by_whatever_writes_next(tmp_path, gallery, monkeypatch, step):
    real = getattr(store, step)

    def fails(*_):
        monkeypatch.setattr(store, step, real)
        raise OSError(28, "no space left")

    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        monkeypatch.setattr(store, step, fails)
        with pytest.raises(OSError, match="no space"):
            one_after_the_other(index, gallery)
        held = index.row_ids().tolist()
        assert held == list(range(len(held))), "what was added is there"
        fill(index, gallery, range(len(held), ROWS))
        index.settle()
        assert index.row_ids().tolist() == list(range(ROWS))
    with PartitionIndex.open(tmp_path / "i") as again:
        assert again.row_ids().tolist() == list(range(ROWS))


def test_an_error_is_raised_at_close_at_the_latest(tmp_path, gallery, monkeypatch):
    added = threading.Event()

    def fails(*_):
        # Not before `add` has looked: an error that it finds is raised at once.
        added.wait(20)
        raise OSError(28, "no space left")

    index = PartitionIndex.create(tmp_path / "i", expected_fingers=1000)
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_parts", fails)
        fill(index, gallery, range(TAIL))
        added.set()
        index._store._background.wait()
    with pytest.raises(OSError, match="no space"):
        index.close()
    with PartitionIndex.open(tmp_path / "i", "rw") as again:
        assert again.row_ids().tolist() == list(range(TAIL)), "close wrote them all the same"


@pytest.mark.parametrize("seed", range(4))
def test_answers_are_the_same_without_it(tmp_path, gallery, probe, monkeypatch, seed):
    rng = np.random.default_rng(seed)
    indexes = [PartitionIndex.create(tmp_path / n, expected_fingers=1000) for n in "ab"]
    indexes[1]._store._background.ask = lambda task: None  # type: ignore[method-assign]
    new = iter(np.array_split(rng.permutation(ROWS), 20))
    for _ in range(20):
        rows = next(new)
        gone = rng.integers(0, ROWS, 2)
        for index in indexes:
            fill(index, gallery, rows)
            index.tombstone(gone)
            if rng.random() < 0.1:
                index.compact()
        one, other = (index.shortlist(probe) for index in indexes)
        assert one.row_ids.tobytes() == other.row_ids.tobytes()
        scores = [index.verify(probe, one.row_ids).tobytes() for index in indexes]
        assert scores[0] == scores[1]
        rng = np.random.default_rng([seed, len(one.row_ids)])
    assert len(indexes[0]._store.manifest.segments) > 0
    for index in indexes:
        index.close()


def test_rows_in_memory_are_bounded(tmp_path, gallery, monkeypatch):
    low = dataclasses.replace(INDEX, tail_rows=TAIL, segments_most=2, waiting_most=2 * TAIL)
    monkeypatch.setattr(store, "INDEX", low)
    most = 0
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        for row in range(ROWS):
            fill(index, gallery, [row])
            inside = index._store
            most = max(most, sum(map(len, inside._memory)) + sum(len(f[0]) for f in inside._fresh))
    assert most <= 2 * TAIL


def _killed(folder: Path, kill_at: int, before: bool) -> None:
    store.INDEX = dataclasses.replace(INDEX, tail_rows=5, segments_most=2)
    real, count = segment_format.SegmentWriter.commit, [0]

    def commit(self, *, sync=True):
        count[0] += 1
        if count[0] == kill_at and before:
            os.kill(os.getpid(), signal.SIGKILL)
        out = real(self, sync=sync)
        if count[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return out

    segment_format.SegmentWriter.commit = commit
    gallery = pack([encode(t) for t in templates(60, 77)])
    index = PartitionIndex.create(folder, expected_fingers=1000)
    for first in range(0, 40, 5):
        rows = np.arange(first, first + 5)
        index.add(rows, select_rows(gallery, rows), np.zeros(5, np.uint8))
        if first == 10:
            index.tombstone(np.array([3]))
        index._store._background.wait()


@pytest.mark.parametrize(
    ("kill_at", "when"), [(2, "after"), (4, "before"), (4, "after"), (6, "before")]
)
def test_kill_9_leaves_the_old_state_or_the_new(tmp_path, gallery, probe, kill_at, when):
    """The fourth segment that is written is the first merge of three, and leaves row 3 out."""
    folder = tmp_path / "i"
    assert killed_in(_killed, folder, kill_at, when == "before") == -signal.SIGKILL
    with PartitionIndex.open(folder, "rw") as index:
        named = {n for n, _, _ in index._store.manifest.segments}
        assert {p.name for p in folder.glob("*.seg*")} == named
        held = index.row_ids().tolist()
        gone = [3] if kill_at > 2 else []
        assert held == [r for r in range(len(held) + len(gone)) if r not in gone]
        missing = np.setdiff1d(index.missing(np.arange(ROWS)), gone)
        assert missing.tolist() == list(range(len(held) + len(gone), ROWS))
        fill(index, gallery, missing)
        assert index.verify(probe, index.row_ids()).any()
    with PartitionIndex.open(folder) as index:
        assert index.row_ids().tolist() == [r for r in range(ROWS) if r not in gone]


def test_an_expungement_cut_off_before_the_purge_is_finished_at_the_next_opening(monkeypatch):
    with engine({"criminal": [record("C-1", 1), record("C-2", 2)]}) as e:
        home = e._state.folder
        codes = e._state.indexes["criminal"]._store.parts()[0].forms(np.zeros(1, np.int64))
        codes = packed_codes(codes[0])
        e._state.indexes["criminal"].flush()
        assert any(codes[:80] in p.read_bytes() for p in home.rglob("*.seg"))
        with monkeypatch.context() as patch:
            patch.setattr(PartitionIndex, "purge", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.expunge("C-1", order="o", authority="CA")
        e.close()
        assert any(codes[:80] in p.read_bytes() for p in home.rglob("*.seg"))
        with Engine.open(home, "rw", clock=Clock(), durability="off"):
            assert not any(codes[:80] in p.read_bytes() for p in Path(home).rglob("*.seg"))


def _killed_before_the_purge(home: Path, people: int) -> None:
    e = Engine.create(home / "g", durability="off", clock=Clock())
    e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
    e.enrol("criminal", [record("C-1", 1), record("C-2", 2)][:people])
    PartitionIndex.purge = lambda s: os.kill(os.getpid(), signal.SIGKILL)
    e.expunge("C-1", order="o", authority="CA")


@pytest.mark.parametrize("people", [1, 2])
def test_a_kill_before_the_purge_leaves_no_tombstone_of_a_row_that_is_nowhere(people):
    """The row was in memory alone: no later opening fails, or rewrites the index again."""
    home = folder()
    assert killed_in(_killed_before_the_purge, home, people) == -signal.SIGKILL
    generations = []
    for _ in range(3):
        with Engine.open(home / "g", "rw", clock=Clock(), durability="off") as e:
            index = e._state.indexes["criminal"]
            assert index.rows == people - 1
            assert index.tombstones == 0
            index.flush()
            generations.append(index.generation)
    assert generations[1] == generations[2]
    shutil.rmtree(home)


@pytest.mark.parametrize("step", ["segment", "manifest"])
def test_compaction_takes_what_a_failed_write_has_left(tmp_path, gallery, monkeypatch, step):
    def fails(*_, **__):
        raise OSError(28, "no space left")

    index = PartitionIndex.create(tmp_path / "i", expected_fingers=1000)
    rows = np.arange(5)
    with monkeypatch.context() as patch:
        if step == "segment":
            patch.setattr("fpmatch.encryption.files.os.fsync", fails)
        else:
            patch.setattr("fpmatch.index.manifest.write", fails)
        index.add(rows, select_rows(gallery, rows), np.zeros(5, np.uint8))
        index._store._background.wait()
    secret = packed_codes(gallery[3])
    assert any(secret in p.read_bytes() for p in (tmp_path / "i").iterdir())
    with pytest.raises(OSError, match="no space"):
        index.settle()
    index.tombstone(np.array([3]))
    index.compact()
    assert not any(secret in p.read_bytes() for p in (tmp_path / "i").iterdir())
    index.close()


def test_an_opening_that_fails_lets_go_of_the_indexes(monkeypatch, caplog):
    with engine({"criminal": [record("C-1", 1)]}) as e:
        home = e._state.folder
        e.close()
        with monkeypatch.context() as patch:
            patch.setattr("fpmatch.gallery.Gallery.keep_columns", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError) as kept:
                Engine.open(home, "rw", clock=Clock(), durability="off")
        with Engine.open(home, "rw", clock=Clock(), durability="off") as again:
            assert again._state.indexes["criminal"].rows == 1
        assert kept.value.__traceback__ is not None  # and with it what the frames still hold
        assert "rebuilt" not in caplog.text


def test_an_engine_lets_go_of_everything_when_an_index_fails_to_close(monkeypatch):
    def fails(*_):
        raise OSError(28, "no space left")

    with engine() as e:
        home = e._state.folder
        with monkeypatch.context() as patch:
            patch.setattr(store, "write_parts", fails)
            with pytest.raises(OSError, match="no space"):
                e.close()
        with Engine.open(home, "rw", clock=Clock(), durability="off") as again:
            assert again._state.indexes["criminal"].rows == 4
        e.close()


def test_the_thread_does_what_it_is_asked_for_in_order_and_once():
    done: list[int] = []
    gate = threading.Event()
    thread = Background("test")

    def first():
        gate.wait(60)
        done.append(1)

    def second():
        done.append(2)

    thread.ask(first)
    for _ in range(3):
        thread.ask(second)
    gate.set()
    thread.wait()
    assert done == [1, 2]
    thread.ask(lambda: 1 / 0)
    thread.ask(second)
    thread.wait()
    assert done == [1, 2, 2]
    with pytest.raises(ZeroDivisionError):
        thread.check()
    thread.check()
    thread.close()
    thread.wait()
