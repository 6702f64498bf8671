"""What benchmarks share, the conditions they state, and the benchmarks on little data."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest

from fpmatch.bench.audit import bench_audit, policy_text
from fpmatch.bench.measure import (
    bench_compare,
    bench_extract,
    quantiles,
    stated,
    timed,
)
from fpmatch.evaluate import conditions
from fpmatch.synthetic.bundled import bundled_prints


@pytest.fixture
def few(synthetic_data, tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("1_1", "1_2", "2_1", "2_2"):
        source = synthetic_data / "optical" / f"{name}.png"
        (folder / source.name).write_bytes(source.read_bytes())
    return folder


def test_quantiles_skip_what_is_undefined():
    times = quantiles([math.nan, *range(101)])
    assert (times.median, times.p05, times.p95, times.count) == (50, 5, 95, 101)
    assert quantiles([]).count == 0
    assert math.isnan(quantiles([]).median)


def test_timed_throws_the_warm_up_away():
    calls = []

    def work() -> None:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(0.2)

    times = timed(work, repeats=5, warmup=1, clock=time.perf_counter)
    assert len(calls) == 6
    assert times.count == 5
    assert times.p95 < 0.1


def test_conditions_name_the_machine_and_no_person():
    said = stated(threads=2, state="cold", size=3)
    assert (said["threads"], said["state"], said["size"]) == (2, "cold", 3)
    assert said["machine"]["cores"] >= 1
    assert said["versions"]["numpy"] == np.__version__
    assert len(said["parameters"]) == 16
    import getpass
    import socket

    text = json.dumps(said)
    assert socket.gethostname() not in text or len(socket.gethostname()) < 4
    assert f"/{getpass.getuser()}/" not in text


def test_the_parameter_hash_follows_the_parameters(monkeypatch):
    import dataclasses

    from fpmatch import parameters

    before = conditions.parameter_hash()
    assert before == conditions.parameter_hash()
    monkeypatch.setattr(parameters, "IMAGE", dataclasses.replace(parameters.IMAGE, min_side=49))
    assert conditions.parameter_hash() != before


def test_bench_extract_on_folders(few):
    result = bench_extract([few], repeats=1, ppi_map=None)
    assert result.figures["images"] == 4
    assert result.figures["failures_to_extract"] == 0
    assert result.figures["extract_ms_median"] > 0
    assert result.figures["median_pixels"] == 374 * 388
    json.dumps(result.to_dict(), allow_nan=False)


def test_bench_compare_on_folders(few):
    result = bench_compare([few], repeats=1)
    assert result.figures["templates"] == 4
    for name in ("compare_us_median", "mated_us_median", "single_us_median"):
        assert result.figures[name] > 0
    json.dumps(result.to_dict(), allow_nan=False)


def test_bench_audit_writes_and_verifies():
    result = bench_audit(searches=30, agencies=11)
    assert result.figures["decide_and_audit_us_median_sync"] > 0
    assert result.figures["verify_us_per_record"] > 0


def test_bench_policy_is_a_valid_policy_with_an_opt_out():
    from fpmatch.policy import Policy
    from fpmatch.types import Reason

    policy = Policy.parse(policy_text(20))
    reasons = [
        policy.explain(ori=f"CS{i:05d}00", partition="immigration").reason for i in range(20)
    ]
    assert reasons.count(Reason.ORI_DEACTIVATED) == 2
    assert reasons.count(Reason.GRANTED) == 18


def test_bundled_prints_are_those_of_the_checkout(synthetic_data):
    assert bundled_prints() == synthetic_data.resolve()
