"""FNIR at fixed FPIR: thresholds, misses, intervals, and runs that go on where they stopped."""

from __future__ import annotations

import numpy as np
import pytest

from fpmatch.bench import fnir as module
from fpmatch.bench.fnir import Tops, bench_fnir, rates, upper_limit
from fpmatch.errors import InputError
from fpmatch.matcher import calibrate


def made_up(found: list[int], top: int = 1000) -> tuple[Tops, np.ndarray, np.ndarray]:
    """1 000 non-mated searches that score top, top + 1, ..., and mated ones of given scores."""
    mate = np.concatenate([np.full(1000, -1), np.array(found)])
    other = np.concatenate([top + np.arange(1000), np.zeros(len(found), np.int64)])
    nonmated = np.arange(len(mate)) < 1000
    return Tops(mate.astype(np.int64), other.astype(np.int64)), nonmated, ~nonmated


def test_the_threshold_lets_the_stated_share_through():
    tops, nonmated, mated = made_up([1997, 1998, 1999, 2000, 1990, 1989, -1, 5000])
    rows = rates({"scan": tops}, nonmated, mated, np.arange(len(tops.mate)))
    strict, loose = rows
    assert (strict["fpir"], loose["fpir"]) == (0.1, 1.0)
    assert (strict["fpir_measured"], loose["fpir_measured"]) == (0.1, 1.0)
    assert strict["threshold"] == float(calibrate(1999))
    assert loose["threshold"] == float(calibrate(1990))
    assert (strict["misses"], loose["misses"]) == (5, 2)
    assert strict["fnir"] == 62.5
    assert strict["fnir_low"] <= strict["fnir"] <= strict["fnir_high"]
    assert (strict["searches"], strict["identities"]) == (8, 8)


def test_efforts_are_compared_on_the_same_draws():
    scan, nonmated, mated = made_up([5000] * 40)
    lists, _, _ = made_up([-1] * 10 + [5000] * 30)
    rows = rates({"balanced": lists, "scan": scan}, nonmated, mated, np.arange(1040))
    balanced, base = rows[:2]
    assert balanced["against_last"] == balanced["fnir"] == 25.0
    assert balanced["against_low"] > 5
    assert (base["fnir"], base["against_last"], base["against_high"]) == (0.0, 0.0, 0.0)
    assert base["fnir_high"] == 0.0
    assert base["exact_high"] == pytest.approx(100 * (1 - 0.025 ** (1 / 40)))


def test_searches_of_one_finger_are_drawn_together():
    tops, nonmated, mated = made_up([-1] * 20 + [5000] * 20)
    alone = rates({"scan": tops}, nonmated, mated, np.arange(1040))[0]
    grouped = np.concatenate([np.full(1000, -1), np.repeat([0, 1], 20)])
    two = rates({"scan": tops}, nonmated, mated, grouped)[0]
    assert two["identities"] == 2
    assert (two["fnir_low"], two["fnir_high"]) == (0.0, 100.0)
    assert alone["fnir_high"] < 75


def test_upper_limit():
    assert upper_limit(3, 3) == 1.0
    assert upper_limit(1, 10) == pytest.approx(0.4450, abs=1e-4)


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("fpmatch.bench.gallery.BATCH", 30)
    monkeypatch.setattr(module, "RATES", (0.1,))
    monkeypatch.setattr(module, "_CHUNK", 8)
    few = {"nonmated": 20, "mated": 6, "efforts": ("balanced", "scan"), "cache": tmp_path}
    first = bench_fnir(60, **few).to_dict()
    assert [row["effort"] for row in first["synthetic"]] == ["balanced", "scan"]
    assert first["synthetic"][0]["searches"] == 6
    assert first["synthetic"][0]["misses"] <= 1
    assert "real" not in first
    kept = sorted(tmp_path.glob("fnir-*/*.npy"))
    assert len(kept) == 2 * 4
    kept[-1].unlink()
    calls = []
    search = module._search
    monkeypatch.setattr(module, "_search", lambda *a: calls.append(a) or search(*a))
    assert bench_fnir(60, **few).to_dict() == first
    assert len(calls) == 1


def test_too_few_searches_for_the_rate():
    with pytest.raises(InputError, match="1000 non-mated"):
        bench_fnir(100, nonmated=999)
