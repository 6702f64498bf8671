"""Kernels of the extractor against their plain twins."""

from __future__ import annotations

import math

import cv2
import naive_minutiae as naive
import numpy as np
import pytest

from fpmatch.minutiae import _kernels, detection, enhancement, frequency, skeleton
from fpmatch.parameters import MINUTIAE

PAD = frequency.PAD


def padded(image):
    return frequency.pad_image(image.astype(np.float32))


def blobs(seed, side=48):
    noise = np.random.default_rng(seed).normal(size=(side, side))
    image = (cv2.GaussianBlur(noise, (0, 0), 2.0) > 0).astype(np.uint8)
    image[:2] = image[-2:] = 0
    image[:, :2] = image[:, -2:] = 0
    return image


def test_ridge_spectrum_matches_its_twin():
    rng = np.random.default_rng(1)
    image = padded(rng.normal(size=(40, 56)))
    theta = rng.uniform(0, np.pi, (5, 7)).astype(np.float32)
    inside = (rng.random((5, 7)) > 0.3).astype(np.uint8)
    window, cosines, sines, periods = frequency._basis(MINUTIAE.frequency_half)
    period, peak = np.empty_like(theta), np.empty_like(theta)
    half, along = MINUTIAE.frequency_half, MINUTIAE.frequency_along
    _kernels.ridge_spectrum(
        image, PAD, theta, inside, 8, half, along, window, cosines, sines, periods, period, peak
    )
    expected_period, expected_peak = naive.ridge_spectrum(
        image, PAD, theta, inside, 8, half, along, periods.astype(float)
    )
    np.testing.assert_allclose(period, expected_period)
    np.testing.assert_allclose(peak, expected_peak, rtol=1e-3, atol=1e-3)
    assert (period > 0).sum() == inside.sum()


def test_directional_filter_matches_its_twin():
    rng = np.random.default_rng(2)
    image = padded(rng.normal(size=(20, 24)))
    mask = (rng.random((20, 24)) > 0.5).astype(np.uint8)
    bank = enhancement.filter_bank()
    direction = rng.integers(0, enhancement.DIRECTIONS, mask.shape).astype(np.uint8)
    choice = rng.integers(0, bank.across.shape[1], mask.shape).astype(np.uint8)
    out, expected = np.zeros_like(image), np.zeros_like(image)
    _kernels.directional_filter(
        image, PAD, mask, direction, choice, bank.steep, bank.slope, bank.level,
        bank.across, bank.across_radius, out,
    )  # fmt: skip
    naive.directional_filter(
        image, PAD, mask,
        lambda y, x: direction[y, x] * np.pi / enhancement.DIRECTIONS,
        lambda y, x: bank.across[bank.level[direction[y, x]], choice[y, x]].astype(float),
        expected,
    )  # fmt: skip
    np.testing.assert_allclose(out, expected, atol=2e-4)
    assert np.abs(out).max() > 0.1


@pytest.mark.parametrize("seed", range(6))
def test_thin_matches_its_twin(seed):
    image = blobs(seed)
    np.testing.assert_array_equal(skeleton.skeletonise(image), naive.thin(image))


@pytest.mark.parametrize("seed", range(6))
def test_thinning_keeps_the_topology(seed):
    image = blobs(seed)
    lines = skeleton.skeletonise(image)
    assert (lines <= image).all()
    assert 0 < lines.sum() < image.sum() / 2
    for part, connectivity in ((1, 8), (0, 4)):
        before, after = (
            cv2.connectedComponents((a == part).astype(np.uint8), connectivity=connectivity)[0]
            for a in (image, lines)
        )
        assert before == after > 1


def test_no_skeleton_pixel_is_spare():
    lines = skeleton.skeletonise(blobs(9))
    for y, x in np.argwhere(lines):
        ring = naive.around(lines, y, x)
        inner = sum(ring) >= 2 and naive.pieces(ring) == 1 and not all(ring[0::2])
        assert not inner, (y, x)


@pytest.mark.parametrize("seed", range(6))
def test_detect_matches_its_twin(seed):
    lines = skeleton.skeletonise(blobs(seed, 64))
    distance = np.random.default_rng(seed).uniform(0, 40, lines.shape).astype(np.float32)
    out = np.empty((500, 4), np.float32)
    arguments = (5.0, 9, 3, 2)
    n = _kernels.detect(
        lines, skeleton.CROSSINGS, detection._DY, detection._DX, distance, *arguments, out
    )
    expected = naive.detect(lines, distance, *arguments)
    assert n == len(expected) > 5
    np.testing.assert_allclose(out[:n], expected, atol=1e-5)


def test_detect_stops_when_the_output_is_full():
    lines = skeleton.skeletonise(blobs(3, 64))
    out = np.full((4, 4), -1, np.float32)
    far = np.full(lines.shape, 99, np.float32)
    n = _kernels.detect(
        lines, skeleton.CROSSINGS, detection._DY, detection._DX, far, 5.0, 9, 1, 1, out[:3]
    )
    assert n == 3
    assert (out[3] == -1).all()


@pytest.mark.parametrize("seed", range(5))
def test_reject_matches_its_twin(seed):
    rng = np.random.default_rng(seed)
    n = 60
    x, y = rng.uniform(0, 90, (2, n))
    angle = rng.uniform(0, 2 * np.pi, n)
    kind = rng.integers(1, 3, n).astype(float)
    order = rng.permutation(n)
    limits = (14.0, 0.75 * np.pi, 8.0, 0.6 * np.pi, 6.0)
    keep = np.empty(n, np.uint8)
    _kernels.reject(x, y, angle, kind, order, *limits, keep)
    expected = naive.reject(x, y, angle, kind, order, *limits)
    np.testing.assert_array_equal(keep, expected)
    assert 0 < keep.sum() < n


def test_a_straight_line_has_two_endings_that_look_along_it():
    lines = np.zeros((40, 60), np.uint8)
    lines[20, 10:50] = 1
    out = np.empty((9, 4), np.float32)
    far = np.full(lines.shape, 99, np.float32)
    n = _kernels.detect(
        lines, skeleton.CROSSINGS, detection._DY, detection._DX, far, 5.0, 16, 10, 8, out
    )
    np.testing.assert_allclose(out[:n], [[10, 20, 0, 1], [49, 20, math.pi, 1]], atol=1e-6)


def test_a_fork_looks_between_its_close_branches():
    lines = np.zeros((60, 80), np.uint8)
    lines[30, 10:40] = 1
    for k in range(1, 30):
        lines[30 - k // 2, 39 + k] = 1
        lines[30 + k // 2, 39 + k] = 1
    lines = skeleton.skeletonise(lines)
    out = np.empty((9, 4), np.float32)
    far = np.full(lines.shape, 99, np.float32)
    n = _kernels.detect(
        lines, skeleton.CROSSINGS, detection._DY, detection._DX, far, 5.0, 16, 10, 8, out
    )
    forks = out[:n][out[:n, 3] == 2]
    assert len(forks) == 1
    assert abs(forks[0, 0] - 40) <= 2
    assert abs(forks[0, 1] - 30) <= 1
    assert naive.turn(float(forks[0, 2]), 0.0) < 0.1
