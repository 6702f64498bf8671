"""Rows without their zeros: what is packed is unpacked, on every way, and damage leads nowhere."""

from __future__ import annotations

from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from without_compilation import passes_without_compilation

from fpmatch.descriptor import COLUMNS, PackedTemplates, encode
from fpmatch.descriptor import pack as joined
from fpmatch.descriptor.sketch import sketch
from fpmatch.index._kernels import PADDING, expanding, packing
from fpmatch.index.row_layout import HELD, pack, unpack
from fpmatch.jit import jit_enabled
from fpmatch.synthetic.gallery import templates

MOST = 64


def made(name):
    found = getattr(expanding, name)
    return found.made() if hasattr(found, "made") else found


expand, by_words = made("expand"), made("expand_by_words")


@numba.njit
def expanded(values, at, mask, out, to):
    expand(values, at, mask, out, to)


@numba.njit
def expanded_by_words(values, at, mask, out, to):
    by_words(values, at, mask, out, to)


@st.composite
def blocks(draw):
    """Rows of any bits at all: sparse and dense codes, textures that fit their cells or do not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    length = draw(st.lists(st.sampled_from([0, 1, 2, 5, 38, MOST]), max_size=6))
    offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    total = int(offsets[-1])
    columns = {n: np.zeros((total, *shape), dtype) for n, (dtype, shape) in COLUMNS.items()}
    density = draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    bytes_ = rng.integers(0, 256, (total, 40), np.uint8) * (rng.random((total, 40)) < density)
    columns["codes"] = np.ascontiguousarray(bytes_.astype(np.uint8)).view(np.uint64)
    cells = draw(st.sampled_from([0, 1, 52, 53, 64]))
    every = np.uint64((1 << cells) - 1)
    texture = rng.integers(0, 2**64, (total, 3), np.uint64) & every
    if draw(st.booleans()):
        texture[:, :2] &= texture[:, 2:]
    columns["texture"] = texture
    top = draw(st.sampled_from([1, 4096, 4097, 65536]))
    for name in ("x", "y"):
        columns[name] = rng.integers(0, top, total).astype(np.uint16)
    columns["angle"] = rng.integers(0, 256, total).astype(np.uint8)
    sketches = rng.integers(0, 2**32, (total, 3), np.uint32)
    return PackedTemplates(offsets=offsets, **columns), sketches


def same(forms, other, rows):
    for k, row in enumerate(rows):
        for name in HELD:
            mine = getattr(forms, name)[forms.offsets[k] : forms.offsets[k + 1]]
            theirs = getattr(other, name)[other.offsets[row] : other.offsets[row + 1]]
            assert np.array_equal(mine, theirs), name


@given(blocks(), st.integers(0, 2**32))
@settings(max_examples=25 if jit_enabled() else 5, deadline=None)
def test_any_rows_come_back_as_they_were(made, seed):
    forms, sketches = made
    starts, packed = pack(forms, sketches)
    assert len(packed) == starts[-1] + PADDING
    assert not packed[starts[-1] :].any()
    for row, (first, last) in enumerate(pairwise(forms.offsets)):
        at = starts[row] + 1 + last - first
        held = packed[at : at + 12 * (last - first)]
        assert held.tobytes() == sketches[first:last].tobytes()
    rows = np.random.default_rng(seed).integers(0, max(1, len(forms)), 5 if len(forms) else 0)
    same(unpack([(packed, starts, forms.offsets, rows)]), forms, rows)


def test_real_rows_take_little_and_positions_of_large_prints_are_kept():
    forms = joined([encode(t) for t in templates(30, 3)])
    sketches = sketch(forms)
    starts, packed = pack(forms, sketches)
    assert starts[-1] < 58 * len(forms.angle)
    assert (packed[starts[:-1]] == packing.SKETCHED).all()
    rows = np.arange(30)
    same(unpack([(packed, starts, forms.offsets, rows)]), forms, rows)
    wide = forms.x.copy()
    wide[0] = 4096
    large = PackedTemplates(
        **{n: wide if n == "x" else getattr(forms, n) for n in (*COLUMNS, "offsets")}
    )
    starts, packed = pack(large, sketches)
    assert packed[starts[:-1]].tolist() == [packing.WIDE | 4] + 29 * [4]
    same(unpack([(packed, starts, forms.offsets, rows)]), large, rows)


@pytest.mark.parametrize("seed", range(6))
def test_codes_are_expanded_alike_on_every_machine(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 256, 80, np.uint8)
    masks = [0, 1, (1 << 40) - 1, *rng.integers(0, 1 << 40, 20).tolist()]
    for mask in masks:
        present = [b for b in range(40) if mask >> b & 1]
        expected = np.zeros(40, np.uint8)
        expected[present] = values[9 : 9 + len(present)]
        for way in (expanded, expanded_by_words):
            out = np.full(88, 7, np.uint8)
            way(values, np.uint64(9), np.uint64(mask), out, np.uint64(40))
            assert (out[40:80] == expected).all()
            assert (out[:40] == 7).all()


@given(blocks(), st.data())
@settings(max_examples=15 if jit_enabled() else 3, deadline=None)
def test_nothing_that_a_row_says_leads_out_of_the_array(made, data):
    """Checksums notice damage; what passes them is still read within bounds."""
    forms, sketches = made
    starts, packed = pack(forms, sketches)
    guarded = np.concatenate([packed, np.zeros(8, np.uint8)])
    seed = data.draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    end = int(starts[-1])
    guarded[:end] = rng.choice(np.array([0, 255, 2, 1, 4], np.uint8), end)
    rows = np.arange(len(forms))
    found = unpack([(guarded[: len(packed)], starts, forms.offsets, rows)])
    if len(forms):
        last = int(forms.offsets[-1] - forms.offsets[-2])
        most = 1 + last * (1 + 12 + 5 + 40 + 4 + 24) + 8
        assert int(starts[-2]) + most <= len(packed)
    assert len(found) == len(forms)


def test_without_compilation():
    passes_without_compilation(__file__)
