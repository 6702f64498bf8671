"""The calibrated scale and its fusion, on synthetic prints and on real ones."""

from __future__ import annotations

import numpy as np
import pytest

import fpmatch as fp
from fpmatch.descriptor import encode, pack
from fpmatch.matcher import calibrate, compare_many, fuse
from fpmatch.synthetic import mates, templates

SUBJECTS, FINGERS = 24, 10


@pytest.fixture(scope="module")
def values():
    """Second impressions against first ones, (240, 240), of 24 synthetic subjects."""
    gallery = pack([encode(t) for t in templates(SUBJECTS * FINGERS, 5)])
    probes = [encode(t) for t in mates(SUBJECTS * FINGERS, 5)]
    return calibrate(np.stack([compare_many(probe, gallery) for probe in probes]))


def test_synthetic_false_match_rates_are_those_stated(values):
    nonmated = values[~np.eye(len(values), dtype=bool)]
    # The scale is that of real prints of one sensor, which reach high scores more easily.
    for value, rate in ((5, 0.316), (10, 0.1), (20, 0.01)):
        assert 0.1 * rate < (nonmated >= value).mean() < 1.5 * rate
    assert (nonmated >= 40).mean() < 5e-4
    assert len(np.unique(nonmated)) >= 512
    assert np.median(np.diag(values)) > 60


def test_synthetic_rates_do_not_hang_on_template_size():
    firsts = [encode(t) for t in templates(300, 9)]
    firsts.sort(key=len)
    for part in (firsts[:100], firsts[100:200], firsts[200:]):
        gallery = pack(part)
        scores = calibrate(np.stack([compare_many(probe, gallery) for probe in part]))
        nonmated = scores[~np.eye(len(part), dtype=bool)]
        assert 0.03 < (nonmated >= 10).mean() < 0.3
        assert (nonmated >= 20).mean() < 0.04


@pytest.mark.parametrize("fingers", [2, 4, 10])
def test_fused_synthetic_subjects(values, fingers):
    blocks = values.reshape(SUBJECTS, FINGERS, SUBJECTS, FINGERS)
    rng = np.random.default_rng(fingers)
    mated, nonmated = [], []
    for a in range(SUBJECTS):
        for b in range(SUBJECTS):
            some = rng.permutation(FINGERS)[:fingers]
            (mated if a == b else nonmated).append(fuse(blocks[a, some, b, some]))
    assert 0.03 < (np.array(nonmated) >= 10).mean() < 0.3
    assert (np.array(nonmated) >= 20).mean() < 0.05
    assert min(mated) > max(nonmated)


def test_fingers_of_unknown_position(values):
    blocks = values.reshape(SUBJECTS, FINGERS, SUBJECTS, FINGERS)
    fused = [
        fuse([blocks[a, 0, b].max(), blocks[a, 1, b].max()], [FINGERS, FINGERS])
        for a in range(SUBJECTS)
        for b in range(SUBJECTS)
        if a != b
    ]
    assert (np.array(fused) >= 10).mean() < 0.1


@pytest.mark.data
def test_real_false_match_rates(data):
    forms = [
        encode(fp.extract(fp.read_image(data / folder / f"{finger}_1.tif", ppi=500)))
        for folder in ("fvc2000/DB1_B", "fvc2000/DB3_B", "fvc2002/DB1_B", "fvc2002/DB4_B")
        for finger in range(101, 111)
    ]
    gallery = pack(forms)
    scores = calibrate(np.stack([compare_many(form, gallery) for form in forms]))
    nonmated = scores[np.triu_indices(len(forms), 1)]
    assert 0.03 < (nonmated >= 10).mean() < 0.3
    assert (nonmated >= 40).mean() < 0.01
