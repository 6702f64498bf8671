"""`Engine.update`: a record changed whole or not at all, what it replaces destroyed, all logged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from engine_helpers import ON, POLICY, Clock, engine, folder, print_of, record, request

from fpmatch.errors import ConflictError, InputError, RefusedError
from fpmatch.gallery.digest import Sum
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.types import RecordInfo, RecordsRequest

ORDER = {"order": "order 7", "authority": "a court"}
OWNER = RecordsRequest(owner="DOJ-FBI")


def info(e: Engine, name: str = "C-1") -> RecordInfo:
    return e.record("criminal", name, OWNER)


def found(e: Engine, person: int, **more) -> list[str]:
    asked = request(ON, person, threshold=30, **more)
    return [c.record for c in e.search(asked)["criminal"].candidates or ()]


def update(e: Engine, name: str = "C-1", **more):
    return e.update("criminal", name, **{**ORDER, **more})


def logged(e: Engine) -> list[dict]:
    return [dict(r.fields) for r in e.audit.records(kind="UPDATE")]


def test_facts_are_changed_and_the_rest_stays():
    with engine() as e:
        before = info(e)
        receipt = update(e, identity="P-9", contributor="CA0990000", protected=True)
        after = info(e)
        assert (after.identity, after.contributor, after.protected) == ("P-9", "CA0990000", True)
        assert (after.positions, after.events, after.banned_uses) == (
            before.positions,
            before.events,
            before.banned_uses,
        )
        assert receipt.changed == ("identity", "contributor", "protected")
        assert receipt.version == after.version != before.version
        assert found(e, 1) == []
        assert update(e, identity="", contributor="").changed == ("identity", "contributor")
        assert (info(e).identity, info(e).contributor) == ("C-1", "")


def test_fingers_are_replaced_and_searches_follow():
    with engine() as e:
        receipt = update(e, fingers=[print_of(40), print_of(41)])
        assert (receipt.added, len(receipt.removed), receipt.kept) == (2, 1, 0)
        assert (found(e, 1), found(e, 40), found(e, 41)) == ([], ["C-1"], ["C-1"])
        assert len(info(e).positions) == 2
        again = update(e, fingers=[print_of(40), print_of(41)])
        assert (again.changed, again.added, again.removed) == ((), 0, ())
        assert again.roots[0] == again.roots[1]


def test_an_event_is_named_where_there_are_several_and_the_others_keep_theirs():
    with engine({"criminal": [record("C-1", 1)]}) as e:
        e.enrol("criminal", [record("C-1", 1, event="later"), record("C-1", 2, event="later")])
        with pytest.raises(InputError, match="2 events"):
            update(e, fingers=[print_of(40)])
        with pytest.raises(InputError, match="no event"):
            update(e, fingers=[print_of(40)], event="none")
        receipt = update(e, fingers=[print_of(40)], event="later")
        assert (receipt.added, len(receipt.removed), receipt.kept) == (1, 1, 1)
        assert (found(e, 1), found(e, 2), found(e, 40)) == (["C-1"], [], ["C-1"])
        e.expunge("C-1", level="event", event="", **ORDER)
        assert (found(e, 1), found(e, 40)) == ([], ["C-1"])


def test_a_stale_version_changes_nothing():
    with engine() as e:
        seen = info(e).version
        e.seal("C-1", partition="criminal", **ORDER)
        with pytest.raises(ConflictError):
            update(e, version=seen, protected=True, fingers=[print_of(40)])
        now = info(e)
        assert not now.protected
        assert found(e, 40) == []
        assert logged(e) == []
        receipt = update(e, version=now.version, protected=True)
        with pytest.raises(ConflictError):
            update(e, version=now.version, protected=False)
        update(e, version=receipt.version, protected=False)
        # A refusal leaves the engine as it was: no partition is read anew.
        assert not e._state.behind


@pytest.mark.parametrize("act", ["event", "finger", "ban", "protect", "seal", "expunged"])
def test_every_change_gives_another_version(act):
    with engine({"criminal": [record("C-1", 1), record("C-1", 2, event="two")]}) as e:
        seen = info(e).version
        if act == "expunged":
            e.expunge("C-1", **ORDER)
            e.enrol("criminal", [record("C-1", 3)])
        elif act == "seal":
            e.seal("C-1", **ORDER)
        else:
            more = {
                "event": {"event": "three"},
                "finger": {"person": 9},
                "ban": {"banned_uses": frozenset({"CAR"})},
                "protect": {"protected": True},
            }[act]
            e.enrol("criminal", [record("C-1", **{"person": 1, **more})])
        assert info(e).version != seen
        with pytest.raises(ConflictError):
            update(e, version=seen, contributor="CA0990000")


def test_the_version_is_the_owners_alone():
    looks = POLICY.replace('"CNA"]', '"CNA", "RECORDS", "RECORD"]')
    with engine(text=looks) as e:
        assert e.record("criminal", "C-1", RecordsRequest(booking_ori=ON)).version == ""
        assert len(info(e).version) == 32


def test_protection_and_bans_are_lifted_by_order_alone_and_the_log_says_so():
    bans = frozenset({"CAR", "CNA"})
    with engine({"criminal": [record("C-1", 1, protected=True, banned_uses=bans)]}) as e:
        e.enrol("criminal", [record("C-1", 1)])
        assert (info(e).protected, info(e).banned_uses) == (True, bans)
        assert found(e, 1) == []
        receipt = update(e, protected=False, banned_uses={"CNA"})
        assert receipt.lifted == ("protected", "banned_uses")
        assert found(e, 1) == ["C-1"]
        assert found(e, 1, transaction="CNA") == []
        entry = logged(e)[-1]
        assert entry["lifted"] == ["protected", "banned_uses"]
        assert (entry["order"], entry["authority"]) == ("order 7", "a court")
        assert "C-1" not in str(entry)
        assert update(e, banned_uses=["CNA", "CAR"]).lifted == ()
        with pytest.raises(InputError, match="knows no"):
            update(e, banned_uses=["XYZ"])


def test_a_change_without_an_order_or_of_nothing_is_refused():
    with engine() as e:
        for wrong in ({"order": ""}, {"authority": ""}, {"protected": None}):
            with pytest.raises(InputError):
                update(e, **{"protected": True, **wrong})
        for wrong in (
            {"fingers": []},
            {"fingers": ["no"]},
            {"identity": "x" * 300},
            {"contributor": "no ORI"},
            {"protected": "yes"},
            {"banned_uses": ["car"]},
            {"event": "one", "protected": True},
            {"version": "", "protected": True},
        ):
            with pytest.raises(InputError):
                update(e, **wrong)
        with pytest.raises(InputError):
            e.update("none", "C-1", protected=True, **ORDER)
        with pytest.raises(RefusedError):
            update(e, "C-none", protected=True)
        assert [r.fields["what"] for r in e.audit.records(kind="AUTH_FAILED")] == ["update"]
        assert logged(e) == []


def test_the_root_is_that_of_a_gallery_that_was_always_so():
    with engine({"criminal": [record("C-1", 1), record("C-2", 2)]}) as e:
        update(e, fingers=[print_of(40)], identity="P", protected=True, banned_uses={"CAR"})
        root = e._state.gallery.root("criminal")
        items = e._state.gallery.database.execute("SELECT item FROM record").fetchall()
        total = Sum()
        for (item,) in items:
            total.add(bytes(item))
        assert root == total.root()
    bans = frozenset({"CAR"})
    changed = record("C-1", 40, identity="P", protected=True, banned_uses=bans)
    with engine({"criminal": [changed, record("C-2", 2)]}) as e:
        assert e._state.gallery.root("criminal") == root


@pytest.mark.parametrize("reader", [False, True])
def test_no_byte_of_what_was_replaced_is_left_in_any_file(reader):
    place = folder()
    shutil.rmtree(place)
    old = "Zacharias Quillfeather, born 1961"
    try:
        with Engine.create(place, clock=Clock(), durability="off") as e:
            e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
            e.publish(Policy.parse(POLICY))
            people = [record(f"C-{n}", n, identity=f"person {n} of many") for n in range(2, 40)]
            e.enrol("criminal", [record("C-1", 1, identity=old), *people])
            e._state.indexes["criminal"].flush()
            assert _with(place, old.encode())
            beside = Engine.open(place, clock=Clock(), durability="off") if reader else None
            for n in range(2, 40):
                update(e, f"C-{n}", identity=f"{n}" * (n % 7))
            update(e, fingers=[print_of(60)], identity="P", key="Quillfeather")
            assert _with(place, print_of(1).to_bytes()[12:80]) == []
            assert _with(place, old.encode()) == []
            assert _with(place, b"Quillfeather") == []
            if beside is not None:
                assert (found(beside, 1), found(beside, 60)) == ([], ["C-1"])
                beside.close()
        assert _with(place, old.encode()) == _with(place, print_of(1).to_bytes()[12:80]) == []
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _with(place: Path, residue: bytes) -> list[str]:
    files = [p for p in sorted(place.rglob("*")) if p.is_file()]
    return [p.name for p in files if residue in p.read_bytes()]


def test_what_was_cut_off_is_finished_by_the_next_call(monkeypatch):
    from fpmatch.search import crash_points

    for step in (*crash_points.UPDATE[1:], "expunge.scrubbed", "expunge.indexed"):
        with engine() as e:

            def hook(name, step=step):
                if name == step:
                    monkeypatch.setattr(crash_points, "hook", None)
                    raise KeyboardInterrupt

            monkeypatch.setattr(crash_points, "hook", hook)
            with pytest.raises(KeyboardInterrupt):
                update(e, fingers=[print_of(40)], protected=True, key="k")
            assert found(e, 1) == found(e, 40) == []
            assert info(e).protected
            receipt = update(e, fingers=[print_of(40)], protected=True, key="k")
            assert receipt.changed == ("protected", "fingers")
            (entry,) = e.audit.records(kind="UPDATE")
            assert receipt.audit_seq == entry.seq
            update(e, protected=False)
            assert found(e, 40) == ["C-1"]
            assert e._state.gallery.unfinished() == []
            assert e.audit.verify().ok


def test_an_older_backup_does_not_bring_back_what_was_replaced(tmp_path):
    from fpmatch import upkeep

    place = folder()
    shutil.rmtree(place)
    with Engine.create(place, clock=Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.publish(Policy.parse(POLICY))
        e.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
    upkeep.backup(place, tmp_path / "b")
    with Engine.open(place, "rw", clock=Clock(), durability="off") as e:
        update(e, fingers=[print_of(40)])
    taken = upkeep.removals(place)
    upkeep.restore(tmp_path / "b", tmp_path / "r", removals=taken)
    with Engine.open(tmp_path / "r", clock=Clock(), durability="off") as e:
        assert (found(e, 1), found(e, 2)) == ([], ["C-2"])
    shutil.rmtree(place)
