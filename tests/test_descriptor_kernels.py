"""Vector code of the descriptor against plain Python, and as other machines would compile it."""

from __future__ import annotations

import os
import subprocess
import sys

import naive_descriptor as naive
import numpy as np
import pytest
from without_compilation import passes_without_compilation

from fpmatch.descriptor import COLUMNS, encode, encode_many, pack
from fpmatch.descriptor._kernels import ROOT, SHIFT, cells, cylinder, projecting, vectors
from fpmatch.descriptor.sketch import sketch
from fpmatch.descriptor.tables import cell_centres, code_tables
from fpmatch.jit import jit_enabled
from fpmatch.parameters import DESCRIPTOR

compiled = pytest.mark.skipif(not jit_enabled(), reason="of compiled code")


def several():
    """Templates of all kinds: many minutiae, few, none; with orientation and without; twice."""
    some = [naive.made_up(k, 9 + k, width=200, height=240, orientation=k % 3 > 0) for k in range(5)]
    small = [naive.made_up(50, count, width=90, height=100) for count in (0, 1, 3)]
    return [*some, naive.made_up(9, 90), *small, some[1]]


def test_many_are_encoded_as_each_alone():
    templates = several()
    together, alone = encode_many(templates), pack([encode(one) for one in templates])
    assert together.offsets.tolist() == alone.offsets.tolist()
    for name in COLUMNS:
        assert np.array_equal(getattr(together, name), getattr(alone, name)), name
    assert len(encode_many([])) == 0
    assert len(encode_many([naive.made_up(1, 0)])[0]) == 0


def test_the_disc_is_that_of_the_parameters():
    assert list(cells.DISC) == cell_centres()[:, 2].tolist()
    assert cells.SIDE == 8
    assert len(code_tables().near) <= 1 << cells.PLACE_BITS


@pytest.mark.parametrize("seed", range(4))
def test_minutiae_anywhere_have_the_codes_of_their_twin(seed):
    """As far apart as a picture allows, on top of each other, and in the corners."""
    rng = np.random.default_rng(seed)
    places = np.array([0.0, 3.0, 70.0, 98.0, 140.0, 8190.0])
    count = 24
    px, py = rng.choice(places, count), rng.choice(places, count)
    angle = rng.choice(np.array([0.0, 1.0, 3.1, 6.28]), count)
    template = naive.from_points(px, py, angle, 8191, 8191)
    form = encode(template)
    x, y, turn = (v.astype(np.int64) for v in (*template.xy.T, template.angle))
    for a in range(count):
        expected = naive.cylinder_code(x, y, turn, a, code_tables())
        at = np.flatnonzero(form.source == a)
        assert (expected is not None) == len(at)
        if len(at):
            code = form.codes[at[0]]
            assert sum(int(w) << (64 * k) for k, w in enumerate(code)) == expected


@pytest.mark.parametrize("seed", range(30))
def test_of_equal_cells_the_first_are_chosen(seed):
    rng = np.random.default_rng(seed)
    few = rng.integers(1, 40)
    values = np.zeros(cells.PADDED, np.int32)
    values[: cells.CELLS] = rng.integers(0, few, cells.CELLS) * rng.integers(1, 1 << 20)
    if seed % 3 == 0:
        values[rng.integers(0, cells.CELLS, 290)] = 0
    code = np.zeros(5, np.uint64)
    there = _called(cylinder.set_largest)(values, DESCRIPTOR.weight, code)
    ranked = sorted(range(cells.CELLS), key=lambda p: (-values[p], p))[: DESCRIPTOR.weight]
    assert there == (values[ranked[-1]] > 0)
    if there:
        assert sum(int(w) << (64 * k) for k, w in enumerate(code)) == sum(1 << p for p in ranked)


def test_roots_are_those_of_exact_arithmetic():
    top = np.arange(320, dtype=np.int32)
    values = (top << SHIFT) + np.int32((1 << SHIFT) - 1)
    out = np.zeros(448, np.uint8)
    _called(projecting.roots)(values, out)
    assert out[:320].tolist() == [round(ROOT * min(n, 255) ** 0.5) for n in range(320)]


def test_signs_and_counts_are_their_plain_twins():
    rng = np.random.default_rng(1)
    values = rng.integers(-(2**31), 2**31, cells.PADDED).astype(np.int32)
    for low in (0, -1, int(values[7]), 2**31 - 1):
        bound = np.int32(low)
        assert _called(vectors.many_above)(values, bound) == (values > bound).sum()
        bits = int(_called(vectors.above)(values, np.uint64(64), bound))
        assert bits == sum(1 << k for k in range(64) if values[64 + k] > bound)
    assert _called(vectors.largest)(values) == values.max()


@compiled
@pytest.mark.parametrize("pieces", [1, 2, 6])
@pytest.mark.parametrize("way", ["add_at_once", "add_in_pairs"])
def test_bytes_are_projected_alike_in_either_way(way, pieces):
    import numba

    if way == "add_at_once" and not projecting.has_products_of_bytes():
        pytest.skip("this machine has no such instruction")
    project = projecting.project_with(getattr(projecting, way), pieces)
    made = numba.njit(lambda *given: project(*given))
    rng = np.random.default_rng(3)
    octets = rng.integers(0, 123, (projecting.MANY, 448)).astype(np.uint8)
    projections = rng.integers(-128, 128, (104, 96, 4)).astype(np.int8)
    plain = projecting.project
    plain = getattr(plain, "py_func", plain)
    for fill in (0, 122, None):
        if fill is not None:
            octets[0] = fill
        medians = rng.integers(-50_000, 50_000, 96).astype(np.int32)
        shape = (2 * projecting.MANY, 3)
        found, expected = np.zeros(shape, np.uint32), np.zeros(shape, np.uint32)
        for run, out in ((made, found), (plain, expected)):
            run(octets.view(np.uint32), projections, medians, out, np.uint64(2))
        assert found.tolist() == expected.tolist()
        assert found.any(axis=1).tolist() == [False, False, True, True, True, True, False, False]


@compiled
@pytest.mark.parametrize("features", ["", "+sse4.2,+avx,+avx2,+popcnt,+bmi,+bmi2,+fma,+lzcnt"])
def test_machines_without_wide_vectors_make_the_same_bytes(features, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_descriptor_kernels import digest; print(digest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)],
        env={
            **os.environ,
            "NUMBA_CPU_NAME": "generic",
            "NUMBA_CPU_FEATURES": features,
            "NUMBA_CACHE_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split()[-1] == digest()


def digest():
    """Of all that is made of several templates."""
    forms = encode_many(several())
    columns = [getattr(forms, name) for name in COLUMNS]
    return b"".join(a.tobytes() for a in (*columns, sketch(forms))).hex()


def _called(function):
    """What can be called from Python: kernels of kernels have no other way in."""
    if not jit_enabled():
        return function
    import numba

    made = function.made()
    return numba.njit(lambda *given: made(*given))


def test_without_compilation():
    passes_without_compilation(__file__)
