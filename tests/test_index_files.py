"""The files of an index: damage is found, crashes lose nothing written, expunged bytes go."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
from itertools import product
from pathlib import Path

import naive_index as naive
import numpy as np
import pytest
from packed_rows import packed_codes

from fpmatch.descriptor import COLUMNS, encode, pack
from fpmatch.descriptor.sketch import surroundings
from fpmatch.encryption import PLAIN_FILES
from fpmatch.errors import CorruptError, FpmatchError, InputError, ReadOnlyError, StorageError
from fpmatch.index import (
    REMOVED,
    PartitionIndex,
    held,
    manifest,
    segment_format,
    store,
    writing,
)
from fpmatch.index.build import join, select_rows
from fpmatch.index.list_layout import LIST_COLUMNS
from fpmatch.index.quantizer import CELLS, SIZES, quantizer, read_quantizer
from fpmatch.index.row_layout import HELD, are_coded
from fpmatch.index.segment import Segment
from fpmatch.index.segment_format import write_segment
from fpmatch.index.work import Background
from fpmatch.parameters import INDEX
from fpmatch.synthetic.gallery import mates, templates

ROWS = 60
GOLDEN = sorted((Path(__file__).parent / "golden").glob("index-segment-*.seg"))
EARLIER = GOLDEN[:3]
"""Without sketches."""


@pytest.fixture(scope="module")
def gallery():
    return pack([encode(t) for t in templates(ROWS, 77)])


@pytest.fixture(scope="module")
def probe():
    return encode(next(mates(1, 77, start=3)))


def cells_of(forms):
    return np.ascontiguousarray(surroundings(forms)[:, :CELLS])


def fill(index, gallery, rows):
    rows = np.asarray(rows)
    index.add(rows, select_rows(gallery, rows), (rows % 2).astype(np.uint8))


@pytest.fixture
def folder(tmp_path, gallery):
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        fill(index, gallery, range(40))
        index.flush()
        fill(index, gallery, range(40, ROWS))
        index.flush()
        index.tombstone(np.array([7, 50]))
    return tmp_path / "i"


def answers(folder, probe):
    """Everything that an index says about itself and a probe."""
    with PartitionIndex.open(folder) as index:
        ids = index.row_ids()
        found = index.shortlist(probe)
        scores = index.verify(probe, found.row_ids)
        return ids.tobytes(), found.row_ids.tobytes(), scores.tobytes()


def test_what_was_written_is_read(folder, probe, gallery):
    ids, listed, scores = answers(folder, probe)
    expected = np.setdiff1d(np.arange(ROWS), [7, 50])
    assert ids == expected.tobytes() == listed
    assert np.frombuffer(scores, np.int32).argmax() == 3
    with PartitionIndex.open(folder) as index:
        assert index.rows == ROWS - 2
        assert index.missing(np.array([3, 7, 61])).tolist() == [61]
        assert index.cylinders == len(gallery.angle)
        assert "60" not in repr(index)


def test_merging_changes_no_answer(folder, probe):
    before = answers(folder, probe)
    with PartitionIndex.open(folder, "rw") as index:
        index.compact()
        assert len(index._store.manifest.segments) == 1
        assert not len(index._store._dead)
    assert answers(folder, probe) == before
    assert len(list(folder.glob("*.seg"))) == 1
    assert not list(folder.glob("tombstones-*.ids"))


@pytest.mark.parametrize("how", ["compact", "purge"])
def test_expunged_bytes_are_gone_afterwards(folder, gallery, how):
    secret = packed_codes(gallery[7])
    assert any(secret in path.read_bytes() for path in folder.iterdir())
    with PartitionIndex.open(folder, "rw") as index:
        getattr(index, how)()
    assert not any(secret in path.read_bytes() for path in folder.iterdir())


def test_a_purge_rewrites_the_segments_that_hold_the_rows_and_no_other(folder, gallery, probe):
    fresh = pack([encode(t) for t in templates(80, 77)])
    with PartitionIndex.open(folder, "rw") as index:
        index.purge()
        (first,) = folder.glob("*.seg")
        fill(index, fresh, range(60, 70))
        index.flush()
        (second,) = set(folder.glob("*.seg")) - {first}
        fill(index, fresh, range(70, 80))
        index.tombstone(np.array([8, 75]))
        before = index.verify(probe, index.row_ids())
        index.purge()
        assert second.exists()
        assert not first.exists()
        assert index.expunged.tolist() == [7, 8, 50, 75]
        assert not index.tombstones
        assert index.verify(probe, index.row_ids()).tolist() == before.tolist()
        (memory,) = index._store._memory
        assert len(memory) == 10
        at = memory.find(np.array([75]))[0]
        first, last = memory.arrays["row_starts"][at : at + 2]
        assert last > first
        assert not memory.arrays["row_bytes"][first:last].any()
        mine = memory.arrays["list_owners"] == at
        assert not any(memory.arrays[n][mine].any() for n in LIST_COLUMNS if n != "list_owners")
    with PartitionIndex.open(folder) as again:
        assert again.row_ids().tolist() == [r for r in range(80) if r not in (7, 8, 50, 75)]
        assert again.verify(probe, again.row_ids()).tolist() == before.tolist()


def test_large_segments_are_cut_where_they_are_rewritten_and_merged_no_more(
    folder, probe, gallery, monkeypatch
):
    monkeypatch.setattr(writing, "SEGMENT_ROWS", 16)
    before = answers(folder, probe)
    with PartitionIndex.open(folder, "rw") as index:
        index.purge()
        sizes = sorted(rows for _, _, rows in index._store.manifest.segments)
        assert sum(sizes) == ROWS - 2
        assert max(sizes) <= 16
        large = {name for name, _, rows in index._store.manifest.segments if rows > 8}
        assert large
        fill(index, pack([encode(t) for t in templates(67, 77)]), range(60, 67))
        index.compact()
        assert large <= {name for name, _, _ in index._store.manifest.segments}
        index.tombstone(np.arange(60, 67))
        index.compact()
    assert answers(folder, probe) == before


def test_rows_that_are_many_when_they_are_written_make_several_segments(
    tmp_path, probe, gallery, monkeypatch
):
    monkeypatch.setattr(writing, "SEGMENT_ROWS", 16)
    found = []
    for name, step in (("one", 60), ("more", 11)):
        with PartitionIndex.create(tmp_path / name, expected_fingers=100) as index:
            for first in range(0, 60, step):
                rows = np.arange(first, min(60, first + step))
                index.add(rows, select_rows(gallery, rows), np.zeros(len(rows), np.uint8))
            index.tombstone(np.array([5, 33]))
        with PartitionIndex.open(tmp_path / name) as index:
            sizes = [rows for _, _, rows in index._store.manifest.segments]
            assert sum(sizes) == 58
            assert max(sizes) <= 16
            # Full ones and a rest, no equal pieces that nothing would merge.
            assert sum(size > 8 for size in sizes) >= len(sizes) - 1
            assert index.row_ids().tolist() == [r for r in range(60) if r not in (5, 33)]
            found.append(index.verify(probe, index.row_ids()).tolist())
    assert found[0] == found[1]


def test_a_tombstone_counts_at_once_and_for_good(folder, probe):
    with PartitionIndex.open(folder, "rw") as index:
        assert index.tombstone(np.array([3, 7, 999])) == 1
        assert 3 not in index.shortlist(probe).row_ids
        with pytest.raises(InputError):
            index.verify(probe, np.array([3]))
        with pytest.raises(InputError, match="never used twice"):
            fill(index, pack([encode(t) for t in templates(8, 1)]), [3])
    with PartitionIndex.open(folder) as index:
        assert 3 not in index.row_ids()


def test_truncation_is_found_at_open(folder):
    path = next(folder.glob("*.seg"))
    content = path.read_bytes()
    for length in [0, 1, 55, 56, 300, 4096, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(CorruptError):
            PartitionIndex.open(folder)
    path.write_bytes(content + b"\0")
    with pytest.raises(CorruptError):
        PartitionIndex.open(folder)
    path.unlink()
    with pytest.raises(CorruptError):
        PartitionIndex.open(folder)


def test_a_damaged_header_is_found_at_open(folder):
    path = next(folder.glob("*.seg"))
    content = bytearray(path.read_bytes())
    head = segment_format._PREFIX.size + int.from_bytes(content[12:16], "little")
    for at in [*range(0, 56), *range(56, head + 8, 13)]:
        content[at] ^= 0x10
        path.write_bytes(content)
        with pytest.raises(FpmatchError):
            PartitionIndex.open(folder)
        content[at] ^= 0x10


def test_a_flipped_byte_never_reaches_an_answer(folder, probe, monkeypatch):
    """In every section, at many places: an error, at open or before the block is used."""
    import dataclasses

    from fpmatch.index import shortlist

    path = sorted(folder.glob("*.seg"))[0]
    content = bytearray(path.read_bytes())
    layout, _, _ = segment_format.read_layout(path, PLAIN_FILES.load(path))
    rng = np.random.default_rng(4)
    low = dataclasses.replace(INDEX, exhaustive_below=0, scan_below=0)

    def use(effort):
        with PartitionIndex.open(folder) as index:
            found = index.shortlist(probe, effort=effort)
            index.verify(probe, index.row_ids())
            return found

    for name, section in layout.sections.items():
        places = [*rng.integers(0, section.nbytes, 6).tolist(), 0, section.nbytes - 1]
        for place in places:
            at = layout.data_offset + section.offset + place
            content[at] ^= 1 << int(rng.integers(8))
            path.write_bytes(content)
            monkeypatch.setattr(shortlist, "INDEX", low)
            with pytest.raises(CorruptError, match="checksum"):
                use("balanced")
            monkeypatch.setattr(shortlist, "INDEX", INDEX)
            if not name.startswith("list_"):
                with pytest.raises(CorruptError, match="checksum"):
                    use("exhaustive")
            content = bytearray(content)
            original = _original(folder, path)
            content[at] = original[at]
    path.write_bytes(content)
    assert use("balanced").exhaustive


_ORIGINALS: dict[Path, bytes] = {}


def _original(folder, path):
    """The bytes of a segment before it was damaged, rebuilt from the same rows."""
    if path not in _ORIGINALS:
        other = folder.parent / "again"
        with PartitionIndex.create(other, expected_fingers=1000) as index:
            fill(index, pack([encode(t) for t in templates(ROWS, 77)]), range(40))
            index.flush()
        _ORIGINALS[path] = sorted(other.glob("*.seg"))[0].read_bytes()
    return _ORIGINALS[path]


def test_a_block_is_checked_once_and_before_use(folder, probe):
    with PartitionIndex.open(folder) as index:
        segment = index._store._segments[0]
        assert not segment._checked.all() or segment.layout.blocks <= 2
        index.verify(probe, index.row_ids())
        assert "row_bytes" in segment.sound


@pytest.mark.parametrize("name", ["index.json", "tombstones"])
def test_damaged_small_files(folder, name):
    path = next(p for p in folder.iterdir() if p.name.startswith(name))
    content = path.read_bytes()
    for at in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[at] ^= 0x04
        path.write_bytes(damaged)
        with pytest.raises(FpmatchError):
            PartitionIndex.open(folder)
    path.write_bytes(content[:-1])
    with pytest.raises(FpmatchError):
        PartitionIndex.open(folder)


class Crash(Exception):
    """Stands in for the power going."""


@pytest.mark.parametrize("action", ["flush", "tombstone", "compact", "purge"])
def test_a_crash_leaves_the_old_state_or_the_new(folder, gallery, probe, action, monkeypatch):
    def act(index):
        if action == "flush":
            index.flush()
        elif action == "tombstone":
            index.tombstone(np.array([9, 41]))
        else:
            getattr(index, action)()

    kept = folder.parent / "kept"
    shutil.copytree(folder, kept)
    outcomes = set()
    for step in range(40):
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        index = PartitionIndex.open(folder, "rw")
        if action == "flush":
            fill(index, pack([encode(t) for t in templates(62, 77)]), [60, 61])
        count = [0]

        def counted(real, count=count, step=step):
            def call(*args, **kwargs):
                if count[0] == step:
                    raise Crash
                count[0] += 1
                return real(*args, **kwargs)

            return call

        with monkeypatch.context() as patch:
            for name in ("replace", "fsync", "unlink"):
                patch.setattr(os, name, counted(getattr(os, name)))
            patch.setattr(Path, "unlink", counted(Path.unlink))
            try:
                act(index)
                finished = True
            except Crash:
                finished = False
        index._store._lockfile.close()
        index._store._lockfile = None
        index._store.mode = "r"
        with PartitionIndex.open(folder, "rw") as again:
            ids = again.row_ids()
            again.verify(probe, ids)
            assert not list(folder.glob("*.part"))
            named = {n for n, _, _ in again._store.manifest.segments}
            assert {p.name for p in folder.glob("*.seg")} == named
            outcomes.add(ids.tobytes())
            lost = again.missing(np.arange(62)).tolist()
            assert lost in ([60, 61], [] if action == "flush" else [60, 61])
        if finished:
            break
    assert finished
    assert step >= 3
    assert len(outcomes) == (1 if action in ("compact", "purge") else 2)


def test_what_was_expunged_is_never_missing_again(folder, gallery):
    """Replaying enrolments must not revive it: also after a merge, in a reader, and reopened."""
    with PartitionIndex.open(folder, "rw") as index, PartitionIndex.open(folder) as reader:
        fill(index, pack([encode(t) for t in templates(64, 77)]), [60, 61, 62, 63])
        index.tombstone(np.array([62]))
        index.flush()
        index.compact()
        index.compact()
        assert not index.tombstones
        reader.refresh()
        with PartitionIndex.open(folder) as late:
            for one in (index, reader, late):
                assert one.missing(np.array([7, 50, 62, 63, 64])).tolist() == [64]
        with pytest.raises(InputError, match="never used twice"):
            fill(index, gallery, [7])
        index.forget(np.array([60, 61, 62]))
        assert index.expunged.tolist() == [7, 50]
        assert index.missing(np.arange(65)).tolist() == [62, 64]
    with PartitionIndex.open(folder, "rw") as again:
        assert again.missing(np.arange(65)).tolist() == [62, 64]
        fill(again, pack([encode(t) for t in templates(64, 77)]), [62])
        assert 62 in again.row_ids()


def test_a_row_that_goes_between_shortlist_and_verification_is_dropped(folder, probe):
    with PartitionIndex.open(folder, "rw") as index:
        search = index.begin()
        found = search.shortlist(probe)
        before = search.verify(probe, found.row_ids)
        index.tombstone(np.array([3, 20]))
        scores = search.verify(probe, found.row_ids)
        gone = np.isin(found.row_ids, [3, 20])
        assert (scores[gone] == REMOVED).all()
        assert (scores[~gone] == before[~gone]).all()
        for lacking in (7, ROWS):
            with pytest.raises(InputError, match="1 of the rows"):
                search.verify(probe, np.array([3, lacking]))


def test_one_writer_and_many_readers(folder, gallery, probe):
    with PartitionIndex.open(folder, "rw") as writer, PartitionIndex.open(folder) as reader:
        with pytest.raises(StorageError, match="elsewhere"):
            PartitionIndex.open(folder, "rw")
        with pytest.raises(ReadOnlyError):
            fill(reader, gallery, [0])
        for act in (
            reader.flush,
            reader.compact,
            reader.purge,
            lambda: reader.tombstone(np.array([1])),
        ):
            with pytest.raises(ReadOnlyError):
                act()
        assert not reader.refresh()
        writer.tombstone(np.array([1]))
        assert 1 in reader.row_ids()
        assert reader.refresh()
        assert 1 not in reader.row_ids()
        writer.compact()
        assert 1 not in reader.shortlist(probe).row_ids
        assert reader.refresh()
        assert reader.rows == ROWS - 3
    PartitionIndex.open(folder, "rw").close()


def test_rows_in_memory_are_seen_at_once_and_joined(tmp_path, gallery, probe):
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        for row in range(20):
            fill(index, gallery, [row])
            assert row in index.shortlist(probe).row_ids
        assert len(index._store._memory) < 6
        assert index.tombstone(np.array([4])) == 1
        assert index.rows == 19
    with PartitionIndex.open(tmp_path / "i") as index:
        assert index.row_ids().tolist() == [r for r in range(20) if r != 4]


def test_small_segments_are_merged_on_the_way(tmp_path, gallery, monkeypatch):
    import dataclasses

    few = dataclasses.replace(INDEX, segments_most=3, tail_rows=5)
    monkeypatch.setattr(store, "INDEX", few)
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        for first in range(0, ROWS, 5):
            fill(index, gallery, range(first, first + 5))
            assert len(index._store.manifest.segments) <= 4
        assert index.row_ids().tolist() == list(range(ROWS))


def test_bad_additions(tmp_path, gallery):
    with PartitionIndex.create(tmp_path / "i") as index:
        with pytest.raises(InputError, match="positions"):
            index.add(np.arange(3), select_rows(gallery, np.arange(2)), np.zeros(3, np.uint8))
        for ids in ([1, 1], [-1, 2]):
            with pytest.raises(InputError, match="unique"):
                index.add(np.array(ids), select_rows(gallery, np.arange(2)), np.zeros(2, np.uint8))
        assert index.rows == 0
    with pytest.raises(StorageError, match="already"):
        PartitionIndex.create(tmp_path / "i")
    with pytest.raises(StorageError, match="no index"):
        PartitionIndex.open(tmp_path)
    with pytest.raises(InputError, match="mode"):
        PartitionIndex.open(tmp_path / "i", "w")


def test_an_index_of_other_parameters_is_refused(folder, monkeypatch):
    monkeypatch.setattr(held, "parameter_hash", lambda lists: "other")
    with pytest.raises(StorageError, match="rebuild"):
        PartitionIndex.open(folder)


@pytest.mark.parametrize("lists", SIZES)
def test_shipped_quantizers(lists, gallery):
    made = quantizer(lists)
    assert made.lists == lists
    assert (np.bitwise_count(made.masks).sum(axis=1) == 128).all()
    out = np.zeros(len(gallery.codes), np.uint16)
    made.assign(gallery.codes, out)
    likely = made.likely(cells_of(gallery), 8)
    assert (np.diff(likely) > 0).all()
    assert (likely == out[:, None]).any(axis=1).mean() > 0.8
    assert len(np.unique(out)) > min(lists, len(out)) / 4
    centroids = made._members.transpose(0, 2, 1).reshape(-1, 5)
    some = cells_of(gallery)[:3]
    expected = naive.likely_lists(some, INDEX.cell_weights, INDEX.cell_cost, centroids, 8)
    assert (likely[:3] == expected).all()


def test_a_damaged_quantizer_is_refused(tmp_path):
    from importlib import resources

    source = Path(str(resources.files("fpmatch.index"))) / "data" / "lists-256.npz"
    with np.load(source) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["masks"] = arrays["masks"] ^ np.uint64(1)
    np.savez(tmp_path / "lists-256.npz", **arrays)
    with pytest.raises(CorruptError, match="checksum"):
        read_quantizer(tmp_path / "lists-256.npz")


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_golden_segments_of_all_versions_are_still_read(golden):
    """Each written once by ``write_golden`` of its release; new code must read them forever."""
    assert len(GOLDEN) == segment_format.VERSION
    segment = Segment(golden)
    expected = json.loads(golden.with_suffix(".json").read_text())
    assert segment.row_ids.tolist() == expected["row_ids"]
    assert segment.positions.tolist() == expected["positions"]
    for name in expected["sums"]:
        segment.ensure(name, 0, len(segment.arrays[name]))
        assert int(segment.arrays[name].astype(object).sum()) == expected["sums"][name]


@pytest.mark.parametrize("golden", EARLIER, ids=lambda path: path.stem)
def test_segments_of_earlier_versions_become_those_of_today(golden, caplog):
    old, new = Segment(golden), Segment(GOLDEN[-1])
    assert old.earlier
    assert not new.earlier
    with caplog.at_level(logging.WARNING):
        for segment in (old, new):
            segment.prepare()
            segment.prepare()
    said = [r.getMessage() for r in caplog.records if r.name == "fpmatch.index.segment"]
    assert [text.split()[0] for text in said] == [golden.name]
    for name in (*LIST_COLUMNS, "list_starts"):
        old.ensure(name, 0, len(old.arrays[name]))
        assert old.arrays[name].dtype == new.arrays[name].dtype, name
        assert (old.arrays[name] == new.arrays[name]).all(), name
    mine, theirs = (segment.forms(np.arange(6)) for segment in (old, new))
    for name in HELD:
        assert (getattr(mine, name) == getattr(theirs, name)).all(), name


def test_todays_golden_rows_are_coded_and_those_of_before_were_not():
    old, new = (Segment(path).arrays for path in GOLDEN[-2:])
    assert are_coded(new["row_bytes"], new["row_starts"][:-1]).all()
    assert not are_coded(old["row_bytes"], old["row_starts"][:-1]).any()
    assert new["row_starts"][-1] < 0.72 * old["row_starts"][-1]


def test_a_damaged_segment_of_an_earlier_version_is_no_part_of_a_search(tmp_path):
    """It is laid out anew from all of its rows: a block that fails is noticed before."""
    for golden in EARLIER:
        path = tmp_path / golden.name
        layout = Segment(golden).layout
        names = [n for n in (*COLUMNS, "row_bytes") if n in layout.sections]
        assert names
        for name in names:
            section = layout.sections[name]
            data = bytearray(golden.read_bytes())
            data[layout.data_offset + section.offset + section.nbytes // 2] ^= 4
            path.write_bytes(data)
            with pytest.raises(CorruptError, match="checksum"):
                Segment(path).prepare()


@pytest.mark.parametrize("golden", EARLIER, ids=lambda path: path.stem)
def test_an_earlier_index_is_searched_and_compacted_into_todays(golden, tmp_path, monkeypatch):
    from fpmatch.index import shortlist

    low = dataclasses.replace(INDEX, exhaustive_below=0, scan_below=0)
    gallery = pack([encode(t) for t in templates(6, 99)])
    folder = tmp_path / "i"
    with PartitionIndex.create(folder, expected_fingers=1000) as index:
        index.add(
            np.array([30, 10, 50, 20, 60, 40]), gallery, np.array([2, 0, 1, 1, 0, 2], np.uint8)
        )
    made = manifest.read(folder)
    monkeypatch.setattr(shortlist, "INDEX", low)
    with PartitionIndex.open(folder) as index:
        expected = index.shortlist(gallery[1])
    (path,) = folder.glob("*.seg")
    shutil.copy(golden, path)
    entry = (path.name, Segment(path).digest, 6)
    manifest.write(folder, dataclasses.replace(made, segments=(entry,)))
    with PartitionIndex.open(folder) as index:
        found = index.shortlist(gallery[1])
    with PartitionIndex.open(folder, "rw") as index:
        index.compact()
    assert [Segment(p).earlier for p in folder.glob("*.seg")] == [False]
    with PartitionIndex.open(folder) as index:
        again = index.shortlist(gallery[1])
    for other in (found, again):
        assert (other.row_ids == expected.row_ids).all()
        assert (other.votes == expected.votes).all()
    assert expected.votes.any()
    assert not expected.exhaustive


def golden_index(folder, names):
    """An index of segments that earlier releases wrote, of the same six rows each."""
    with PartitionIndex.create(folder, expected_fingers=1000):
        pass
    entries = []
    for number, golden in enumerate(names):
        path = folder / f"segment-{number + 1:08d}.seg"
        shutil.copy(golden, path)
        entries.append((path.name, Segment(path).digest, 6))
    made = manifest.read(folder)
    manifest.write(folder, dataclasses.replace(made, segments=tuple(entries)))


@pytest.mark.parametrize("golden", EARLIER, ids=lambda path: path.stem)
def test_a_writer_stores_what_an_earlier_release_wrote_as_todays(golden, tmp_path):
    probe = encode(next(templates(1, 99)))
    golden_index(tmp_path / "i", [golden])
    with PartitionIndex.open(tmp_path / "i") as index:
        before = index.shortlist(probe).row_ids.tolist(), index.verify(probe, index.row_ids())
    assert all(Segment(p).earlier for p in (tmp_path / "i").glob("*.seg"))
    with PartitionIndex.open(tmp_path / "i", "rw") as index:
        index.tombstone(np.array([50]))
        index.settle()
        assert index.row_ids().tolist() == [10, 20, 30, 40, 60]
    assert [Segment(p).earlier for p in (tmp_path / "i").glob("*.seg")] == [False]
    with PartitionIndex.open(tmp_path / "i") as index:
        assert index.shortlist(probe).row_ids.tolist() == [r for r in before[0] if r != 50]
        assert index.verify(probe, index.row_ids()).tolist() == np.delete(before[1], 4).tolist()


def test_a_damaged_segment_of_an_earlier_release_hinders_no_writer(
    tmp_path, gallery, monkeypatch, caplog
):
    golden_index(tmp_path / "i", [GOLDEN[2]])

    def fails(*args):
        raise CorruptError("a block fails its checksum")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_merged", fails)
        with PartitionIndex.open(tmp_path / "i", "rw") as index:
            index.settle()
            rows = np.arange(3)
            index.add(100 + rows, select_rows(gallery, rows), np.zeros(3, np.uint8))
            index.flush()
            assert index.rows == 9
    assert "stays as it is: CorruptError" in caplog.text


def test_a_closing_writer_begins_no_further_segment(tmp_path, monkeypatch):
    golden_index(tmp_path / "i", GOLDEN[:1])
    asked: list[object] = []
    monkeypatch.setattr(Background, "ask", lambda self, task: asked.append(task))
    with PartitionIndex.open(tmp_path / "i", "rw") as index:
        (bring,) = asked
        index._store._closing = True
        bring()
    assert len(asked) == 1
    assert all(Segment(p).earlier for p in (tmp_path / "i").glob("*.seg"))


def test_sketches_of_other_projections_are_made_anew(tmp_path, monkeypatch):
    """A later release may ship others: its index needs no gallery to be built from again."""
    from fpmatch.descriptor import sketch as sketching
    from fpmatch.index import shortlist

    gallery = pack([encode(t) for t in templates(30, 98)])
    monkeypatch.setattr(
        shortlist, "INDEX", dataclasses.replace(INDEX, exhaustive_below=0, scan_below=0)
    )
    mine = sketching.shipped()
    other = dataclasses.replace(mine, weights=np.ascontiguousarray(mine.weights[:, ::-1]))
    for name, made in (("theirs", other), ("ours", mine)):
        with monkeypatch.context() as patch:
            patch.setattr(sketching, "shipped", lambda made=made: made)
            patch.setattr(writing, "sketch_hash", lambda made=made: made.sha256[:16])
            with PartitionIndex.create(tmp_path / name, expected_fingers=1000) as index:
                index.add(np.arange(30), gallery, np.zeros(30, np.uint8))
    (theirs,) = (tmp_path / "theirs").glob("*.seg")
    assert Segment(theirs).earlier
    found = {}
    for name in ("theirs", "ours"):
        with PartitionIndex.open(tmp_path / name) as index:
            found[name] = [index.shortlist(form) for form in gallery]
    for one, same in zip(found["theirs"], found["ours"], strict=True):
        assert (one.row_ids == same.row_ids).all()
        assert (one.votes == same.votes).all()
        assert one.votes.any()
    with PartitionIndex.open(tmp_path / "theirs", "rw") as index:
        index.compact()
    assert [Segment(p).earlier for p in (tmp_path / "theirs").glob("*.seg")] == [False]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *((name, "shorter") for name in (*LIST_COLUMNS, "row_starts")),
        *product(
            (*LIST_COLUMNS, "row_bytes", "list_starts", "row_starts"), ("missing", "other type")
        ),
    ],
)
def test_a_file_that_lacks_a_part_of_its_version_is_refused(folder, tmp_path, name, how):
    """Whole by its checksums, and still not what it says to be."""
    path = min(folder.glob("*.seg"))
    whole = Segment(path)
    arrays = {n: np.array(a) for n, a in whole.arrays.items()}
    if how == "missing":
        del arrays[name]
    elif how == "other type":
        arrays[name] = arrays[name].astype(np.float64)
    else:
        arrays[name] = arrays[name][:-1]
    target = tmp_path / "segment.seg"
    write_segment(target, whole.layout.attributes, arrays)
    with pytest.raises(CorruptError, match="section"):
        Segment(target)


def write_golden() -> None:
    """Make the golden file of the current version; run by hand when the version changes.

    Its rows are coded: `SEGMENTS.coded_least` of `fpmatch.index.writing` is 1 meanwhile.
    """
    path = Path(__file__).parent / "golden" / f"index-segment-{segment_format.VERSION}.seg"
    gallery = pack([encode(t) for t in templates(6, 99)])
    folder = path.parent / "making"
    with PartitionIndex.create(folder, expected_fingers=1000) as index:
        ids = np.array([30, 10, 50, 20, 60, 40])
        index.add(ids, gallery, np.array([2, 0, 1, 1, 0, 2], np.uint8))
    shutil.copy(next(folder.glob("*.seg")), path)
    shutil.rmtree(folder)
    segment = Segment(path)
    sums = {name: int(a.astype(object).sum()) for name, a in segment.arrays.items()}
    path.with_suffix(".json").write_text(
        json.dumps(
            {
                "row_ids": segment.row_ids.tolist(),
                "positions": segment.positions.tolist(),
                "sums": sums,
            }
        )
    )


# -- blocks of which nothing is left -------------------------------------------------------------


@pytest.mark.parametrize("empty", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("flushed", [(), (0,), (0, 1), (0, 1, 2)])
def test_blocks_all_of_whose_rows_are_gone(tmp_path, empty, flushed):
    """Three blocks, in memory or on disk; all rows of some are removed before they are joined."""
    forms = [encode(t) for t in templates(6, seed=4)]
    with PartitionIndex.create(tmp_path / "i", expected_fingers=100) as index:
        for block in range(3):
            ids = np.arange(2 * block, 2 * block + 2)
            index.add(ids, pack(forms[2 * block : 2 * block + 2]), np.zeros(2, np.uint8))
            # A search makes a block of its own of what was added since the last one.
            index.shortlist(forms[0])
            if block in flushed:
                index.flush()
        for block in empty:
            index.tombstone(np.arange(2 * block, 2 * block + 2))
    left = [row for row in range(6) if row // 2 not in empty]
    for _ in ("closed", "compacted"):
        with PartitionIndex.open(tmp_path / "i", "rw") as index:
            assert sorted(index.row_ids().tolist()) == left
            for row in left:
                assert index.shortlist(forms[row], effort="scan").row_ids[0] in left
                assert index.verify(forms[row], np.array([row]))[0] > 100
            index.compact()


@pytest.mark.parametrize("sizes", [(0, 2, 3), (2, 0, 3), (2, 3, 0), (0, 0, 0), (0, 0, 2), (1,), ()])
def test_joined_blocks_are_the_blocks(sizes):
    forms = [encode(t) for t in templates(5, seed=4)]
    several, begin = [], 0
    for size in sizes:
        several.append(forms[begin : begin + size])
        begin += size
    whole = join([pack(few) for few in several])
    expected = pack([form for few in several for form in few])
    assert whole.offsets.tolist() == expected.offsets.tolist()
    assert all(np.array_equal(getattr(whole, n), getattr(expected, n)) for n in COLUMNS)
