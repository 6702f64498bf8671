"""Scenarios: a policy, invented records, searches, and what must come of each of them.

A scenario file is a policy file with three more tables, ``[scenario]``, ``[[record]]`` and
``[[search]]``; ``docs/policy.md`` describes them. Records name invented persons by label: whoever
runs a scenario makes one synthetic finger per label.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from fpmatch.errors import PolicyFileError
from fpmatch.policy import document as doc
from fpmatch.policy.policy import Policy
from fpmatch.policy.read import Source, invalid, loads
from fpmatch.types import Decision, Facts, Ori, Outcome, PartitionDecision, Reason
from fpmatch.types.search import STATED

TABLES = ("scenario", "record", "search")


@dataclass(frozen=True, slots=True)
class ScenarioRecord:
    """An invented enrolment; ``person`` is the label of a synthetic finger."""

    partition: str
    record: str
    person: str
    contributor: str = ""
    protected: bool = False
    banned_uses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must come of one search in one partition.

    Parameters
    ----------
    records : tuple of str
        Records that the submitter must see, best first; empty unless disclosed.
    notified : tuple of str
        Records of which the partition's owner must be told.
    acknowledged : bool or None
        None where the scenario does not care.
    """

    partition: str
    outcome: Outcome
    reason: Reason
    records: tuple[str, ...] = ()
    notified: tuple[str, ...] = ()
    consent_overridden: bool = False
    acknowledged: bool | None = None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScenarioSearch:
    """One submission and its expected result in every partition.

    ``resumes`` is the label of an earlier, deferred search that this one takes up again once
    the case is decided.
    """

    label: str
    person: str
    facts: Facts
    at: datetime
    expect: tuple[Expectation, ...]
    resumes: str = ""

    def __getitem__(self, partition: str) -> Expectation:
        return next(e for e in self.expect if e.partition == partition)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story from the domain, ready to be run."""

    name: str
    title: str
    about: str
    seed: str
    policy: Policy
    records: tuple[ScenarioRecord, ...]
    searches: tuple[ScenarioSearch, ...]


class _HeadTable(doc._Table):
    title: str
    about: str
    seed: str = ""


class _RecordTable(doc._Table):
    partition: doc.Name
    record: doc.Name
    person: doc.Name
    contributor: str = ""
    protected: bool = False
    banned_uses: doc.Words = ()


class _ExpectTable(doc._Table):
    outcome: Outcome
    reason: Reason
    records: doc.Words = ()
    notified: doc.Words = ()
    consent_overridden: bool = False
    acknowledged: bool | None = None
    rules: doc.Words = ()


class _SearchTable(doc._Table):
    label: doc.Name
    person: doc.Name
    ori: doc.OriText
    chain: doc.Words = ()
    at: doc.Instant
    transaction: str = "CAR"
    purpose: str = "C"
    role: str = ""
    charge: str | None = None
    disposition: str | None = None
    protected: bool | str = False
    attributes: dict[str, str] = Field(default_factory=dict)
    partitions: doc.Words | None = None
    resumes: str = ""
    expect: dict[str, _ExpectTable]


class _ScenarioDocument(doc._Table):
    scenario: _HeadTable
    record: tuple[_RecordTable, ...] = ()
    search: tuple[_SearchTable, ...]


def load(path: str | os.PathLike[str]) -> Scenario:
    """Read one scenario. Raises PolicyFileError, naming file, line and fix."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyFileError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    policy = Policy._read(text, path.name, path.parent, False, None, TABLES)
    source = Source(text, path.name)
    raw = loads(text, path.name)
    try:
        parsed = _ScenarioDocument.model_validate({k: raw[k] for k in TABLES if k in raw})
    except ValidationError as error:
        raise invalid(source, error) from None
    names = {p.name for p in policy.partitions}
    records = tuple(_record(source, i, t, names) for i, t in enumerate(parsed.record))
    searches: list[ScenarioSearch] = []
    for i, table in enumerate(parsed.search):
        searches.append(_search(source, i, table, names, {s.label for s in searches}))
    head = parsed.scenario
    return Scenario(path.stem, head.title, head.about, head.seed, policy, records, tuple(searches))


def load_all(folder: str | os.PathLike[str]) -> tuple[Scenario, ...]:
    """Every scenario of a folder, by name."""
    return tuple(load(p) for p in sorted(Path(folder).glob("*.toml")))


def _record(source: Source, i: int, table: _RecordTable, names: set[str]) -> ScenarioRecord:
    if table.partition not in names:
        raise source.error(("record", i, "partition"), f"no [[partition]] {table.partition!r}")
    return ScenarioRecord(
        table.partition,
        table.record,
        table.person,
        table.contributor,
        table.protected,
        frozenset(table.banned_uses),
    )


def _search(
    source: Source, i: int, table: _SearchTable, names: set[str], labels: set[str]
) -> ScenarioSearch:
    at = ("search", i)
    if table.label in labels:
        raise source.error((*at, "label"), f"{table.label!r} is there twice; rename one")
    if table.resumes and table.resumes not in labels:
        raise source.error((*at, "resumes"), f"no earlier search is called {table.resumes!r}")
    if set(table.expect) != names:
        wrong = ", ".join(sorted(set(table.expect) ^ names))
        raise source.error((*at, "expect"), f"expect each partition once; check {wrong}")
    flag = table.protected if isinstance(table.protected, bool) else None
    said = {name: getattr(table, name) for name in STATED}
    facts = Facts(
        chain=tuple(Ori(o) for o in (table.ori, *table.chain)),
        requested=table.partitions,
        **{**said, "protected": flag, "attributes": dict(table.attributes)},
    )
    expect = tuple(
        Expectation(
            name,
            e.outcome,
            e.reason,
            e.records,
            e.notified,
            e.consent_overridden,
            e.acknowledged,
            e.rules,
        )
        for name, e in table.expect.items()
    )
    return ScenarioSearch(table.label, table.person, facts, table.at, expect, table.resumes)


def outcome_of(decision: Decision, entry: PartitionDecision, *, resumed: bool = False) -> Outcome:
    """The outcome that a decision leads to when nothing fails.

    Parameters
    ----------
    decision : Decision
        Over all partitions.
    entry : PartitionDecision
        One of them.
    resumed : bool
        Whether the search waited and goes on now.
    """
    if decision.refused:
        return Outcome.REFUSED
    if entry.probe:
        return Outcome.SEARCHED_DISCLOSED if entry.view else Outcome.SEARCHED_WITHHELD
    if entry.deferred:
        return Outcome.DEFERRED
    return Outcome.DEFERRED_CANCELLED if resumed else Outcome.NOT_SEARCHED


def mismatches(scenario: Scenario) -> Iterator[str]:
    """Where the policy alone decides otherwise than the scenario expects; nothing is compared.

    Candidates and notifications are checked as far as the policy settles them: none where the
    permission is missing, and some record of that partition where the scenario lists one.
    """
    deferred: dict[str, set[str]] = {}
    for search in scenario.searches:
        decision = scenario.policy.decide(search.facts, search.at)
        waiting = deferred.get(search.resumes, set())
        deferred[search.label] = {p.partition for p in decision.partitions if p.deferred}
        for want in search.expect:
            entry = decision[want.partition]
            got = outcome_of(decision, entry, resumed=want.partition in waiting)
            checks: list[tuple[str, Any, Any]] = [
                ("outcome", got, want.outcome),
                ("reason", entry.reason, want.reason),
                ("consent_overridden", entry.consent_overridden, want.consent_overridden),
            ]
            if want.acknowledged is not None:
                checks.append(("acknowledged", entry.acknowledged, want.acknowledged))
            if want.rules:
                checks.append(("rules", entry.rules, want.rules))
            for name, value, expected in checks:
                if value != expected:
                    yield f"{search.label}, {want.partition}: {name} {value}, not {expected}"
            if want.records and not entry.view:
                yield f"{search.label}, {want.partition}: candidates without permission to view"
            if want.notified and not entry.notify:
                yield f"{search.label}, {want.partition}: notified without permission to notify"
