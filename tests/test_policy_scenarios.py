"""The fourteen stories of the domain, decided by the policy alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpmatch.errors import PolicyFileError
from fpmatch.policy.policy import Policy
from fpmatch.scenario import format as scenario

FOLDER = Path(__file__).resolve().parent.parent / "data" / "synthetic" / "scenarios"
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


def test_all_are_there() -> None:
    assert tuple(s.name for s in scenario.load_all(FOLDER)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_scenario(name: str) -> None:
    story = scenario.load(FOLDER / f"{name}.toml")
    assert list(scenario.mismatches(story)) == []
    assert story.searches
    assert story.seed
    people = {r.person for r in story.records}
    records = {r.record: r for r in story.records}
    for search in story.searches:
        assert {e.partition for e in search.expect} == {p.name for p in story.policy.partitions}
        for want in search.expect:
            for name_ in (*want.records, *want.notified):
                assert records[name_].partition == want.partition
                assert records[name_].person == search.person
    assert people


@pytest.mark.parametrize("name", NAMES)
def test_policies_of_scenarios_are_sound(name: str) -> None:
    story = scenario.load(FOLDER / f"{name}.toml")
    assert Policy.parse(story.policy.to_toml()) == story.policy
    errors = [f for f in story.policy.lint() if f.level == "error"]
    assert {f.code for f in errors} <= ({"conflict"} if name == "owner_ban" else set())


def test_a_wrong_expectation_is_found(tmp_path: Path) -> None:
    text = (FOLDER / "single_jail_off.toml").read_text(encoding="utf-8")
    for old, new, words in (
        ('"ORI_DEACTIVATED"', '"NOT_ACTIVATED"', "reason ORI_DEACTIVATED, not NOT_ACTIVATED"),
        ('outcome = "NOT_SEARCHED"', 'outcome = "SEARCHED_WITHHELD"', "outcome NOT_SEARCHED"),
        ('"ORI_DEACTIVATED"', '"ORI_DEACTIVATED", records = ["I-1"]', "candidates without"),
        ('"ORI_DEACTIVATED"', '"ORI_DEACTIVATED", notified = ["I-1"]', "notified without"),
        ('"ORI_DEACTIVATED"', '"ORI_DEACTIVATED", consent_overridden = true', "consent_overridden"),
        ('"GRANTED"', '"GRANTED", acknowledged = true', "acknowledged False"),
        ('rules = ["act', 'rules = ["x-act', "rules"),
    ):
        path = tmp_path / "s.toml"
        path.write_text(text.replace(old, new), encoding="utf-8")
        assert any(words in m for m in scenario.mismatches(scenario.load(path))), words


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('partition = "immigration"\nrecord', 'partition = "mars"\nrecord', "no [[partition]]"),
        ("immigration = {", "mars = {", "expect each partition once"),
        ('label = "South jail after"', 'label = "North jail after"', "there twice"),
        ('label = "South jail after"', 'label = "x"\nresumes = "y"', "no earlier search"),
        ('outcome = "NOT_SEARCHED"', 'outcome = "SEARCHED"', "SEARCHED_DISCLOSED"),
        ("[scenario]", "[scenario]\nfoo = 1", "unknown key"),
    ],
)
def test_scenario_files_are_checked(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = (FOLDER / "single_jail_off.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "s.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(PolicyFileError, match=r"s\.toml:\d+: ") as caught:
        scenario.load(path)
    assert words in str(caught.value)


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError):
        scenario.load(tmp_path / "none.toml")
