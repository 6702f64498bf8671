"""The matcher's kernels against their plain twins, compiled and as plain Python."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import naive_descriptor as made
import naive_matcher as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_faces import Faces

from fpmatch.descriptor import encode
from fpmatch.jit import kernel
from fpmatch.matcher import _kernels
from fpmatch.matcher.compare import _columns, _geometry, compare
from fpmatch.matcher.tables import scratch, tables
from fpmatch.parameters import MATCHER

T = tables()
EARLY = tables(dataclasses.replace(MATCHER, bend_from=0.0))
"""Tables by which nearly all pairs past the gate are bent."""
kernels = Faces(_kernels)
popcount = _kernels.popcount


def forms(seed, mated, orientation=True):
    first = made.made_up(seed, 26, orientation=orientation)
    if mated:
        return encode(first), encode(made.impression(first, seed, 25.0, (8, -5), jitter=1.5))
    return encode(first), encode(made.made_up(seed + 1, 30, orientation=orientation))


def assigned(a, b):
    work = scratch(len(a), len(b))
    similar = kernels.queue_pairs(a.codes, a.texture, a.angle, b.codes, b.texture, b.angle, T, work)
    count = kernels.assign(similar, len(a), len(b), work)
    return count, work


def related(a, b):
    count, work = assigned(a, b)
    kernels.compatibilities(count, *_geometry(a), a.angle, b.x, b.y, b.angle, T, work)
    return count, work


CASES = [(1, True), (2, True), (3, False), (4, False)]


@settings(deadline=None)
@given(a=st.integers(-600, 600), b=st.integers(0, 255))
def test_angle_between(a, b):
    assert kernels.angle_between(a, b) == naive.angle_between(a, b)


@settings(deadline=None)
@given(dx=st.integers(-60000, 60000), dy=st.integers(-60000, 60000))
def test_direction(dx, dy):
    turn = kernels.direction(dx, dy, T.arctangent)
    assert turn == naive.direction(dx, dy, T.arctangent)
    if dx or dy:
        exact = np.arctan2(dy, dx) * 128 / np.pi
        assert abs((turn - exact + 128) % 256 - 128) < 0.7


@kernel
def bits_of(words, out):
    for k in range(len(words)):
        out[k] = popcount(words[k])


def test_popcount():
    words = np.random.default_rng(0).integers(0, 2**64, 200, np.uint64, endpoint=False)
    words[:3] = 0, 1, 2**64 - 1
    out = np.zeros(200, np.int64)
    bits_of(words, out)
    assert out.tolist() == [int(w).bit_count() for w in words]


def test_geometry():
    a, _ = forms(1, True)
    distances, directions = _geometry(a)
    for i in range(len(a)):
        for k in range(len(a)):
            dx, dy = int(a.x[k]) - int(a.x[i]), int(a.y[k]) - int(a.y[i])
            assert distances[i, k] == int(np.hypot(dx, dy) + 1e-9)
            assert directions[i, k] == naive.direction(dx, dy, T.arctangent)


@pytest.mark.parametrize(("seed", "mated"), CASES)
def test_queue_and_assignment(seed, mated):
    a, b = forms(seed, mated)
    count, work = assigned(a, b)
    pairs = list(
        zip(
            work.pair_a[:count].tolist(),
            work.pair_b[:count].tolist(),
            (work.start[:count] // 16).tolist(),
            strict=True,
        )
    )
    assert pairs == naive.assign(a, b, T)


@pytest.mark.parametrize(("seed", "mated"), CASES)
def test_compatibilities_relaxation_selection_consensus(seed, mated):
    a, b = forms(seed, mated)
    count, work = related(a, b)
    pairs = list(zip(work.pair_a[:count].tolist(), work.pair_b[:count].tolist(), strict=True))
    fit = work.compatible[:count, :count].tolist()
    for t in range(count):
        for s in range(t):
            expected = naive.compatibility(a, b, pairs[t], pairs[s], T)
            assert fit[t][s] == fit[s][t] == expected
    kernels.relax(count, T, work)
    start = work.start[:count].tolist()
    support = naive.relax(start, fit, T)
    assert work.support[:count].tolist() == support
    total = kernels.select(count, 7, work)
    chosen = naive.select(start, support, 7)
    assert sorted(chosen) == np.nonzero(work.chosen)[0].tolist()
    assert total == sum(support[t] for t in chosen)
    agreement, anchors = kernels.consensus(count, total, T, work)
    expected = naive.consensus(support, fit, chosen, T)
    assert agreement == sum(expected)
    assert work.anchor_a[:anchors].tolist() == [
        pairs[t][0] for t in range(count) if expected[t] >= T.anchor
    ]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("orientation", [True, False])
def test_motion_transfer_tally(seed, orientation):
    a, b = forms(seed, True, orientation)
    rng = np.random.default_rng(seed)
    truth = {int(k): n for n, k in enumerate(a.source)}
    anchors = [(truth[int(k)], n) for n, k in enumerate(b.source) if int(k) in truth][:5]
    anchors += [(int(rng.integers(len(a))), int(rng.integers(len(b))))]
    work = scratch(len(a), len(b))
    work.anchor_a[: len(anchors)] = [i for i, _ in anchors]
    work.anchor_b[: len(anchors)] = [j for _, j in anchors]
    cosine, sine = kernels.motion(len(anchors), a.x, a.y, b.x, b.y, work)
    assert (cosine, sine) == naive.motion(anchors, a, b)
    there = naive.transfer(a, b, anchors, cosine, sine, T)
    back = naive.transfer(b, a, [(j, i) for i, j in anchors], cosine, -sine, T)
    args = (len(anchors), work.anchor_a, work.anchor_b, cosine, sine, T, work, work.match_a)
    kernels.transfer(_columns(a), _columns(b), *args)
    args = (len(anchors), work.anchor_b, work.anchor_a, cosine, -sine, T, work, work.match_b)
    kernels.transfer(_columns(b), _columns(a), *args)
    assert work.match_a[: len(a)].tolist() == there
    assert work.match_b[: len(b)].tolist() == back
    matched = sum(m >= 0 and back[m] == k for k, m in enumerate(there))
    common = sum(m >= -1 for m in there) + sum(m >= -1 for m in back)
    assert kernels.tally(len(a), len(b), work) == (matched, common - 2 * matched)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("orientation", [True, False])
def test_bending(seed, orientation):
    a, b = forms(seed, True, orientation)
    rng = np.random.default_rng(seed)
    work = scratch(len(a), len(b))
    work.match_a[:] = -1
    work.match_b[:] = -1
    truth = {int(k): n for n, k in enumerate(a.source)}
    for n, k in enumerate(b.source):
        if int(k) in truth and rng.random() < 0.4:
            work.match_a[truth[int(k)]], work.match_b[n] = n, truth[int(k)]
    i, j = np.flatnonzero(work.match_a < 0)[0], np.flatnonzero(work.match_b < 0)[0]
    work.match_a[i], work.match_b[j] = j, i  # a wrong one
    work.match_a[np.flatnonzero(work.match_a < 0)[0]] = j  # one-sided: no anchor
    anchors = [
        (k, int(m)) for k, m in enumerate(work.match_a[: len(a)]) if m >= 0 and work.match_b[m] == k
    ]
    count = kernels.gather(len(a), work)
    assert list(zip(work.anchor_a[:count], work.anchor_b[:count], strict=True)) == anchors
    assert count > 3
    for cosine, sine in ((16384, 0), (14189, 8192), (0, 0)):
        there = naive.bend(a, b, anchors, cosine, sine, T)
        back = naive.bend(b, a, [(m, k) for k, m in anchors], cosine, -sine, T)
        args = (count, work.anchor_a, work.anchor_b, cosine, sine, T, work)
        kernels.bend(_columns(a), _columns(b), *args, work.match_a, work.missed[0])
        args = (count, work.anchor_b, work.anchor_a, cosine, -sine, T, work)
        kernels.bend(_columns(b), _columns(a), *args, work.match_b, work.missed[1])
        assert work.match_a[: len(a)].tolist() == there[0]
        assert work.match_b[: len(b)].tolist() == back[0]
        both = [(k, m) for k, m in enumerate(there[0]) if m >= 0 and back[0][m] == k]
        total = sum(there[1][k] + back[1][m] for k, m in both)
        assert kernels.mean_missed(len(a), len(both), work) == total // max(len(both), 1)


@pytest.mark.parametrize(("first", "second", "expected"), [(2**52 - 1, 1, -1), (1, 2**52 - 1, -2)])
def test_of_two_anchors_as_near_the_earlier_minutia_says_what_is_inside(first, second, expected):
    # Gathered by one side, anchors come in another order than by the other.
    form, _ = forms(1, True)
    codes, texture, x, y, angle = (column[:3].copy() for column in _columns(form))
    x[:], y[:], angle[:] = (800, 1600, 1200), 800, 0
    aside = np.array([800, 800, 4000], y.dtype)
    texture[:2, 2] = first, second
    work = scratch(3, 3)
    for order in ([0, 1], [1, 0]):
        work.anchor_a[:2] = work.anchor_b[:2] = order
        args = (2, work.anchor_a, work.anchor_b, 16384, 0, T, work, work.match_a, work.missed[0])
        kernels.bend((codes, texture, x, y, angle), (codes, texture, x, aside, angle), *args)
        assert work.match_a[:3].tolist() == [0, 1, expected]


def test_motion_of_coincident_anchors_is_none():
    a, b = forms(1, True)
    work = scratch(len(a), len(b))
    assert kernels.motion(3, a.x, a.y, b.x, b.y, work) == (0, 0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), mated=st.booleans(), t=st.sampled_from([T, EARLY]))
def test_rows_features_and_single_scores_agree(seed, mated, t):
    a, b = forms(seed, mated)
    work = scratch(64, 64)
    offsets, rows = np.array([0, len(b)]), np.zeros(1, np.int64)
    raw, parts = np.zeros(1, np.int32), np.zeros((1, 8), np.int32)
    args = (_columns(a), *_geometry(a), _columns(b), offsets, rows, t, work)
    kernels.score_rows(*args, raw)
    kernels.feature_rows(*args, parts)
    if t is T:
        assert raw[0] == compare(a, b).raw
    relaxed, agreement, matched, unmatched, smaller, *bent = parts[0].tolist()
    assert smaller == min(len(a), len(b))
    if agreement < 0:
        assert raw[0] == relaxed
        assert bent == [-1, 0, 0]
        return
    evidence = t.relaxed[min(relaxed >> 3, 2048)] + t.agreement[agreement >> 5]
    evidence += t.matched[matched] + t.unmatched[unmatched] + t.size[smaller]
    if evidence < t.bend_from:
        assert raw[0] == t.gate + max(evidence, 0)
        assert bent == [-1, 0, 0]
        return
    more = 0
    if matched < 2:
        assert bent == [-1, 0, 0]
    else:
        more = t.bent[0, min(relaxed >> 3, 2048)] + t.bent[1, agreement >> 5]
        more += t.bent[2, bent[0]] + t.bent[3, bent[1]] + t.bent[5, smaller]
        more -= bent[2] * int(t.bent[4, bent[0]]) // 1024
    assert raw[0] == t.gate + t.bend_from + max(more, 0)


def test_without_jit_the_scores_are_the_same():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import naive_descriptor as n; from fpmatch.matcher import compare\n"
        "t = [n.made_up(k, 12, width=160, height=200) for k in (1, 2)]\n"
        "t.append(n.impression(t[0], 3, 10.0, drop=0))\n"
        "print(*[compare(t[0], other).raw for other in t])"
    )
    command = [sys.executable, "-c", code, os.path.dirname(__file__)]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, second = (made.made_up(k, 12, width=160, height=200) for k in (1, 2))
    third = made.impression(first, 3, 10.0, drop=0)
    expected = [compare(first, other).raw for other in (first, second, third)]
    assert list(map(int, run.stdout.split())) == expected
    assert expected[0] > T.gate
