"""The matcher's free numbers fitted without what they are measured on; run by
`benchmarks.left_out`.

Free are the weights of the evidence after bending, its offsets by size and the curve. What else the
matcher was tuned by (the first evidence too, which decides what is bent and what lies below) and
the extractor's network have seen every set: that part of the flattery stays.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from fpmatch.parameters import MATCHER, MatcherParameters
from training.matcher import BentWeights, fit_bent_weights
from training.sizes import bent_pairs, fit_curve, fit_offsets, raw_of

PEOPLE = {"fvc2000/DB2_B": "fvc2000/DB1_B"}
"""Sets of the same people: never one in the fit and the other in the measurement."""
FINGERS = {"sd4": 180}
"""Fingers of a set; others have ten."""
SENSORS = {
    "fvc2000/DB1_B": "optical",
    "fvc2000/DB2_B": "capacitive",
    "fvc2000/DB3_B": "optical",
    "fvc2000/DB4_B": "synthetic",
    "fvc2002/DB1_B": "optical",
    "fvc2002/DB2_B": "optical",
    "fvc2002/DB3_B": "capacitive",
    "fvc2002/DB4_B": "synthetic",
    "sd4": "ink",
}
"""Kind of sensor of the development sets."""

Names = NDArray[np.str_]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Pairs of one sensor each.

    Parameters
    ----------
    features : (K, 8) int32
        As `training.matcher.pair_features` gives them.
    mated : (K,) bool
    folder : (K,) str
        The set that both prints are of.
    """

    features: NDArray[np.int32]
    mated: NDArray[np.bool_]
    folder: Names

    def of(self, keep: NDArray[np.bool_]) -> Compared:
        """Some of them."""
        return Compared(self.features[keep], self.mated[keep], self.folder[keep])


@dataclasses.dataclass(frozen=True, slots=True)
class Numbers:
    """What was fitted.

    Parameters
    ----------
    weights : BentWeights
    offsets : tuple of float
        Thousandths of a natural logarithm, as `training.sizes.fit_offsets` gives them.
    curve : (raw, value)
        As `training.sizes.fit_curve` gives it.
    """

    weights: BentWeights
    offsets: tuple[float, ...]
    curve: tuple[tuple[int, ...], tuple[float, ...]]


def groups(folders: Names, by: str) -> list[tuple[str, Names, Names]]:
    """What is left out in turn: its name, the sets measured, and the sets that no fit may see.

    Parameters
    ----------
    folders : (N,) str
        The sets at hand.
    by : {"database", "sensor"}
        One set at a time, or all sets of one kind of sensor. Sets of the people of a set that is
        measured are not fitted on either.
    """
    names = np.unique(folders)
    labels = np.array([SENSORS.get(n, n) if by == "sensor" else n for n in names])
    people = np.array([PEOPLE.get(n, n) for n in names])
    out = []
    for label in np.unique(labels):
        measured = names[labels == label]
        unseen = names[np.isin(people, people[labels == label])]
        out.append((str(label), measured, unseen))
    return out


def people(folders: Names) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The set of each pair as a number, sets of the same people as one, and how much it says.

    A set says as much as the root of its fingers: 180 more than ten, for one pair of fingers that
    resemble each other is a large part of what ten say, but not as much as eighteen sets of ten,
    for it is one sensor.
    """
    # As numbers: names of half a million pairs take longer to sort than all the rest.
    names, at = np.unique(folders, return_inverse=True)
    joined, unit = np.unique([PEOPLE.get(f, f) for f in names], return_inverse=True)
    say = np.sqrt([FINGERS.get(str(name), 10) / 10 for name in joined])
    return unit[at], say[unit][at]


def fit_numbers(whole: Compared, touches: Compared, p: MatcherParameters = MATCHER) -> Numbers:
    """Weights from the mated and non-mated pairs of whole prints and of touches; offsets and curve
    from the non-mated ones.

    Parameters
    ----------
    whole, touches : Compared
        Without the sets that will be measured.
    p : MatcherParameters
        All that is not fitted.
    """
    features = np.concatenate([whole.features, touches.features])
    mated = np.concatenate([whole.mated, touches.mated])
    folders = np.concatenate([whole.folder, touches.folder])[~mated]
    weights = fit_bent_weights(features, mated, p)
    p = dataclasses.replace(p, **dataclasses.asdict(weights))
    unit, say = people(folders)
    pairs = bent_pairs(features[~mated], unit, p, say)
    offsets = fit_offsets(pairs)
    curve = fit_curve(raw_of(pairs, offsets), pairs)
    return Numbers(weights, tuple(float(o) for o in offsets), curve)


def values_by(
    numbers: Numbers, pairs: Compared, p: MatcherParameters = MATCHER
) -> NDArray[np.float64]:
    """-10 log10(FMR) of pairs under fitted numbers, with no end to the scale."""
    p = dataclasses.replace(p, **dataclasses.asdict(numbers.weights))
    raw = raw_of(bent_pairs(pairs.features, pairs.folder, p), np.array(numbers.offsets))
    return np.interp(raw, *numbers.curve)


def left_out_values(
    whole: Compared, touches: Compared, by: str, p: MatcherParameters = MATCHER
) -> NDArray[np.float64]:
    """Values of all whole pairs, each under numbers that neither its set nor its people had a part
    in.

    Parameters
    ----------
    whole, touches : Compared
    by : {"database", "sensor"}
        As in `groups`.
    p : MatcherParameters
        All that is not fitted.
    """
    values = np.full(len(whole.mated), np.nan)
    for _, measured, unseen in groups(whole.folder, by):
        seen = [part.of(~np.isin(part.folder, unseen)) for part in (whole, touches)]
        here = np.isin(whole.folder, measured)
        values[here] = values_by(fit_numbers(seen[0], seen[1], p), whole.of(here), p)
    return values
