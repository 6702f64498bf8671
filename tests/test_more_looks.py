"""What the network is shown in a benchmark comes back in the print's own coordinates."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import fpmatch as fp
from benchmarks import more_looks
from fpmatch.minutiae.decode import decode
from fpmatch.minutiae.network import forward
from fpmatch.parameters import NEURAL, NEURAL_LARGE


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    image = fp.read_image(fp.sample("optical/1_1.png"), ppi=500).pixels
    return np.ascontiguousarray(image[40:248, 30:222])


def test_a_mirrored_look_speaks_of_the_same_minutiae(pixels) -> None:
    """A mirror image seen in the mirror is the print; else the same ones, with other mistakes."""
    flipped = np.ascontiguousarray(pixels[:, ::-1])
    again = more_looks.mirrored(flipped, NEURAL.model)[:, :, ::-1] * more_looks.MIRRORED
    assert np.array_equal(again, forward(pixels, NEURAL.model))
    header = more_looks.model(NEURAL.model)[0]
    odds = (header.confidence_slope, header.confidence_offset)
    everywhere = np.ones_like(pixels)
    own, other = (
        decode(look(pixels, NEURAL.model), everywhere, header.stride, least, odds=odds)
        for look, least in ((forward, 0.8), (more_looks.mirrored, 0.3))
    )
    assert len(own) > 10
    far = np.hypot(*(own[:, None, :2] - other[None, :, :2]).transpose(2, 0, 1))
    turn = np.abs(np.angle(np.exp(1j * (own[:, None, 2] - other[None, :, 2]))))
    assert ((far < 6) & (turn < 0.4)).any(axis=1).mean() > 0.85


def test_both_networks_state_their_confidence_on_one_scale(pixels, monkeypatch) -> None:
    """Where both say the same there is nothing to average."""
    small = forward(pixels, NEURAL.model)
    odds = {p.model: more_looks.model(p.model)[0] for p in (NEURAL, NEURAL_LARGE)}

    def alike(picture, name, *, turned=False):
        one, this = odds[NEURAL.model], odds[name]
        maps = small.copy()
        stated = one.confidence_slope * maps[0] + one.confidence_offset
        maps[0] = (stated - this.confidence_offset) / this.confidence_slope
        return maps

    monkeypatch.setattr(more_looks, "forward", alike)
    assert np.allclose(more_looks.both_networks(pixels, NEURAL.model), small, atol=1e-4)


def test_smoothing_follows_the_ridges() -> None:
    """Along straight ridges nothing is lost; across them the ridges are gone."""
    x = np.mgrid[:96, :96][1].astype(np.float32)
    level = np.sin(2 * np.pi * x / 9).astype(np.float32)
    maps = np.zeros((9, 24, 24), np.float32)
    for cos, kept in ((-1.0, 1.0), (1.0, 0.0)):
        maps[6] = cos
        soft = more_looks.along(level, maps, 5.0)[24:72, 24:72]
        assert np.abs(soft - kept * level[24:72, 24:72]).max() < 0.1


def test_claims_of_looks_are_merged_by_vote() -> None:
    """Near in place and direction is one, weighed by confidence; what one look misses is halved."""
    one = np.array([[10, 10, 0.1, 1, 0.9], [50, 50, 1.0, 2, 0.4]], np.float32)
    two = np.array([[13, 10, 6.2, 1, 0.3], [50, 50, 2.5, 1, 0.6]], np.float32)
    found = more_looks.merged([one, two])
    assert np.allclose(found[:, 4], [0.6, 0.3, 0.2])
    assert np.allclose(found[0, :2], [10.75, 10])
    turn = np.angle(np.exp(1j * (found[0, 2] - 0.054)))
    assert abs(turn) < 0.01
    assert np.allclose(more_looks.merged([one, two], most=True)[:, 4], [0.9, 0.6, 0.4])
    assert more_looks.merged([one[:0], two[:0]]).shape == (0, 5)


def test_a_turned_teacher_is_turned_back(pixels, monkeypatch) -> None:
    """A teacher that sees one minutia at a place of the picture says it there either way."""
    asked = []

    def label(session, shown):
        asked.append(shown)
        upright = np.array_equal(shown, pixels)
        height, width = shown.shape
        x, y, angle = (20, 30, 0.5) if upright else (width - 21, height - 31, 0.5 + np.pi)
        return np.array([[x, y, angle, 1, 0.8]], np.float32)

    monkeypatch.setattr(more_looks, "label", label)
    leader = SimpleNamespace(session=None, known={})
    for turned in (False, True, True):
        found = more_looks.Teacher.seen(leader, pixels, turned)
        assert np.allclose(found, [[20, 30, 0.5, 1, 0.8]], atol=1e-5)
    assert len(asked) == 2
