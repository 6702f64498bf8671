"""Exact intervals against scipy and published values; where they stand in an evaluation."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.errors import InputError
from fpmatch.evaluate import clopper_pearson
from fpmatch.evaluate.bootstrap import Intervals
from fpmatch.evaluate.exact import with_exact_bounds
from fpmatch.evaluate.metrics import RATES, VerificationMetrics, mean_metrics


def test_known_values():
    # The rule of three: no error in n trials leaves 3.7 / n at 97.5 %, one-sided.
    assert clopper_pearson(0, 10) == pytest.approx((0, 30.84971), abs=1e-5)
    assert clopper_pearson(10, 10) == pytest.approx((69.15029, 100), abs=1e-5)
    # Clopper and Pearson's own example (Biometrika 26, 1934): 8 of 20 at 95 %.
    assert clopper_pearson(8, 20) == pytest.approx((19.1, 63.9), abs=0.05)
    assert clopper_pearson(0, 280) == pytest.approx((0, 1.3088), abs=1e-4)
    assert all(math.isnan(v) for v in clopper_pearson(0, 0))


@settings(max_examples=200, deadline=None)
@given(trials=st.integers(1, 20_000), share=st.floats(0, 1), level=st.sampled_from([80, 95, 99.9]))
def test_the_bounds_equal_scipys(trials, share, level):
    from scipy.stats import binomtest

    errors = round(share * trials)
    theirs = binomtest(errors, trials).proportion_ci(level / 100, "exact")
    got = clopper_pearson(errors, trials, level)
    assert got == pytest.approx((100 * theirs.low, 100 * theirs.high), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    "given", [(-1, 5), (6, 5), (1, -1), (1, 5, 0), (1, 5, 100), (0.5, 5), (True, 5), (1, 5, "x")]
)
def test_bad_counts_are_refused(given):
    with pytest.raises(InputError):
        clopper_pearson(*given)


def metrics(eer: float, fmr1000: float, mated: int, nonmated: int) -> VerificationMetrics:
    return VerificationMetrics(eer, fmr1000, fmr1000, fmr1000, mated, nonmated)


def intervals(databases: dict[str, VerificationMetrics], **searched: float) -> Intervals:
    zero = dict.fromkeys(RATES, (0.0, 0.0))
    given = Intervals(dict.fromkeys(databases, zero), zero, zero, (100.0, 100.0), (0.2, 0.4))
    parts = list(databases.values())
    pooled = metrics(1.0, 2.0, sum(m.mated for m in parts), sum(m.nonmated for m in parts))
    return with_exact_bounds(given, databases, mean_metrics(parts), pooled, (100.0, 0.3, 140), 95)


def test_a_rate_without_an_error_gets_its_bound_and_no_other_does():
    out = intervals({"a": metrics(0, 0, 280, 100), "b": metrics(0, 3.0, 140, 2880)})
    assert out.databases["a"]["fmr1000"] == clopper_pearson(0, 280)
    # Either kind of error may be the equal error rate: the wider bound, of 100 non-mated ones.
    assert out.databases["a"]["eer"] == clopper_pearson(0, 100)
    assert out.databases["b"]["eer"] == clopper_pearson(0, 140)
    assert out.databases["b"]["fmr1000"] == (0.0, 0.0)  # 3 %: the bootstrap's stands
    assert out.pooled == dict.fromkeys(RATES, (0.0, 0.0))
    assert out.rank1 == clopper_pearson(140, 140)
    assert out.fnir_at_fpir_1pct == (0.2, 0.4)
    assert "mean.eer" in out.exact
    assert "mean.fmr1000" not in out.exact
    assert set(out.exact) == {
        *(f"databases.a.{r}" for r in RATES), "databases.b.eer", "mean.eer", "rank1",
    }  # fmt: skip


def test_the_mean_of_databases_without_an_error():
    out = intervals({"a": metrics(0, 0, 280, 2880), "b": metrics(0, 0, 280, 2880)})
    assert out.mean["fmr1000"] == clopper_pearson(0, 560)
    assert out.mean["eer"][1] == pytest.approx(
        clopper_pearson(0, 560)[1] + clopper_pearson(0, 5760)[1]
    )


@settings(max_examples=50, deadline=None)
@given(rates=st.lists(st.floats(0, 0.02), min_size=2, max_size=5), n=st.integers(20, 500))
def test_the_bound_of_the_mean_covers(rates, n):
    """No error in k sets of n has at most the chance that k n trials of the mean rate give it."""
    none = math.prod((1 - r) ** n for r in rates)
    mean = sum(rates) / len(rates)
    assert none <= (1 - mean) ** (len(rates) * n) + 1e-12


def test_the_bound_is_never_narrower_than_the_bootstrap():
    parts = {"a": metrics(0, 0, 100_000, 100_000)}
    zero = dict.fromkeys(RATES, (0.0, 1.5))
    given = Intervals({"a": zero}, zero, zero, (99.0, 100.0), (0.0, 0.0))
    out = with_exact_bounds(given, parts, parts["a"], parts["a"], (100.0, 0.0, 9), 95)
    assert out.databases["a"]["fmr1000"] == (0.0, 1.5)
    assert out.rank1[0] == clopper_pearson(9, 9)[0]
    assert out.fnir_at_fpir_1pct == clopper_pearson(0, 9)
