"""Speed of the print generator: ``pytest benchmarks/bench_synth.py --benchmark-enable``.

CPU time of one core; the aims are 1.5 s a master, 0.1 s an impression and well under a minute for
100 000 templates on two cores.
"""

from __future__ import annotations

import itertools
import time

import pytest

from fpmatch.synthetic import batches, impression, master


@pytest.fixture(scope="module")
def finger():
    skin = master(1)
    for sensor in ("optical", "capacitive", "ink"):
        impression(skin, 1, sensor=sensor)
    next(batches(2, 1))
    return skin


def cpu(benchmark, function, rounds):
    benchmark._timer = time.process_time
    benchmark.pedantic(function, rounds=rounds, iterations=1)


def bench_master(benchmark, finger):
    seeds = itertools.count(100)
    cpu(benchmark, lambda: master(next(seeds)), 7)


@pytest.mark.parametrize("sensor", ["optical", "capacitive", "ink"])
def bench_impression(benchmark, finger, sensor):
    seeds = itertools.count(1)
    cpu(benchmark, lambda: impression(finger, next(seeds), sensor=sensor), 15)


def bench_rolled_impression(benchmark, finger):
    seeds = itertools.count(1)
    cpu(benchmark, lambda: impression(finger, next(seeds), sensor="ink", rolled=True), 9)


def bench_thousand_templates(benchmark, finger):
    starts = itertools.count(0, 1000)
    cpu(benchmark, lambda: next(batches(1000, 1, start=next(starts), batch=1000)), 5)
