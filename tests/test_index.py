"""What an index answers: shortlists, masks, batches, several fingers, deadlines."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytest
from how_often import often
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpmatch.descriptor import COLUMNS, SearchTemplate, encode, pack
from fpmatch.descriptor.sketch import sketch
from fpmatch.errors import InputError, SearchCancelled
from fpmatch.index import (
    UNVERIFIED,
    PartitionIndex,
    PartitionSearch,
    list_votes,
    narrow,
    ranking,
    shortlist,
    stages,
    subject,
    subject_shard,
)
from fpmatch.index.build import build_arrays, select_rows
from fpmatch.index.context import SearchContext
from fpmatch.index.ladder import Bounds, Stage, stage_for
from fpmatch.index.quantizer import quantizer
from fpmatch.index.ranking import lists_for
from fpmatch.index.segment import Part
from fpmatch.index.votes import probe_votes
from fpmatch.index.work import Workers
from fpmatch.matcher import compare_many
from fpmatch.parameters import EFFORT_BALANCED, INDEX, EffortParameters
from fpmatch.synthetic.gallery import mates, templates

ROWS = 240
EFFORTS = ("fast", "balanced", "scan", "exhaustive")


@pytest.fixture(scope="module")
def gallery():
    return pack([encode(t) for t in templates(ROWS, 31)])


@pytest.fixture(scope="module")
def probes():
    return [encode(t) for t in mates(12, 31)]


@pytest.fixture
def small(monkeypatch):
    """Thresholds so low that a few rows already go through the lists, and few are kept."""
    low = dataclasses.replace(
        INDEX,
        exhaustive_below=6,
        scan_below=12,
        subject_exhaustive_below=6,
        subject_scan_below=12,
        sure_evidence=1,
        judge_minutiae=50,
        listed_rows=40,
        listed_share=0.0,
        groups_kept=5,
        groups_least=4,
    )
    for module in (shortlist, subject, subject_shard, narrow):
        monkeypatch.setattr(module, "INDEX", low)
    for effort in ("fast", "balanced", "scan"):
        few = dataclasses.replace(
            EFFORT_BALANCED, lists_least=12, rescored_least=9, verified_least=4
        )
        monkeypatch.setitem(ranking.PARAMETERS, effort, few)


@pytest.fixture
def index(tmp_path, gallery):
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as made:
        half = np.arange(ROWS // 2)
        made.add(half, select_rows(gallery, half), (half % 3).astype(np.uint8))
        made.flush()
        rest = np.arange(ROWS // 2, ROWS)
        made.add(rest, select_rows(gallery, rest), (rest % 3).astype(np.uint8))
        yield made


def same(a, b) -> bool:
    return (
        a.row_ids.tobytes() == b.row_ids.tobytes()
        and a.votes.tobytes() == b.votes.tobytes()
        and a.exhaustive == b.exhaustive
        and a.cost.live_fingers == b.cost.live_fingers
    )


def test_few_rows_are_all_listed_at_every_effort(index, probes):
    for effort in EFFORTS:
        found = index.shortlist(probes[0], effort=effort)
        assert found.exhaustive
        assert (found.row_ids == np.arange(ROWS)).all()


@pytest.mark.parametrize("effort", ["fast", "balanced", "scan"])
def test_the_mate_comes_first(index, probes, small, effort):
    firsts = [index.shortlist(p, effort=effort).row_ids[:1] for p in probes]
    right = sum(len(f) > 0 and f[0] == n for n, f in enumerate(firsts))
    assert right >= 9


def test_verification_is_the_matcher(index, gallery, probes):
    rows = np.array([5, 200, 0, 121, 119])
    expected = compare_many(probes[0], gallery, rows)
    assert (index.verify(probes[0], rows) == expected).all()
    with pytest.raises(InputError, match="1 of the rows"):
        index.verify(probes[0], np.array([3, ROWS]))


def test_scan_ranks_by_the_votes_of_every_row(index, gallery, probes, small):
    from naive_index import vote_rows

    found = index.shortlist(probes[1], effort="scan", limit=ROWS)
    made = probe_votes(probes[1])
    votes = vote_rows(
        made.sketches, made.angle, made.table, sketch(gallery), gallery.angle, gallery.offsets,
        INDEX.window, np.arange(ROWS),
    )  # fmt: skip
    order = np.lexsort((np.arange(ROWS), -votes))
    order = order[votes[order] > 0]
    assert (found.row_ids == order).all()
    assert (found.votes == votes[order]).all()


def test_a_position_sees_itself_and_the_unknown(index, probes, small):
    for effort in EFFORTS:
        found = index.shortlist(probes[0], position=2, effort=effort, limit=ROWS)
        assert set(found.row_ids % 3) <= {0, 2}
        assert found.cost.live_fingers == 2 * ROWS // 3
    assert index.shortlist(probes[0], position=7).cost.live_fingers == ROWS // 3
    assert index.shortlist(probes[0], position=0).cost.live_fingers == ROWS


def test_masks_shorter_than_the_ids_and_empty_ones(index, probes, small):
    found = index.shortlist(probes[0], allowed=np.ones(40, np.bool_), effort="scan", limit=ROWS)
    assert found.row_ids.max() < 40
    for effort in EFFORTS:
        assert not len(index.shortlist(probes[0], allowed=np.zeros(0, np.bool_)).row_ids)
        nothing = index.shortlist(probes[0], allowed=np.zeros(ROWS, np.bool_), effort=effort)
        assert not len(nothing.row_ids)
        assert nothing.cost.codes_scanned == 0
    with pytest.raises(InputError, match="bool"):
        index.shortlist(probes[0], allowed=np.ones(ROWS, np.int64))


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_limit_is_a_number_of_rows(index, probes, small, effort):
    """Also none at all; and whatever is no such number is refused."""
    whole = index.shortlist(probes[0], effort=effort, limit=ROWS).row_ids
    for limit in (0, 1, np.int64(5), ROWS):
        found = index.shortlist(probes[0], effort=effort, limit=limit).row_ids
        (many,) = index.shortlist_many([probes[0]], effort=effort, limit=limit)
        groups = index.shortlist_subject(probes[:2], np.arange(ROWS), effort=effort, limit=limit)
        if effort != "exhaustive":
            assert found.tolist() == many.row_ids.tolist() == whole[:limit].tolist()
            assert len(groups.groups) <= limit
    for limit in (-1, 1.5, True, "3", 2**31):
        with pytest.raises(InputError, match="limit"):
            index.begin(limit=limit)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("visible", [1, 6, 7, 12, 13, 60])
def test_one_finger_a_batch_and_a_person_begin_at_the_same_stage(
    index, probes, small, effort, visible
):
    allowed = np.arange(ROWS) < visible
    stage = stage_for(effort, visible, Bounds(6, 12))
    one = index.shortlist(probes[0], allowed=allowed, effort=effort)
    batch = index.shortlist_many(probes[:3], allowed=allowed, effort=effort)
    person = index.shortlist_subject(
        probes[:3], np.arange(ROWS), allowed=allowed, effort=effort, positions=[0, 0, 0]
    )
    for found in (one, *batch, person):
        assert found.exhaustive == (stage is Stage.EVERYTHING)
        assert ("coarse" in found.cost.milliseconds) == (stage is Stage.LISTS)


def test_stages_follow_effort_and_visible_rows():
    bounds = Bounds(4, 9)
    ways = {
        effort: [stage_for(effort, visible, bounds).name[0] for visible in (0, 4, 5, 9, 10, 99)]
        for effort in EFFORTS
    }
    assert ways == {
        "fast": list("EESSLL"),
        "balanced": list("EESSLL"),
        "scan": list("EESSSS"),
        "exhaustive": list("EEEEEE"),
    }


def test_a_search_keeps_to_the_index_as_it_was(index, gallery, probes):
    """Rows that come later are not seen, and merging takes nothing from under it."""
    search = index.begin(effort="exhaustive")
    scores = index.verify(probes[3], np.arange(ROWS))
    index.add(np.arange(ROWS, ROWS + 5), select_rows(gallery, np.arange(5)), np.zeros(5, np.uint8))
    index.compact()
    assert search.shortlist(probes[3]).row_ids.tolist() == list(range(ROWS))
    assert (search.verify(probes[3], np.arange(ROWS)) == scores).all()
    with pytest.raises(InputError, match="1 of the rows"):
        search.verify(probes[3], np.array([ROWS]))
    assert len(index.begin(effort="exhaustive").shortlist(probes[3]).row_ids) == ROWS + 5


def test_shortlist_and_verification_share_deadline_and_cancel(index, probes, small):
    late = index.begin(effort="scan", deadline=time.monotonic() - 1)
    assert not late.shortlist(probes[0]).cost.complete
    assert (late.verify(probes[0], np.arange(3)) == UNVERIFIED).all()
    stop = threading.Event()
    search = index.begin(effort="scan", cancel=stop)
    assert search.shortlist(probes[0]).cost.complete
    stop.set()
    with pytest.raises(SearchCancelled):
        search.verify(probes[0], np.arange(3))


def parts_of(gallery, ids, positions, cuts):
    """The given rows, spread over parts at the cuts."""
    lists = quantizer(256)
    out = []
    for a, b in zip([0, *cuts], [*cuts, len(ids)], strict=True):
        if b > a:
            rows = ids[a:b]
            out.append(Part(build_arrays(rows, positions[rows], select_rows(gallery, rows), lists)))
    return tuple(out)


@settings(
    max_examples=often(1000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**32 - 1),
    effort=st.sampled_from(EFFORTS),
    share=st.sampled_from([0.02, 0.2, 0.5, 0.8, 0.97]),
    way=st.sampled_from(["mask", "tombstone", "both"]),
)
def test_barred_rows_leave_no_trace(gallery, probes, small, seed, effort, share, way):
    """A search under a mask returns byte for byte what an index without those rows returns."""
    rng = np.random.default_rng(seed)
    probe = probes[int(rng.integers(len(probes)))]
    position = int(rng.integers(0, 3))
    positions = rng.integers(0, 3, ROWS).astype(np.uint8)
    ids = rng.permutation(ROWS)[: int(rng.integers(1, 100))]
    if rng.random() < 0.8:
        ids = np.union1d(ids, [probes.index(probe)])
    keep = rng.random(len(ids)) >= share
    cuts = sorted(rng.integers(0, len(ids) + 1, int(rng.integers(0, 4))).tolist())
    full = parts_of(gallery, np.sort(ids), positions, cuts)
    left = np.sort(ids)[keep]
    without = parts_of(gallery, left, positions, [len(left) // 3])
    allowed = np.zeros(ROWS, np.bool_)
    allowed[left if way != "tombstone" else ids] = True
    if way != "mask":
        for part in full:
            part.live[~np.isin(part.row_ids, left)] = 0
    lists = quantizer(256)
    masked = SearchContext(
        full, lists, allowed=None if way == "tombstone" else allowed, effort=effort
    )
    never = SearchContext(without, lists, effort=effort)
    a = PartitionSearch(masked).shortlist(probe, position)
    b = PartitionSearch(never).shortlist(probe, position)
    assert same(a, b)
    assert np.isin(a.row_ids, left).all()


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("threads", [2, 3, 4, 16])
@pytest.mark.parametrize("shared", [True, False])
def test_threads_change_nothing(index, probes, small, effort, threads, shared, monkeypatch):
    """Where they share each part of the index, and where each takes whole parts."""
    monkeypatch.setattr(stages, "_CHUNK", 16)
    monkeypatch.setattr(list_votes, "_LEAST_ENTRIES", 1)
    index.flush()
    monkeypatch.setattr(stages, "_PARTS_EACH", ROWS)
    expected = [index.shortlist(p, effort=effort) for p in probes]
    monkeypatch.setattr(stages, "_PARTS_EACH", ROWS if shared else 0)
    with PartitionIndex.open(index._store.folder, threads=threads) as many:
        for probe, one in zip(probes, expected, strict=True):
            other = many.shortlist(probe, effort=effort)
            assert same(one, other)
            assert one.cost.codes_scanned == other.cost.codes_scanned
            assert (many.verify(probe, one.row_ids) == index.verify(probe, one.row_ids)).all()


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("masked", [False, True])
def test_a_batch_is_its_single_searches(index, probes, small, effort, masked):
    allowed = np.arange(ROWS) % 5 != 0 if masked else None
    positions = [n % 3 for n in range(len(probes))]
    together = index.shortlist_many(probes, positions=positions, effort=effort, allowed=allowed)
    for probe, position, one in zip(probes, positions, together, strict=True):
        alone = index.shortlist(probe, position=position, effort=effort, allowed=allowed)
        assert same(one, alone)
        assert one.cost.codes_scanned == alone.cost.codes_scanned
    assert index.shortlist_many([], effort=effort) == []


@pytest.mark.parametrize("effort", EFFORTS)
def test_fingers_of_one_person_are_added_up(index, probes, small, effort):
    groups = np.arange(ROWS) // 2
    found = index.shortlist_subject(probes[4:6], groups, effort=effort)
    if effort != "exhaustive":
        assert found.groups[0] == 2
    assert 2 in found.groups
    for rows in found.row_ids:
        assert set(groups[rows]) <= set(found.groups)
        assert (np.diff(rows) > 0).all()
    allowed = groups != 2
    masked = index.shortlist_subject(probes[4:6], groups, effort=effort, allowed=allowed)
    assert 2 not in masked.groups
    by_position = index.shortlist_subject(probes[4:6], groups, effort=effort, positions=[1, 2])
    assert set(by_position.row_ids[0] % 3) <= {0, 1}
    assert set(by_position.row_ids[1] % 3) <= {0, 2}


def search_subject(parts, fingers, positions, groups, effort, *, allowed=None, threads=1):
    search = SearchContext(parts, quantizer(256), Workers(threads), allowed, effort)
    return PartitionSearch(search).shortlist_subject(fingers, groups, positions)


def same_subjects(a, b) -> bool:
    return (
        a.groups.tobytes() == b.groups.tobytes()
        and a.votes.tobytes() == b.votes.tobytes()
        and all(x.tobytes() == y.tobytes() for x, y in zip(a.row_ids, b.row_ids, strict=True))
        and (a.exhaustive, a.cost.live_fingers, a.cost.fingers_scanned)
        == (b.exhaustive, b.cost.live_fingers, b.cost.fingers_scanned)
    )


@pytest.mark.parametrize("effort", ["balanced", "scan", "exhaustive"])
@pytest.mark.parametrize("known", [False, True])
def test_barred_rows_leave_no_trace_in_a_subject(gallery, probes, small, effort, known):
    """Byte for byte, at any thread count and in any order of the fingers."""
    groups = np.arange(ROWS) // 3
    for seed in range(40):
        rng = np.random.default_rng(seed)
        positions = rng.integers(0, 4, ROWS).astype(np.uint8) * np.uint8(known)
        left = np.flatnonzero(rng.random(ROWS) < rng.choice([0.05, 0.3, 0.9]))
        allowed = np.isin(np.arange(ROWS), left)
        full = parts_of(gallery, np.arange(ROWS), positions, [100])
        without = parts_of(gallery, left, positions, [])
        fingers = [probes[3], probes[4], probes[5], probes[9]]
        places = rng.integers(0, 4, 4).tolist() if known else [0] * 4
        a = search_subject(full, fingers, places, groups, effort, allowed=allowed, threads=3)
        assert same_subjects(a, search_subject(without, fingers, places, groups, effort))
        c = search_subject(without, fingers[::-1], places[::-1], groups, effort)
        assert same_subjects(a, dataclasses.replace(c, row_ids=c.row_ids[::-1]))


def votes_by_group(index, probe, position, groups):
    """Of each group the best row's votes, over all cylinders; -1 where it has no such row."""
    search = SearchContext(index._store.parts(), quantizer(256))
    view = search.apply_mask(position)
    rows = [np.flatnonzero(seen) for seen in view.seen]
    best = np.full(groups.max() + 1, -1)
    for part, some in zip(view.parts, rows, strict=True):
        best[groups[part.row_ids[some]]] = 0
    ids, votes, _ = stages.vote_by_rows(search, view, rows, probe_votes(probe), ROWS)
    np.maximum.at(best, groups[ids], votes)
    return best


def test_fingers_narrow_the_records_one_after_the_other(index, probes, small):
    """The same in plain Python: count, leave out half of those of which enough is known."""
    groups = np.arange(ROWS) // 3
    places = [1, 0, 2, 2]
    fingers = sorted(probes[3:7], key=len, reverse=True)
    assert len({len(f) for f in fingers}) == 4
    found = search_subject(index._store.parts(), fingers, places, groups, "scan")
    left = {g: [0, 0] for g in range(groups.max() + 1)}
    size = len(left) // 2
    for finger, position in zip(fingers, places, strict=True):
        votes = votes_by_group(index, finger, position, groups)
        for g, state in left.items():
            if votes[g] >= 0:
                state[0] += int(votes[g])
                state[1] += len(finger)
        judged = [g for g, (_, told) in left.items() if told >= 50]
        if judged:
            size = max(size // 2, 5)
            for g in sorted(judged, key=lambda g: (-left[g][0], g))[size:]:
                del left[g]
    ranked = sorted((g for g in left if left[g][0]), key=lambda g: (-left[g][0], g))[:4]
    assert found.groups.tolist() == ranked
    assert found.votes.tolist() == [left[g][0] for g in ranked]
    assert len(left) < groups.max()


def test_a_record_is_not_left_out_for_fingers_that_it_lacks(tmp_path, gallery, probes, small):
    """Two fingers have been counted on all others before the one that this record has."""
    order = sorted((1, 2, 3, 4), key=lambda n: -len(probes[n]))[:3]
    mate = order[2]
    positions = 1 + (np.arange(ROWS) % 2).astype(np.uint8)
    positions[mate] = 3
    groups = np.arange(ROWS) // 2
    groups[mate ^ 1] = ROWS
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as made:
        made.add(np.arange(ROWS), gallery, positions)
        # The first two are of nobody here: their own rows are tombstoned.
        made.tombstone(np.array(order[:2]))
        fingers = [probes[n] for n in order]
        for effort in ("scan", "balanced"):
            found = made.shortlist_subject(fingers, groups, positions=[1, 2, 3], effort=effort)
            assert not found.exhaustive
            assert mate // 2 in found.groups


@pytest.mark.parametrize(
    ("fingers", "minutiae", "sure"), [(1, 80, False), (2, 40, False), (2, 60, True), (10, 13, True)]
)
def test_the_more_fingers_tell_the_less_is_compared(fingers, minutiae, sure):
    one = SearchTemplate(**{n: np.zeros((minutiae, *s), d) for n, (d, s) in COLUMNS.items()})
    probes = [one] * fingers
    most = INDEX.subject_exhaustive_below if sure else INDEX.exhaustive_below
    assert subject.exhaustive_below(probes) == most
    assert subject.scan_below(probes) == (INDEX.subject_scan_below if sure else INDEX.scan_below)
    size = subject.shortened(300, probes)
    assert size == {(1, 80): 300, (2, 40): 150, (2, 60): 150, (10, 13): 46}[fingers, minutiae]
    assert subject.shortened(300, [one] * 40) == INDEX.groups_least
    assert subject.shortened(7, probes) == 7


@pytest.mark.parametrize("effort", ["balanced", "scan"])
def test_deadline_and_cancel(index, probes, small, effort):
    late = index.shortlist(probes[0], effort=effort, deadline=time.monotonic() - 1)
    assert not late.cost.complete
    assert not len(late.row_ids)
    assert index.shortlist(probes[0], effort=effort, deadline=time.monotonic() + 60).cost.complete
    scores = index.verify(probes[0], np.arange(9), deadline=time.monotonic() - 1)
    assert (scores == UNVERIFIED).all()
    stop = threading.Event()
    assert len(index.shortlist(probes[0], effort=effort, cancel=stop).row_ids)
    stop.set()
    with pytest.raises(SearchCancelled):
        index.shortlist(probes[0], effort=effort, cancel=stop)


def test_the_cost_counts_what_was_looked_at(index, gallery, probes, small):
    scan = index.shortlist(probes[0], effort="scan")
    assert scan.cost.fingers_scanned == ROWS
    assert scan.cost.codes_scanned == len(gallery.angle)
    lists = index.shortlist(probes[0], effort="balanced")
    assert 0 < lists.cost.fingers_scanned < ROWS
    assert lists.cost.milliseconds["lists"] > 0


def test_parameters_change_something(index, probes, small):
    assert len(index.shortlist(probes[0], effort="scan", limit=2).row_ids) == 2
    with pytest.raises(InputError, match="effort"):
        index.shortlist(probes[0], effort="thorough")
    with pytest.raises(InputError, match="positions"):
        index.shortlist_many(probes, positions=[0])


def test_a_small_probe_looks_into_more_lists():
    wanted = EffortParameters(1 / 128, 8, 0, 0.0, 0, 0.0)
    usual = lists_for(wanted, 16384, INDEX.cylinders)
    assert usual == 128
    assert lists_for(wanted, 16384, INDEX.cylinders // 2) == 2 * usual
    assert lists_for(wanted, 16384, 2 * INDEX.cylinders) == usual // 2
    assert lists_for(wanted, 16384, 1) == lists_for(wanted, 16384, 0) == INDEX.deepest * usual
    assert lists_for(wanted, 16384, INDEX.cylinders, fingers=4) == usual // 4
    assert lists_for(wanted, 256, 60) == 8


def test_a_probe_without_minutiae(index, small):
    nothing = SearchTemplate(**{n: np.zeros((0, *s), d) for n, (d, s) in COLUMNS.items()})
    for effort in ("fast", "balanced", "scan"):
        assert not len(index.shortlist(nothing, effort=effort).row_ids)
