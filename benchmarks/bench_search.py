"""1:N on a small synthetic gallery; ``fpmatch bench search`` does the same at any size."""

from __future__ import annotations

import numpy as np
import pytest

from fpmatch.bench.gallery import build_index, probe_set

FINGERS = 10_000


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    probes = probe_set((), synthetic=8)
    index = build_index(tmp_path_factory.mktemp("bench") / "index", FINGERS, probes)
    yield index, [p for p in probes.probes if p is not None]
    index.close()


@pytest.mark.parametrize("effort", ["fast", "scan"])
def test_shortlist(benchmark, gallery, effort):
    index, probes = gallery
    found = benchmark(index.shortlist, probes[0], effort=effort)
    assert len(found.row_ids)


def test_shortlists_of_a_batch(benchmark, gallery):
    index, probes = gallery
    assert len(benchmark(index.shortlist_many, probes, effort="scan")) == len(probes)


def test_tight_mask(benchmark, gallery):
    index, probes = gallery
    allowed = np.arange(FINGERS) % 100 == 0
    found = benchmark(index.shortlist, probes[0], allowed=allowed, effort="scan")
    assert len(found.row_ids) == FINGERS // 100
