"""The 1:N benchmarks: fields, and that what they compare is what they say."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from fpmatch.bench.gallery import background, joined, mirrored, opened, probe_set
from fpmatch.bench.index import bench_batch, bench_build, bench_mask, bench_open
from fpmatch.bench.peer import measure_nbis
from fpmatch.bench.search import bench_search
from fpmatch.bench.tenprint import bench_tenprint, owners, subjects_of
from fpmatch.descriptor import encode
from fpmatch.errors import InputError
from fpmatch.matcher import compare
from fpmatch.synthetic.bundled import bundled_prints
from fpmatch.synthetic.gallery import mates, templates


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("background")


@pytest.fixture(autouse=True)
def small(monkeypatch, cache):
    from fpmatch.bench import gallery

    monkeypatch.setattr(gallery, "BATCH", 30)
    real = gallery.probe_set
    few = lambda *a, **k: real(*a, **{**k, "synthetic": min(6, k.get("synthetic", 6))})  # noqa: E731
    for module in ("search", "index"):
        monkeypatch.setattr(f"fpmatch.bench.{module}.probe_set", few)


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
    along, linear = made["calculated"]
    assert along["fingers"] == linear["fingers"] == 600
    assert along["search_ms_median"] == pytest.approx(b * 10 ** made["growth_exponent"])
    assert linear["search_ms_median"] == pytest.approx(10 * b)
    assert "skipped" in made["peer"]


def test_a_peer_is_known_or_left_out(cache):
    assert "peer" not in bench_search([30], peer="none", cache=cache).figures
    with pytest.raises(InputError, match="nbis, none"):
        bench_search([30], peer="other", cache=cache)


def test_the_peer_is_skipped_with_its_reason(monkeypatch):
    assert "folders" in measure_nbis(())["skipped"]
    monkeypatch.setitem(sys.modules, "nbis", None)
    assert measure_nbis(("anywhere",)) == {
        "name": "nbis-py",
        "skipped": "not installed: pip install nbis-py",
    }


def test_the_peer_compares_the_same_prints(tmp_path, cache):
    pytest.importorskip("nbis")
    folder = bundled_prints() / "optical"
    for path in sorted(folder.glob("*_[12].png"))[:4]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "ppi.json").write_text(json.dumps({tmp_path.name: 500}))
    made = bench_search([60], [tmp_path], ppi_map=tmp_path / "ppi.json", cache=cache).to_dict()
    peer = made["peer"]
    assert peer["comparisons"] == 4
    rate = peer["templates_per_second_per_core"]
    assert rate == pytest.approx(1e6 / peer["compare_us_median"])
    assert peer["ratio_balanced"] == pytest.approx(made["templates_per_second_per_core"] / rate)
    scan = made["scan_templates_per_second_per_core"]
    assert peer["ratio_scan"] == pytest.approx(scan / rate)


def test_a_gallery_is_kept_for_the_next_run(tmp_path, monkeypatch):
    from fpmatch.bench import gallery

    one = probe_set((), synthetic=3)
    built = []
    build = gallery.build_index
    monkeypatch.setattr(gallery, "build_index", lambda *a, **k: built.append(a) or build(*a, **k))
    for fingers, probes, count in (
        (40, one, 1),
        (40, one, 1),
        (50, one, 2),
        (40, joined(one, one), 3),
    ):
        with opened(fingers, probes, 1, tmp_path, None) as index:
            assert index.rows == fingers
        assert len(built) == count
    assert len(list(tmp_path.glob("index-*"))) == 3
    with opened(40, one, 1, None, None) as index:
        assert index.rows == 40
    assert len(list(tmp_path.glob("index-*"))) == 3


def test_joined_sets_keep_their_identities_apart():
    one, two = probe_set((), synthetic=3), probe_set((), synthetic=2)
    both = joined(one, two)
    assert len(both.probes) == len(both.mates) == 5
    assert both.mates[3] == two.mates[0]
    rows = np.arange(7)
    for k in range(5):
        assert np.flatnonzero(both.own(k, rows)).tolist() == [k]


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


@pytest.mark.parametrize(("records", "fingers"), [(12, 4), (12, 3), (13, 3), (13, 1), (12, 10)])
def test_no_two_fingers_of_a_person_are_one_touch_and_its_mirror_image(records, fingers):
    rows = np.arange(records * fingers)
    record, position = owners(rows, records, fingers)
    everyone = [(one, 1 + place) for one in range(records) for place in range(fingers)]
    assert sorted(zip(record.tolist(), position.tolist(), strict=True)) == everyone
    paired = [row for row in rows[::2] if row + 1 < len(rows) and record[row] == record[row + 1]]
    # Of an odd number of people the last has nobody whose fingers could mirror its own.
    assert all(record[row] == records - 1 for row in paired)
    assert len(paired) <= (records % 2) * (fingers // 2 + 1)


def test_fingers_of_one_person_touch_as_they_like():
    people = subjects_of(6, 2, 6, 0.0)
    places = [[np.sort(finger.y).tolist() for finger, _ in own] for own in people.fingers]
    # A mirror image keeps the heights of all minutiae.
    assert len({tuple(one) for own in places for one in own}) == 12
