"""The matcher against the reference: equal in raw score, value and pairs."""

from __future__ import annotations

import dataclasses
import functools
import sys

import naive_descriptor as made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fpmatch as fp
from fpmatch import reference
from fpmatch.errors import InputError
from fpmatch.matcher import compare
from fpmatch.matcher.tables import tables
from fpmatch.parameters import MATCHER, SCALE
from fpmatch.reference.scaling import sizes
from fpmatch.template.scaling import scaled

EARLY = dataclasses.replace(MATCHER, bend_from=0.0)


@pytest.fixture(scope="module", params=["in force", "bent early"], autouse=True)
def parameters(request):
    """Both with the parameters in force, and with nearly all pairs past the gate bent."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "bent early":
            early = functools.partial(tables, EARLY)
            patch.setattr(sys.modules[compare.__module__], "tables", early)
            for module in (reference.alignment, reference.matcher):
                patch.setattr(module, "MATCHER", EARLY)
        yield


def check(first, second):
    for rotation in ("upright", "any"):
        expected = reference.compare(first, second, rotation=rotation)
        score = compare(first, second, rotation=rotation)
        assert score.raw == expected.raw
        assert score.value == expected.value
        assert score.fmr == expected.fmr
        assert np.array_equal(score.pairs, expected.pairs)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    sizes=st.tuples(st.integers(0, 80), st.integers(0, 80)),
    degrees=st.floats(-180, 180),
    orientation=st.booleans(),
)
def test_equal_on_made_up_templates(seed, sizes, degrees, orientation):
    first = made.made_up(seed, sizes[0], orientation=orientation)
    check(first, made.impression(first, seed, degrees, jitter=2.0))
    check(first, made.made_up(seed + 1, sizes[1]))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    minutiae=st.integers(0, 40),
    factor=st.floats(0.8, 1.25),
    rotation=st.sampled_from(("upright", "any")),
    orientation=st.booleans(),
    wide=st.booleans(),
)
def test_equal_at_any_scale(seed, minutiae, factor, rotation, orientation, wide):
    first = made.made_up(seed, minutiae, orientation=orientation)
    probe = scaled(made.impression(first, seed, 10.0, jitter=2.0), factor)
    if wide and not orientation:
        probe = dataclasses.replace(probe, width=7500)
    assert sizes(probe)[0] == scaled(probe, SCALE.factors[0])
    for candidate in (first, made.made_up(seed + 1, minutiae)):
        how = {"rotation": rotation, "scale": "any"}
        score, expected = (f(probe, candidate, **how) for f in (compare, reference.compare))
        assert (score.raw, score.value) == (expected.raw, expected.value)
        assert np.array_equal(score.pairs, expected.pairs)
    with pytest.raises(InputError, match="Template"):
        reference.compare(reference.encode(probe), first, scale="any")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), minutiae=st.integers(0, 40), side=st.integers(20, 200))
def test_equal_on_random_points(seed, minutiae, side):
    # Crowded, coincident and tied: what no finger has.
    rng = np.random.default_rng(seed)

    def points():
        xy = rng.integers(0, side // 4, (2, minutiae)) * 4.0
        return made.from_points(*xy, rng.integers(0, 16, minutiae) * np.pi / 8, side, side)

    check(points(), points())


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), minutiae=st.integers(10, 40))
def test_symmetric_where_distances_are_equal(seed, minutiae):
    # On a coarse grid minutiae lie as far from one anchor as from another.
    rng = np.random.default_rng(seed)
    x, y = rng.permutation(100)[:minutiae] % 10 * 16.0, rng.integers(0, 10, minutiae) * 16.0
    angle = rng.integers(0, 4, minutiae) * np.pi / 2
    some = rng.random(minutiae) < 0.8
    first = made.from_points(x, y, angle, 200, 200)
    second = made.from_points(x[some][::-1], y[some][::-1], angle[some][::-1], 200, 200)
    there, back = compare(first, second), compare(second, first)
    assert there.raw == back.raw
    assert sorted(map(tuple, there.pairs)) == sorted(map(tuple, back.pairs[:, ::-1]))


def test_equal_with_itself():
    for seed in range(5):
        template = made.made_up(seed, 64)
        check(template, template)


@pytest.mark.data
def test_equal_on_real_prints(data):
    names = ["101_1", "101_2", "102_1", "110_8"]
    templates = [
        fp.extract(fp.read_image(data / "fvc2002" / "DB1_B" / f"{name}.tif", ppi=500))
        for name in names
    ]
    for first in templates:
        for second in templates:
            check(first, second)
    assert compare(templates[0], templates[1]).value > 60
    assert compare(templates[0], templates[2]).value < 40
