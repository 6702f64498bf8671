"""A policy that is changed keeps the text that it was read from, comments and all."""

from __future__ import annotations

import difflib
import random
import re
from pathlib import Path

import policy_cases as cases
import pytest
from engine_helpers import engine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpmatch.errors import PolicyError
from fpmatch.policy import Policy, rewrite

TEXT = """# The county's policy, kept by the clerk.

transactions = ["CAR"]   # all else is refused

[[partition]]
name = "immigration"  # owned by DHS
ndr = 9
owner = "DHS"

[[agency]]
ori = "CA0380100"   # the jail

# The county switched both on.
[[activation]]
who = ["CA0380200", "CA0380100"]  # both
partition = "immigration"
author = "DHS"
from = 2010-01-01

# Out of order on purpose.
[[agency]]
ori = "CA0380200"
kind = "police"  # of the city

[[rule]]
id = "open"
effect = "permit"
who = "*"
partitions = "immigration"
author = "DHS"
when = { charge = [
    "felony",      # nothing less
] }
# The end.
"""
AT = "2011-05-01"
WHO = {"authority": "CA0380200", "reason": "vote", "at": AT}


def comments(text: str) -> list[str]:
    return re.findall(r"#.*", text)


def test_what_was_read_is_written_as_it_was() -> None:
    assert Policy.parse(TEXT).to_toml() == TEXT


def test_a_change_touches_nothing_else() -> None:
    changed = Policy.parse(TEXT).deactivate("CA0380200", "immigration", **WHO)
    found = list(difflib.ndiff(TEXT.splitlines(), changed.to_toml().splitlines()))
    assert not [line for line in found if line.startswith("- ")]
    added = [line[2:] for line in found if line.startswith("+ ")]
    assert added[0] == "version = 2"
    assert 'state = "deactivated"' in added
    assert Policy.parse(changed.to_toml()) == changed


def test_of_a_table_for_several_only_the_one_is_taken_out() -> None:
    changed = Policy.parse(TEXT).deactivate(
        "CA0380100", "immigration", authority="DHS", reason="removed", at=AT
    )
    text = changed.to_toml()
    assert comments(text) == comments(TEXT)
    assert 'who = ["CA0380200"]  # both' in text
    assert "to = 2011-05-01" in text
    assert Policy.parse(text) == changed


def test_a_setting_that_is_closed_keeps_its_comment_and_gains_an_end() -> None:
    first = Policy.parse(TEXT).deactivate("CA0380200", "immigration", **WHO)
    mine = first.to_toml().replace('reason = "vote"', 'reason = "vote"  # of 1 May')
    second = Policy.parse(mine).activate("CA0380200", "immigration", **{**WHO, "at": "2012-05-01"})
    text = second.to_toml()
    assert re.search(r'reason = "vote"  # of 1 May\nto = 2012-05-01', text)
    assert Policy.parse(text) == second


def test_one_that_has_not_begun_goes_with_its_own_comment() -> None:
    later = Policy.parse(TEXT).deactivate("CA0380200", "immigration", **{**WHO, "at": "2013-01-01"})
    mine = later.to_toml().replace("\n[[activation]]\nwho = \"CA0380200\"",
                                   "\n# A plan.\n[[activation]]\nwho = \"CA0380200\"")  # fmt: skip
    assert "# A plan." in mine
    text = Policy.parse(mine).activate("CA0380200", "immigration", **WHO).to_toml()
    assert "# A plan." not in text
    assert comments(text) == comments(TEXT)


def test_agencies_of_a_registry_file_come_into_the_text(tmp_path: Path) -> None:
    text = 'registry = "more.csv"  # the others\n' + TEXT
    (tmp_path / "p.toml").write_text(text)
    (tmp_path / "more.csv").write_text("ori,name,kind,parent\nCA0380300,Third,police,\n")
    policy = Policy.load(tmp_path / "p.toml")
    alone = policy.to_toml()
    assert Policy.parse(alone) == policy
    assert set(comments(TEXT)) <= set(comments(alone))
    changed = policy.deactivate("CA0380300", "immigration", authority="DHS", reason="x", at=AT)
    assert Policy.parse(changed.to_toml()) == changed


def test_a_text_that_cannot_be_followed_is_written_anew(monkeypatch) -> None:
    """A table that only looks like one, inside of a text: what comes out is still right."""
    odd = TEXT.replace('kind = "police"  # of the city', "name = '''\n[[activation]]\nx = 1\n'''")
    changed = Policy.parse(odd).deactivate(
        "CA0380100", "immigration", authority="DHS", reason="removed", at=AT
    )
    assert Policy.parse(changed.to_toml()) == changed
    monkeypatch.setattr(rewrite, "LONGEST", 100)
    short = Policy.parse(TEXT)
    assert not comments(short.to_toml())
    assert Policy.parse(short.to_toml()) == short


def test_a_published_policy_keeps_its_comments() -> None:
    from engine_helpers import POLICY

    with engine(text="# Of the county.\n" + POLICY) as e:
        assert e.policy is not None
        assert e.policy.to_toml().startswith("# Of the county.\n")
        changed = e.policy.deactivate("CA0380100", "immigration", authority="DHS", reason="x",
                                      at=AT)  # fmt: skip
        e.publish(changed)
        assert "# Of the county." in e.policy.to_toml()


def commented(text: str, rng: random.Random) -> str:
    """The text with a comment above some tables and behind some keys, each with its number."""
    out = []
    for number, line in enumerate(text.splitlines()):
        if line.startswith("[[") and rng.random() < 0.5:
            out.append(f"# above {number}")
        told = " = " in line and "{" not in line and rng.random() < 0.3
        out.append(f"{line}  # behind {number}" if told else line)
    return "\n".join(out) + "\n"


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_changes_of_generated_policies_read_back_and_keep_comments(seed: int) -> None:
    rng = random.Random(seed)
    text = commented(cases.policy(rng).to_toml(), rng)
    policy = Policy.parse(text, lenient=True)
    assert policy.to_toml() == text
    for step in range(4):
        ori = rng.choice((*cases.AGENCIES, "S1", "S1-C1"))
        partition = rng.choice(("immigration", "criminal", "risc"))
        who = {"authority": rng.choice(cases.AUTHORS), "reason": "r", "at": cases.day(rng)}
        change = rng.choice((policy.deactivate, policy.activate, policy.remove))
        try:
            policy = (
                policy.request_optout(f"o{step}", ori, partition, at=who["at"])
                if rng.random() < 0.3
                else change(ori, partition, **who)
            )
        except PolicyError:
            continue
        now = policy.to_toml()
        assert Policy.parse(now, lenient=True) == policy
        gone = [c for c in comments(text) if c not in comments(now)]
        # Only a setting of the author's own that had not begun is taken out, or part of one.
        _, tables = rewrite._cut(text)
        for one in gone:
            (table,) = [t for t in tables if re.search(rf"{one}$", t.text, re.MULTILINE)]
            assert table.kind in ("activation", "mode"), (one, table.text)


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_a_head_without_keys_is_cut(text) -> None:
    assert rewrite._cut(text) == (text, [])
