"""The search form: kernels against twins, the reference, limits, packing."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import naive_descriptor as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch import reference
from fpmatch.descriptor import COLUMNS, PackedTemplates, SearchTemplate, encode, pack
from fpmatch.descriptor.tables import code_tables, texture_tables
from fpmatch.errors import InputError
from fpmatch.parameters import DESCRIPTOR


def as_integers(words):
    return [sum(int(w) << (64 * k) for k, w in enumerate(row)) for row in words]


def columns(template):
    return (
        template.xy[:, 0].astype(np.int32),
        template.xy[:, 1].astype(np.int32),
        template.angle.astype(np.int32),
    )


@pytest.mark.parametrize("seed", range(3))
def test_codes_match_their_twin(seed):
    template = naive.made_up(seed, 14)
    form = encode(template)
    x, y, angle = columns(template)
    codes = {k: naive.cylinder_code(x, y, angle, k, code_tables()) for k in range(len(x))}
    assert sorted(form.source.tolist()) == [k for k, code in codes.items() if code is not None]
    assert as_integers(form.codes) == [codes[int(k)] for k in form.source]


@pytest.mark.parametrize("seed", range(2))
def test_texture_matches_its_twin(seed):
    template = naive.made_up(seed, 6, width=160, height=200)
    form = encode(template)
    x, y, angle = columns(template)
    for row, k in zip(form.texture, form.source, strict=True):
        words = naive.texture_words(x, y, angle, template.orientation, k, texture_tables())
        assert row.tolist() == words
    assert form.texture[:, 2].any()


def test_without_jit_the_codes_are_the_same():
    template = naive.made_up(5, 8, width=160, height=200)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import naive_descriptor as n; from fpmatch.descriptor import encode\n"
        "f = encode(n.made_up(5, 8, width=160, height=200))\n"
        "print(f.codes.tobytes().hex(), f.texture.tobytes().hex())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    form = encode(template)
    assert run.stdout.split() == [form.codes.tobytes().hex(), form.texture.tobytes().hex()]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), minutiae=st.integers(0, 90), orientation=st.booleans())
def test_equal_to_the_reference(seed, minutiae, orientation):
    template = naive.made_up(seed, minutiae, orientation=orientation)
    form = encode(template)
    expected = reference.encode(template)
    assert np.array_equal(form.source, expected.source)
    assert np.array_equal(form.angle, expected.angle)
    assert np.array_equal(np.stack([form.x, form.y], 1), expected.xy)
    bits = np.unpackbits(form.codes.view(np.uint8), axis=-1, bitorder="little")
    assert np.array_equal(bits[:, : expected.bits.shape[1]], expected.bits)
    texture = np.unpackbits(form.texture.view(np.uint8), axis=-1, bitorder="little")
    texture = texture.reshape(-1, 3, 64)[:, :, : expected.valid.shape[1]]
    assert np.array_equal(texture[:, 0], expected.texture[:, :, 0])
    assert np.array_equal(texture[:, 1], expected.texture[:, :, 1])
    assert np.array_equal(texture[:, 2], expected.valid)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), minutiae=st.integers(5, 90))
def test_every_code_has_the_fixed_weight_and_angles_ascend(seed, minutiae):
    form = encode(naive.made_up(seed, minutiae))
    assert (np.bitwise_count(form.codes).sum(axis=1) == DESCRIPTOR.weight).all()
    assert (np.diff(form.angle.astype(int)) >= 0).all()
    assert len(form) <= DESCRIPTOR.max_minutiae


def test_best_quality_is_kept_when_there_are_too_many():
    template = naive.made_up(3, 100)
    form = encode(template)
    left_out = np.setdiff1d(np.arange(100), form.source)
    worst_kept = template.quality[form.source].min()
    usable_left_out = template.quality[left_out]
    assert np.median(usable_left_out) < worst_kept


def test_search_form_of_forty_minutiae_fits_three_kilobytes():
    template = naive.made_up(1, 40)
    assert encode(template).nbytes <= 3000
    assert len(template.to_bytes()) <= 1300
    bare = dataclasses.replace(template, orientation=None)
    assert len(bare.to_bytes()) <= 400


@pytest.mark.parametrize("minutiae", [0, 1, 2])
def test_few_minutiae_give_a_small_form_not_an_error(minutiae):
    form = encode(naive.made_up(2, minutiae))
    assert len(form) <= minutiae


def test_coincident_minutiae_are_encoded():
    template = naive.from_points(np.full(6, 50.0), np.full(6, 60.0), np.arange(6.0), 100, 120)
    assert len(encode(template)) == 6


def test_codes_do_not_change_with_translation():
    template = naive.made_up(7, 30, orientation=False)
    moved = dataclasses.replace(template, xy=template.xy + np.uint16(160), width=400, height=500)
    a, b = encode(template), encode(moved)
    assert np.array_equal(a.codes, b.codes)
    assert np.array_equal(a.x + 160, b.x)


@pytest.mark.parametrize("degrees", [3, 17, 45, 90, 133, 180, 271])
def test_codes_barely_change_with_rotation(degrees):
    template = naive.made_up(7, 30, orientation=False)
    turned = naive.impression(template, 0, degrees, jitter=0, drop=0, frame=(600, 600))
    a, b = encode(template), encode(turned)
    both = np.intersect1d(a.source, b.source)
    ca = a.codes[np.argsort(a.source)][np.isin(np.sort(a.source), both)]
    cb = b.codes[np.argsort(b.source)][np.isin(np.sort(b.source), both)]
    common = np.bitwise_count(ca & cb).sum(axis=1)
    assert len(both) >= 28
    assert common.mean() > 30.5


def test_pack_gives_back_its_rows_and_checks_them():
    forms = [encode(naive.made_up(k, n)) for k, n in enumerate([30, 0, 12, 64])]
    packed = pack(forms)
    assert len(packed) == 4
    assert list(packed) == forms
    assert packed[2] != packed[3]
    with pytest.raises(IndexError):
        packed[4]
    assert len(pack([])) == 0
    arrays = {name: getattr(packed, name) for name in COLUMNS}
    with pytest.raises(InputError, match="offsets"):
        PackedTemplates(offsets=packed.offsets[::-1], **arrays)
    with pytest.raises(InputError, match="entries"):
        PackedTemplates(offsets=packed.offsets[:-1], **arrays)


def test_search_template_refuses_wrong_columns():
    form = encode(naive.made_up(1, 20))
    arrays = {name: getattr(form, name) for name in COLUMNS}
    with pytest.raises(InputError, match="codes"):
        SearchTemplate(**{**arrays, "codes": form.codes.astype(np.int64)})
    with pytest.raises(InputError, match="entries"):
        SearchTemplate(**{**arrays, "x": form.x[:-1]})
    assert "minutiae" in repr(form)
    assert str(int(form.x[0])) not in repr(form)


@pytest.mark.parametrize(
    "change",
    [
        {"radius": 60.0},
        {"weight": 24},
        {"spatial_deviation": 7.0},
        {"spatial_reach": 20.0},
        {"direction_deviation": 0.5},
        {"texture_share": 0.9},
        {"side": 6},
        {"sections": 5},
    ],
)
def test_every_parameter_changes_its_tables(change):
    def flat(p):
        parts = [np.ravel(part) for part in (*code_tables(p), *texture_tables(p))]
        return np.concatenate(parts)

    before, after = flat(DESCRIPTOR), flat(dataclasses.replace(DESCRIPTOR, **change))
    assert before.shape != after.shape or (before != after).any()
