"""The command line as a twin of the library: each public method of engine and log has a command."""

from __future__ import annotations

import ast
import csv
import dataclasses
import importlib
import inspect
import io
import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from engine_helpers import HELD, KEEPS, LATER, OFF, ON, POLICY, print_of, world

from fpmatch.audit import AuditLog
from fpmatch.cli import app as tree
from fpmatch.cli import output
from fpmatch.policy import Policy
from fpmatch.search import Engine

EXCEPTIONS: dict[type, dict[str, str]] = {
    Engine: {
        "open": "every command opens the gallery that it is given",
        "close": "every command closes what it opened",
        "counters": "of one open engine: a command opens it, and ends with it",
        "partitions": "fpmatch info lists them, by Engine.info",
        "audit": "the log's own methods have commands: fpmatch audit",
        "search_many": "lists of submissions come from programs; a shell calls fpmatch search",
    },
    AuditLog: {
        "create": "Engine.create makes the log of a gallery: fpmatch init",
        "open": "every command opens the log that it is given",
        "close": "every command closes what it opened",
        "intent": "only the engine writes searches: one made by hand would be no evidence",
        "intents": "only the engine writes searches: one made by hand would be no evidence",
        "outcome": "only the engine writes searches: one made by hand would be no evidence",
        "outcomes": "only the engine writes searches: one made by hand would be no evidence",
        "event": "only the engine writes events: one made by hand would be no evidence",
        "events": "only the engine writes events: one made by hand would be no evidence",
        "probe_digest": "a part of what the engine writes; replay compares it",
        "candidate_digest": "a part of what the engine writes; replay compares it",
        "records_digest": "a part of what the engine writes",
    },
}
"""Public methods without a command, and why."""

RECEIVERS = {Engine: {"engine", "Engine"}, AuditLog: {"opened", "AuditLog"}}
"""What commands call an engine and a log; `Engine.create` and `AuditLog.open` are on the class."""


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")} - {"path", "actor"}


STORIES = ("demo", "scenario", "bench", "evaluate", "synth")
"""Commands that play something of their own: what they call is no command for it."""


def used(function: Any, receivers: set[str]) -> set[str]:
    """Attributes of the receivers that a command uses, itself or by what it calls.

    Functions of the command line are followed; of one from another room the module counts.
    """
    found: set[str] = set()
    waiting, seen = [function], set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        body = parsed(one)
        found |= attributes(body, receivers)
        names = dict(vars(sys.modules[one.__module__])) | imported(body)
        for node in ast.walk(body):
            helper = called(node, names)
            if helper is None:
                continue
            if helper.__module__.startswith("fpmatch.cli"):
                waiting.append(helper)
            elif not helper.__module__.startswith("fpmatch.search"):
                found |= attributes(parsed(sys.modules[helper.__module__]), receivers)
    return found


@cache
def parsed(one: Any) -> ast.Module:
    """The source of a function or a module."""
    return ast.parse(textwrap.dedent(inspect.getsource(one)))


def attributes(body: ast.AST, receivers: set[str]) -> set[str]:
    """What is asked of a receiver: ``engine.x`` or ``self.engine.x``."""
    found = set()
    for node in ast.walk(body):
        if isinstance(node, ast.Attribute):
            of = node.value
            name = of.id if isinstance(of, ast.Name) else getattr(of, "attr", "")
            if name in receivers:
                found.add(node.attr)
    return found


def imported(body: ast.AST) -> dict[str, Any]:
    """What a function imports for itself."""
    found: dict[str, Any] = {}
    for node in ast.walk(body):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fpmatch"):
            room = importlib.import_module(node.module or "")
            for alias in node.names:
                if not hasattr(room, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                found[alias.asname or alias.name] = getattr(room, alias.name)
    return found


def called(node: ast.AST, names: dict[str, Any]) -> FunctionType | None:
    """The function of ours that a call names, as ``f(...)`` or ``module.f(...)``."""
    if not isinstance(node, ast.Call):
        return None
    target: Any = None
    if isinstance(node.func, ast.Name):
        target = names.get(node.func.id)
    elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        target = getattr(names.get(node.func.value.id), node.func.attr, None)
    ours = isinstance(target, FunctionType) and target.__module__.startswith("fpmatch")
    return target if ours else None


def commands() -> Iterator[tuple[str, Callable[..., None]]]:
    for entries in tree.TREE.values():
        for name, entry in entries.items():
            if isinstance(entry, tree.Group):
                for inner, command in entry.commands.items():
                    yield f"{name} {inner}", command.load()
            else:
                yield name, entry.load()


@cache
def reaching(kind: type) -> list[set[str]]:
    """For each command that does what it is told, the methods that it reaches."""
    told = [f for name, f in commands() if name.split()[0] not in STORIES]
    return [used(f, RECEIVERS[kind]) for f in told]


@pytest.mark.parametrize("kind", [Engine, AuditLog])
def test_every_public_method_has_a_command_or_a_reason(kind):
    reached = set().union(*reaching(kind))
    wanting = public(kind) - reached - set(EXCEPTIONS[kind])
    assert not wanting, f"give these a command, or a reason in EXCEPTIONS: {sorted(wanting)}"
    assert set(EXCEPTIONS[kind]) <= public(kind)


@pytest.mark.parametrize("kind", [Engine, AuditLog])
def test_a_method_that_loses_its_command_is_noticed(kind):
    """The table of exceptions hides nothing: without a command its method counts as wanting."""
    for gone in ({"seal"}, {"replay"}) if kind is Engine else ({"export"}, {"aggregate"}):
        reached = set().union(*(r for r in reaching(kind) if not r & gone))
        assert gone & (public(kind) - reached - set(EXCEPTIONS[kind]))


# -- each command, as a user calls it --------------------------------------------------------------


@pytest.fixture
def place(tmp_path) -> Path:
    with Engine.create(tmp_path / "g.fpm", durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        for name, records in world().items():
            e.enrol(name, records)
        e.publish(Policy.parse(POLICY))
    for person in (1, 2, 9):
        (tmp_path / f"p{person}.fpt").write_bytes(print_of(person, 5).to_bytes())
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "safe.py").write_text(
        "class Safe:\n"
        "    def seal(self, owner, content): return b'S' + content[::-1]\n"
        "    def open(self, owner, content): return content[:0:-1]\n"
    )
    (tmp_path / "engine.toml").write_text(
        'vault = "safe:Safe"\nactor = "the clerk"\n[routes.immigration]\n"*" = "head office"\n'
    )
    return tmp_path


@pytest.fixture
def fpm(fpm, place, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """The command line, called where the gallery lies."""
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    return fpm


def as_json(result: tuple[int, str, str], code: int = 0) -> Any:
    assert result[0] == code, result
    return json.loads(result[1])


def sections(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {s["partition"]: s for s in found["partitions"]}


def test_a_sealed_record_is_not_found_until_it_is_unsealed(fpm):
    asked = ("search", "g.fpm", "p1.fpt", "--ori", ON, "--threshold", 30, "--json", "-")
    order = ("--order", "court order 1", "--authority", "the court")

    def found() -> list[str]:
        return [c["record"] for c in sections(as_json(fpm(*asked)))["criminal"]["candidates"]]

    assert found() == ["C-1"]
    assert as_json(fpm("seal", "g.fpm", "C-1", *order, "--json", "-"))["sealed"] == "C-1"
    assert found() == []
    assert as_json(fpm("unseal", "g.fpm", "C-1", *order, "--json", "-"))["audit_seq"] > 0
    assert found() == ["C-1"]
    assert fpm("seal", "g.fpm", "C-77", *order)[0] == 2


def test_a_record_is_changed_by_an_order_once_and_only_in_the_version_that_was_seen(fpm):
    order = ("--order", "court order 1", "--authority", "the court")
    where = ("g.fpm", "criminal", "C-1")

    def seen() -> dict:
        return as_json(fpm("record", *where, "--owner", "DOJ-FBI", "--json", "-"))

    change = ("update", *where, "p9.fpt", "--protected", "yes", "--banned-use", "CAR,role:officer")
    change += ("--version", seen()["version"], *order, "--key", "k")
    first = as_json(fpm(*change, "--json", "-"))
    assert first["changed"] == ["protected", "banned_uses", "fingers"]
    assert (first["added"], len(first["removed"]), first["lifted"]) == (1, 1, [])
    assert seen()["version"] == first["version"]
    assert as_json(fpm(*change, "--json", "-")) == first
    code, _, error = fpm(*change[:-1], "k2")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "changed since" in error
    code, said, _ = fpm("update", *where, "--protected", "no", "--no-bans", *order)
    assert code == 0
    assert "protected, banned_uses" in said
    assert (seen()["protected"], seen()["banned_uses"]) == (False, [])
    for wrong in (
        (),
        ("--protected", "unknown"),
        ("--no-bans", "--banned-use", "CAR"),
        ("--event", "x"),
        ("--contributor", "no"),
        ("none.png",),
        ("--protected", "yes", "--key", "k"),
    ):
        code, _, error = fpm("update", *where, *wrong, *order)
        assert (code, len(error.splitlines())) == (2, 1), wrong
    for act in ("seal", "unseal", "expunge"):
        answers = [fpm(act, "g.fpm", "C-2", *order, "--key", act, "--json", "-") for _ in range(2)]
        assert as_json(answers[0]) == as_json(answers[1])


def test_a_deferred_search_is_made_at_the_event_or_cancelled(fpm):
    asked = ("search", "g.fpm", "p1.fpt", "--ori", LATER, "--disposition", "pending")
    code, said, _ = fpm(*asked)
    assert code == 0
    assert "Token of immigration" in said
    token = sections(as_json(fpm(*asked, "--json", "-")))["immigration"]["token"]
    told = ("report-event", "g.fpm", token, "CONVICTION", "--disposition", "convicted")
    after = sections(as_json(fpm(*told, "--json", "-")))["immigration"]
    assert after["outcome"] == "SEARCHED_DISCLOSED"
    assert after["candidates"][0]["record"] == "I-1"
    assert fpm(*told)[0] == 2
    other = sections(as_json(fpm(*asked, "--json", "-")))["immigration"]["token"]
    assert (
        as_json(fpm("cancel", "g.fpm", other, "--why", "closed", "--json", "-"))["why"] == "closed"
    )
    code, _, error = fpm("cancel", "g.fpm", other)
    assert code == 2
    assert len(error.splitlines()) == 1


def test_retained_probes_are_searched_again(fpm):
    assert fpm("search", "g.fpm", "p9.fpt", "--ori", KEEPS, "--retain")[0] == 0
    assert fpm("enrol", "g.fpm", "immigration", "p9.fpt")[0] == 0
    (again,) = as_json(fpm("cascade", "g.fpm", "immigration", "--json", "-"))
    assert sections(again)["immigration"]["candidates"][0]["record"] == "p9"
    rows = list(
        csv.DictReader(io.StringIO(fpm("cascade", "g.fpm", "immigration", "--csv", "-")[1]))
    )
    assert [r["record"] for r in rows if r["record"]][:1] == ["p9"]
    assert "No probe is retained" in fpm("cascade", "g.fpm", "criminal")[1]


def test_owners_messages_are_listed_delivered_once_and_opened(fpm, place):
    asked = ("search", "g.fpm", "p1.fpt", "--ori", HELD, "--engine", "engine.toml", "--tcn", "T-1")
    assert fpm(*asked)[0] == 0
    waiting = as_json(fpm("notifications", "g.fpm", "--json", "-"))
    (mine,) = [m for m in waiting if m["partition"] == "immigration"]
    assert (mine["owner"], mine["office"], mine["tcn"]) == ("DHS", "head office", "T-1")
    where = ("envelope", "g.fpm", mine["id"], "DHS", "--out", "sealed")
    code, _, error = fpm(*where)
    assert code == 2
    assert "--engine" in error
    assert fpm(*where, "--engine", "engine.toml")[0] == 0
    sealed = (place / "sealed").read_bytes()
    assert sealed[:1] == b"S"
    assert b"I-1" in sealed[:0:-1]
    wrong = ("envelope", "g.fpm", mine["id"], "DOJ-FBI", "--out", "o", "--engine", "engine.toml")
    assert fpm(*wrong)[0] == 2
    assert fpm("deliver", "g.fpm", mine["id"])[0] == 0
    assert fpm("deliver", "g.fpm", mine["id"])[0] == 1
    delivered = as_json(fpm("notifications", "g.fpm", "--delivered", "--json", "-"))
    assert [m["id"] for m in delivered] == [mine["id"]]


def test_copies_are_written_each_under_its_own_mask(fpm, place):
    asked = ("search", "g.fpm", "p1.fpt", "--ori", ON, "--threshold", 30, "--copies-to", OFF)
    code, _, error = fpm(*asked[:-2], "--copies", "copies")
    assert code == 2
    assert "--copies-to" in error
    assert fpm(*asked, "--copies", "copies")[0] == 0
    copy = sections(json.loads((place / "copies" / f"{OFF}.json").read_text()))
    assert [c["record"] for c in copy["criminal"]["candidates"]] == ["C-1"]
    assert copy["immigration"].get("candidates") is None


@pytest.mark.parametrize("engine", [(), ("--engine", "engine.toml")])
def test_a_copy_is_fetched_by_a_process_of_its_own_and_once(fpm, engine):
    asked = ("search", "g.fpm", "p1.fpt", "--ori", ON, "--copies-to", KEEPS, "--tcn", "T-1")
    answer = as_json(fpm(*asked, "--json", "-", *engine))
    mine = ("copy", "g.fpm", "T-1", "--ori", KEEPS, *engine)
    assert fpm("copy", "g.fpm", "T-1", "--ori", OFF, *engine)[0] == 2
    assert fpm(*mine, "--json", "nowhere/c.json")[0] == 2
    assert as_json(fpm(*mine, "--booking-ori", ON, "--json", "-")) == answer
    code, _, error = fpm(*mine)
    assert code == 2
    assert len(error.splitlines()) == 1


def test_what_was_not_completed_is_said_on_the_terminal(fpm):
    """A deadline that is over before anything is compared: an empty list would read as a miss."""
    asked = ("search", "g.fpm", "p9.fpt", "--ori", ON)
    code, whole, _ = fpm(*asked)
    assert code == 0
    assert "not completed" not in whole
    assert "searched in part" not in whole
    code, said, _ = fpm(*asked, "--deadline-ms", "0.001")
    assert code == 0
    assert "searched in part" in said
    for name in ("criminal", "immigration"):
        assert f"The search of {name} was not completed" in said
    # Of what is withheld a deadline changes nothing.
    code, said, _ = fpm("search", "g.fpm", "p9.fpt", "--ori", HELD, "--deadline-ms", "0.001")
    assert "searched, result withheld" in said
    assert "The search of immigration" not in said


def test_a_verification_that_was_not_completed_is_said(fpm, monkeypatch):
    asked = ("verify", "g.fpm", "C-1", "p1.fpt", "--partition", "criminal", "--ori", ON)
    assert "searched in part" not in fpm(*asked)[1]
    verify = Engine.verify
    monkeypatch.setattr(
        Engine,
        "verify",
        lambda e, r, *a, **k: verify(e, dataclasses.replace(r, deadline_ms=0.001), *a, **k),
    )
    assert "searched in part" in fpm(*asked)[1]


def test_the_protection_flag_and_numbers_reach_the_search(fpm):
    asked = ("search", "g.fpm", "p1.fpt", "--ori", ON, "--json", "-")
    for said in ("yes", "unknown"):
        assert (
            sections(as_json(fpm(*asked, "--protected", said)))["criminal"]["reason"] == "PROTECTED"
        )
    assert fpm(*asked, "--protected", "perhaps")[0] == 2
    assert as_json(fpm(*asked, "--tcn", "T-2", "--tcr", "T-1"))["tcn"] == "T-2"
    assert fpm(*asked, "--tcn", "T-2")[0] == 2
    (record,) = as_json(fpm("audit", "records", "g.fpm", "--tcn", "T-2", "--kind", "INTENT",
                            "--json", "-"))  # fmt: skip
    assert record["fields"]["tcr"] == "T-1"


def test_a_search_is_replayed(fpm):
    assert fpm("search", "g.fpm", "p1.fpt", "--ori", ON, "--tcn", "T-9")[0] == 0
    (intent,) = as_json(fpm("audit", "records", "g.fpm", "--tcn", "T-9", "--kind", "INTENT",
                            "--json", "-"))  # fmt: skip
    again = ("replay", "g.fpm", intent["seq"], "p1.fpt", "--ori", ON, "--json", "-")
    assert as_json(fpm(*again))["ok"] is True
    assert fpm("enrol", "g.fpm", "criminal", "p9.fpt")[0] == 0
    found = as_json(fpm(*again), 1)
    differs = dict(found["partitions"])
    assert "gallery_root" in differs["criminal"]
    assert differs["immigration"] == []
    assert fpm("replay", "g.fpm", intent["seq"], "p2.fpt", "--ori", ON)[0] == 2


def test_opt_outs_are_asked_answered_and_listed(fpm):
    asked = ("opt-out", "request", "g.fpm", ON, "immigration", "--reason", "a vote", "--name", "r1")
    assert as_json(fpm(*asked, "--json", "-"))["in_effect"] is False
    assert "Not in effect" in fpm("opt-out", "request", "g.fpm", OFF, "criminal")[1]
    answer = ("opt-out", "answer", "g.fpm", "r1", "accepted", "--authority", "DHS")
    assert as_json(fpm(*answer, "--json", "-"))["status"] == "accepted"
    assert fpm(*answer)[0] == 2
    assert fpm("search", "g.fpm", "p1.fpt", "--ori", ON)[0] == 0
    listed = as_json(fpm("opt-out", "list", "g.fpm", "--json", "-"))
    assert {r["who"] for r in listed} == {ON, OFF}
    (open_one,) = as_json(fpm("opt-out", "list", "g.fpm", "--status", "open", "--json", "-"))
    assert open_one["who"] == OFF
    idle = as_json(fpm("opt-out", "ineffective", "g.fpm", "--json", "-"))
    assert {(r["request"], r["searches_since"]) for r in idle} >= {("r1", 1)}
    by_log = as_json(fpm("audit", "ineffective-opt-outs", "g.fpm", "--json", "-"))
    assert {r["request"] for r in by_log} == {r["request"] for r in idle}


def test_a_partition_is_added(fpm):
    assert fpm("add-partition", "g.fpm", "latent:7:STATE", "--expected", 100)[0] == 0
    described = as_json(fpm("info", "g.fpm", "--json", "-"))["gallery"]["partitions"]
    assert [p["name"] for p in described] == ["criminal", "immigration", "latent"]
    code, _, error = fpm("add-partition", "g.fpm", "latent")
    assert code == 2
    assert "NAME:NUMBER:OWNER" in error


def test_proofs_are_made_from_the_log_and_checked_without_it(fpm, place):
    for ori, number in ((OFF, "T-1"), (HELD, "T-2")):
        assert fpm("search", "g.fpm", "p1.fpt", "--ori", ori, "--tcn", number)[0] == 0
    assert fpm("audit", "checkpoint", "g.fpm", "--out", "witness.json")[0] == 0
    kept = ("--checkpoint", "witness.json")
    made = fpm("audit", "prove-not-searched", "g.fpm", "T-1", "immigration", *kept, "--out", "a")
    assert made[0] == 0
    assert "was not searched" in " ".join(made[1].split())
    assert fpm("audit", "prove-withheld", "g.fpm", "T-2", "immigration", "--out", "b")[0] == 0
    for name, checkpoint in (("a", kept), ("b", ())):
        assert as_json(fpm("audit", "verify-proof", name, *checkpoint, "--json", "-"))["ok"]
    text = (place / "a").read_text()
    (place / "a").write_text(text.replace("NOT_SEARCHED", "WITHHELD", 1))
    assert fpm("audit", "verify-proof", "a")[0] == 1
    code, _, error = fpm("audit", "prove-not-searched", "g.fpm", "T-2", "immigration")
    assert code == 2
    assert len(error.splitlines()) == 1


def test_exports_show_what_was_chosen_and_verify(fpm, place):
    assert fpm("search", "g.fpm", "p1.fpt", "--ori", ON, "--tcn", "T-1")[0] == 0
    assert fpm("audit", "checkpoint", "g.fpm", "--out", "witness.json")[0] == 0
    assert fpm("audit", "export", "g.fpm", "all.jsonl")[0] == 0
    assert "T-1" not in (place / "all.jsonl").read_text()
    shown = ("--reveal", "/tcn", "--kind", "INTENT", "--cri", ON, "--since", "2001-01-01")
    assert fpm("audit", "export", "g.fpm", "some.jsonl", *shown)[0] == 0
    text = (place / "some.jsonl").read_text()
    assert text.count('"T-1"') == 1
    assert "SEARCHED_DISCLOSED" not in text
    for name in ("all.jsonl", "some.jsonl"):
        found = fpm("audit", "verify-export", name, "--checkpoint", "witness.json", "--json", "-")
        assert as_json(found)["ok"]
    (place / "some.jsonl").write_text(text.replace("T-1", "T-2"))
    assert fpm("audit", "verify-export", "some.jsonl")[0] == 1


def test_reading_the_log_is_recorded_unless_it_shall_not_be(fpm):
    def reads() -> int:
        found = as_json(fpm("audit", "records", "g.fpm", "--unrecorded", "--kind", "AUDIT_READ",
                            "--json", "-"))  # fmt: skip
        return len([r for r in found if r["fields"]["actor"] == "the auditor"])

    assert reads() == 0
    assert fpm("audit", "records", "g.fpm", "--actor", "the auditor")[0] == 0
    assert fpm("audit", "by-authority", "g.fpm", "--actor", "the auditor")[0] == 0
    assert reads() == 2


def test_reports_of_the_log_are_those_of_the_library(fpm, place):
    for ori in (ON, OFF, HELD, ON):
        assert fpm("search", "g.fpm", "p1.fpt", "--ori", ori, "--charge", "felony",
                   "--attribute", "citizen=yes")[0] in (0, 2)  # fmt: skip
        assert fpm("search", "g.fpm", "p1.fpt", "--ori", ori, "--charge", "felony")[0] == 0
    unknowing = as_json(fpm("audit", "unknowing", "g.fpm", "immigration", "--json", "-"))
    assert {r["cri"] for r in unknowing} == {ON, HELD}
    by = as_json(fpm("audit", "by-authority", "g.fpm", "--partition", "immigration", "--json", "-"))
    assert {r["outcome"] for r in by} == {"SEARCHED_DISCLOSED", "NOT_SEARCHED", "SEARCHED_WITHHELD"}
    stated = ("audit", "stated-against-effective", "g.fpm")
    assert as_json(fpm(*stated, "policy.toml", "--json", "-")) == []
    (place / "s.csv").write_text(f"ori,partition,searched\n{ON},immigration,no\n")
    (difference,) = as_json(fpm(*stated, "s.csv", "--json", "-"), 1)
    assert (difference["cri"], difference["stated_searched"]) == (ON, False)
    (place / "s.csv").write_text(f"ori,partition,searched\n{ON},immigration,perhaps\n")
    assert fpm(*stated, "s.csv")[0] == 2
    assert as_json(fpm("audit", "declared-citizens", "g.fpm", "immigration", "--json", "-")) == {}
    cells = as_json(fpm("audit", "aggregate", "g.fpm", "--k", 1, "--json", "-"))
    assert {c["cri"] for c in cells} == {ON, OFF, HELD}
    with AuditLog.open(place / "g.fpm" / "audit.sqlite") as log:
        assert len(cells) == len(log.aggregate(k=1))
    code, _, error = fpm("audit", "prune", "g.fpm", "--before", "2026-01-01", "--authority", "me")
    assert code == 2
    assert "days" in error


@pytest.mark.parametrize(
    "text",
    ["vault = 3", 'vault = "nowhere:at"', 'vault = "safe:nothing"', "volume = 11", "=",
     "routes = 1", 'vault = "json:dumps"', "withheld_ms = 'long'"],
)  # fmt: skip
def test_an_engine_file_that_cannot_be_used_is_one_line(fpm, place, text):
    (place / "bad.toml").write_text(text)
    code, _, error = fpm("cascade", "g.fpm", "immigration", "--engine", "bad.toml")
    assert code == 2
    assert len(error.splitlines()) == 1
    assert fpm("cascade", "g.fpm", "immigration", "--engine", "nowhere.toml")[0] == 2


def test_policies_are_changed_on_the_command_line_and_keep_their_comments(fpm, place):
    (place / "c.toml").write_text("# Of the county.\n" + POLICY)
    said = ("--authority", "DHS", "--reason", "vote", "--at", "2011-05-01")
    changed = fpm("policy", "deactivate", "c.toml", ON, "immigration", *said, "--json", "-")
    assert as_json(changed)["version"] == 2
    text = (place / "c.toml").read_text()
    assert text.startswith("# Of the county.\n")
    policy = Policy.parse(text)
    assert not policy.explain(ori=ON, partition="immigration", at="2011-05-02").decision.probe
    assert fpm("policy", "activate", "c.toml", ON, "immigration", *said, "--out", "d.toml")[0] == 0
    assert (place / "c.toml").read_text() == text
    code, _, error = fpm("policy", "activate", "c.toml", ON, "immigration", "--authority", ON,
                         "--reason", "x", "--at", "2011-06-01")  # fmt: skip
    assert code == 2
    assert "DHS" in error
    assert len(error.splitlines()) == 1


def test_a_shell_completes_values(place, monkeypatch, capsys):
    monkeypatch.setenv("_FPMATCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "fpmatch search g.fpm p.png --effort ex")
    monkeypatch.setenv("COMP_CWORD", "5")
    monkeypatch.setattr(sys, "argv", ["fpmatch"])
    with pytest.raises(SystemExit):
        tree.app(prog_name="fpmatch")
    assert capsys.readouterr().out.split() == ["exhaustive"]


def test_completion_answers_a_shell(place, monkeypatch, capsys):
    for shell, words in (("bash", {"COMP_WORDS": "fpmatch rep", "COMP_CWORD": "1"}),
                         ("zsh", {"_TYPER_COMPLETE_ARGS": "fpmatch rep"})):  # fmt: skip
        monkeypatch.setenv("_FPMATCH_COMPLETE", f"complete_{shell}")
        for name, value in words.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["fpmatch"])
        with pytest.raises(SystemExit):
            tree.app(prog_name="fpmatch")
        said = capsys.readouterr().out
        assert "report-event" in said
        assert "replay" in said


# -- tables ----------------------------------------------------------------------------------------


LINES = """
init new.fpm --partition a:1:X --partition b:2:Y
add-partition new.fpm a-partition-with-a-rather-long-name:3:OWNER-OF-IT
extract p1.fpt p2.fpt
compare p1.fpt p2.fpt
convert p1.fpt p1.iso --to iso2011
enrol g.fpm criminal p9.fpt
search g.fpm p1.fpt --ori {ON} --tcn T-1
search g.fpm p1.fpt --ori {OFF} --tcn T-2
search g.fpm p1.fpt --ori {HELD} --tcn T-3 --engine engine.toml
search g.fpm p9.fpt --ori {KEEPS} --retain --tcn T-4
search g.fpm p1.fpt --ori {ON} --copies-to {KEEPS} --tcn T-5
copy g.fpm T-5 --ori {KEEPS}
verify g.fpm C-1 p1.fpt --partition criminal --ori {ON}
records g.fpm criminal --owner DOJ-FBI
record g.fpm criminal C-1 --owner DOJ-FBI
count g.fpm criminal --owner DOJ-FBI
export-records g.fpm criminal left --owner DOJ-FBI
quality p1.fpt
seal g.fpm C-2 --order o --authority a
unseal g.fpm C-2 --order o --authority a
update g.fpm criminal C-2 p9.fpt --order o --authority a
cascade g.fpm immigration
notifications g.fpm
explain g.fpm --ori {ON} --partition immigration
opt-out request g.fpm {ON} immigration --reason vote
opt-out list g.fpm
opt-out ineffective g.fpm
policy new first.toml --partition a:1:O --jurisdiction CS --agency CS0010100
policy schema --out s.json
policy check policy.toml
policy deactivate policy.toml {ON} immigration --authority DHS --reason vote --out new.toml
policy remove policy.toml {ON} immigration --authority DHS --reason vote --out new.toml
policy activate policy.toml {ON} immigration --authority DHS --reason vote --out new.toml
policy reschedule policy.toml {ON} immigration --date 2099-01-01 --authority DHS --reason x --out n
policy diff policy.toml other.toml
policy matrix policy.toml
policy publish g.fpm policy.toml
check g.fpm
removals g.fpm --out gone
backup g.fpm kept
restore kept again.fpm --without-removals
archive export g.fpm g.zip
archive import g.zip imported.fpm
audit verify g.fpm
audit checkpoint g.fpm --out w.json
audit records g.fpm
audit prove-not-searched g.fpm T-2 immigration --out proof
audit prove-withheld g.fpm T-3 immigration
audit verify-proof proof
audit export g.fpm e.jsonl
audit verify-export e.jsonl
audit unknowing g.fpm immigration
audit ineffective-opt-outs g.fpm
audit by-authority g.fpm
audit stated-against-effective g.fpm other.toml
audit declared-citizens g.fpm immigration
audit aggregate g.fpm --k 1
expunge g.fpm C-4 --order o --authority a
expunge g.fpm C-2 C-3 --order o --authority a
synth prints sp --fingers 1 --impressions 1
synth scenarios sc
scenario
info g.fpm
"""
"""A line for each command that shows a table and needs no half minute."""

ELSEWHERE = {
    "demo": "its screens are looked at in test_cli_demo",
    "item-keys": "of encrypted galleries; see test_cli_encryption",
    "rekey": "of encrypted galleries; see test_cli_encryption",
    "draw": "one row of what was written; needs matplotlib",
    "report": "one row of what was written",
    "segment": "needs a picture of several fingers; its own test prints it",
    "warm": "two figures; see test_warming",
    "abis": "two columns: a key of the answer and its value",
    "evaluate": "see test_the_widest_tables_fit",
    "transaction": "the tables of search; see test_cli_transaction",
    "report-event": "the tables of search", "cancel": "one row of what was given",
    "deliver": "one row of what was given", "envelope": "one row of what was given",
    "replay": "two words a row", "opt-out answer": "as opt-out request",
    **{f"cluster {what}": "needs machines of Ray: see test_cluster_ray"
       for what in ("start", "status", "rebalance", "stop")},
    "audit prune": "nothing is old enough", "synth gallery": "as synth prints",
}  # fmt: skip


def fits(sheet: output.Sheet, width: int = 80) -> None:
    """Rendered at that width no line is longer, and every heading and value is there whole."""
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=width, highlight=False).print(sheet)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines), default=0) <= width
    assert "…" not in text.getvalue()
    kept = "".join(text.getvalue().split())
    for i, name in enumerate(sheet.columns):
        if i in sheet.words:
            continue
        for row in sheet.rows:
            assert output.figure(row[i]).replace(" ", "") in kept, (name, row[i])


def test_every_table_fits_80_columns_and_is_written_as_csv(fpm, place, monkeypatch):
    shown: dict[str, list[output.Sheet]] = {}
    monkeypatch.setattr(output, "FILE_WIDTH", 80)
    printed = output.to_csv
    (place / "other.toml").write_text(POLICY.replace('"interoperable"', '"ori_deactivated"'))
    for line in LINES.format(**globals()).strip().splitlines():
        sheets: list[output.Sheet] = []
        monkeypatch.setattr(output, "to_csv", lambda t, s=sheets: (s.extend(t), printed(t))[1])
        name = max((n for n, _ in commands() if f"{line} ".startswith(f"{n} ")), key=len)
        target = place / f"{len(shown)}.csv"
        code, said, error = fpm(*line.split(), "--csv", target)
        assert code in (0, 1), (line, error)
        assert max(map(len, said.splitlines()), default=0) <= 80, line
        rows = list(csv.reader(target.open(encoding="utf-8")))
        assert rows, line
        if name not in ("policy matrix", "check"):
            assert sheets, line
        for sheet in sheets:
            fits(sheet)
        shown.setdefault(name, []).extend(sheets)
    missing = {n for n, _ in commands() if not n.startswith("bench")} - set(shown) - set(ELSEWHERE)
    assert not missing, "give these a line in LINES"


def test_the_widest_tables_fit():
    long = "a-record-name-without-any-space-in-it-that-is-longer-than-a-column"
    heads = [
        "database",
        "EER %",
        "95 %",
        "FMR100 %",
        "FMR1000 %",
        "ZeroFMR %",
        "mated",
        "non-mated",
    ]
    rows = [("fvc2002/DB1_B", 0.351, "0.10-0.52", 100.0, 100.0, 100.0, 28_000, 288_000_000)]
    for width in (80, 100, 120):
        fits(output.table(heads, rows, title="One to one"), width)
        fits(output.table(["record", "score"], [(long, 163.32)]), width)
        fits(output.table([f"{10**i} fingers" for i in range(12)], [[10**9 / 3] * 12]), width)
        fits(output.table(["a", "b", "c", "d"], [(long,) * 4], left=4), width)
        fits(output.table(["nothing"], []), width)


def test_words_that_are_broken_lose_nothing():
    from rich.console import Console

    sheet = output.table(["file", "why"], [("x" * 90, "y" * 30)], left=2)
    text = io.StringIO()
    Console(file=text, width=80).print(sheet)
    assert text.getvalue().count("x") == 90
    assert text.getvalue().count("y") == 31


def test_csv_holds_what_is_not_rounded():
    text = output.to_csv([output.table(["a", "b", "c"], [(1 / 3, None, True)])])
    assert text == f"a,b,c\n{1 / 3},,yes\n"
