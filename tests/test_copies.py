"""Copies of answers: kept in the ledger, handed out once, showing what may be seen by then."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from engine_helpers import (
    HELD,
    KEEPS,
    NOW,
    OFF,
    ON,
    POLICY,
    Clock,
    engine,
    folder,
    print_of,
    record,
    request,
)
from processes import killed_in

from fpmatch.errors import InputError, RefusedError
from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points
from fpmatch.types import Outcome, Reason

ORDER = {"order": "o", "authority": "CA"}


class Xor:
    """Stands for a real cipher in tests."""

    def seal(self, owner, content):
        return bytes(b ^ 90 for b in content)

    open = seal


def listed(section) -> list[str]:
    return [c.record for c in section.candidates or ()]


def crowd(n: int = 4, **more):
    return [record(f"I-{i}", 1, touch=i, **more) for i in range(1, n + 1)]


@pytest.mark.parametrize("vault", [None, Xor()])
def test_a_copy_is_fetched_from_another_opening_and_is_the_same(vault):
    with engine({"immigration": crowd()}, vault=vault) as e:
        answer = e.search(request(ON, copies_to=[KEEPS, OFF], tcn="c"))
        place = e._state.folder
        e.close()
        stored = (place / "ledger.sqlite").read_bytes()
        assert (b"I-1" in stored) == (vault is None)
        with Engine.open(place, "r", clock=Clock(), vault=vault, durability="off") as other:
            copy = other.copy("c", KEEPS)
            assert copy.to_bytes() == answer.to_bytes()
            assert copy.audit_seq == answer.audit_seq
            with pytest.raises(RefusedError):
                other.copy("c", KEEPS)
            assert other.copy("c", OFF)["immigration"].reason is Reason.NOT_DISCLOSED


def test_a_copy_that_a_vault_sealed_is_kept_for_who_has_the_vault():
    with engine(vault=Xor()) as e:
        e.search(request(ON, copies_to=[KEEPS], tcn="c"))
        place = e._state.folder
        e.close()
        blind = Engine.open(place, "rw", clock=Clock(), durability="off")
        with blind, pytest.raises(InputError, match="vault"):
            blind.copy("c", KEEPS)
        with Engine.open(place, "rw", clock=Clock(), vault=Xor(), durability="off") as other:
            assert listed(other.copy("c", KEEPS)["criminal"])


def test_l12_a_copy_does_not_outlive_an_opt_out_of_either_party():
    for who in (ON, KEEPS):
        with engine() as e:
            e.search(request(ON, copies_to=[KEEPS], tcn="c"))
            e.publish(e.policy.deactivate(who, "immigration", authority="DHS", reason="r", at=NOW))
            copy = e.copy("c", KEEPS)
            assert copy["immigration"].outcome is Outcome.REFUSED
            assert copy["immigration"].candidates is None
            assert listed(copy["criminal"])


def test_l12_a_copy_never_gains_by_a_later_policy():
    with engine() as e:
        e.search(request(ON, copies_to=[OFF], tcn="c"))
        e.search(request(HELD, copies_to=[KEEPS], tcn="d"))
        everything = POLICY
        for mode in ("ori_deactivated", "results_withheld"):
            everything = everything.replace(mode, "interoperable")
        e.publish(Policy.parse(everything))
        assert e.copy("c", OFF)["immigration"].candidates is None
        assert e.copy("d", KEEPS)["immigration"].candidates is None


@pytest.mark.parametrize("what", ["seal", "expunge", "protect", "ban"])
def test_l12_a_copy_leaves_out_what_may_not_be_seen_any_more(what):
    with engine({"immigration": crowd()}) as e:
        e.search(request(ON, copies_to=[KEEPS], tcn="c"))
        if what in ("seal", "expunge"):
            getattr(e, what)("I-2", partition="immigration", **ORDER)
        else:
            change = {"protected": True} if what == "protect" else {"banned_uses": {"CAR"}}
            e.update("immigration", "I-2", **change, **ORDER)
        found = e.copy("c", KEEPS)
        assert set(listed(found["immigration"])) == {"I-1", "I-3", "I-4"}


@pytest.mark.parametrize("vault", [None, Xor()])
def test_l17_no_waiting_copy_names_an_expunged_record(vault):
    with engine({"immigration": crowd(2)}, vault=vault) as e:
        e.search(request(ON, copies_to=[KEEPS, HELD], tcn="c"))
        e.expunge("I-2", partition="immigration", **ORDER)
        e.enrol("immigration", [record("I-2", 40)])
        bodies = [c.body for c in e._state.ledger.copies.every()]
        if vault is not None:
            bodies = [vault.open("", b) for b in bodies]
        assert len(bodies) == 2
        assert not any(b"I-2" in b for b in bodies)
        assert listed(e.copy("c", KEEPS)["immigration"]) == ["I-1"], "not the new one of that name"


def test_l17_a_copy_that_cannot_be_read_goes_with_the_record():
    with engine({"immigration": crowd(2)}, vault=Xor()) as e:
        e.search(request(ON, copies_to=[KEEPS], tcn="c"))
        place = e._state.folder
        e.close()
        with Engine.open(place, "rw", clock=Clock(), durability="off") as other:
            other.expunge("I-2", partition="immigration", **ORDER)
            assert other._state.ledger.copies.every() == []


def test_l1_what_the_recipient_may_not_see_crowds_nobody_out_of_its_copy():
    people = [record("I-1", 1, touch=1, protected=True), record("I-2", 1, touch=2, protected=True)]
    people.append(record("I-3", 1, touch=3))
    with engine({"immigration": people}) as e:
        asked = request(ON, role="advocate", copies_to=[KEEPS], tcn="c", max_candidates=2)
        answer = e.search(dataclasses.replace(asked, fingers=(print_of(1, 1),)))
        assert "I-1" in listed(answer["immigration"])
        assert listed(e.copy("c", KEEPS)["immigration"]) == ["I-3"]


def test_a_copy_waits_so_long_and_no_longer():
    clock = Clock()
    with engine(clock=clock) as e:
        e.search(request(ON, copies_to=[KEEPS], tcn="c"))
        clock.now += timedelta(days=31)
        with pytest.raises(RefusedError):
            e.copy("c", KEEPS)
        e.search(request(ON, copies_to=[KEEPS], tcn="d"))
        assert [c.tcn for c in e._state.ledger.copies.every()] == ["d"]


def test_a_search_that_failed_leaves_no_copy(monkeypatch):
    with engine() as e:
        monkeypatch.setattr(e.audit, "outcome", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            e.search(request(ON, copies_to=[KEEPS], tcn="c"))
        assert e._state.ledger.copies.every() == []


def test_a_copy_whose_handing_out_fails_waits_again(monkeypatch):
    with engine() as e:
        e.search(request(ON, copies_to=[KEEPS], tcn="c"))
        with monkeypatch.context() as m:
            m.setattr(e.audit, "event", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.copy("c", KEEPS)
        assert listed(e.copy("c", KEEPS)["criminal"])


def _killed(place: Path, step: str) -> None:
    def hook(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with Engine.open(place, "rw", clock=Clock()) as e:
        if not step.startswith("copy"):
            crash_points.hook = hook
        e.search(request(ON, copies_to=[KEEPS], tcn="c"))
        crash_points.hook = hook
        e.copy("c", KEEPS)


@pytest.mark.parametrize(
    ("step", "waits"),
    [("search.prepared", 0), ("search.outcome", 1), ("copy.claimed", 1), ("copy.logged", 0)],
)
def test_a_copy_exists_if_its_search_was_answered_and_is_handed_out_once(step, waits):
    assert step in (*crash_points.SEARCH, *crash_points.COPY)
    place = folder()
    try:
        with Engine.create(place, clock=Clock(), durability="off") as e:
            e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
            e.add_partition("immigration", 9, "DHS", expected_fingers=100)
            e.enrol("criminal", [record("C-1", 1)])
            e.publish(Policy.parse(POLICY))
        assert killed_in(_killed, place, step) == -signal.SIGKILL
        with Engine.open(place, "r", clock=Clock(), durability="off") as e:
            assert len(e._state.ledger.copies.every()) == waits
            released = list(e.audit.records(kind="RELEASE"))
            assert len(released) == (step == "copy.logged")
            if waits:
                assert listed(e.copy("c", KEEPS)["criminal"]) == ["C-1"]
            else:
                with pytest.raises(RefusedError):
                    e.copy("c", KEEPS)
    finally:
        shutil.rmtree(place, ignore_errors=True)
