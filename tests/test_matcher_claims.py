"""What is claimed of a score: by the size of the prints, and nothing beyond the evidence."""

from __future__ import annotations

import json

import naive_descriptor as made
import numpy as np
import pytest
from engine_helpers import engine, request
from typer.testing import CliRunner

import fpmatch as fp
from fpmatch import reference
from fpmatch.cli.app import app
from fpmatch.descriptor import encode, pack
from fpmatch.matcher import calibrate, compare, compare_many
from fpmatch.parameters import CALIBRATION
from fpmatch.synthetic import templates
from fpmatch.types import Candidate, claim_of
from training.sizes import by_size, ratios, touch


def touched(prints, rng, times=1):
    """Values of touches against the whole prints of other fingers, and the smaller side's size."""
    forms = [encode(t) for t in prints]
    gallery, sizes = pack(forms), np.array([len(f) for f in forms])
    values, smaller = [], []
    for _ in range(times):
        for i, template in enumerate(prints):
            form = encode(touch(template, rng))
            others = np.flatnonzero(np.arange(len(prints)) != i)
            values.append(calibrate(compare_many(form, gallery, others)))
            smaller.append(np.minimum(len(form), sizes[others]))
    return np.concatenate(values), np.concatenate(smaller)


def test_small_synthetic_prints_reach_no_score_more_often_than_it_claims():
    values, size = touched(list(templates(220, 12)), np.random.default_rng(3))
    small = values[size < 16]
    assert len(small) > 20_000
    assert (small >= 10).mean() < 0.1
    assert (small >= 20).mean() < 0.01
    assert (small >= 30).mean() < 0.002


@pytest.mark.data
def test_small_real_prints_of_one_sensor_reach_no_score_more_often_than_it_claims(data):
    rng = np.random.default_rng(3)
    fingers = np.arange(20) // 2
    other = np.concatenate([fingers[np.arange(20) != i] != fingers[i] for i in range(20)] * 20)
    values, sizes = [], []
    for folder, ppi in (("DB1_B", 500), ("DB2_B", 569), ("DB4_B", 500)):
        prints = [
            fp.extract(fp.read_image(data / "fvc2002" / folder / f"{finger}_{k}.tif", ppi=ppi))
            for finger in range(101, 111)
            for k in (1, 2)
        ]
        found, size = touched(prints, rng, times=20)
        assert np.median(found[~other & (size >= 8)]) > 50
        values.append(found[other])
        sizes.append(size[other])
    value, size = np.concatenate(values), np.concatenate(sizes)
    small, larger = value[size < 16], value[(size >= 18) & (size < 26)]
    assert min(len(small), len(larger)) > 5000
    assert (small >= 20).mean() < 0.015
    assert (small >= 30).mean() < 0.004
    assert (small >= 20).mean() < 1.5 * (larger >= 20).mean()


def test_smaller_prints_claim_less_for_the_same_evidence():
    from fpmatch.matcher.tables import tables

    taken = -tables().size
    assert taken[8] > taken[16] > taken[25]
    assert taken[4] == taken[5]
    assert len(taken) == 65


@pytest.mark.parametrize("score", [0.0, 12.34, 49.99, 50.0, 50.01, 163.32, 839.5])
def test_nothing_is_claimed_beyond_the_evidence(score):
    claim = claim_of(score)
    assert claim.fmr == max(float(f"{10 ** (-score / 10):.5e}"), CALIBRATION.least_fmr)
    assert claim.below == (score > 50)
    assert (str(claim) == "below 1e-5 (beyond the evidence)") == claim.below
    assert claim.comparisons == CALIBRATION.comparisons
    # Ten of the comparisons would reach the lowest rate that is claimed.
    assert CALIBRATION.comparisons * CALIBRATION.least_fmr >= 10
    assert Candidate("C", score, claim.fmr).claim == claim


@pytest.mark.parametrize(
    ("score", "said"),
    [(0.0, "1"), (1.25, "0.75"), (20.0, "0.01"), (20.1, "9.8e-3"), (49.9, "1.0e-5"),
     (50.0, "1.0e-5"), (50.01, "below 1e-5 (beyond the evidence)")],
)  # fmt: skip
def test_a_claim_is_printed_without_more_digits_than_it_has(score, said):
    assert str(claim_of(score)) == said


def test_the_number_of_comparisons_is_part_of_a_score_and_comes_from_the_scale(monkeypatch):
    from dataclasses import replace

    from fpmatch.types import claim

    score = compare(made.made_up(1, 40), made.made_up(2, 40))
    assert score.comparisons == CALIBRATION.comparisons
    monkeypatch.setattr(claim, "CALIBRATION", replace(CALIBRATION, comparisons=77, least_fmr=0.5))
    assert score.comparisons == 77
    assert str(claim_of(40.0)) == "below 5e-1 (beyond the evidence)"


def test_notes_and_the_demo_say_where_evidence_ends():
    from fpmatch.cli import demo_page
    from fpmatch.types import NoteKind, Outcome, PartitionResult, Reason
    from fpmatch.types.search import Note

    limit = "FMR below 1e-5 (beyond the evidence)"
    index = fp.FingerPosition.RIGHT_INDEX
    middle = fp.FingerPosition.RIGHT_MIDDLE
    assert limit in Note(NoteKind.SAME_FINGER, (index, middle), (0, 1), 66.0).text
    assert limit not in Note(NoteKind.OTHER_FINGER, (index,), (0, 1), 6.0).text
    found = PartitionResult(
        "criminal", Outcome.SEARCHED_DISCLOSED, Reason.GRANTED, (Candidate("C", 66.0, 1e-5),)
    )
    assert limit in str(demo_page._answer(found))


def test_scores_beyond_the_evidence_rank_and_claim_the_same():
    first = made.made_up(1, 40)
    scores = [compare(first, first), compare(first, made.impression(first, 5, 20.0, jitter=2.0))]
    values = [s.value for s in scores]
    assert values[0] > values[1] + 20
    assert min(values) > 60
    assert {s.fmr for s in scores} == {CALIBRATION.least_fmr}
    assert reference.compare(first, first).fmr == CALIBRATION.least_fmr


def test_every_place_that_prints_or_returns_a_rate_has_the_limit(tmp_path):
    with engine() as e:
        asked = request()
        (candidate, *_) = e.search(asked)["criminal"].candidates
        assert candidate.score > 50
        assert (candidate.fmr, candidate.claim.below) == (CALIBRATION.least_fmr, True)
        found = e.verify(request(), "C-1", partition="criminal").to_dict()
        assert (found["fmr"], found["fmr_below"]) == (CALIBRATION.least_fmr, True)
        told = json.loads(e.search(request()).to_bytes())["partitions"]
        rates = [(c["fmr"], c["fmr_below"]) for p in told for c in p["candidates"]]
        assert min(rates) == (CALIBRATION.least_fmr, True)
        assert all(below == (rate == CALIBRATION.least_fmr) for rate, below in rates)
    path = tmp_path / "a.fpt"
    path.write_bytes(made.made_up(1, 40).to_bytes())
    said = CliRunner().invoke(app, ["compare", str(path), str(path)])
    assert said.exit_code == 0
    assert "below 1e-5 (beyond the evidence)" in said.output
    assert "6 790 558" in said.output
    said = CliRunner().invoke(app, ["compare", str(path), str(path), "--json", "-"])
    result = json.loads(said.output)
    assert (result["fmr"], result["fmr_below"]) == (CALIBRATION.least_fmr, True)
    assert result["fmr_comparisons"] == CALIBRATION.comparisons


def test_the_table_of_claims_counts_every_pair_once():
    rng = np.random.default_rng(0)
    values = -10 * np.log10(rng.random(200_000))
    size = rng.integers(4, 65, len(values))
    assert all(0.8 < r < 1.25 for r in ratios(values)[:3])
    rows = by_size(values, size)
    assert sum(count for _, count, _ in rows) == len(values)
    assert rows[0][0] == "4 to 7"
