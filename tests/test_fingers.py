"""Intervals over fingers, and how much a pair and a set count in a fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from test_left_out import pairs

from fpmatch.parameters import MATCHER
from training import matcher
from training.fingers import REPLICATES, drawn_ratios, draws, refitted_ratios
from training.left_out import Compared, Numbers, fit_numbers, people, values_by
from training.matcher import fit_bent_weights
from training.sizes import (
    SHOWN,
    bent_pairs,
    fit_curve,
    fit_offsets,
    quantiles,
    ratios,
    raw_of,
    sizes,
)


@pytest.fixture(scope="module")
def alien():
    found = pairs(3, 12000, 0)
    unit, say = people(found.folder)
    return found, unit, say


def fitted(some):
    offsets = fit_offsets(some)
    return offsets, fit_curve(raw_of(some, offsets), some)


def test_every_replicate_has_as_many_fingers_of_a_set():
    folder = np.repeat(["a", "b"], [30, 12])
    identity = np.repeat(np.arange(14), 3)
    weights = draws(folder, identity)
    assert weights.shape == (REPLICATES, 14)
    assert (weights[:, :10].sum(axis=1) == 10).all()
    assert (weights[:, 10:].sum(axis=1) == 4).all()
    assert len(np.unique(weights, axis=0)) > REPLICATES / 2


def test_ratios_of_fingers_drawn_once_are_those_seen():
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 6, (2, 5000))
    values = rng.exponential(10, 5000)
    found = drawn_ratios(values, one, other, np.ones((1, 6), np.int64))
    assert found[0] == pytest.approx(ratios(values))


def test_what_one_finger_does_goes_with_it():
    one, other = np.array([0, 0, 1, 2]), np.array([1, 2, 2, 1])
    values = np.array([45.0, 0.0, 0.0, 15.0])
    drawn = np.array([[1, 1, 1], [0, 1, 1], [2, 1, 1]])
    found = drawn_ratios(values, one, other, drawn)[:, SHOWN.index(40)]
    assert found == pytest.approx([1 / 4 * 1e4, 0, 2 / 6 * 1e4])


def test_quantiles_are_values_seen():
    values = np.array([7, -3, 5, 5, 100])
    assert quantiles(values, np.ones(5), [0.1, 0.4, 0.6, 0.79, 1.0]) == [-3, 5, 5, 7, 100]
    assert quantiles(values, np.array([0.0, 1, 0, 0, 3]), [0.2, 0.3]) == [-3, 100]


def test_pairs_share_what_their_set_says(alien):
    found, unit, say = alien
    often = np.arange(len(unit)) % 3.0
    some = dataclasses.replace(bent_pairs(found.features, unit, say=say), often=often)
    weights = some.weights(1, 1)
    for name in np.unique(unit):
        own = unit == name
        assert weights[own].sum() == pytest.approx(say[own][0])
        assert weights[own] == pytest.approx(say[own][0] * often[own] / often[own].sum())
    assert some.of(unit == 0).weights(1, 1) == pytest.approx(weights[unit == 0])
    assert (some.weights(len(unit), 1) == 0).all()
    halved = some.weights(1, 2 * int((unit == 0).sum()))
    assert halved[unit == 0] == pytest.approx(weights[unit == 0] / 2)


def test_a_set_that_says_more_is_claimed_for_better(alien):
    found, unit, _ = alien
    features = found.features.copy()
    own = unit == unit[-1]
    features[own & (features[:, 5] >= 0), 5] += 6
    off = []
    for much in (1.0, 1000.0):
        some = bent_pairs(features, unit, say=np.where(own, much, 1.0))
        offsets, curve = fitted(some)
        values = np.interp(raw_of(some, offsets)[own], *curve)
        off.append(abs(np.log((values >= 20).mean() / 0.01)))
    assert off[1] < 0.5 * off[0]


def test_sets_of_the_same_people_are_one_and_many_fingers_say_more():
    folders = np.array(["fvc2000/DB1_B", "fvc2000/DB2_B", "fvc2002/DB1_B", "sd4"])
    unit, say = people(folders)
    assert unit[0] == unit[1]
    assert len(set(unit.tolist())) == 3
    assert say == pytest.approx([1, 1, 1, np.sqrt(18)])


def test_fitted_anew_to_the_fingers_that_there_are_nothing_changes(alien):
    found, unit, say = alien
    whole = pairs(1, 4000, 400)
    numbers: dict[int, Numbers] = {}
    values = np.full(len(unit), np.nan)
    for k in np.unique(unit):
        of = np.unique(found.folder[unit == k])
        weights = fit_numbers(whole, found.of(~np.isin(found.folder, of))).weights
        seen = bent_pairs_of(found, unit != k, weights)
        offsets, curve = fitted(seen)
        numbers[int(k)] = Numbers(weights, tuple(offsets), curve)
        values[unit == k] = values_by(numbers[int(k)], found.of(unit == k))
    fingers = (np.arange(len(unit)) % 7, np.arange(len(unit)) % 5)
    groups = [np.ones(len(unit), bool), *(own for _, own in sizes(found.features[:, 4]))]
    drawn = np.array([np.ones(7), np.arange(7)], np.int64)
    again = refitted_ratios(numbers, found.features, (unit, say), fingers, groups, drawn)
    assert again[0] == pytest.approx(np.array([ratios(values[own]) for own in groups]))
    assert (again[1] != again[0]).any()


def bent_pairs_of(found: Compared, keep, weights):
    unit, say = people(found.folder)
    p = dataclasses.replace(MATCHER, **dataclasses.asdict(weights))
    return bent_pairs(found.features, unit, p, say).of(keep)


def test_the_weight_of_the_distance_is_wholly_its_own(monkeypatch):
    whole = pairs(1, 4000, 400)
    drawn = fit_bent_weights(whole.features, whole.mated)
    monkeypatch.setattr(matcher, "OWN_SHARE", (1.0, 1.0, 1.0, 1.0))
    free = fit_bent_weights(whole.features, whole.mated)
    assert drawn.bent_missed_weight == free.bent_missed_weight
    assert drawn.bent_matched_weight != free.bent_matched_weight
