"""Error rates against hand computation, a brute-force twin and scikit-learn, ties included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.errors import InputError
from fpmatch.evaluate.identification import (
    MISSED,
    cmc,
    fnir_at_fpir,
    open_set_counts,
    rank_rate,
    rates_at,
    search_outcomes,
)
from fpmatch.evaluate.metrics import (
    Comparisons,
    VerificationMetrics,
    mean_metrics,
    summarise,
    verification_metrics,
)

scores = st.lists(st.integers(0, 8).map(float), min_size=1, max_size=40)


def brute(mated: list[float], nonmated: list[float]) -> dict[str, float]:
    """Every rate straight from its definition, one threshold at a time."""
    points, m, n = [], len(mated), len(nonmated)
    for t in [*sorted({*mated, *nonmated}), math.inf]:
        fm = sum(s >= t for s in nonmated)
        fnm = sum(s < t for s in mated)
        points.append((fm, fnm))
    m, n = len(mated), len(nonmated)
    gap = min(abs(fm * m - fnm * n) for fm, fnm in points)
    closest = [
        (fm * m + fnm * n) / (2 * m * n) for fm, fnm in points if abs(fm * m - fnm * n) == gap
    ]
    return {
        "eer": 100 * max(closest),
        "fmr100": 100 * min(fnm for fm, fnm in points if fm * 100 <= n) / m,
        "fmr1000": 100 * min(fnm for fm, fnm in points if fm * 1000 <= n) / m,
        "zerofmr": 100 * min(fnm for fm, fnm in points if fm == 0) / m,
    }


@settings(max_examples=300, deadline=None)
@given(mated=scores, nonmated=scores)
def test_metrics_equal_their_definitions(mated, nonmated):
    got = verification_metrics(mated, nonmated)
    for name, value in brute(mated, nonmated).items():
        assert getattr(got, name) == pytest.approx(value), name
    assert (got.mated, got.nonmated) == (len(mated), len(nonmated))


@settings(max_examples=100, deadline=None)
@given(mated=scores, nonmated=scores)
def test_curve_equals_scikit_learn(mated, nonmated):
    from sklearn.metrics import roc_curve

    counts = Comparisons(mated, nonmated).counts()
    fpr, tpr, _ = roc_curve(
        [1] * len(mated) + [0] * len(nonmated), [*mated, *nonmated], drop_intermediate=False
    )
    np.testing.assert_allclose(counts.fmr[::-1], fpr)
    np.testing.assert_allclose(1 - counts.fnmr[::-1], tpr)


def test_by_hand():
    # Threshold 6: one of four false matches (25 %), one of four false non-matches (25 %).
    got = verification_metrics([5, 7, 8, 9], [1, 2, 3, 6])
    assert got == VerificationMetrics(25.0, 25.0, 25.0, 25.0, 4, 4)


def test_perfect_separation_and_total_confusion():
    assert verification_metrics([2, 3], [0, 1]).eer == 0
    assert verification_metrics([0, 1], [2, 3]).eer == 100
    assert verification_metrics([1, 1], [1, 1]).eer == 50  # one tie for all


def test_a_tie_never_helps():
    # The mated 5 ties with the only false match: above it everything mated is lost but the 6.
    got = verification_metrics([5, 6], [5] + [0] * 199)
    assert got.zerofmr == 50.0
    assert got.fmr100 == 0.0


def test_fmr100_limit_is_inclusive():
    exactly = verification_metrics([5.0], [9.0] + [0.0] * 99)
    above = verification_metrics([5.0], [9.0] + [0.0] * 98)
    assert exactly.fmr100 == 0.0
    assert above.fmr100 == 100.0


@pytest.mark.parametrize(("mated", "nonmated"), [([], [1.0]), ([1.0], []), ([], [])])
def test_empty_sets_are_undefined(mated, nonmated):
    got = verification_metrics(mated, nonmated)
    assert all(math.isnan(v) for v in (got.eer, got.fmr100, got.fmr1000, got.zerofmr))
    assert (got.mated, got.nonmated) == (len(mated), len(nonmated))


def test_infinite_and_nan_scores_are_refused():
    for bad in (math.nan, math.inf, -math.inf):
        with pytest.raises(InputError, match="not finite"):
            verification_metrics([bad], [1.0])


@settings(max_examples=100, deadline=None)
@given(mated=scores, nonmated=scores, seed=st.integers(0, 999))
def test_weights_equal_repetition(mated, nonmated, seed):
    rng = np.random.default_rng(seed)
    wm, wn = rng.integers(0, 3, len(mated)), rng.integers(0, 3, len(nonmated))
    weighted = summarise(Comparisons(mated, nonmated).counts(wm, wn))
    repeated = verification_metrics(np.repeat(mated, wm), np.repeat(nonmated, wn))
    np.testing.assert_allclose(
        [weighted.eer, weighted.fmr100, weighted.zerofmr],
        [repeated.eer, repeated.fmr100, repeated.zerofmr],
    )


def test_mean_leaves_undefined_databases_out():
    parts = [
        verification_metrics([2], [1]),
        verification_metrics([1], [2]),
        verification_metrics([], [1]),
    ]
    mean = mean_metrics(parts)
    assert mean.eer == 50.0
    assert mean.nonmated == 1


def outcomes(matrix, probes, gallery, probe_failed=None, gallery_failed=None):
    matrix = np.array(matrix, float)
    return search_outcomes(
        matrix,
        np.array(probes),
        np.array(gallery),
        np.array(probe_failed or [False] * len(probes)),
        np.array(gallery_failed or [False] * len(gallery)),
    )


def test_rank_ties_count_as_misses():
    s = outcomes([[5, 5, 1], [4, 6, 1], [0, 1, 2]], [0, 1, 2], [0, 1, 2])
    assert list(s.rank) == [2, 1, 1]
    assert rank_rate(s) == pytest.approx(200 / 3)
    assert list(cmc(s, 2)) == pytest.approx([200 / 3, 100.0])


def test_a_hit_on_either_entry_of_an_identity_is_a_hit():
    s = outcomes([[2, 9, 5]], [0], [0, 0, 1])
    assert (s.rank[0], s.mate[0], s.other[0]) == (1, 9.0, 5.0)
    assert outcomes([[2, 1, 5]], [0], [0, 0, 1]).rank[0] == 2
    # Two entries of one other identity push the mate down by one rank, not by two.
    assert outcomes([[2, 5, 6]], [0], [0, 1, 1]).rank[0] == 2


def test_failures_are_misses_even_alone_in_the_gallery():
    assert outcomes([[0.0]], [0], [0], probe_failed=[True]).rank[0] == MISSED
    assert outcomes([[0.0]], [0], [0], gallery_failed=[True]).rank[0] == MISSED
    # One of two enrolments failed: the other still counts.
    assert (
        outcomes([[3.0, 0.0, 1.0]], [0], [0, 0, 1], gallery_failed=[False, True, False]).rank[0]
        == 1
    )


def test_failures_are_misses_at_any_threshold():
    s = outcomes([[9.0], [9.0]], [0, 0], [0], probe_failed=[False, True])
    assert fnir_at_fpir(s) == 50.0


def test_fnir_threshold_comes_from_the_same_searches():
    # 100 searches; the highest non-mate is 50 in one of them, which FPIR 1 % allows.
    n = 100
    matrix = np.zeros((n, 2))
    matrix[:, 0] = np.arange(n)  # mates
    matrix[:, 1] = 10.0
    matrix[7, 1] = 50.0
    s = outcomes(matrix, [0] * n, [0, 1])
    # Just above 10, so that only the 50 is left: mates 0..10 are missed.
    assert fnir_at_fpir(s, 100) == pytest.approx(11.0)
    # No false positive allowed: above 50.
    assert fnir_at_fpir(s, 1000) == pytest.approx(51.0)
    counts = open_set_counts(s)
    assert counts.nonmated == n
    assert counts.fmr[counts.threshold == 50.0] == pytest.approx(0.01)


def test_probes_without_an_enrolled_identity_only_count_for_fpir():
    s = outcomes([[5.0], [7.0]], [0, 1], [0])
    assert list(s.mated) == [True, False]
    assert rank_rate(s) == 100.0
    assert fnir_at_fpir(s) == 100.0  # the unenrolled probe's 7 lifts the threshold over the mate


def test_rates_at_a_score():
    s = outcomes([[5.0, 7.0], [9.0, 1.0], [8.0, 8.0]], [0, 0, 0], [0, 1], [False, True, False])
    assert rates_at(s, 7.0) == pytest.approx((200 / 3, 200 / 3))
    assert rates_at(s, 9.5) == pytest.approx((0.0, 100.0))


def test_no_mated_search_is_undefined():
    s = outcomes([[5.0]], [1], [0])
    assert math.isnan(rank_rate(s))
    assert math.isnan(fnir_at_fpir(s))


def test_search_outcomes_refuse_a_wrong_shape():
    with pytest.raises(InputError, match="shape"):
        outcomes([[1.0, 2.0]], [0], [0])
