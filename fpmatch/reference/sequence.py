"""A submission's own fingers against each other, pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fpmatch.parameters import QUALITY, SEARCH
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Note, NoteKind

Value = Callable[[int, int], float]
"""The score of two impressions of the submission, by their places, the first the lower."""


def notes(labels: Sequence[FingerPosition], value: Value) -> tuple[Note, ...]:
    """As `fpmatch.search.sequence.notes`."""
    every = range(len(labels))
    out = []
    for one in sorted(set(labels) - {FingerPosition.UNKNOWN}):
        for other in sorted(p for p in set(labels) if p >= one):
            pairs = [
                (i, j)
                for i in every
                for j in every
                if i < j and {labels[i], labels[j]} == {one, other}
            ]
            if not pairs:
                continue
            sign = 1 if one == other else -1
            best = min(pairs, key=lambda pair: (sign * value(*pair), pair))
            score = value(*best)
            if one == other and score < SEARCH.other_finger:
                out.append(Note(NoteKind.OTHER_FINGER, (one, other), best, score))
            if one != other and score >= SEARCH.same_finger:
                out.append(Note(NoteKind.SAME_FINGER, (one, other), best, score))
    return tuple(out)


def retakes(prints: Sequence[Template]) -> tuple[Note, ...]:
    """As `fpmatch.search.sequence.retakes`."""
    return tuple(
        Note(NoteKind.RETAKE, (p.position,), (i,), float(p.image_quality))
        for i, p in enumerate(prints)
        for name, least in QUALITY.retake
        if p.extractor.startswith(name) and p.image_quality < least
    )


def merged(labels: Sequence[FingerPosition], value: Value) -> dict[FingerPosition, FingerPosition]:
    """As `fpmatch.search.sequence.merged`: labels of one finger come together."""
    sets = [{label} for label in sorted(set(labels))]
    for i in range(len(labels)):
        for j in range(i + 1, len(labels)):
            if value(i, j) >= SEARCH.same_finger:
                joined = {p for s in sets if labels[i] in s or labels[j] in s for p in s}
                sets = [s for s in sets if not s & joined] + [joined]
    known = [(s, min(s - {FingerPosition.UNKNOWN}, default=FingerPosition.UNKNOWN)) for s in sets]
    return {p: first for s, first in known for p in s}
