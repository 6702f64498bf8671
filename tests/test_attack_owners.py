"""A policy that was written for another owner, number or name grants nothing."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from engine_helpers import ON, POLICY, Clock, folder, record, request

from fpmatch.errors import InputError
from fpmatch.gallery.gallery import FILE
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.types import Outcome, Reason

FALSE = {
    "owner": ('owner = "DHS"', 'owner = "NOBODY"'),
    "owner's case": ('owner = "DHS"', 'owner = "dhs"'),
    "owner with a space": ('owner = "DHS"', 'owner = "DHS "'),
    "owner that looks the same": ('owner = "DHS"', 'owner = "D\u041dS"'),
    "number": ("ndr = 9", "ndr = 8"),
    "number of another": ('name = "immigration"\nndr = 9', 'name = "elsewhere"\nndr = 9'),
}


@pytest.fixture
def place():
    path = folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


def written(change: str) -> Policy:
    old, new = FALSE[change]
    text = POLICY.replace(old, new)
    if change.startswith("owner"):
        text = text.replace('author = "DHS"', f"author = {new.removeprefix('owner = ')}")
    if "elsewhere" in new:
        text = text.replace('partition = "immigration"', 'partition = "elsewhere"')
    return Policy.parse(text)


def partitions(e: Engine) -> None:
    e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
    e.add_partition("immigration", 9, "DHS", expected_fingers=100)


def opened(place: Path, mode: str = "rw") -> Engine:
    return Engine.open(place, mode, clock=Clock(), durability="off")


@pytest.mark.parametrize("change", FALSE)
def test_at_publishing(place, change):
    with Engine.create(place, clock=Clock(), durability="off") as e:
        partitions(e)
        with pytest.raises(InputError, match="one is wrong"):
            e.publish(written(change))
        assert e.policy is None


@pytest.mark.parametrize("change", FALSE)
def test_at_creation(place, change):
    with Engine.create(place, clock=Clock(), durability="off") as e:
        e.publish(written(change))
        with pytest.raises(InputError, match="one is wrong"):
            partitions(e)
        assert {p.name for p in e.partitions} <= {"criminal"}


@pytest.mark.parametrize("change", FALSE)
@pytest.mark.parametrize("mode", ["r", "rw"])
def test_at_opening_and_at_each_decision(place, change, mode, caplog):
    """As stored by a release that did not look, or by another hand."""
    with Engine.create(place, clock=Clock(), durability="off") as e:
        partitions(e)
        e.enrol("immigration", [record("I-1", 1)])
        e.enrol("criminal", [record("C-1", 1)])
        e.publish(Policy.parse(POLICY))
        assert e.search(request())["immigration"].candidates
    false = written(change).with_version(1)
    with sqlite3.connect(place / FILE) as database:
        database.execute(
            "UPDATE policy SET document = ?, digest = ?", (false.to_toml(), false.digest)
        )
    database.close()
    with opened(place, mode) as e:
        assert "nothing of such partitions is searched" in caplog.text
        answer = e.search(request())
        assert answer["criminal"].candidates
        for section in answer:
            if section.partition != "criminal":
                assert section.outcome is Outcome.NOT_SEARCHED
                assert section.candidates is None
        denied = {s.reason for s in answer if s.partition != "criminal"}
        assert denied <= {Reason.PARTITION_MISMATCH, Reason.NO_GRANT}
        said = next(iter(e.audit.records(kind="OUTCOME", tcn=answer.tcn))).partitions
        assert said["immigration"]["stage1"] == 0
        for section in answer:
            if section.partition in {p.name for p in e.policy.partitions}:
                why = e.explain(ori=ON, partition=section.partition)
                assert why.reason == section.reason
                assert why.decision.probe == (section.candidates is not None)
                assert ("It is searched" in why.text) == why.decision.probe


@pytest.mark.parametrize("change", ["owner", "number"])
def test_a_policy_that_is_swapped_between_decisions_denies(place, change):
    with Engine.create(place, clock=Clock(), durability="off") as e:
        partitions(e)
        e.enrol("immigration", [record("I-1", 1)])
        e.publish(Policy.parse(POLICY))
        e._state.policy = written(change)
        answer = e.search(request())
        assert answer["immigration"].reason is Reason.PARTITION_MISMATCH
        assert e.search(request(partitions=[9]))["immigration"].candidates is None
