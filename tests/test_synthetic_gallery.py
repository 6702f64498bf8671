"""Minutiae-level galleries."""

from __future__ import annotations

import itertools
import types

import naive_synthetic as naive
import numpy as np
import pytest

from fpmatch.errors import InputError
from fpmatch.parameters import SYNTHETIC, SYNTHETIC_GALLERY, TEMPLATE
from fpmatch.synthetic import _kernels, batches, mates, templates
from fpmatch.synthetic.noise import stream
from fpmatch.synthetic.orientation import PatternClass, draw_pattern, wander_knots
from fpmatch.synthetic.placement import draw_placement
from fpmatch.template import Template
from fpmatch.types import FingerPosition


def test_templates_are_valid_and_survive_storage():
    made = list(templates(40, 7, position=FingerPosition.LEFT_THUMB))
    assert len(made) == 40
    for template in made:
        assert Template.from_bytes(template.to_bytes()) == template
        assert template.position is FingerPosition.LEFT_THUMB
        assert template.orientation is not None
        assert (template.orientation > 0).mean() > 0.1
    assert 25 < np.mean([len(t) for t in made]) < 50


def test_any_finger_can_be_made_alone_and_in_any_batch():
    together = list(templates(9, 3, batch=4))
    assert together == [next(templates(1, 3, start=n)) for n in range(9)]
    assert together == [t for b in batches(9, 3, batch=2) for t in b]
    assert list(templates(3, 3, start=5)) == together[5:8]
    assert len(set(together)) == 9


def test_seeds_and_impressions_differ():
    a, b = next(templates(1, 1)), next(templates(1, 2))
    assert a != b
    assert next(mates(1, 1)) not in (a, next(mates(1, 1, impression=2)))


def test_streams_without_making_more_than_asked(monkeypatch):
    from fpmatch.synthetic import gallery

    made = []
    original = gallery.make_batch
    monkeypatch.setattr(gallery, "make_batch", lambda *a: made.append(a[0]) or original(*a))
    endless = templates(10**9, 1, batch=8)
    assert isinstance(endless, types.GeneratorType)
    assert len(list(itertools.islice(endless, 10))) == 10
    assert made == [8, 8]


def test_batch_columns_are_the_templates():
    batch = next(batches(5, 11))
    assert len(batch) == 5
    assert batch.offsets[0] == 0
    assert batch.offsets[-1] == len(batch.angle) == len(batch.xy)
    for k in range(5):
        a, b = batch.offsets[k : k + 2]
        assert (batch[k].xy == batch.xy[a:b]).all()
        assert (batch[k].angle == batch.angle[a:b]).all()


def test_mates_share_skin_and_others_do_not():
    # After the best rigid motion through a pair of minutiae, mates overlay; strangers do not.
    def overlay(a, b):
        p, q = a.xy / TEMPLATE.subpixel, b.xy / TEMPLATE.subpixel
        ta, tb = (t.angle * (2 * np.pi / TEMPLATE.turn) for t in (a, b))
        best = 0
        for i, j in itertools.product(range(len(a)), range(len(b))):
            turn = tb[j] - ta[i]
            if abs(np.angle(np.exp(1j * turn))) > 0.7:
                continue
            c, s = np.cos(turn), np.sin(turn)
            moved = (p - p[i]) @ np.array([[c, s], [-s, c]]) + q[j]
            gap = np.hypot(*(moved[:, None] - q[None]).transpose(2, 0, 1))
            off = np.abs(np.angle(np.exp(1j * (ta[:, None] + turn - tb[None]))))
            best = max(best, int(((gap < 10) & (off < 0.4)).any(1).sum()))
        return best

    first, second = list(templates(6, 21)), list(mates(6, 21))
    same = [overlay(a, b) for a, b in zip(first, second, strict=True)]
    other = [overlay(a, b) for a, b in zip(first, second[1:], strict=False)]
    assert np.median(same) > 1.5 * np.median(other)


def test_minutiae_run_along_the_orientation_cells():
    off = []
    for template in templates(30, 5):
        cell = (template.xy // (TEMPLATE.subpixel * TEMPLATE.orientation_cell)).astype(int)
        value = template.orientation[cell[:, 1], cell[:, 0]].astype(float)
        flow = (value - 0.5) * (np.pi / 255)
        angle = template.angle * (2 * np.pi / TEMPLATE.turn)
        off += np.abs(np.sin(angle - flow))[value > 0].tolist()
    assert np.median(off) < 0.15


def test_scattered_minutiae_keep_apart_and_follow_the_spreading():
    shape = SYNTHETIC.master_shape
    scale = SYNTHETIC.wander_scale
    model = np.array([9.0, 5e-4, 2.5e-3, 8.0, 0.1, 1.0])
    agree = []
    for k in range(12):
        rng = stream(31, k)
        vector = draw_pattern(rng, PatternClass.LEFT_LOOP, shape).vector(shape)
        knots = wander_knots(rng, shape)
        out = np.empty((400, 4))
        count = _kernels.scatter(np.array([k], np.uint64), vector, knots, scale, model, out)
        xy = out[:count, :2]
        gap = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
        assert gap[~np.eye(count, dtype=bool)].min() >= 8.0
        for x, y, angle, _ in out[:count]:
            spread, flow = _kernels.spreading(x, y, vector, knots, scale)
            if abs(spread) > 0.01:
                agree.append(np.cos(angle - flow) * spread > 0)
    # New ridges begin where ridges spread: there, minutiae mostly point the way of the spreading.
    assert len(agree) > 40
    assert np.mean(agree) > 0.75


def test_touch_without_faults_is_the_mapping():
    shape = SYNTHETIC.master_shape
    rng = stream(41)
    vector = draw_pattern(rng, PatternClass.WHORL, shape).vector(shape)
    knots = wander_knots(rng, shape)
    skin = np.empty((400, 4))
    model = np.array([9.0, 5e-4, 2.5e-3, 8.0, 0.1, 1.0])
    scale = SYNTHETIC.wander_scale
    count = _kernels.scatter(np.array([5], np.uint64), vector, knots, scale, model, skin)
    placement = draw_placement(
        rng, shape=(374, 388), master_shape=shape, contact=(110, 150), scale=1.0,
        distortion=1.0, rotation=None,
    )  # fmt: skip
    found = np.empty((255, 5))
    clean = np.zeros(10)
    n = _kernels.touch_points(
        np.array([1], np.uint64), skin, count, placement.vector(),
        np.array([110.0, 150.0, 2.4]), np.array([374, 388]), clean, vector, knots, scale, found,
    )  # fmt: skip
    assert n > 20
    for x, y in found[:n, :2]:
        there = naive.to_master((x, y), placement)
        assert np.hypot(*(skin[:count, :2] - there).T).min() < 1e-6


@pytest.mark.parametrize(
    "arguments",
    [(-1, 1, {}), (1, -1, {}), (1, 1, {"start": -1}), (1, 1, {"impression": -1}),
     (1, 1, {"batch": 0}), (1, "x", {})],
)  # fmt: skip
def test_bad_numbers_give_input_errors(arguments):
    count, seed, more = arguments
    with pytest.raises(InputError):
        list(templates(count, seed, **more))


def test_image_shape_is_the_parameters():
    template = next(templates(1, 1))
    assert (template.height, template.width) == SYNTHETIC_GALLERY.image_shape
