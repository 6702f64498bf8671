"""The fourteen stories of access control, played on an engine under test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fpmatch.checks import path_of, quoted
from fpmatch.errors import InputError
from fpmatch.reference.engine import Compare
from fpmatch.scenario.format import Scenario, ScenarioSearch, load
from fpmatch.scenario.pack import scenario_folder
from fpmatch.testing.adapter import Make, TakesEvents
from fpmatch.testing.bench import Bench, Opened, bench
from fpmatch.testing.prints import print_of, score
from fpmatch.types import PartitionResult, Record, SearchRequest, SearchResponse

if TYPE_CHECKING:
    from fpmatch.template import Template

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

NAMES = (
    "ammiano_m6_post_conviction",
    "arlington_m4",
    "california_results_withheld",
    "cook_county_optout",
    "dc_block",
    "moa_terminated",
    "new_york_ask_each",
    "ngi_2013_cutover",
    "owner_ban",
    "ring",
    "san_francisco_m5",
    "single_jail_off",
    "unknowing_submission",
    "victim_protected",
)
"""Known without looking for the files, so that tests can be collected anywhere."""
EVENTS = {"convicted": "CONVICTION", "acquitted": "ACQUITTAL", "dismissed": "DISMISSAL"}
CLEAR = 50.0
"""Score from which a candidate is taken for the person; the two touches used score more."""


def scenario(name: str | os.PathLike[str]) -> Scenario:
    """A scenario by its name in the pack, or from a file of yours.

    Raises
    ------
    InputError
        If there is none of that name.
    PolicyFileError
        If a file cannot be read, or is no scenario.
    """
    if isinstance(name, str) and name in NAMES:
        return load(scenario_folder() / f"{name}.toml")
    path = path_of(name)
    if path.suffix != ".toml":
        raise InputError(f"no scenario is called {quoted(str(name))}; there are {', '.join(NAMES)}")
    return load(path)


def scenarios() -> tuple[Scenario, ...]:
    """All fourteen."""
    return tuple(scenario(name) for name in NAMES)


def assert_scenario(
    make: Make,
    story: Scenario | str | Path,
    *,
    compare: Compare = score,
    threshold: float = CLEAR,
) -> list[str]:
    """Play a scenario on a new engine; every submission must come out as the story says.

    Outcome and reason are looked at in every partition, and which records the submitter sees. What
    owners are told and what a log proves is not: no adapter shows it.

    Parameters
    ----------
    make : callable
        ``make(setup)`` makes a new engine.
    story : Scenario or str or Path
        A scenario, its name, or its file.
    compare : callable
        The matcher that the engine is given.
    threshold : float
        Lowest score that the submissions ask for; for a matcher of yours, what separates mates.

    Returns
    -------
    list of str
        Labels of submissions that take up a deferred one, where the engine cannot do that: they
        were not played.

    Raises
    ------
    AssertionError
        If something came out otherwise.
    InputError
        If there is no such scenario, or what ``make`` makes is no engine.
    """
    told = story if isinstance(story, Scenario) else scenario(story)
    with bench(make, compare) as made:
        wrong, left_out = _play(made, told, threshold)
    if wrong:
        lines = "\n".join(f"  {line}" for line in wrong)
        raise AssertionError(f"{told.title} ({told.name}) does not go as it is told:\n{lines}")
    return left_out


def _play(made: Bench, told: Scenario, threshold: float) -> tuple[list[str], list[str]]:
    opened = made.empty()
    opened.clock.now = told.searches[0].at
    for info in told.policy.partitions:
        opened.engine.add_partition(info.name, info.ndr, info.owner)
    for one in told.records:
        kept = Record(
            one.record,
            [_finger(one.person)],
            contributor=one.contributor,
            protected=one.protected,
            banned_uses=one.banned_uses,
        )
        opened.enrol(one.partition, [kept])
    opened.publish(told.policy)
    wrong: list[str] = []
    left_out: list[str] = []
    tokens: dict[str, str] = {}
    for search in told.searches:
        opened.clock.now = search.at
        if search.resumes and not isinstance(opened.engine, TakesEvents):
            left_out.append(search.label)
            continue
        answer = _ask(opened, search, tokens.get(search.resumes, ""), threshold)
        tokens[search.label] = next((s.token for s in answer if s.token), "")
        wrong += _mismatches(search, answer)
    return wrong, left_out


def _finger(person: str, touch: int = 0) -> Template:
    return print_of(f"person {person}", touch)


def _ask(opened: Opened, search: ScenarioSearch, token: str, threshold: float) -> SearchResponse:
    facts = search.facts
    if search.resumes and isinstance(opened.engine, TakesEvents):
        return opened.engine.report_event(
            token,
            EVENTS.get(facts.disposition or "", "OTHER"),
            disposition=facts.disposition,
            everywhere=True,
        )
    return opened.search(
        SearchRequest.of(
            facts,
            [_finger(search.person, 1)],
            tcn=f"TCN-{search.label}"[:40],
            threshold=threshold,
        )
    )


def _mismatches(search: ScenarioSearch, answer: SearchResponse) -> Iterator[str]:
    sections: dict[str, PartitionResult] = {s.partition: s for s in answer}
    for want in search.expect:
        where = f"{search.label}, {want.partition}"
        section = sections.get(want.partition)
        if section is None:
            yield f"{where}: the answer has no section"
            continue
        if section.outcome != want.outcome:
            yield f"{where}: outcome {section.outcome}, not {want.outcome}"
        if section.reason != want.reason:
            yield f"{where}: reason {section.reason}, not {want.reason}"
        seen = tuple(c.record for c in section.candidates or ())
        if seen != want.records:
            yield f"{where}: the submitter sees {_named(seen)}, not {_named(want.records)}"


def _named(records: tuple[str, ...]) -> str:
    return ", ".join(records) or "nobody"
