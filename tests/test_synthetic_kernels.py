"""Kernels of the print generator against their plain twins."""

from __future__ import annotations

import math

import naive_synthetic as naive
import numpy as np
import pytest

from fpmatch.parameters import SYNTHETIC
from fpmatch.synthetic import _kernels
from fpmatch.synthetic.noise import knots_of, smooth_noise, stream
from fpmatch.synthetic.orientation import PatternClass, draw_pattern, wander_knots
from fpmatch.synthetic.placement import draw_placement
from fpmatch.synthetic.truth import _thinning_table


def blobs(seed, shape=(40, 50)):
    return (smooth_noise(stream(seed), shape, 4.0) > 0).astype(np.uint8)


def test_grow_equals_its_twin_exactly():
    rng = stream(1)
    bank = rng.integers(-300, 300, (5, 5, 8)).astype(np.int16)
    choice = rng.integers(-1, 5, (12, 14)).astype(np.int32)
    field = rng.integers(-1024, 1025, (16, 24)).astype(np.int16)
    out = np.zeros_like(field)
    _kernels.grow(field, choice, bank, 4, 1024, 0, 12, out)
    assert (out == naive.grow(field, choice, bank, 4, 1024)).all()
    assert np.abs(out).max() == 1024


@pytest.mark.parametrize("seed", range(4))
def test_thin_equals_the_published_algorithm(seed):
    pattern = blobs(seed)
    out = np.zeros_like(pattern)
    _kernels.thin(pattern, _thinning_table(), out)
    assert (out == naive.thin(pattern)).all()
    assert out.sum() > 20


def test_crossing_number():
    image = np.zeros((3, 3), np.uint8)
    for code in range(256):
        for k, (y, x) in enumerate(
            ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
        ):
            image[y, x] = (code >> k) & 1
        got = _kernels.neighbours(image, 1, 1)
        assert got == code
        assert _kernels.crossings(got) == naive.crossing_number(image, 1, 1)


def test_prune_takes_a_spur_and_leaves_a_line():
    lines = np.zeros((20, 40), np.uint8)
    lines[10, 3:37] = 1
    lines[6:10, 20] = 1
    out = lines.copy()
    _kernels.prune(lines, 6, out)
    assert out[6:10, 20].sum() == 0
    assert out[10, 3:37].all()


def test_minutiae_of_a_drawn_fork_and_end():
    lines = np.zeros((60, 80), np.uint8)
    lines[30, 10:41] = 1
    for k in range(1, 20):
        lines[30 - k, 40 + k] = 1
        lines[30 + k, 40 + k] = 1
    out = np.empty((50, 4))
    count = _kernels.find_minutiae(lines, 12, out)
    found = out[:count]
    ends = found[found[:, 3] == 1]
    forks = found[found[:, 3] == 2]
    assert len(ends) == 3
    assert len(forks) == 1
    assert abs(forks[0, 0] - 40) <= 2
    assert abs(forks[0, 1] - 30) <= 1
    assert abs(forks[0, 2]) < 0.2  # between the two branches, to the right
    left = ends[np.argmin(ends[:, 0])]
    assert (left[0], left[1]) == (10, 30)
    assert abs(left[2]) < 0.1  # along its ridge


def test_spline_columns():
    knots = stream(2).standard_normal((9, 3))
    out = np.empty((21, 3))
    _kernels.spline_columns(knots, 4.3, out)
    np.testing.assert_allclose(out, naive.spline_columns(knots, 4.3, 21), atol=1e-12)


def test_smooth_noise_has_unit_variance():
    noise = smooth_noise(stream(3), (600, 600), 7.0)
    assert abs(noise.std() - 1) < 0.05
    assert abs(noise.mean()) < 0.05


def test_stamp():
    points = np.array([[10.3, 8.2, 1.4, 0.8], [12.0, 9.0, 0.9, 1.0], [0.0, 0.0, 2.0, 0.5]])
    out = np.zeros((20, 22), np.float32)
    _kernels.stamp(points, out)
    # The kernel stops at three standard deviations, where a dot has sunk to one per cent.
    np.testing.assert_allclose(out, naive.stamp(points, out.shape), atol=0.012)


def test_place_apart():
    at = stream(4).integers(0, 60, (300, 2)).astype(np.int32)
    chosen = np.empty(300, np.int64)
    count = _kernels.place_apart(at, 7.0, np.zeros((60, 60), np.uint8), chosen)
    assert chosen[:count].tolist() == naive.place_apart(at.tolist(), 7.0)


def placements(count):
    return [
        draw_placement(
            stream(5, k), shape=(374, 388), master_shape=(480, 400), contact=(112, 150),
            scale=1.0, distortion=1.0, rotation=None,
        )
        for k in range(count)
    ]  # fmt: skip


def test_mapping_equals_its_twin_and_its_inverse():
    for placement in placements(6):
        xy = stream(6).uniform(0, 380, (40, 2))
        there = placement.to_master(xy)
        twin = np.array([naive.to_master(p, placement) for p in xy])
        np.testing.assert_allclose(there, twin, atol=1e-9)
        np.testing.assert_allclose(placement.from_master(there), xy, atol=1e-6)


def test_directions_follow_the_mapping():
    for placement in placements(4):
        xy = stream(7).uniform(60, 300, (20, 2))
        angle = stream(8).uniform(0, 2 * np.pi, 20)
        step = 1e-4 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        ahead = placement.from_master(placement.to_master(xy) + step)
        want = np.arctan2(ahead[:, 1] - xy[:, 1], ahead[:, 0] - xy[:, 0])
        got = placement.direction(xy, angle)
        assert np.abs(np.angle(np.exp(1j * (got - want)))).max() < 1e-3


@pytest.mark.parametrize("kind", list(PatternClass))
def test_flow_equals_its_twin(kind):
    shape = SYNTHETIC.master_shape
    rng = stream(9, int(kind))
    pattern = draw_pattern(rng, kind, shape)
    knots = wander_knots(rng, shape)
    for x, y in rng.uniform(0, 399, (15, 2)):
        got = _kernels.flow(x, y, pattern.vector(shape), knots, SYNTHETIC.wander_scale)
        want = naive.flow(x, y, pattern, knots, SYNTHETIC.wander_scale, shape[1], shape[0])
        assert abs(math.remainder(got - want, math.pi)) < 1e-9


def test_random_stream_is_the_published_one():
    state = np.array([12345], np.uint64)
    got = [_kernels.uniform(state) for _ in range(50)]
    assert got == naive.splitmix(12345, 50)


def test_random_numbers_have_their_moments():
    state = np.array([7], np.uint64)
    normals = np.array([_kernels.normal(state) for _ in range(4000)])
    counts = np.array([_kernels.poisson(state, 3.0) for _ in range(4000)])
    assert abs(normals.mean()) < 0.08
    assert abs(normals.std() - 1) < 0.06
    assert abs(counts.mean() - 3) < 0.15
    assert abs(counts.var() - 3) < 0.4


def test_spreading_is_the_divergence_of_the_flow():
    # Ridges radiating from a point far left spread by one over the distance.
    shape = SYNTHETIC.master_shape
    knots = np.zeros_like(knots_of(stream(1), shape, SYNTHETIC.wander_scale))
    pattern = draw_pattern(stream(11), PatternClass.LEFT_LOOP, shape)
    vector = pattern.vector(shape)
    h = 1e-4
    for x, y in stream(12).uniform(60, 330, (20, 2)):
        spread, angle = _kernels.spreading(x, y, vector, knots, SYNTHETIC.wander_scale)

        def along(u, v, reference=angle):
            a = _kernels.flow(u, v, vector, knots, SYNTHETIC.wander_scale)
            a -= math.pi * round((a - reference) / math.pi)
            return math.cos(a), math.sin(a)

        want = (along(x + h, y)[0] - along(x - h, y)[0]) / (2 * h)
        want += (along(x, y + h)[1] - along(x, y - h)[1]) / (2 * h)
        assert abs(spread - want) < 0.003 + 0.15 * abs(want)
