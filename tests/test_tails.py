"""Batches that a writer hands to readers, and changes that make no search wait."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_helpers import HELD, ON, POLICY, Clock, folder, record, request
from packed_rows import packed_codes

from fpmatch.descriptor import encode, encode_many
from fpmatch.index import announcing, manifest, tail
from fpmatch.index.segment import Part, Segment
from fpmatch.index.segment_format import write_segment
from fpmatch.policy import Policy
from fpmatch.search import Engine, indexing, release
from fpmatch.search import follow as following

NOBODY = POLICY.replace(
    'who = "CA"\npartitions = "criminal"', f'who = "{HELD}"\npartitions = "criminal"'
)
"""The criminal partition is for another agency alone."""
ORDER = {"order": "o", "authority": "a"}


LEAST = announcing.SEGMENTS.tail_least


@pytest.fixture(autouse=True)
def batches_of_any_size(monkeypatch):
    """Files of batches that are smaller than those that are worth one."""
    smallest = dataclasses.replace(announcing.SEGMENTS, tail_least=1)
    monkeypatch.setattr(announcing, "SEGMENTS", smallest)


def opened(place: Path, mode: str = "r", **more: Any) -> Engine:
    return Engine.open(place, mode, clock=Clock(), durability="off", **more)


@pytest.fixture
def place() -> Iterator[Path]:
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, clock=Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.publish(Policy.parse(POLICY))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def found(e: Engine, person: int, partition: str = "criminal") -> list[str]:
    section = e.search(request(ON, person, threshold=30, max_candidates=200))[partition]
    return [c.record for c in section.candidates or ()]


def tails(place: Path) -> list[Path]:
    return sorted(place.rglob("*.tail"))


def never(*_: object) -> None:
    raise AssertionError("made anew")


def test_a_reader_makes_no_search_form_that_the_writer_has_made(place, monkeypatch):
    with opened(place, "rw") as w, opened(place) as r:
        assert found(r, 1) == []
        monkeypatch.setattr(following, "encode_many", never)
        for n in range(1, 6):
            w.enrol("criminal", [record(f"C-{n}", n), record(f"D-{n}", n, touch=2)])
            assert sorted(found(r, n)) == [f"C-{n}", f"D-{n}"]
        with opened(place) as late:
            assert sorted(found(late, 3)) == ["C-3", "D-3"]


def _of_other_templates(path: Path, held: Segment) -> None:
    arrays = {name: np.array(a) for name, a in held.arrays.items()}
    said = held.layout.attributes
    index = manifest.read(path.parent)
    tail.write(path.parent, index, Part(arrays), said["of"][::-1])


def _of_other_parameters(path: Path, held: Segment) -> None:
    import dataclasses

    arrays = {name: np.array(a) for name, a in held.arrays.items()}
    index = dataclasses.replace(manifest.read(path.parent), parameters="0")
    tail.write(path.parent, index, Part(arrays), held.layout.attributes["of"])


def _of_an_earlier_release(path: Path, held: Segment) -> None:
    _written(path, held, {n: said for n, said in held.layout.attributes.items() if n != "sketch"})


def _of_other_sketches(path: Path, held: Segment) -> None:
    _written(path, held, held.layout.attributes | {"sketch": "0123456789abcdef"})


def _written(path: Path, held: Segment, said: dict) -> None:
    write_segment(path, said, {n: np.array(a) for n, a in held.arrays.items()})


def _damaged(path: Path, held: Segment) -> None:
    content = bytearray(path.read_bytes())
    content[held.layout.data_offset + held.layout.sections["row_bytes"].offset] ^= 1
    path.write_bytes(content)


def _cut(path: Path, held: Segment) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _empty(path: Path, held: Segment) -> None:
    path.write_bytes(b"")


def _gone(path: Path, held: Segment) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        _of_other_templates,
        _of_other_parameters,
        _of_an_earlier_release,
        _of_other_sketches,
        _damaged,
        _cut,
        _empty,
        _gone,
    ],
)
def test_a_batch_that_does_not_fit_is_passed_over(place, monkeypatch, spoil):
    with opened(place, "rw") as w, opened(place) as r:
        assert found(r, 1) == []
        w.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
        (path,) = tails(place)
        spoil(path, Segment(path))
        made: list[object] = []
        monkeypatch.setattr(following, "encode_many", lambda t: made.extend(t) or encode_many(t))
        assert (found(r, 1), found(r, 2)) == (["C-1"], ["C-2"])
        assert len(made) == 2


def test_other_search_forms_under_a_batchs_name_are_not_taken_for_it(place, monkeypatch):
    """A file of the same rows, of before a rollback or of another gallery: its templates differ."""
    with opened(place, "rw") as w, opened(place) as r:
        assert found(r, 1) == []
        index = w._state.indexes["criminal"]
        ready = indexing.Ready.of(w._state, "criminal", [(0, record("X", 7))])
        assert ready.batch is not None
        part = ready.batch.numbered(np.array([0]), np.array([0]))
        assert part is not None
        monkeypatch.setattr(indexing.Ready, "announce", lambda *_: None)
        w.enrol("criminal", [record("C-1", 1)])
        tail.write(index._store.folder, index._store.manifest, part, "0" * 64)
        assert (found(r, 1), found(r, 7)) == (["C-1"], [])


def test_nothing_of_a_removed_record_stays_in_a_batchs_file(place):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
        w.enrol("criminal", [record("C-3", 3)])
        assert len(tails(place)) == 2
        codes = [packed_codes(encode(f)) for f in record("C-1", 1).fingers]
        assert all(any(c in p.read_bytes() for p in tails(place)) for c in codes)
        assert found(r, 1) == ["C-1"]
        w.expunge("C-1", **ORDER)
        assert len(tails(place)) == 1
        assert not any(c in p.read_bytes() for c in codes for p in place.rglob("*") if p.is_file())
        assert (found(r, 1), found(r, 2), found(r, 3)) == ([], ["C-2"], ["C-3"])
        with opened(place) as late:
            assert (found(late, 1), found(late, 2), found(late, 3)) == ([], ["C-2"], ["C-3"])
        w._state.indexes["criminal"].flush()
        assert not tails(place)
        assert (found(r, 1), found(r, 2), found(r, 3)) == ([], ["C-2"], ["C-3"])
        w.enrol("criminal", [record("C-4", 4)])
    assert not tails(place)


def test_single_enrolments_leave_no_file_each(place, monkeypatch):
    whole = dataclasses.replace(announcing.SEGMENTS, tail_least=LEAST)
    monkeypatch.setattr(announcing, "SEGMENTS", whole)
    with opened(place, "rw") as w, opened(place) as r:
        for n in range(1, 5):
            w.enrol("criminal", [record(f"C-{n}", n)])
            assert tails(place) == []
            assert found(r, n) == [f"C-{n}"]
        w.enrol("criminal", [record(f"D-{n}", n) for n in range(LEAST)])
        assert len(tails(place)) == 1
        assert found(r, 1) == ["C-1", "D-1"]


def test_what_a_writer_that_was_killed_has_left_is_removed(place):
    with opened(place, "rw") as w:
        w.enrol("criminal", [record("C-1", 1)])
        (path,) = tails(place)
        content = path.read_bytes()
    path.write_bytes(content)
    with opened(place, "rw") as w:
        assert not tails(place)
        assert found(w, 1) == ["C-1"]


def test_a_batch_that_cannot_be_written_costs_readers_their_time_alone(place, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with opened(place, "rw") as w, opened(place) as r:
        monkeypatch.setattr("fpmatch.encryption.files.reserve", full)
        assert w.enrol("criminal", [record("C-1", 1)]).accepted == 1
        assert not tails(place)
        assert not list(place.rglob("*.part"))
        assert found(w, 1) == found(r, 1) == ["C-1"]
        monkeypatch.undo()


def test_no_search_waits_for_a_transaction(place, monkeypatch):
    """While a batch is being stored the partition is searched as it was before."""
    begun, go_on = threading.Event(), threading.Event()

    with opened(place, "rw") as w:
        w.enrol("criminal", [record("C-1", 1)])
        real = indexing.Ready.announce

        def held(self: Any, rows: Any) -> None:
            begun.set()
            assert go_on.wait(60)
            real(self, rows)

        monkeypatch.setattr(indexing.Ready, "announce", held)
        thread = threading.Thread(target=w.enrol, args=("criminal", [record("C-2", 2)]))
        thread.start()
        try:
            assert begun.wait(60)
            seen: list[list[str]] = []
            search = threading.Thread(target=lambda: seen.append(found(w, 1) + found(w, 2)))
            search.start()
            search.join(60)
            assert seen == [["C-1"]]
        finally:
            go_on.set()
            thread.join()
        assert found(w, 2) == ["C-2"]


def test_a_partition_that_did_not_change_is_not_read_again(place, monkeypatch):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1)])
        w.enrol("immigration", [record("I-2", 2)])
        assert found(r, 2, "immigration") == ["I-2"]
        relevelled: list[str] = []
        real = r._state.relevel
        r._state.relevel = lambda name: (relevelled.append(name), real(name))[1]
        w.enrol("criminal", [record("C-3", 3)])
        assert found(r, 3) == ["C-3"]
        assert relevelled == ["criminal"]
        w.publish(Policy.parse(POLICY))
        assert found(r, 3) == ["C-3"]
        assert relevelled == ["criminal"]


@pytest.mark.parametrize("act", ["seal", "expunge", "protect", "ban", "replace", "policy"])
@pytest.mark.parametrize("forgotten", [False, True])
def test_a_release_obeys_what_was_committed_after_the_comparison(
    place, monkeypatch, act, forgotten
):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1), record("C-2", 1, touch=2)])
        assert sorted(found(r, 1)) == ["C-1", "C-2"]
        real = release.judge

        def judged(state: Any, running: Any) -> Any:
            monkeypatch.setattr("fpmatch.search.run.release.judge", real)
            if act == "seal":
                w.seal("C-1", **ORDER)
            elif act == "expunge":
                w.expunge("C-1", **ORDER)
            elif act == "protect":
                w.update("criminal", "C-1", protected=True, **ORDER)
            elif act == "ban":
                w.update("criminal", "C-1", banned_uses={"CAR"}, **ORDER)
            elif act == "replace":
                # Were the key of one that is gone given to the next, so were its score.
                w.expunge("C-2", **ORDER)
                w.expunge("C-1", **ORDER)
                w.enrol("criminal", [record("C-9", 9)])
            else:
                w.publish(Policy.parse(NOBODY))
            w.enrol("criminal", [record("C-5", 5)])
            if forgotten:
                w._state.gallery.database.execute("DELETE FROM change")
            return real(state, running)

        monkeypatch.setattr("fpmatch.search.run.release.judge", judged)
        after = found(r, 1)
        assert after == {"policy": [], "replace": []}.get(act, ["C-2"])
        assert found(r, 5) == ([] if act == "policy" else ["C-5"])
