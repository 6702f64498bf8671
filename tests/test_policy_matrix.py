"""The matrix says what the decision says, in every form it is written in."""

from __future__ import annotations

import csv
import dataclasses
import io
import random

import policy_cases as cases
import pytest
from how_often import often
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpmatch.errors import InputError
from fpmatch.policy import Policy
from fpmatch.policy.matrix import COLUMNS, PERMISSION_NAMES
from fpmatch.policy.model import permission_names

CASES = settings(
    max_examples=often(400), deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@CASES
@given(st.integers(0, 2**40))
def test_each_entry_is_the_decision(seed: int) -> None:
    rng = random.Random(seed)
    policy, at = cases.policy(rng), cases.day(rng)
    role = rng.choice(["", *policy.declared.roles])
    found = policy.matrix(at, role)
    asked = [a.ori for a in policy.declared.agencies if not a.relay]
    assert [ori for ori, _ in found.agencies] == asked
    entries = {(e.ori, e.partition): e for e in found}
    assert len(entries) == len(found) == len(asked) * len(found.partitions)
    for ori in asked:
        facts = policy.facts(ori, role=role)
        for entry in policy.decide(facts, at).partitions:
            said = entries[ori, entry.partition]
            assert tuple(said.permissions.split()) == permission_names(entry.permissions.value)
        other = dataclasses.replace(
            cases.facts(rng), chain=facts.chain, role=role, protected=False, requested=None
        )
        if other.transaction not in policy.declared.transactions:
            continue
        for entry in policy.decide(other, at).partitions:
            said = entries[ori, entry.partition]
            if not said.depends:
                assert said.permissions.split() == list(permission_names(entry.permissions.value))


def _some() -> Policy:
    rng = random.Random(5)
    policy = cases.policy(rng)
    named = [dataclasses.replace(a, name='Town, "East"\n1') for a in policy.declared.agencies]
    return Policy(dataclasses.replace(policy.declared, agencies=tuple(named)))


def test_some_entries_depend_and_some_do_not() -> None:
    seen = set()
    for seed in range(40):
        rng = random.Random(seed)
        policy, at = cases.policy(rng), cases.day(rng)
        seen |= {(bool(e.permissions), e.depends) for e in policy.matrix(at)}
    assert seen == {(False, False), (False, True), (True, False), (True, True)}


def test_csv_and_arrow_hold_the_entries() -> None:
    pytest.importorskip("pyarrow")
    found = _some().matrix("2011-06-01")
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    table = found.to_arrow()
    assert tuple(rows[0]) == COLUMNS == tuple(table.column_names)
    assert table.schema.metadata[b"policy_digest"].decode() == found.digest
    for entry, row, packed in zip(found, rows, table.to_pylist(), strict=True):
        flags = {n: n in entry.permissions.split() for n in PERMISSION_NAMES}
        flags["depends"] = entry.depends
        names = {"ori": entry.ori, "agency": entry.agency, "partition": entry.partition}
        assert packed == {**names, **flags}
        assert row == {**names, **{n: str(int(v)) for n, v in flags.items()}}


def test_a_part_of_it() -> None:
    found = _some().matrix("2011-06-01")
    ori, partition = found.agencies[-1][0], found.partitions[0]
    part = found.select(ori, partition)
    assert list(part) == [e for e in found if (e.ori, e.partition) == (ori, partition)]
    assert list(found.select()) == list(found)
    assert len(found.select(partition=partition)) == len(found.agencies)


def test_what_the_policy_does_not_know_is_refused() -> None:
    policy = _some()
    with pytest.raises(InputError, match="no role"):
        policy.matrix(role="astrologer")
    with pytest.raises(InputError, match="no agency"):
        policy.matrix().select(ori="XX0000000" + "9" * 500)
    with pytest.raises(InputError, match="no partition"):
        policy.matrix().select(partition="nowhere")
    with pytest.raises(InputError, match="ISO date"):
        policy.matrix(at="yesterday")
