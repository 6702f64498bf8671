"""The left-out figure: no set has a part in the numbers that it is measured with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fpmatch.parameters import MATCHER
from training.left_out import SENSORS, Compared, fit_numbers, groups, left_out_values, values_by
from training.matcher import first_scores, raw_scores

SETS = ("fvc2000/DB1_B", "fvc2000/DB2_B", "fvc2002/DB3_B", "fvc2002/DB4_B", "sd4")


def pairs(seed, each, mated_each):
    """Made-up features of pairs of every set; mated ones have more of all that speaks for it."""
    rng = np.random.default_rng(seed)
    n = len(SETS) * (each + mated_each)
    mated = np.tile(np.arange(each + mated_each) < mated_each, len(SETS))
    size = rng.integers(5, 64, n)
    more = np.where(mated, rng.uniform(0.2, 1.0, n), 0.0)
    features = np.stack(
        [
            (rng.exponential(90, n) + 250 + 1500 * more).astype(np.int32),
            (rng.exponential(500, n) + 5000 * more).astype(np.int32),
            (size * (0.15 * rng.random(n) + 0.6 * more)).astype(np.int32),
            (size * (0.2 + 0.6 * rng.random(n)) * (1.1 - more)).astype(np.int32),
            size.astype(np.int32),
            (size * (0.2 * rng.random(n) + 0.6 * more)).astype(np.int32),
            (size * (0.2 + 0.6 * rng.random(n)) * (1.1 - more)).astype(np.int32),
            (120 * rng.random(n) * (1.3 - more)).astype(np.int32),
        ],
        axis=1,
    )
    features[features[:, 0] < 330, 1] = -1
    bent = first_scores(features) >= MATCHER.gate + 1000 * MATCHER.bend_from
    features[~bent | (features[:, 1] < 0), 5:] = -1, 0, 0
    return Compared(features, mated, np.repeat(SETS, each + mated_each))


@pytest.fixture(scope="module")
def compared():
    return pairs(1, 4000, 400), pairs(2, 4000, 0)


def other_labels(whole, name):
    """The same with every fourth mated pair of one set called non-mated."""
    fourth = (whole.folder == name) & (np.arange(len(whole.mated)) % 4 == 0)
    return dataclasses.replace(whole, mated=whole.mated & ~fourth)


@pytest.mark.parametrize("by", ["database", "sensor"])
def test_what_is_measured_has_no_part_in_its_numbers(compared, by):
    whole, touches = compared
    before = left_out_values(whole, touches, by)
    assert np.isfinite(before).all()
    after = left_out_values(other_labels(whole, "sd4"), touches, by)
    own = whole.folder == "sd4"
    assert (after[own] == before[own]).all()
    assert (after[~own] != before[~own]).any()


@pytest.mark.parametrize("one", [0, 1])
def test_sets_of_the_same_people_are_never_apart(compared, one):
    whole, touches = compared
    before = left_out_values(whole, touches, "database")
    after = left_out_values(other_labels(whole, SETS[one]), touches, "database")
    partner = whole.folder == SETS[1 - one]
    assert (after[partner] == before[partner]).all()
    assert (after[whole.folder == SETS[2]] != before[whole.folder == SETS[2]]).any()


def test_touches_of_what_is_measured_have_no_part_either(compared):
    whole, touches = compared
    before = left_out_values(whole, touches, "database")
    own = touches.folder == "sd4"
    features = touches.features.copy()
    features[own, 5] += 20
    after = left_out_values(whole, dataclasses.replace(touches, features=features), "database")
    assert (after[whole.folder == "sd4"] == before[whole.folder == "sd4"]).all()
    assert (after[whole.folder != "sd4"] != before[whole.folder != "sd4"]).any()


def test_a_kind_of_sensor_is_left_out_whole_and_its_people_with_it():
    found = {label: (set(measured), set(unseen)) for label, measured, unseen in
             groups(np.array([*SENSORS]), "sensor")}  # fmt: skip
    assert set.union(*(measured for measured, _ in found.values())) == set(SENSORS)
    assert sum(len(measured) for measured, _ in found.values()) == len(SENSORS)
    measured, unseen = found["capacitive"]
    assert measured == {"fvc2000/DB2_B", "fvc2002/DB3_B"}
    assert unseen == measured | {"fvc2000/DB1_B"}
    assert found["ink"] == ({"sd4"}, {"sd4"})


def test_fitted_numbers_rank_as_the_evidence_does_and_tell_mated_pairs(compared):
    whole, touches = compared
    numbers = fit_numbers(whole, touches)
    values = values_by(numbers, whole)
    assert np.median(values[whole.mated]) > 40
    # The scale means what it says of the pairs that it was fitted on.
    assert 0.003 < (values[~whole.mated] >= 20).mean() < 0.03
    # The weights found are those that made the pairs, not those in force.
    assert np.corrcoef(values, raw_scores(whole.features))[0, 1] < 0.999
