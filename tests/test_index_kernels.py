"""Kernels of the index against their plain twins, compiled and not."""

from __future__ import annotations

import dataclasses
import itertools
import threading

import naive_index as naive
import numba
import numpy as np
import pytest
from without_compilation import passes_without_compilation

from fpmatch.descriptor import COLUMNS, PackedTemplates
from fpmatch.descriptor.sketch import sketch
from fpmatch.index import _kernels as kernels
from fpmatch.index import list_votes, stages
from fpmatch.index import quantizer as coarse
from fpmatch.index._kernels import vectors
from fpmatch.index.build import build_arrays, join, select_rows
from fpmatch.index.context import SearchContext, View
from fpmatch.index.list_layout import LIST_COLUMNS, build_lists
from fpmatch.index.lookup import lookup_for
from fpmatch.index.merging import merge_rows, take
from fpmatch.index.quantizer import CELLS, Quantizer
from fpmatch.index.ranking import best, foremost, place, together, unplace
from fpmatch.index.row_layout import pack
from fpmatch.index.segment import Part
from fpmatch.index.votes import ProbeVotes
from fpmatch.index.work import Workers
from fpmatch.index.writing import joined
from fpmatch.jit import jit_enabled

near_ones = vectors.near_ones.made() if jit_enabled() else vectors.near_ones
meet = vectors.meet.made() if jit_enabled() else vectors.meet
LISTS, HEADS = 16, 4


def codes_of(rng, count, weight=32):
    """Codes of a fixed weight that share bits often enough to be near each other."""
    bits = np.zeros((count, 320), np.bool_)
    for row in range(count):
        at = rng.choice(80, weight, replace=False)
        bits[row, at + (0 if rng.random() < 0.8 else 200)] = True
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def packed_of(rng, rows, most=9):
    length = rng.integers(0, most, rows)
    offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    total = int(offsets[-1])
    angle = rng.integers(0, 256, total).astype(np.uint8)
    for a, b in itertools.pairwise(offsets):
        angle[a:b].sort()
    columns = {n: np.zeros((total, *shape), dtype) for n, (dtype, shape) in COLUMNS.items()}
    columns |= {"codes": codes_of(rng, total), "angle": angle}
    for name in ("x", "y"):
        columns[name] = rng.integers(0, 800, total).astype(np.uint16)
    return PackedTemplates(offsets=offsets, **columns)


def sketches_of(rng, count):
    """Sketches of which many are near each other."""
    some = rng.integers(0, 2**32, (4, 3), np.uint32)
    noise = rng.integers(0, 2**32, (3, count, 3), np.uint32)
    return some[rng.integers(0, 4, count)] ^ (noise[0] & noise[1] & noise[2])


def quantizer_of(rng):
    masks = np.zeros((LISTS, 320), np.bool_)
    for row in range(LISTS):
        masks[row, :80] = True
        masks[row, 80 + rng.choice(240, 48, replace=False)] = True
    words = np.packbits(masks, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    heads = codes_of(rng, HEADS)
    return Quantizer(codes_of(rng, LISTS), heads, words), heads


def votes_of(rng, cylinders):
    angle = np.sort(rng.integers(0, 256, cylinders)).astype(np.uint8)
    table = np.zeros((cylinders, 97), np.uint16)
    table[:, :65] = np.sort(rng.integers(0, 500, (cylinders, 65)), axis=1)[:, ::-1]
    cut = rng.integers(30, 64, cylinders)
    cut[::5] = -1
    cells = rng.integers(0, 123, (cylinders, CELLS)).astype(np.int32)
    return ProbeVotes(cells, sketches_of(rng, cylinders), angle, table, cut)


@pytest.mark.parametrize("seed", range(5))
def test_checksums(seed):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 2**64, 5 * 32, np.uint64)
    out = np.zeros(5, np.uint64)
    kernels.checksum_blocks(words, 32, 0, 5, out)
    assert (out == naive.checksum_blocks(words, 32)).all()
    part = np.zeros(2, np.uint64)
    kernels.checksum_blocks(words, 32, 3, 5, part)
    assert (part == out[3:]).all()


@pytest.mark.parametrize("word", range(32))
def test_every_flipped_bit_changes_the_checksum(word):
    words = np.random.default_rng(word).integers(0, 2**64, 32, np.uint64)
    before = naive.checksum_blocks(words, 32)[0]
    for bit in range(0, 64, 7):
        changed = words.copy()
        changed[word] ^= np.uint64(1 << bit)
        out = np.zeros(1, np.uint64)
        kernels.checksum_blocks(changed, 32, 0, 1, out)
        assert out[0] != before


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("window", [0, 20, 48, 64])
def test_votes_by_row(seed, window):
    rng = np.random.default_rng(seed)
    packed = packed_of(rng, 12)
    probe = votes_of(rng, int(rng.integers(0, 8)))
    best = np.zeros((len(probe.sketches), 12), np.uint16)
    sketches = sketches_of(rng, len(packed.angle))
    columns = (packed.angle, packed.offsets, window)
    held = sketches.view(np.uint8).ravel()
    kernels.best_distances(probe.sketches, probe.angle, held, *columns, best)
    expected = naive.best_distances(probe.sketches, probe.angle, sketches, *columns)
    assert (best == expected).all()
    rows = np.sort(rng.choice(12, 7, replace=False)).astype(np.int64)
    out = np.full(7, -1, np.int64)
    starts, bytes_ = pack(packed, sketches)
    held = (bytes_, starts, packed.offsets, window)
    kernels.vote_rows(probe.sketches, probe.angle, probe.table, *held, rows, 2, 6, out)
    expected = naive.vote_rows(probe.sketches, probe.angle, probe.table, sketches, *columns, rows)
    assert (out[2:6] == expected[2:6]).all()
    assert (out[[0, 1, 6]] == -1).all()


@pytest.mark.parametrize("width", [4, LISTS, 2048])
@pytest.mark.parametrize("seed", range(6))
def test_likely_lists(seed, width, monkeypatch):
    """Values tie often, so that lists do too; weights fill their bytes to the last."""
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(coarse, "_WIDTH", width)
    ranks = 4 * int(rng.integers(1, 17))
    weights = np.sort(rng.integers(0, (15, 64)[seed % 2], ranks))[::-1]
    weights[:4] = (85, 85, 85, 0) if seed == 5 else weights[:4]
    chosen = dataclasses.replace(
        coarse.INDEX, cell_weights=tuple(weights.tolist()), cell_cost=int(rng.integers(0, 9))
    )
    monkeypatch.setattr(coarse, "INDEX", chosen)
    centroids, masks = codes_of(rng, LISTS, 20), codes_of(rng, LISTS)
    centroids[::3] &= codes_of(rng, len(centroids[::3]), 60)
    made = Quantizer(centroids, codes_of(rng, HEADS), masks)
    cells = rng.integers(0, (6, 256)[seed % 3 == 0], (9, CELLS)).astype(np.int32)
    for most in (1, 5, LISTS, LISTS + 3):
        expected = naive.likely_lists(cells, weights, chosen.cell_cost, centroids, most)
        assert (made.likely(cells, most) == expected).all()
        assert (made.likely(cells[4:6], most) == expected[4:6]).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("beam", [1, 2, HEADS])
def test_nearest_lists(seed, beam):
    rng = np.random.default_rng(seed)
    heads, centroids, codes = codes_of(rng, HEADS), codes_of(rng, LISTS), codes_of(rng, 30)
    members = np.ascontiguousarray(centroids.reshape(HEADS, -1, 5).transpose(0, 2, 1))
    out = np.zeros(30, np.uint16)
    kernels.nearest_lists(codes, 0, 30, np.ascontiguousarray(heads.T), members, beam, out)
    assert (out == naive.nearest_lists(codes, heads, centroids, beam)).all()


@pytest.mark.parametrize("seed", range(6))
def test_lists_hold_every_cylinder_once(seed):
    rng = np.random.default_rng(seed)
    packed = packed_of(rng, 40)
    quantizer, _ = quantizer_of(rng)
    positions = rng.integers(0, 3, 40).astype(np.uint8)
    arrays = build_arrays(np.arange(40), positions, packed, quantizer)
    assigned = np.zeros(len(packed.angle), np.uint16)
    forms = Part(arrays).forms(np.arange(40))
    quantizer.assign(forms.codes, assigned)
    starts = arrays["list_starts"]
    assert (np.diff(starts) == np.bincount(assigned, minlength=LISTS)).all()
    found = []
    for number in range(LISTS):
        entries = range(starts[number], starts[number + 1])
        rows = [int(arrays["list_owners"][e]) for e in entries]
        turns = [int(arrays["list_turns"][e]) for e in entries]
        keys = [(int(arrays["positions"][r]), t, r) for r, t in zip(rows, turns, strict=True)]
        assert keys == sorted(keys)
        for e, row, turn in zip(entries, rows, turns, strict=True):
            found.append((number, row, turn, *map(int, arrays["list_sketches"][e])))
    expected, sketches = [], sketch(forms)
    for row in range(40):
        for c in range(arrays["offsets"][row], arrays["offsets"][row + 1]):
            words = map(int, sketches[c])
            expected.append((int(assigned[c]), row, int(forms.angle[c]), *words))
    assert sorted(found) == sorted(expected)
    again = {name: np.zeros_like(arrays[name]) for name in (*LIST_COLUMNS, "list_starts")}
    build_lists({**arrays, **again}, forms, sketches, quantizer)
    assert all((again[name] == arrays[name]).all() for name in again)


def test_a_part_of_more_rows_than_two_bytes_tell_apart():
    """What an addition of very many rows makes, and what earlier releases have merged."""
    rng = np.random.default_rng(0)
    rows = (1 << 16) + 3
    few = packed_of(rng, 200, 2)
    empty, one = (int(np.flatnonzero(np.diff(few.offsets) == n)[0]) for n in (0, 1))
    chosen = np.full(rows, empty)
    chosen[::997] = chosen[-1] = one
    packed = select_rows(few, chosen)
    quantizer, _ = quantizer_of(rng)
    part = Part(build_arrays(np.arange(rows), np.zeros(rows, np.uint8), packed, quantizer))
    owners = part.arrays["list_owners"]
    assert owners.dtype == np.uint32
    expected = np.repeat(np.arange(rows), np.diff(packed.offsets))
    assert (np.sort(owners) == expected).all()
    last = np.array([0, rows - 2, rows - 1])
    arrays = joined([part], [np.isin(np.arange(rows), last)], quantizer.lists)
    again = build_arrays(last, np.zeros(3, np.uint8), select_rows(packed, last), quantizer)
    for name, array in again.items():
        assert array.dtype == arrays[name].dtype
        assert (array == arrays[name]).all(), name


@pytest.mark.parametrize("seed", range(10))
def test_merged_rows_are_as_if_built_together(seed):
    """Twin of the kernels that carry lists over: `build_arrays`, which computes them anew."""
    rng = np.random.default_rng(seed)
    quantizer, _ = quantizer_of(rng)
    blocks = [packed_of(rng, int(rng.integers(0, 25))) for _ in range(1 + seed % 4)]
    every = rng.permutation(1000)[: sum(map(len, blocks))]
    parts, kept, first = [], [], 0
    for block in blocks:
        ids = every[first : first + len(block)]
        first += len(block)
        positions = rng.integers(0, 3, len(block)).astype(np.uint8)
        parts.append(Part(build_arrays(ids, positions, block, quantizer)))
        kept.append(np.flatnonzero(rng.random(len(block)) < rng.choice([0.5, 1.0])))
    pairs = list(zip(parts, kept, strict=True))
    expected = build_arrays(
        np.concatenate([p.row_ids[k] for p, k in pairs]),
        np.concatenate([p.positions[k] for p, k in pairs]),
        join([p.forms(k) for p, k in pairs]),
        quantizer,
    )
    arrays = {name: np.full_like(a, 7) for name, a in expected.items()}
    merge_rows(take(parts, kept), arrays)
    for name, array in expected.items():
        assert (arrays[name] == array).all(), name


@pytest.mark.parametrize("position", [0, 1, 2, 9])
@pytest.mark.parametrize("window", [0, 48, 127])
def test_ranges_hold_what_a_probe_may_see(position, window):
    rng = np.random.default_rng(window + position)
    packed = packed_of(rng, 60)
    quantizer, _ = quantizer_of(rng)
    positions = np.sort(rng.integers(0, 3, 60)).astype(np.uint8)
    part = Part(build_arrays(np.arange(60), positions, packed, quantizer))
    probe = dataclasses.replace(votes_of(rng, 12), window=window)
    lookup = lookup_for(probe, quantizer, 6)
    pairs, ranges = list_votes._ranges(part, lookup, position)
    again = list_votes._ranges(part, lookup, position)
    # Where a position begins in a list is known now.
    assert (again[0] == pairs).all()
    assert (again[1] == ranges).all()
    assert part.known_places()[lookup.lists].any()
    assert (np.diff(pairs) >= 0).all()
    assert (ranges[:, 0] < ranges[:, 1]).all()
    found = {(int(k), e) for k, (a, b) in zip(pairs, ranges, strict=True) for e in range(a, b)}
    assert len(found) == int((ranges[:, 1] - ranges[:, 0]).sum())
    arrays, expected = part.arrays, set()
    for k, number in enumerate(lookup.lists):
        for e in range(arrays["list_starts"][number], arrays["list_starts"][number + 1]):
            apart = naive.turn_apart(probe.angle[lookup.cylinder[k]], arrays["list_turns"][e])
            there = positions[arrays["list_owners"][e]]
            if apart <= window and (not position or there in (0, position)):
                expected.add((k, e))
    assert found == expected


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(12))
def test_votes_by_lists(seed, threads, monkeypatch):
    monkeypatch.setattr(list_votes, "_LEAST_ENTRIES", 1 if seed % 3 else 1 << 13)
    rng = np.random.default_rng(seed)
    packed = packed_of(rng, 25)
    quantizer, _ = quantizer_of(rng)
    positions = np.sort(rng.integers(0, 3, 25)).astype(np.uint8)
    part = Part(build_arrays(np.arange(25), positions, packed, quantizer))
    probe = votes_of(rng, 12)
    lookup = lookup_for(probe, quantizer, 6)
    seen = rng.integers(0, 2, 25).astype(np.uint8)
    search = SearchContext((part,), quantizer, Workers(threads))
    view = View((part,), [seen], 0, int(seen.sum()))
    assigned = np.zeros(len(packed.angle), np.uint16)
    quantizer.assign(packed.codes, assigned)
    sketches = sketch(packed)
    probe.sketches[:] = sketches[rng.integers(0, len(sketches), len(probe.sketches))]
    ids, votes, at = stages.vote_by_lists(search, view, probe, 6, 1000)
    search.workers.close()
    assert (ids == unplace(at)[1]).all()
    got = np.zeros(25, np.int64)
    got[ids] = votes
    expected = naive.list_votes(
        probe, lookup, assigned, sketches, packed.angle, packed.offsets, seen, 48
    )
    assert (got == expected).all()
    assert expected.any()


@pytest.mark.parametrize("threads", [1, 2])
def test_parts_of_all_sizes_one_after_the_other_are_as_each_alone(threads):
    """What one adds up in is used again for the next: nothing of before may be left in it."""
    rng = np.random.default_rng(threads)
    quantizer, _ = quantizer_of(rng)
    parts, first = [], 0
    for rows in (9, 40, 1, 25, 0, 40, 12, 33, 3):
        ids = np.arange(first, first + rows)
        first += rows
        positions = np.zeros(rows, np.uint8)
        parts.append(Part(build_arrays(ids, positions, packed_of(rng, rows), quantizer)))
    probe = votes_of(rng, 12)
    together = [sketch(part.forms(np.arange(len(part)))) for part in parts]
    probe.sketches[:] = rng.permutation(np.concatenate(together))[:12]

    def found(some):
        search = SearchContext(tuple(some), quantizer, Workers(threads))
        view = View(tuple(some), [np.ones(len(p), np.uint8) for p in some], 0, sum(map(len, some)))
        ids, votes, _ = stages.vote_by_lists(search, view, probe, 6, 1000)
        search.workers.close()
        return dict(zip(ids.tolist(), votes.tolist(), strict=True))

    each = [found([part]) for part in parts]
    assert sum(map(len, each)) > 20
    assert found(parts) == {row: votes for one in each for row, votes in one.items()}


def test_threads_that_meet_in_the_lists_add_up_apart(monkeypatch):
    """Each of two threads has its own piece in hand before either goes on."""
    monkeypatch.setattr(list_votes, "_LEAST_ENTRIES", 1)
    rng = np.random.default_rng(3)
    packed = packed_of(rng, 25)
    quantizer, _ = quantizer_of(rng)
    part = Part(build_arrays(np.arange(25), np.zeros(25, np.uint8), packed, quantizer))
    probe = votes_of(rng, 12)
    view = View((part,), [np.ones(25, np.uint8)], 0, 25)
    alone = stages.vote_by_lists(SearchContext((part,), quantizer), view, probe, 6, 1000)
    met, both, real = threading.local(), threading.Barrier(2, timeout=60), list_votes.sift

    def meeting(*args):
        if not hasattr(met, "once"):
            met.once = True
            both.wait()
        return real(*args)

    monkeypatch.setattr(list_votes, "sift", meeting)
    search = SearchContext((part,), quantizer, Workers(2))
    together = stages.vote_by_lists(search, view, probe, 6, 1000)
    search.workers.close()
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))
    assert len(alone[0])


@pytest.mark.parametrize("seed", range(10))
def test_leaders(seed):
    rng = np.random.default_rng(seed)
    votes = rng.integers(0, 40, 60)
    for size in (1, 5, 59, 60, 100):
        out, highest = kernels.leaders(votes, size, np.zeros(32, np.int64), 1)
        assert out == naive.leaders(votes, size, 31)
        assert highest == min(votes.max(), 31)
        # In two pieces, the second without those that the first has beaten.
        tallies = np.zeros(32, np.int64)
        least, highest = kernels.leaders(votes[:30], size, tallies, 1)
        some = votes[30:][votes[30:] >= least]
        assert kernels.leaders(some, size, tallies, highest) == (out, min(votes.max(), 31))


@pytest.mark.parametrize("seed", range(6))
def test_rows_worth_listing(seed):
    rng = np.random.default_rng(seed)
    half = np.uint64(32)
    votes = rng.integers(0, 6, (int(rng.integers(1, 4)), 50)).astype(np.uint64)
    marks = rng.integers(1, 2**32, votes.shape).astype(np.uint64)
    states = np.where(votes > 0, (votes << half) | marks, np.uint64(0))
    least = int(rng.integers(0, 12))
    total = votes.sum(axis=0).astype(np.int64)
    found = []
    for which in range(len(states)):
        mine = rng.permutation(np.flatnonzero(states[which]))
        touched = np.zeros(51, np.uint32)
        touched[0], touched[1 : 1 + len(mine)] = len(mine), mine
        rows, got = np.full((2, 50), -1)
        count = kernels.worth_listing(states, which, touched, least, rows, got)
        assert got[:count].tolist() == total[rows[:count]].tolist()
        assert (rows[count:] == -1).all()
        found += rows[:count].tolist()
        wiped = states[which].copy()
        kernels.wipe(wiped, touched)
        assert not wiped.any()
        assert not touched[0]
    expected = [r for r in range(50) if total[r] >= max(least, 1)]
    assert sorted(found) == expected


@pytest.mark.parametrize("seed", range(10))
def test_the_foremost_of_several_pieces(seed):
    """Each piece hands on fewer than it would alone, and none that is wanted is left out."""
    rng = np.random.default_rng(seed)
    pieces, handed, first = [], [], 0
    size = int(rng.integers(1, 60))
    found = list_votes.Leading(size)
    for _ in range(int(rng.integers(1, 8))):
        votes = rng.integers(0, 40, int(rng.integers(1, 80)))
        ids = 1000 - first - np.arange(len(votes))
        at = place(3, first + np.arange(len(votes)))
        first += len(votes)
        keep = votes >= found.raise_least(votes[votes >= found.least])
        handed.append((ids[keep], votes[keep], at[keep]))
        pieces.append((ids, votes, at))
        alone, _ = kernels.leaders(votes, size, np.zeros(64, np.int64), 1)
        assert keep.sum() <= (votes >= alone).sum()
    expected = best(*together(pieces), size)
    ids, votes, at = foremost(handed, size)
    assert (np.diff(at) > 0).all()
    order = np.lexsort((ids, -votes))
    assert all((a[order] == b).all() for a, b in zip((ids, votes, at), expected, strict=True))
    assert len(foremost(handed, 0)[0]) == 0


@numba.njit
def near_bits(sketches, at, q, most):
    return near_ones(sketches, at, q[0], q[1], q[2], most)


@numba.njit
def met_by(soa, first, held, at, span, out):
    meet(soa, first, held, at, span[0], span[1], out)


@pytest.mark.parametrize("seed", range(6))
def test_sixteen_at_once(seed):
    rng = np.random.default_rng(seed)
    sketches = rng.integers(0, 2**32, (28, 3), np.uint32)
    probe = rng.integers(0, 2**32, 3, np.uint32)
    for at in range(13):
        apart = np.bitwise_count(sketches[at : at + 16] ^ probe).sum(axis=1)
        for most in (0, 44, 48, 52, 96):
            bits = near_bits(sketches, np.uint64(at), probe, np.uint64(most))
            assert bits == sum(1 << k for k in range(16) if apart[k] <= most)
    columns = np.ascontiguousarray(sketches_of(rng, 32).T)
    other = sketches_of(rng, 4)
    held = np.concatenate([[np.uint8(9)], other.view(np.uint8).ravel()])
    for first in (0, 3, 16):
        low, high = sorted(rng.integers(0, 33, 2).tolist())
        met = np.full(32, 50, np.uint32)
        met_by(columns, first, held, 1 + 12 * 2, (low, high), met)
        for n in range(32):
            there = first <= n < first + 16 and low <= n < high
            d = naive.distance(columns[:, n], other[2])
            assert met[n] == (min(50, d) if there else 50)


def test_the_twins_agree_without_compilation():
    passes_without_compilation(__file__)


@pytest.mark.parametrize("seed", range(8))
def test_rows_are_found_by_their_ids_in_every_run(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 9, int(rng.integers(1, 6)))
    runs = np.append(0, np.cumsum(lengths))
    ids = np.full(int(runs[-1]), 0)
    scattered = rng.permutation(60)[: len(ids)] * 3
    for first, end in itertools.pairwise(runs):
        ids[first:end] = np.sort(scattered[first:end])
    wanted = rng.integers(-2, 183, 80)
    out = np.zeros(len(wanted), np.int64)
    kernels.find_rows(ids, runs, wanted, out)
    rows = {one: row for row, one in enumerate(ids.tolist())}
    assert out.tolist() == [rows.get(one, -1) for one in wanted.tolist()]


@pytest.mark.parametrize("seed", range(8))
def test_ranges_are_checked_when_every_block_under_them_is(seed):
    rng = np.random.default_rng(seed)
    block, offset, each = 64, int(rng.integers(0, 200)), int(rng.choice((1, 8, 40)))
    entries = 50
    checked = rng.random((offset + entries * each) // block + 1) < 0.8
    for _ in range(30):
        ranges = np.sort(rng.integers(0, entries + 1, (3, 2)), axis=1)
        under = {
            byte // block
            for first, end in ranges.tolist()
            for byte in range(offset + first * each, offset + end * each)
        }
        expected = all(checked[b] for b in under)
        assert kernels.ranges_checked(checked, block, offset, each, ranges) == expected


def test_likely_lists_are_those_of_faiss():
    """FAISS's flat index over the same whole numbers as floats, which hold them exactly."""
    faiss = pytest.importorskip("faiss")
    made = coarse.quantizer(1024)
    rng = np.random.default_rng(3)
    cells = rng.integers(1, 123, (20, CELLS)).astype(np.int32) * (rng.random((20, CELLS)) < 0.3)
    weights, cost = np.array(coarse.INDEX.cell_weights), coarse.INDEX.cell_cost
    wanted = np.zeros((20, CELLS), np.float32)
    for worth, row in zip(wanted, cells, strict=True):
        worth[np.argsort(-row, kind="stable")[: len(weights)]] = weights
    centroids = made._members.transpose(0, 2, 1).reshape(-1, 5)
    bits = np.unpackbits(np.ascontiguousarray(centroids).view(np.uint8), axis=1, bitorder="little")
    held = bits[:, :CELLS].astype(np.float32)
    size = held.sum(axis=1, keepdims=True)
    index = faiss.IndexFlatIP(CELLS + 1)
    index.add(np.hstack([held, -cost * size]))
    best, _ = index.search(np.hstack([wanted, np.ones((20, 1), np.float32)]), 50)
    found = made.likely(np.ascontiguousarray(cells.astype(np.int32)), 50)
    scores = (wanted @ held.T - cost * size[:, 0])[np.arange(20)[:, None], found]
    assert (np.sort(scores, axis=1)[:, ::-1] == best).all()
