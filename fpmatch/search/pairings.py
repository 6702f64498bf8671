"""The paired minutiae behind the scores of the final candidates, for those who may see them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from fpmatch.descriptor import SearchTemplate, encode
from fpmatch.descriptor.scales import Forms
from fpmatch.gallery import facts
from fpmatch.matcher import Score, compare
from fpmatch.parameters import SEARCH, TEMPLATE
from fpmatch.search.running import Running
from fpmatch.search.state import State
from fpmatch.template import Template
from fpmatch.types import (
    Candidate,
    FingerPosition,
    FingerScore,
    Minutia,
    MinutiaType,
    Pairing,
    PartitionDecision,
)


def with_minutiae(
    state: State, running: Running, granted: PartitionDecision, found: tuple[Candidate, ...]
) -> tuple[Candidate, ...]:
    """The candidates with what their scores rest on, where it was asked for and may be seen.

    The first `SearchParameters.paired_candidates` are compared once more; each finger's best
    comparison is told if it still has the score that is listed: a record that has changed
    meanwhile tells none. At the deadline of the search the rest is left out.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, with what was decided and found so far.
    granted : PartitionDecision
        What both decisions allow.
    found : tuple of Candidate
        Under the records' own ids, as they are disclosed.
    """
    if not (running.submission.request.minutiae and granted.view and granted.sees_minutiae):
        return found
    if running.apart is not None:
        # The probe is a stored record's, and its minutiae are not the submitter's to see.
        return found
    out = list(found)
    with state.partition_lock(granted.partition).reading(running.deadline) as held:
        for i, candidate in enumerate(found[: SEARCH.paired_candidates] if held else ()):
            if running.deadline is not None and time.monotonic() >= running.deadline:
                break
            out[i] = _explained(state, running, granted.partition, candidate)
    return tuple(out)


def without_minutiae(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """The same candidates, with their scores alone."""
    return tuple(
        replace(c, fingers=tuple(replace(f, pairing=None) for f in c.fingers)) for c in candidates
    )


def _explained(state: State, running: Running, partition: str, candidate: Candidate) -> Candidate:
    key = facts.find(state.gallery, partition, candidate.record)
    if key is None:
        return candidate
    rows = sorted(facts.rows(state.gallery, key), key=lambda r: (r[1], r[0]))
    held = list(state.gallery.templates(partition, [row for row, _ in rows]))
    templates = [template for _, template in held]
    forms = [encode(template) for template in templates]
    told = tuple(_finger(running, finger, templates, forms) for finger in candidate.fingers)
    return replace(candidate, fingers=told)


def _finger(
    running: Running, finger: FingerScore, templates: list[Template], forms: list[SearchTemplate]
) -> FingerScore:
    request = running.submission.request
    best: tuple[Score, int, int] | None = None
    for place, forms_of_it in _impressions(running, finger.position):
        # A form has its scale.
        probe = forms_of_it[0] if request.scale == "stated" else request.fingers[place]
        seen = running.probe.seen(finger.position)
        for n, (template, form) in enumerate(zip(templates, forms, strict=True)):
            if FingerPosition.UNKNOWN not in (seen, template.position) and (
                template.position != seen
            ):
                continue
            score = compare(probe, form, rotation=request.rotation, scale=request.scale)
            if best is None or score.raw > best[0].raw:
                best = score, place, n
    if best is None or best[0].value != finger.score:
        return finger
    score, place, n = best
    return replace(finger, pairing=_pairing(request.fingers[place], templates[n], score, place, n))


def _impressions(running: Running, position: FingerPosition) -> Iterator[tuple[int, Forms]]:
    """Place in the request and search forms of each impression of a finger of the probe."""
    probe = running.probe
    for (finger, several), places in zip(probe.fingers, probe.places, strict=True):
        if finger == position:
            yield from zip(places, several, strict=True)


def _pairing(
    probe: Template, record: Template, score: Score, finger: int, impression: int
) -> Pairing:
    return Pairing(
        finger,
        impression,
        record.position,
        record.impression,
        (probe.width, probe.height),
        (record.width, record.height),
        tuple((_minutia(probe, int(i)), _minutia(record, int(j))) for i, j in score.pairs),
    )


def _minutia(template: Template, i: int) -> Minutia:
    x, y = (float(v) / TEMPLATE.subpixel for v in template.xy[i])
    angle = round(float(template.angle[i]) * 360 / TEMPLATE.turn, 2) % 360
    return Minutia(i, x, y, angle, MinutiaType(int(template.kind[i])))
