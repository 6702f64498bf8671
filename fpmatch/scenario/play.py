"""Scenarios played on a real engine: what each party sees, and what the log proves.

A scenario file (``data/synthetic/scenarios/``) is a policy, invented records, and submissions with
the outcome expected in every partition. Each label of a person becomes one synthetic finger.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpmatch.audit import verify_proof
from fpmatch.errors import InputError
from fpmatch.matcher import compare
from fpmatch.scenario import format as stories
from fpmatch.search import Engine
from fpmatch.synthetic import templates
from fpmatch.types import FingerPosition, Outcome, Record, SearchRequest, SearchResponse

if TYPE_CHECKING:
    from fpmatch.scenario.format import Expectation, Scenario, ScenarioSearch
    from fpmatch.template import Template

SEED = 20110302
EVENTS = {"convicted": "CONVICTION", "acquitted": "ACQUITTAL", "dismissed": "DISMISSAL"}
CLEAR = 70.0
"""Score of the two touches of a person, well above what an owner is told of."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One partition of one submission, from every side.

    Parameters
    ----------
    records : tuple of str
        What the submitter sees.
    notified : tuple of str
        Records of which the partition's owner was told, from its envelope.
    proved : str
        What the log proves, checked with `fpmatch.audit.verify_proof`: ``not searched``,
        ``withheld`` or ``searched``.
    """

    partition: str
    outcome: str
    reason: str
    records: tuple[str, ...]
    notified: tuple[str, ...]
    office: str
    stage2: int
    proved: str
    consent_overridden: bool


@dataclass(frozen=True, slots=True)
class Played:
    """One submission as it went."""

    label: str
    ori: str
    at: str
    partitions: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class ScenarioReport:
    """A whole scenario; ``mismatches`` is empty if all came as expected."""

    name: str
    title: str
    about: str
    searches: tuple[Played, ...]
    log_records: int
    log_verifies: bool
    mismatches: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything came as the scenario says and the log verifies."""
        return self.log_verifies and not self.mismatches

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return {**asdict(self), "ok": self.ok}

    def lines(self) -> Iterator[str]:
        """The report as text, one line at a time."""
        yield f"{self.title} ({self.name})"
        # A paragraph is one line here: whoever prints it breaks it at the width there is.
        yield from (" ".join(part.split()) for part in self.about.strip().split("\n\n"))
        for search in self.searches:
            yield ""
            yield f"{search.label}: booked by {search.ori} on {search.at[:10]}"
            for seen in search.partitions:
                shown = ", ".join(seen.records) or "no candidate"
                if seen.outcome != Outcome.SEARCHED_DISCLOSED:
                    shown = "nothing"
                told = ", ".join(seen.notified)
                told = f"told of {told} ({seen.office})" if told else "told nothing"
                flag = "; consent overridden" if seen.consent_overridden else ""
                yield f"  {seen.partition}: {seen.outcome}, {seen.reason}{flag}"
                yield f"    submitter sees {shown}; owner is {told}"
                yield f"    the log proves: {seen.proved}, {seen.stage2} fingers compared"
        yield ""
        state = "verifies" if self.log_verifies else "DOES NOT VERIFY"
        yield f"The log of {self.log_records} records {state}."
        yield from (f"NOT AS EXPECTED: {m}" for m in self.mismatches)


@dataclass(slots=True)
class _Stage:
    """What a play needs: the engine, its clock, people's fingers, tokens by label."""

    engine: Engine
    time: list[datetime]
    people: Mapping[str, tuple[Template, Template]]
    tokens: dict[str, str] = field(default_factory=dict)


def play(scenario: Scenario, folder: Path | None = None) -> ScenarioReport:
    """Run a scenario from enrolment to the last submission.

    Parameters
    ----------
    folder : Path, optional
        Where to leave the gallery; a temporary one that is removed otherwise.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="fpmatch-scenario-") as made:
            return play(scenario, Path(made) / f"{scenario.name}.fpm")
    time = [scenario.searches[0].at]
    with Engine.create(folder, clock=lambda: time[0], routes=_routes(scenario)) as engine:
        for info in scenario.policy.partitions:
            engine.add_partition(info.name, info.ndr, info.owner, expected_fingers=1000)
        labels = sorted(
            {r.person for r in scenario.records} | {s.person for s in scenario.searches}
        )
        stage = _Stage(engine, time, {label: _finger(i) for i, label in enumerate(labels)})
        for record in scenario.records:
            engine.enrol(
                record.partition,
                [
                    Record(
                        record.record,
                        [stage.people[record.person][0]],
                        contributor=record.contributor,
                        protected=record.protected,
                        banned_uses=record.banned_uses,
                    )
                ],
            )
        engine.publish(scenario.policy)
        played, wrong = [], []
        for search in scenario.searches:
            one = _search(stage, search)
            played.append(one)
            wrong += list(_mismatches(search, one))
        report = engine.audit.verify()
    return ScenarioReport(
        scenario.name,
        scenario.title,
        scenario.about,
        tuple(played),
        report.records,
        report.ok,
        tuple(wrong),
    )


def play_file(path: str | Path) -> ScenarioReport:
    """Read and run a scenario file."""
    return play(stories.load(path))


def find(name: str, folder: str | Path) -> Path:
    """The file of a scenario: by path, or by name in a folder."""
    direct = Path(name)
    return direct if direct.suffix == ".toml" else Path(folder) / f"{name}.toml"


def _routes(scenario: Scenario) -> dict[str, dict[str, str]]:
    return {
        info.name: {
            j.id: f"{info.owner} office {j.id}" for j in scenario.policy.declared.jurisdictions
        }
        for info in scenario.policy.partitions
    }


def _finger(number: int) -> tuple[Template, Template]:
    """An enrolled and a searched touch of one synthetic finger, both clear."""
    position = FingerPosition.RIGHT_INDEX
    for start in range(100 * number, 100 * number + 100):
        kept = next(templates(1, SEED, start=start, position=position, batch=1))
        for touch in range(1, 6):
            again = next(
                templates(1, SEED, start=start, impression=touch, position=position, batch=1)
            )
            if compare(again, kept).value >= CLEAR:
                return kept, again
    raise InputError(f"no clear pair among the synthetic fingers of person {number}")


def _search(stage: _Stage, search: ScenarioSearch) -> Played:
    facts = search.facts
    stage.time[0] = search.at
    before = {m.id for m in stage.engine.notifications()}
    if search.resumes:
        response = stage.engine.report_event(
            stage.tokens[search.resumes],
            EVENTS.get(facts.disposition or "", "OTHER"),
            disposition=facts.disposition,
            everywhere=True,
        )
    else:
        response = stage.engine.search(
            SearchRequest.of(
                facts,
                [stage.people[search.person][1]],
                tcn=f"TCN-{search.label}"[:40],
                threshold=50.0,
            )
        )
    for section in response:
        if section.token:
            stage.tokens[search.label] = section.token
    told = {
        m.partition: (m.office, tuple(c["record"] for c in json.loads(_open(stage, m.id, m.owner))))
        for m in stage.engine.notifications()
        if m.id not in before
    }
    seen = tuple(_seen(stage, response, e, told) for e in search.expect)
    return Played(search.label, facts.chain[0], search.at.isoformat(), seen)


def _open(stage: _Stage, message: str, owner: str) -> bytes:
    return stage.engine.envelope(message, owner)


def _seen(
    stage: _Stage,
    response: SearchResponse,
    want: Expectation,
    told: Mapping[str, tuple[str, tuple[str, ...]]],
) -> Seen:
    section = response[want.partition]
    office, records = told.get(want.partition, ("", ()))
    log = stage.engine.audit
    outcome = next(r for r in log.records(kind="OUTCOME", tcn=response.tcn))
    intent = next(r for r in log.records(kind="INTENT", tcn=response.tcn))
    said = outcome.partitions[want.partition]
    return Seen(
        want.partition,
        section.outcome.value,
        section.reason.value,
        tuple(c.record for c in section.candidates or ()),
        records,
        office,
        int(said.get("stage2", 0)),
        _proved(stage, response.tcn, want.partition, section.outcome),
        bool(intent.partitions[want.partition].get("consent_overridden")),
    )


def _proved(stage: _Stage, tcn: str, partition: str, outcome: Outcome) -> str:
    log = stage.engine.audit
    if outcome is Outcome.SEARCHED_DISCLOSED:
        return "searched"
    withheld = outcome is Outcome.SEARCHED_WITHHELD
    prove = log.prove_withheld if withheld else log.prove_not_searched
    report = verify_proof(prove(tcn, partition))
    claim = "withheld" if withheld else "not searched"
    return claim if report.ok else f"nothing: {report}"


def _mismatches(search: ScenarioSearch, played: Played) -> Iterator[str]:
    for seen in played.partitions:
        want = search[seen.partition]
        checks = (
            ("outcome", seen.outcome, want.outcome.value),
            ("reason", seen.reason, want.reason.value),
            ("records", seen.records, want.records),
            ("notified", seen.notified, want.notified),
            ("consent_overridden", seen.consent_overridden, want.consent_overridden),
        )
        for name, got, expected in checks:
            if got != expected:
                yield f"{search.label}, {seen.partition}: {name} {got}, not {expected}"
