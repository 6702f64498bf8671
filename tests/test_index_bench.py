"""The 1:N benchmarks: fields, and that what they compare is what they say."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fpmatch.descriptor import encode
from fpmatch.evaluate.bench_gallery import background, mirrored, probe_set
from fpmatch.evaluate.bench_search import (
    bench_batch,
    bench_build,
    bench_mask,
    bench_open,
    bench_search,
)
from fpmatch.evaluate.bench_tenprint import bench_tenprint, subjects_of
from fpmatch.matcher import compare
from fpmatch.synthetic.gallery import mates, templates


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("background")


@pytest.fixture(autouse=True)
def small(monkeypatch, cache):
    from fpmatch.evaluate import bench_gallery

    monkeypatch.setattr(bench_gallery, "BATCH", 30)
    real = bench_gallery.probe_set
    few = lambda *a, **k: real(*a, **{**k, "synthetic": min(6, k.get("synthetic", 6))})  # noqa: E731
    monkeypatch.setattr("fpmatch.evaluate.bench_search.probe_set", few)


def test_search_fields(cache):
    made = bench_search([30, 60], cache=cache).to_dict()
    assert json.loads(json.dumps(made)) == made
    for row in (made, *made["by_fingers"]):
        assert row["effort"] == "balanced"
        assert row["threads"] == 1
        assert row["rank1"] >= 80
        assert row["rank1_scan"] == row["rank1_exhaustive"] == row["rank1"]
        assert 500 < row["resident_bytes_per_finger"] < 1024
        assert row["bytes_per_finger"] > row["resident_bytes_per_finger"]
        rate = row["fingers"] / (row["search_ms_median"] / 1e3)
        assert row["templates_per_second_per_core"] == pytest.approx(rate)
    assert [row["fingers"] for row in made["by_fingers"]] == [30, 60]
    assert made["fingers"] == 60
    assert made["by_fingers"][0]["growth_exponent"] is None
    a, b = (row["search_ms_median"] for row in made["by_fingers"])
    assert made["growth_exponent"] == pytest.approx(np.log(b / a) / np.log(2))
    assert "machine" in made["conditions"]


def test_the_other_benchmarks(cache):
    mask = bench_mask(60, barred=(0.0, 0.5), repeats=6, cache=cache).figures
    assert [row["barred"] for row in mask["by_barred"]] == [0.0, 0.5]
    assert all(row["ratio"] > 0 for row in mask["by_barred"])
    batch = bench_batch(60, batch=4, cache=cache).figures
    assert all(row["identical"] for row in batch["by_effort"])
    built = bench_build(60, cache=cache).figures
    assert built["fingers"] == 60
    assert built["add_us_per_finger"] > 0
    opened = bench_open(60, cache=cache).figures
    assert 0 < opened["open_ms_median"] < 1000
    for name in ("first", "median", "cpu_ms_median", "rw_ms_median", "rw_cpu_ms_median"):
        key = f"engine_open_{name}" if "ms" in name else f"engine_open_ms_{name}"
        assert 0 < opened[key] < 2000


def test_a_mirror_image_is_another_finger():
    template = next(templates(1, 8))
    other = mirrored(template)
    assert mirrored(other).to_bytes() == template.to_bytes()
    touch = next(mates(1, 8))
    assert compare(touch, template).value > compare(touch, other).value + 20


def test_probes_of_folders(data):
    folder = data / "fvc2000" / "DB1_B"
    if not folder.exists():
        pytest.skip("no such folder")
    few = [folder]
    made = probe_set(few, ppi_map=data / "fvc.json", identities=data / "identities.csv")
    assert len(made.mates) == 10
    assert len(made.probes) == 70
    assert made.own(0, np.arange(10)).sum() == 1


def test_the_background_is_cached_and_cut(cache):
    once = [len(p) for p in background(50, cache=cache)]
    assert sum(once) == 50
    first = next(background(60, cache=cache))
    again = encode(next(templates(1, 20260101)))
    assert first[0] == again


def test_ten_fingers_against_one(cache):
    made = bench_tenprint(12, fingers=4, subjects=3, poor=(0.0, 1.0), cache=cache).to_dict()
    assert json.loads(json.dumps(made)) == made
    assert [(r["poor"], r["positions"]) for r in made["by_case"]] == [
        (share, positions) for share in (0.0, 1.0) for positions in ("known", "unknown")
    ]
    for row in made["by_case"]:
        assert row["ratio"] == pytest.approx(row["alone_ms_median"] / row["together_ms_median"])
        assert 0 <= row["rank1_alone"] <= 100
    assert made["by_case"][0]["rank1"] == 100
    people = subjects_of(12, 4, 3, 1.0)
    assert people.records == (0, 5, 11)
    assert all(len(finger) <= 13 for own in people.fingers for finger, _ in own)
