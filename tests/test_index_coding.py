"""Coded rows: they come back, on every way; damage leads nowhere; large segments hold them."""

from __future__ import annotations

import dataclasses
import hashlib

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_index_rows import blocks, same
from without_compilation import passes_without_compilation

from fpmatch.descriptor import COLUMNS, PackedTemplates, encode
from fpmatch.descriptor import pack as joined
from fpmatch.descriptor.sketch import sketch
from fpmatch.index import PartitionIndex, contents, pair_shares, writing
from fpmatch.index._kernels import PADDING, coding, lanes
from fpmatch.index._kernels.packing import CODED, PLAIN, WIDE
from fpmatch.index.row_layout import are_coded, code, pack, unpack
from fpmatch.jit import jit_enabled
from fpmatch.parameters import SEGMENTS
from fpmatch.synthetic.gallery import mates, templates

SHARES = "5738fa155d01d584"


def forms_of(count, seed):
    return joined([encode(t) for t in templates(count, seed)])


def coded(forms, sketches=None, wanted=None):
    starts, packed = pack(forms, sketch(forms) if sketches is None else sketches)
    starts, packed = code(packed, starts, forms.offsets, np.arange(len(forms)), wanted)
    return starts, np.concatenate([packed, np.zeros(PADDING, np.uint8)])


class Numbers:
    """A row's pairs read as the page says, with Python's whole numbers: the kernels' twin."""

    def __init__(self, data, minutiae):
        self.data = bytes(data)
        self.many = min(minutiae, 8)
        self.lanes = [
            int.from_bytes(self.data[4 * lane : 4 * lane + 4], "little")
            for lane in range(self.many)
        ]
        self.at = 4 * self.many

    def word(self):
        self.at += 2
        return int.from_bytes(self.data[self.at - 2 : self.at], "little")

    def take(self, lane, parts, total):
        """The value in whose share the lane's number lies."""
        x = self.lanes[lane]
        part = x % total
        ends = np.cumsum(parts)
        value = int(np.searchsorted(ends, part, side="right"))
        first = int(ends[value]) - int(parts[value])
        self.lanes[lane] = int(parts[value]) * (x // total) + part - first
        return value

    def fill(self, lanes):
        for lane in range(lanes):
            if self.lanes[lane] < 1 << 16:
                self.lanes[lane] = self.lanes[lane] << 16 | self.word()


def read_slowly(data, minutiae):
    """Codes and textures of a row's pairs, as whole numbers."""
    places, halves = pair_shares.pairs_of_cells()
    shares = pair_shares.shipped()
    numbers = Numbers(data, minutiae)
    parts = [
        shares.code_shares[:, 1].reshape(64, 256),
        shares.texture_shares[:, 1].reshape(512, 64),
    ]
    codes, textures = [0] * minutiae, [[0, 0, 0] for _ in range(minutiae)]
    for first in range(0, minutiae, 8):
        many = min(8, minutiae - first)
        for kind in (0, 1):
            grid = [dict.fromkeys(range(-60, 60), 0) for _ in range(many)]
            for place, cells in zip(places.tolist(), halves.tolist(), strict=True):
                escapes = []
                for lane in range(many):
                    left, above = grid[lane][place - 1], grid[lane][place - 5]
                    if kind == 0:
                        context = (left >> 6 | above | above >> 6) % 64
                        value = numbers.take(lane, parts[0][context], 2048)
                        escapes += [lane] if value == 255 else []
                        value = int(shares.pairs[value])
                    else:
                        value = numbers.take(lane, parts[1][64 * (left >> 3) + above], 512)
                    grid[lane][place] = value
                numbers.fill(many)
                for lane in escapes:
                    grid[lane][place] = numbers.word()
                for lane in range(many):
                    for half, cell in enumerate(cells):
                        if cell < 0:
                            continue
                        if kind == 0:
                            codes[first + lane] |= (grid[lane][place] >> 6 * half & 63) << 6 * cell
                            continue
                        for bit, word in ((0, 2), (1, 0), (2, 1)):
                            found = grid[lane][place] >> 3 * half + bit & 1
                            textures[first + lane][word] |= found << cell
    assert numbers.at == len(numbers.data)
    assert all(x == 1 << 16 for x in numbers.lanes)
    return codes, textures


def test_the_bytes_are_what_the_page_says():
    forms = forms_of(12, 5)
    starts, packed = coded(forms)
    assert are_coded(packed, starts[:-1]).all()
    for row in range(len(forms)):
        first, last = forms.offsets[row : row + 2]
        many = int(last - first)
        codes, textures = read_slowly(packed[starts[row] + 1 + 16 * many : starts[row + 1]], many)
        held = [int.from_bytes(one.tobytes(), "little") for one in forms.codes[first:last]]
        assert codes == held
        assert textures == forms.texture[first:last].tolist()


@given(blocks(), st.integers(0, 2**32))
@settings(max_examples=25 if jit_enabled() else 3, deadline=None)
def test_any_rows_come_back_coded_or_not(made, seed):
    forms, sketches = made
    rng = np.random.default_rng(seed)
    wanted = rng.random(len(forms)) < rng.choice([0.5, 1.0])
    starts, packed = coded(forms, sketches, wanted)
    assert not are_coded(packed, starts[:-1])[~wanted].any()
    rows = rng.integers(0, max(1, len(forms)), 5 if len(forms) else 0)
    same(unpack([(packed, starts, forms.offsets, rows)]), forms, rows)
    # What is coded stays as it is.
    again = code(packed, starts, forms.offsets, np.arange(len(forms)), wanted & False)
    assert np.array_equal(again[0], starts)
    assert np.array_equal(again[1], packed[: starts[-1]])


def test_real_rows_take_two_thirds_and_all_that_cannot_be_coded_stay():
    forms = forms_of(30, 3)
    sketches = sketch(forms)
    plain, _ = pack(forms, sketches)
    starts, packed = coded(forms, sketches)
    assert starts[-1] < 37.5 * len(forms.angle)
    assert starts[-1] < 0.67 * plain[-1]
    assert (np.diff(starts) < np.diff(plain)).all()
    columns = {n: getattr(forms, n).copy() for n in COLUMNS}
    first = forms.offsets[:4]
    columns["codes"][first[0], 4] |= np.uint64(1) << np.uint64(60)
    columns["texture"][first[1], 2] |= np.uint64(1) << np.uint64(60)
    columns["x"][first[2]] = 5000
    other = PackedTemplates(offsets=forms.offsets, **columns)
    starts, packed = coded(other, sketches)
    how = packed[starts[:-1]]
    assert how[:4].tolist() == [4, 4 | PLAIN, 4 | CODED | WIDE, 4 | CODED]
    assert are_coded(packed, starts[:-1]).sum() == 28
    same(unpack([(packed, starts, forms.offsets, np.arange(30))]), other, np.arange(30))


@given(st.integers(0, 2**32), st.sampled_from(["noise", "zeros", "ones", "short"]))
@settings(max_examples=30 if jit_enabled() else 3, deadline=None)
def test_nothing_that_a_coded_row_says_leads_out_of_the_array(seed, kind):
    rng = np.random.default_rng(seed)
    forms = forms_of(5, 8)
    starts, packed = coded(forms)
    guarded = np.concatenate([packed, np.zeros(8, np.uint8)])
    for row in range(5):
        first, last = starts[row] + 1, starts[row + 1]
        fill = {"zeros": 0, "ones": 255}.get(kind)
        if kind == "short":
            starts = starts.copy()
            starts[row + 1] = starts[row] + rng.integers(0, last - first)
            continue
        guarded[first:last] = rng.integers(0, 256, last - first) if fill is None else fill
    found = unpack([(guarded[: len(packed)], starts, forms.offsets, np.array([4, 0, 3]))])
    if kind != "short":
        # Cells that there are not are never set.
        assert (found.codes[:, 4] >> np.uint64(56) == 0).all()
        assert (found.texture >> np.uint64(52) == 0).all()


take_codes = lanes.take_codes.made() if hasattr(lanes.take_codes, "made") else lanes.take_codes
take_textures = (
    lanes.take_textures.made() if hasattr(lanes.take_textures, "made") else lanes.take_textures
)


@numba.njit
def codes_taken(slots, pairs, grid, places, packed, numbers, ats, ends, reading):
    take_codes(slots, pairs, grid, places, packed, numbers, ats, ends, reading)


@numba.njit
def textures_taken(slots, grid, places, packed, numbers, ats, ends, reading):
    take_textures(slots, grid, places, packed, numbers, ats, ends, reading)


@pytest.mark.parametrize("seed", range(12))
def test_lanes_are_alike_on_every_machine(seed):
    """The code for LLVM against plain Python, from any state at all."""
    rng = np.random.default_rng(seed)
    shares = pair_shares.shipped()
    packed = rng.integers(0, 256, 4000, np.uint8)
    state = [
        rng.integers(1 << 16, 1 << 32, 32, np.uint32),
        np.array([0, 1001, 2000, 3000], np.uint64),
        np.array([rng.integers(0, 900), 2000, 2100, 3900], np.uint64),
        np.array([rng.choice([0, 0xFFFFFFFF, 0x03FF07FF, 0xFF000000, 0x0301])], np.uint64),
    ]
    results = []
    for one in (0, 1):
        held = [array.copy() for array in state]
        grid = np.zeros(coding.PLACES * 32, np.uint16)
        ways = ((codes_taken, textures_taken), (lanes.take_codes, lanes.take_textures))[one]
        if one:
            ways = tuple(getattr(way, "py_func", way) for way in ways)
        ways[0](shares.code_slots, shares.pairs, grid, shares.places, packed, *held)
        seen = grid.copy()
        ways[1](shares.texture_slots, grid, shares.places, packed, *held)
        results.append((seen, grid, *held))
    for mine, theirs in zip(*results, strict=True):
        assert np.array_equal(mine, theirs)


def test_shares_add_up_and_are_those_that_rows_are_stored_with():
    shares = pair_shares.shipped()
    sizes = shares.code_shares[:, 1].reshape(64, 256)
    assert (sizes >= 1).all()
    assert (sizes.sum(axis=1) == 2048).all()
    sizes = shares.texture_shares[:, 1].reshape(512, 64)
    there = sizes.sum(axis=1) > 0
    assert there.sum() == 125
    assert (sizes[there].sum(axis=1) == 512).all()
    assert ((sizes[there] > 0).sum(axis=1) == 25).all()
    # Other shares are another format: a new version of segments, which keeps these to read with.
    total = hashlib.sha256(shares.code_slots.tobytes() + shares.texture_slots.tobytes())
    total.update(shares.pairs.tobytes())
    assert total.hexdigest()[:16] == SHARES


def test_parts_of_a_share_are_as_near_as_whole_parts_come():
    counts = np.array([[0, 0, 0, 0], [1, 2, 3, 1000], [5, 5, 5, 5]])
    parts = pair_shares.shares_of(counts, 6)
    assert (parts.sum(axis=1) == 64).all()
    assert parts.tolist() == [[16] * 4, [1, 1, 1, 61], [16] * 4]


# -- in an index ---------------------------------------------------------------------------------


@pytest.fixture
def large(monkeypatch):
    """Segments are large from 20 rows on."""
    monkeypatch.setattr(writing, "SEGMENTS", dataclasses.replace(SEGMENTS, coded_least=20))


def answers(index, probes):
    out = []
    for probe in probes:
        for effort in ("scan", "exhaustive"):
            found = index.shortlist(probe, effort=effort)
            scores = index.verify(probe, found.row_ids)
            out.append((found.row_ids.tolist(), found.votes.tolist(), scores.tolist()))
    return out


def test_large_segments_are_coded_and_answer_as_others_do(tmp_path, large):
    gallery, probes = forms_of(30, 4), [encode(t) for t in mates(3, 4)]
    positions = (np.arange(30) % 3).astype(np.uint8)
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        index.add(np.arange(30), gallery, positions)
        expected = answers(index, probes)
        index.flush()
        assert answers(index, probes) == expected
        (part,) = index.parts()
        assert are_coded(part.arrays["row_bytes"], part.arrays["row_starts"][:-1]).all()
        assert contents.differs(index) == ""
        same(contents.forms(index, np.arange(30)), gallery, np.arange(30))
        index.add(np.arange(30, 35), forms_of(5, 6), np.zeros(5, np.uint8))
        index.flush()
        small = index.parts()[-1]
        assert not are_coded(small.arrays["row_bytes"], small.arrays["row_starts"][:-1]).any()
        before = answers(index, probes)
        index.compact()
        (part,) = index.parts()
        assert are_coded(part.arrays["row_bytes"], part.arrays["row_starts"][:-1]).all()
        assert answers(index, probes) == before
        assert contents.differs(index) == ""
        index.tombstone(np.arange(3, 25))
        index.purge()
        (part,) = index.parts()
        # Few are left, and they stay coded.
        assert are_coded(part.arrays["row_bytes"], part.arrays["row_starts"][:-1]).all()
        assert contents.differs(index) == ""
    with PartitionIndex.open(tmp_path / "i") as index:
        assert sorted(index.row_ids().tolist()) == [0, 1, 2, *range(25, 35)]


@pytest.mark.parametrize("where", ["sketch", "pairs"])
def test_the_deep_check_finds_a_coded_row_that_is_not_what_it_would_be(tmp_path, large, where):
    with PartitionIndex.create(tmp_path / "i", expected_fingers=1000) as index:
        index.add(np.arange(30), forms_of(30, 4), np.zeros(30, np.uint8))
        index.flush()
        (part,) = index.parts()
        arrays = {name: array.copy() for name, array in part.arrays.items()}
        many = int(part.offsets[1])
        at = 1 + many + 3 if where == "sketch" else int(arrays["row_starts"][1]) - 3
        arrays["row_bytes"][at] ^= 16
        part.arrays = arrays
        assert contents.differs(index)


def test_without_compilation():
    passes_without_compilation(__file__)
