"""A submission's own fingers against each other: where its labels and its prints disagree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate, pack
from fpmatch.descriptor.scales import Forms
from fpmatch.matcher import best_of, calibrate, compare_many
from fpmatch.parameters import SEARCH
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Note, NoteKind

Labels = Sequence[FingerPosition]


def resemblances(
    forms: Sequence[Forms], stated: Sequence[SearchTemplate], rotation: str
) -> NDArray[np.float64]:
    """(N, N) values of all pairs of impressions, 0 with themselves.

    N (N - 1) / 2 comparisons, of every form of the first with the stated one of the other.

    Parameters
    ----------
    forms : sequence of tuple of SearchTemplate
        Of each impression those that it is compared in.
    stated : sequence of SearchTemplate
        Of each that of its stated resolution.
    rotation : str
        How the prints may lie.
    """
    count = len(forms)
    out = np.zeros((count, count))
    if count < 2:
        return out
    packed = pack(stated)
    for i in range(count - 1):
        others = np.arange(i + 1, count)
        tried = [compare_many(form, packed, others, rotation=rotation) for form in forms[i]]
        out[i, others] = best_of(calibrate(np.max(tried, axis=0), rotation), len(tried))
    return np.maximum(out, out.T)


def retakes(prints: Sequence[Template]) -> tuple[Note, ...]:
    """A note for each print that should be captured again."""
    return tuple(
        Note(NoteKind.RETAKE, (one.position,), (i,), float(one.image_quality))
        for i, one in enumerate(prints)
        if one.retake
    )


def notes(labels: Labels, values: NDArray[np.float64]) -> tuple[Note, ...]:
    """What the submitter is told of its fingers; impressions without a label are not judged.

    Parameters
    ----------
    labels : sequence of FingerPosition
        Of each impression.
    values : (N, N) float64
        From `resemblances`.

    Returns
    -------
    tuple of Note
        One for each two labels that are on prints of one finger, with the most similar pair, and
        one for each label that is on prints that do not resemble each other, with the least
        similar pair; in order of labels.
    """
    found: dict[tuple[FingerPosition, FingerPosition], Note] = {}
    for i, j in combinations(range(len(labels)), 2):
        one, other = sorted((labels[i], labels[j]))
        if one is FingerPosition.UNKNOWN:
            continue
        kind = NoteKind.OTHER_FINGER if one is other else NoteKind.SAME_FINGER
        note = Note(kind, (one, other), (i, j), float(values[i, j]))
        known = found.get((one, other))
        if _tells(note) and (known is None or _plainer(note, known)):
            found[one, other] = note
    return tuple(found[key] for key in sorted(found))


def _tells(note: Note) -> bool:
    if note.kind is NoteKind.SAME_FINGER:
        return note.score >= SEARCH.same_finger
    return note.score < SEARCH.other_finger


def _plainer(note: Note, known: Note) -> bool:
    if note.kind is NoteKind.SAME_FINGER:
        return note.score > known.score
    return note.score < known.score


def merged(labels: Labels, values: NDArray[np.float64]) -> dict[FingerPosition, FingerPosition]:
    """For each label the one that its finger counts under where labels are disregarded.

    Labels whose prints are of one finger count as one: the same resemblance would else be taken
    for that of two fingers.

    Parameters
    ----------
    labels : Labels
        Position of each finger.
    values : ndarray of float64
        Resemblance of each pair.
    """
    under = {label: label for label in sorted(set(labels))}
    for i, j in combinations(range(len(labels)), 2):
        if values[i, j] < SEARCH.same_finger:
            continue
        pair = under[labels[i]], under[labels[j]]
        # A finger that is known under any label keeps it: unknown is the lowest of them.
        first, last = sorted(pair, key=lambda label: (label is FingerPosition.UNKNOWN, label))
        under = {label: first if to is last else to for label, to in under.items()}
    return under
