"""Comparison, calibration and fusion, as a caller sees them."""

from __future__ import annotations

import dataclasses
import math
import threading

import naive_descriptor as made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fpmatch as fp
from fpmatch.descriptor import encode, pack
from fpmatch.errors import InputError
from fpmatch.matcher import Score, calibrate, compare, compare_many, fuse
from fpmatch.matcher._kernels import feature_rows
from fpmatch.matcher.compare import _columns, _geometry
from fpmatch.matcher.tables import scratch, tables
from fpmatch.parameters import CALIBRATION, MATCHER
from fpmatch.template.scaling import scaled
from training.matcher import (
    first_scores,
    fit_bent_weights,
    fit_calibration,
    fit_weights,
    pair_features,
    raw_scores,
)


def test_mated_is_far_above_non_mated():
    first = made.made_up(1, 40)
    again = made.impression(first, 5, 20.0, (10, -12))
    other = made.made_up(2, 40)
    assert compare(first, again).value > 60
    assert compare(first, other).value < 20
    assert fp.compare(first, again).value == compare(encode(first), encode(again)).value


def test_pairs_are_indices_into_the_templates():
    first = made.made_up(1, 40)
    again = dataclasses.replace(
        made.impression(first, 5, 30.0, jitter=0.5, drop=0), orientation=None
    )
    score = compare(first, again)
    assert score.pairs.dtype == np.int64
    assert len(score.pairs) > 25
    assert len(np.unique(score.pairs[:, 0])) == len(score.pairs)
    # Without loss the impression keeps the order, so a right pair has one number twice, unless
    # minutiae that left the frame moved the numbers.
    if len(again) == len(first):
        assert (score.pairs[:, 0] == score.pairs[:, 1]).mean() > 0.95


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), mated=st.booleans(), a=st.integers(0, 80), b=st.integers(0, 80))
def test_symmetric(seed, mated, a, b):
    first = made.made_up(seed, a)
    second = made.impression(first, seed, 15.0) if mated else made.made_up(seed + 1, b)
    there, back = compare(first, second), compare(second, first)
    assert there.raw == back.raw
    assert sorted(map(tuple, there.pairs)) == sorted(map(tuple, back.pairs[:, ::-1]))


def test_skin_that_moved_is_followed():
    # Waves of 16 pixels each way, more than the matcher's radius.
    def matched(seed):
        rng = np.random.default_rng(seed)
        first = made.made_up(seed, 40)
        x, y = first.xy.T / 8 + rng.normal(0, 2, (2, len(first)))
        angle = first.angle * np.pi / 32768
        moved = x + 16 * np.sin(y / 70) + 40, y + 16 * np.sin(x / 70) + 40
        a, b = encode(first), encode(made.from_points(*moved, angle, 480, 480))
        work, out = scratch(64, 64), np.zeros((1, 8), np.int32)
        rows = _columns(b), np.array([0, len(b)]), np.zeros(1, np.int64)
        feature_rows(_columns(a), *_geometry(a), *rows, tables(), work, out)
        assert len(compare(a, b).pairs) == out[0, 5]
        return out[0, [5, 2]]

    bent, other = np.array([matched(n) for n in range(8)]).T
    assert (bent >= other).all()
    assert bent.sum() > 1.04 * other.sum()


def test_what_is_bent_lies_above_all_that_is_not():
    firsts = [made.made_up(k, 35) for k in range(12)]
    forms = [encode(t) for t in firsts]
    forms += [encode(made.impression(t, k, 10.0, jitter=2.0 + k / 3)) for k, t in enumerate(firsts)]
    features = pair_features(pack(forms))[2]
    bent, raw = features[:, 5] >= 0, raw_scores(features)
    least = MATCHER.gate + round(1000 * MATCHER.bend_from)
    assert bent.any()
    assert (~bent).any()
    assert raw[bent].min() >= least >= raw[~bent].max()


def test_fit_bent_weights_tell_mated_from_non_mated():
    firsts = [made.made_up(k, 35) for k in range(8)]
    forms = [encode(t) for t in firsts]
    forms += [encode(made.impression(t, k, 10.0, jitter=2.0)) for k, t in enumerate(firsts)]
    early = dataclasses.replace(MATCHER, bend_from=0.0)
    first, second, features = pair_features(pack(forms), early)
    mated = second - first == 8
    weights = fit_bent_weights(features, mated, early)
    assert weights.bent_relaxed_weight == MATCHER.bent_relaxed_weight
    raw = raw_scores(features, dataclasses.replace(early, **dataclasses.asdict(weights)))
    assert raw[mated].min() > np.median(raw[~mated])
    with pytest.raises(InputError, match="bent"):
        fit_bent_weights(features[~mated], mated[~mated], early)


@pytest.mark.parametrize("degrees", [0, 7, 30, 45, 75, -10, -45, -80])
@pytest.mark.parametrize("shift", [(0, 0), (40, -30)])
def test_rotation_and_translation_leave_the_score_in_a_band(degrees, shift):
    # Stated in docs/matching.md: noiseless motion up to a quarter turn changes the value by
    # at most a fifth.
    first = dataclasses.replace(made.made_up(4, 40), orientation=None)
    again = made.impression(first, 0, 0.0, (0, 0), jitter=0, drop=0, frame=(700, 700))
    turned = made.impression(first, 0, degrees, shift, jitter=0, drop=0, frame=(700, 700))
    still, moved = compare(first, again).value, compare(first, turned).value
    assert abs(moved - still) <= 0.2 * still


def test_beyond_a_quarter_turn_prints_are_not_matched():
    first = dataclasses.replace(made.made_up(4, 40), orientation=None)
    upside_down = made.impression(first, 0, 180.0, jitter=0, drop=0, frame=(700, 700))
    assert compare(first, upside_down).value < 20


def raw_turned(degrees, seed=4):
    first = dataclasses.replace(made.made_up(seed, 40), orientation=None)
    again = made.impression(first, 0, degrees, jitter=0, drop=0, frame=(700, 700))
    return compare(first, again, rotation="any").raw


@pytest.mark.parametrize("degrees", [45, 90, 105, 135, 180, -90, -135, -179])
def test_at_any_rotation_turned_prints_match_as_well_as_upright_ones(degrees):
    assert raw_turned(degrees) >= 0.9 * raw_turned(0)


@pytest.mark.data
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_images_turned_by_quarters_match_as_well_as_upright_ones(data, quarters):
    def read(name):
        return fp.read_image(data / "fvc2002" / "DB1_B" / f"{name}.tif", ppi=500)

    def taken(pixels):
        return fp.extract(fp.read_image(np.ascontiguousarray(pixels), ppi=500))

    first, second, other = (read(name).pixels for name in ("101_1", "101_2", "102_1"))
    probe = taken(np.rot90(second, quarters))
    upright = compare(fp.extract(read("101_1")), fp.extract(read("101_2")), rotation="any").value
    assert compare(taken(first), probe, rotation="any").value > 0.8 * upright > 60
    assert compare(taken(other), probe, rotation="any").value < 40


def test_any_rotation_claims_less_for_the_same_resemblance():
    raw = np.arange(0, 100_000, 7)
    assert (calibrate(raw, "any") <= calibrate(raw)).all()
    assert (np.diff(calibrate(raw, "any")) >= 0).all()
    first, other = made.made_up(1, 40), made.made_up(2, 40)
    for second in (other, made.impression(first, 5, 20.0, (10, -12))):
        upright, turned = compare(first, second), compare(first, second, rotation="any")
        assert turned.raw >= upright.raw
        assert compare(second, first, rotation="any").raw == turned.raw


@pytest.mark.parametrize("wrong", ["", "ANY", 180, None, True])
def test_a_rotation_that_is_none_is_refused(wrong):
    form = encode(made.made_up(1, 40))
    for call in (compare, lambda a, b, **how: compare_many(a, pack([b]), **how)):
        with pytest.raises(InputError, match="rotation"):
            call(form, form, rotation=wrong)


@pytest.mark.parametrize("minutiae", [0, 1, 2, 3])
def test_too_few_minutiae_give_the_lowest_score(minutiae):
    tiny = made.made_up(1, minutiae)
    for other in (tiny, made.made_up(2, 40)):
        score = compare(tiny, other)
        assert (score.value, score.raw, score.fmr) == (0.0, 0, 1.0)
        assert score.pairs.shape == (0, 2)


@pytest.mark.parametrize(
    "template",
    [
        made.from_points(np.full(20, 50.0), np.full(20, 60.0), np.arange(20.0), 100, 120),
        made.from_points(np.arange(20) * 5.0, np.full(20, 60.0), np.zeros(20), 100, 120),
        made.from_points(
            np.linspace(0, 8190, 20), np.linspace(0, 8190, 20), np.zeros(20), 8191, 8191
        ),
        made.made_up(3, 255),
    ],
)
def test_degenerate_templates_give_finite_scores(template):
    for other in (template, made.made_up(1, 64), made.made_up(3, 255)):
        score = compare(template, other)
        assert math.isfinite(score.value)
        assert score.raw >= 0


def test_many_equals_one_by_one_in_any_order_and_on_threads():
    forms = [encode(made.made_up(k, 20 + k)) for k in range(20)] + [encode(made.made_up(0, 2))]
    gallery = pack(forms)
    probe = encode(made.impression(made.made_up(3, 23), 1, 5.0))
    expected = [compare(probe, form).raw for form in forms]
    assert compare_many(probe, gallery).tolist() == expected
    turned = [compare(probe, form, rotation="any").raw for form in forms]
    assert compare_many(probe, gallery, rotation="any").tolist() == turned
    rows = np.array([5, 3, 3, 20], np.int64)
    assert compare_many(probe, gallery, rows).tolist() == [expected[r] for r in rows]
    results: list = [None] * 4

    def work(k):
        results[k] = compare_many(probe, gallery).tolist()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_wrong_arguments_are_refused():
    form = encode(made.made_up(1, 30))
    gallery = pack([form])
    with pytest.raises(IndexError, match="rows"):
        compare_many(form, gallery, np.array([1]))
    with pytest.raises(InputError, match="Template"):
        compare(form, "left thumb")
    big = dataclasses.replace(
        form,
        **{
            name: np.concatenate([getattr(form, name)] * 3)
            for name in ("codes", "texture", "x", "y", "angle", "quality", "source")
        },
    )
    with pytest.raises(InputError, match="at most"):
        compare(big, form)


def test_calibration_is_monotone_and_finite_over_all_raw_scores():
    raw = np.arange(0, 100_000, 7)
    value = calibrate(raw)
    assert np.isfinite(value).all()
    assert (np.diff(value) >= 0).all()
    assert value[0] == 0
    assert np.array_equal(value, np.round(value, 2))
    assert len(CALIBRATION.raw) == len(CALIBRATION.value)
    assert (np.diff(CALIBRATION.raw) > 0).all()
    assert (np.diff(CALIBRATION.value) > 0).all()
    score = Score(40.0, 1, np.zeros((0, 2), np.int64))
    assert score.fmr == pytest.approx(1e-4)
    assert float(score) == 40.0


def test_fusion_of_one_is_itself_and_of_none_is_zero():
    assert fuse([]) == 0
    assert fuse([37.2]) == 37.2
    assert fuse([0.0, 0.0]) == 0


def test_fusion_is_calibrated_for_non_mated_fingers():
    rng = np.random.default_rng(0)
    for n in (2, 4, 10):
        values = -10 * np.log10(rng.random((4000, n)))
        fused = np.array([fuse(row) for row in values])
        for rate in (0.5, 0.1, 0.01):
            observed = (fused >= -10 * math.log10(rate)).mean()
            assert observed == pytest.approx(rate, rel=0.15, abs=4 * math.sqrt(rate / 4000))


def test_fusion_counts_tries():
    rng = np.random.default_rng(1)
    best = (-10 * np.log10(rng.random((4000, 2, 10)))).max(axis=2)
    fused = np.array([fuse(row, [10, 10]) for row in best])
    assert (fused >= 10).mean() == pytest.approx(0.1, abs=0.02)
    assert fuse([90.0], [10]) == pytest.approx(80.0, abs=0.05)
    with pytest.raises(InputError, match="tries"):
        fuse([1.0], [0])


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 800), min_size=1, max_size=10),
    st.integers(0, 9),
    st.floats(0, 100),
)
def test_fusion_grows_with_every_finger_and_is_finite(values, which, more):
    better = list(values)
    better[which % len(values)] += more
    assert math.isfinite(fuse(values))
    assert fuse(better) >= fuse(values) - 0.01
    assert fuse(values) <= sum(values) + 0.01


def test_fit_recovers_a_known_tail():
    rng = np.random.default_rng(0)
    scores = np.rint(rng.exponential(1000, 200_000)).astype(np.int64)
    raw, value = fit_calibration(scores)
    true = 20_000 / 1000 * 10 / math.log(10)
    assert np.interp(20_000, raw, value) == pytest.approx(true, rel=0.05)
    assert (np.diff(raw) > 0).all()
    with pytest.raises(InputError, match="needed"):
        fit_calibration(scores[:100])


def test_fit_weights_tell_mated_from_non_mated():
    firsts = [made.made_up(k, 35) for k in range(8)]
    forms = [encode(t) for t in firsts]
    forms += [encode(made.impression(t, k, 10.0, jitter=2.0)) for k, t in enumerate(firsts)]
    first, second, features = pair_features(pack(forms))
    mated = second - first == 8
    weights = fit_weights(features, mated)
    p = dataclasses.replace(MATCHER, **dataclasses.asdict(weights))
    raw = first_scores(features, p)
    assert raw[mated].min() > np.median(raw[~mated])
    expected = [compare(forms[i], forms[j]).raw for i, j in zip(first, second, strict=True)]
    assert raw_scores(features).tolist() == expected


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(MATCHER)])
def test_every_parameter_changes_its_tables(name):
    value = getattr(MATCHER, name)

    def more(value):
        return value * 2 if isinstance(value, int) else value * 1.5

    changed = tuple(map(more, value)) if isinstance(value, tuple) else more(value)
    p = dataclasses.replace(MATCHER, **{name: changed})

    def flat(parameters):
        return [np.ravel(part) for part in tables(parameters)]

    before, after = flat(MATCHER), flat(p)
    assert any(x.shape != y.shape or (x != y).any() for x, y in zip(before, after, strict=True))


@pytest.mark.parametrize("factor", [0.82, 0.87, 1.15, 1.22])
@pytest.mark.parametrize("seed", [4, 9])
def test_at_any_scale_a_wrong_resolution_is_found_out(factor, seed):
    first = made.made_up(seed, 40)
    again = made.impression(first, 5, 10.0)
    wrong = scaled(again, factor)
    stated = compare(first, wrong).value
    for one, other in ((first, wrong), (wrong, first)):
        found = compare(one, other, scale="any")
        assert found.value > max(stated + 20, 40)
    assert len(found.pairs) > 12
    # Indices of both templates, in their own order.
    assert (found.pairs.max(axis=0) < [len(wrong), len(first)]).all()


def test_at_any_scale_the_same_resemblance_claims_less():
    first = made.made_up(1, 40)
    again = made.impression(first, 5, 20.0, (10, -12))
    for second in (again, made.made_up(2, 40)):
        for rotation in ("upright", "any"):
            one = compare(first, second, rotation=rotation)
            best = compare(first, second, rotation=rotation, scale="any")
            assert best.raw >= one.raw
            assert best.value == fuse([float(calibrate(best.raw, rotation))], [5])
            assert best.value < calibrate(best.raw, rotation) or best.value < 1


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), minutiae=st.integers(1, 80), factor=st.floats(0.5, 2))
def test_scaled_templates_are_the_same_print_larger_or_smaller(seed, minutiae, factor):
    first = made.made_up(seed, minutiae)
    other = scaled(first, factor)
    assert len(other) == len(first)
    assert (np.abs(other.xy - first.xy * factor) <= 1).all()
    assert (other.angle == first.angle).all()
    assert abs(other.width - first.width * factor) < 1
    if first.orientation is not None:
        # What lies under a minutia stays there, but at the rims of cells.
        under = [t.orientation[tuple((t.xy[:, ::-1] // 128).T)] for t in (first, other)]
        far = np.abs(under[0].astype(int) - under[1])
        assert (np.minimum(far, 255 - far) <= 40).mean() >= (0.6 if minutiae > 20 else 0)


def test_scales_that_are_none_and_forms_that_have_theirs_are_refused():
    first = made.made_up(1, 40)
    for wrong in ("doubled", 1.2, None, ["any"]):
        with pytest.raises(InputError, match="scale"):
            compare(first, first, scale=wrong)
    with pytest.raises(InputError, match="Template"):
        compare(encode(first), first, scale="any")
    assert compare(first, encode(first), scale="any").value > 100
    for factor in (0.4, 2.1, 0, math.nan, "1", None):
        with pytest.raises(InputError):
            scaled(first, factor)
    with pytest.raises(InputError, match="8191"):
        scaled(dataclasses.replace(first, orientation=None, width=8000), 1.22)


def test_prints_too_wide_for_a_larger_scale_are_compared_at_the_others():
    first = dataclasses.replace(made.made_up(1, 40), orientation=None, width=8000)
    assert compare(first, first, scale="any").value > 100
