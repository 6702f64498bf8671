"""Engines that read beside one that writes: whole states, followed at once, whatever happens."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_helpers import HELD, ON, POLICY, Clock, folder, print_of, record, request, told
from processes import processes

from fpmatch.errors import InputError, LockedError, RefusedError, StorageError
from fpmatch.gallery import changes, facts, schema
from fpmatch.index import held, store
from fpmatch.parameters import INDEX
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.search import follow as following

PROCESSES = processes()
NARROW = POLICY.replace(
    'who = "CA"\npartitions = "criminal"', f'who = "{HELD}"\npartitions = "criminal"'
)
"""The criminal partition is for one agency alone."""
ORDER = {"order": "o", "authority": "a"}


def opened(place: Path, mode: str = "r", **more: Any) -> Engine:
    return Engine.open(place, mode, clock=Clock(), durability="off", **more)


@pytest.fixture
def place() -> Iterator[Path]:
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, clock=Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.publish(Policy.parse(POLICY))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def found(e: Engine, person: int, partition: str = "criminal", ori: str = ON) -> list[str]:
    section = e.search(request(ori, person, threshold=30, max_candidates=200))[partition]
    return [c.record for c in section.candidates or ()]


def test_each_change_is_seen_by_the_next_search_of_a_reader(place):
    with opened(place, "rw") as w, opened(place) as r:
        assert found(r, 1) == []
        w.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
        assert (found(r, 1), found(r, 2)) == (["C-1"], ["C-2"])
        w.enrol("criminal", [record("C-1", 3, event="later")])
        assert found(r, 3) == ["C-1"]
        w.seal("C-1", **ORDER)
        assert (found(r, 1), found(r, 3)) == ([], [])
        w.unseal("C-1", **ORDER)
        assert found(r, 1) == ["C-1"]
        w.expunge("C-1", level="event", event="later", **ORDER)
        assert (found(r, 1), found(r, 3)) == (["C-1"], [])
        w.expunge("C-1", **ORDER)
        assert (found(r, 1), found(r, 2)) == ([], ["C-2"])
        w.enrol("criminal", [record("C-9", 9)])  # SQLite may give it the key of C-1
        assert found(r, 9) == ["C-9"]
        assert r.policy is not None
        version = r.policy.version
        w.publish(Policy.parse(NARROW))
        assert r.search(request(ON, 2))["criminal"].candidates is None
        assert r.policy.version == version + 1
        assert found(r, 2, ori=HELD) == ["C-2"]


def test_a_partition_that_is_added_is_searched_by_readers(place):
    with opened(place, "rw") as w, opened(place) as r:
        w.add_partition("third", 3, "DOJ-FBI", expected_fingers=100)
        assert [p.name for p in r.partitions][-1] == "third"
        more = '\n[[partition]]\nname = "third"\nndr = 3\nowner = "DOJ-FBI"\n'
        more += "requires_activation = false\n"
        policy = POLICY.replace("\n[[jurisdiction]]", more + "\n[[jurisdiction]]", 1).replace(
            'partitions = "criminal"', 'partitions = ["criminal", "third"]'
        )
        w.publish(Policy.parse(policy))
        w.enrol("third", [record("T-1", 5)])
        assert found(r, 5, "third") == ["T-1"]


@pytest.mark.parametrize("seed", range(6))
def test_a_reader_answers_as_the_writer_does(place, monkeypatch, seed):
    """Random acts, small segments, merges, forgotten changes: equal candidates and roots."""
    few = INDEX.__class__(tail_rows=6, segments_most=2)
    monkeypatch.setattr(store, "INDEX", few)
    monkeypatch.setattr(schema, "CHANGES_KEPT", 5)
    rng = random.Random(seed)
    with opened(place, "rw") as w, opened(place) as r, opened(place) as idle:
        names: list[str] = []
        for step in range(60):
            _act(w, rng, names, step)
            if rng.random() < 0.5:
                continue
            who = request(rng.choice([ON, HELD]), rng.randrange(12), threshold=10)
            a, b = w.search(who), r.search(_again(who))
            assert told(a) == told(b)
            roots = [_roots(w, one.audit_seq) for one in (a, b)]
            assert roots[0]["criminal"]
            assert roots[0] == roots[1]
        for person in range(12):
            who = request(ON, person, threshold=10)
            assert told(w.search(who)) == told(idle.search(_again(who)))
    with opened(place, "rw") as w, opened(place) as r:
        for person in range(12):
            who = request(ON, person, threshold=10)
            assert told(w.search(who)) == told(r.search(_again(who)))


def _again(who: Any) -> Any:
    import dataclasses

    return dataclasses.replace(who, tcn=who.tcn + "-R")


def _roots(e: Engine, seq: int) -> dict[str, str]:
    """By partition the root that a search was logged to have seen."""
    (outcome,) = (r for r in e.audit.records(kind="OUTCOME") if r.intent_seq == seq)
    return {name: said.get("gallery_root", "") for name, said in outcome.partitions.items()}


def _act(w: Engine, rng: random.Random, names: list[str], step: int) -> None:
    place = rng.choice(["criminal", "immigration"])
    acts = ["enrol", "enrol", "add", "seal", "unseal", "expunge", "many", "event", "update"]
    acts.append("flush")
    act = rng.choice(acts)
    mine = [n for n in names if n.startswith(place[0])]
    if act == "enrol" or not mine:
        new = [f"{place[0]}-{step}-{n}" for n in range(rng.randrange(1, 4))]
        names += new
        flags = {"protected": rng.random() < 0.2}
        w.enrol(place, [record(n, rng.randrange(12), touch=step, **flags) for n in new])
        return
    name = rng.choice(mine)
    try:
        if act == "add":
            w.enrol(place, [record(name, rng.randrange(12), touch=step, event=f"e{step % 3}")])
        elif act == "seal":
            w.seal(name, **ORDER)
        elif act == "unseal":
            w.unseal(name, **ORDER)
        elif act == "expunge":
            w.expunge(name, **ORDER)
        elif act == "many":
            there = sorted(name for _, name in facts.names(w._state.gallery, place))
            w.expunge_many(rng.sample(there, min(2, len(there))), **ORDER)
        elif act == "update":
            w.update(place, name, **_wanted(rng, step), **ORDER)
        elif act == "event":
            w.expunge(name, level="event", event=f"e{step % 3}", **ORDER)
        else:
            w._state.indexes[place].flush()
    except (RefusedError, StorageError):
        pass
    except InputError:
        assert act == "update"  # the record has no event of that name any more


def _wanted(rng: random.Random, step: int) -> dict[str, Any]:
    if rng.random() < 0.4:
        return {"fingers": [print_of(rng.randrange(12), touch=step)], "event": ""}
    return rng.choice(
        [
            {"protected": rng.random() < 0.5},
            {"identity": f"P-{rng.randrange(3)}"},
            {"banned_uses": rng.choice([frozenset(), frozenset({"CAR"})])},
        ]
    )


def test_a_reader_follows_a_record_that_is_changed(place):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
        assert found(r, 1) == ["C-1"]
        gallery = r._state.gallery
        for more in (
            {"identity": "P"},
            {"contributor": "CA0990000"},
            {"fingers": [print_of(9)]},
            {"protected": True},
            {"protected": False, "banned_uses": {"CAR"}},
            {"banned_uses": set()},
        ):
            w.update("criminal", "C-1", **more, **ORDER)
            barred = more.get("protected") or more.get("banned_uses")
            there = [] if barred else ["C-1"]
            fresh = more.keys() & {"identity", "contributor"}
            assert found(r, 1 if fresh else 9) == there
            assert gallery.root("criminal") == w._state.gallery.root("criminal")
        assert (found(r, 1), found(r, 2), found(r, 9)) == ([], ["C-2"], ["C-1"])


def test_a_seal_that_comes_while_a_reader_compares_is_obeyed(place, monkeypatch):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1)])
        assert found(r, 1) == ["C-1"]
        from fpmatch.search import run

        true = run.run_comparisons

        def late(running, cancel):
            true(running, cancel)
            w.seal("C-1", **ORDER)

        monkeypatch.setattr(run, "run_comparisons", late)
        assert found(r, 1) == []


def test_a_policy_that_comes_while_a_reader_compares_is_obeyed(place, monkeypatch):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1)])
        from fpmatch.search import run

        true = run.run_comparisons

        def late(running, cancel):
            true(running, cancel)
            w.publish(Policy.parse(NARROW))

        monkeypatch.setattr(run, "run_comparisons", late)
        section = r.search(request(ON, 1))["criminal"]
        assert section.candidates is None


def test_what_has_not_changed_is_not_read_again(place, monkeypatch):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1)])
        w.enrol("immigration", [record("I-1", 2)])
        found(r, 1)
        loads = []
        true = r._state.gallery.stamps.load
        monkeypatch.setattr(r._state.gallery.stamps, "load", lambda *a: loads.append(a) or true(*a))
        w.seal("C-1", **ORDER)
        w.enrol("criminal", [record("C-2", 3)])
        assert found(r, 3) == ["C-2"]
        assert not loads
        monkeypatch.setattr(changes, "since", lambda *a: None)
        w.unseal("C-1", **ORDER)
        assert found(r, 1) == ["C-1"]
        assert len(loads) == 1


def test_a_reader_that_cannot_follow_says_so_and_goes_on_when_it_can(place, monkeypatch):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1)])

        def broken(*_):
            raise StorageError("no")

        monkeypatch.setattr(following, "level", broken)
        with pytest.raises(StorageError):
            r.search(request(ON, 1))
        with pytest.raises(StorageError):
            r.search(request(ON, 1))
        monkeypatch.undo()
        assert found(r, 1) == ["C-1"]


def test_a_reader_never_writes(place):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1)])
        found(r, 1)
        before = {p: p.read_bytes() for p in (place / "index").rglob("*") if p.is_file()}
        r.close()
        assert {p: p.read_bytes() for p in (place / "index").rglob("*") if p.is_file()} == before


def test_the_second_writer_waits_or_is_told(place):
    w = opened(place, "rw")
    with pytest.raises(LockedError):
        opened(place, "rw")
    with pytest.raises(LockedError):
        opened(place, "rw", wait=0.1)
    threading.Timer(0.3, w.close).start()
    opened(place, "rw", wait=60).close()


def _searching(place: Path, people: int, stop: Any, done: Any, out: Any) -> None:
    """What a reader in a process of its own saw: never half a batch, never what was removed."""
    wrong = 0
    latest = 0
    with opened(place) as r:
        out.put("ready")
        while not stop.is_set():
            # Each batch enrols one touch of the same person under several records.
            number = int(place.joinpath("said").read_text() or 0)
            seen = found(r, 1)
            batches = {}
            for name in seen:
                batches.setdefault(name.split("-")[1], []).append(name)
            wrong += any(len(names) != people for names in batches.values())
            newest = max([0, *map(int, batches)])
            wrong += newest < number or sorted(map(int, batches)) != list(range(1, newest + 1))
            latest = max(latest, newest)
            done.value += 1
    out.put((wrong, latest))


@pytest.mark.slow
def test_a_reader_in_another_process_sees_whole_batches_only(place):
    people, number, wanted = 3, 0, 12
    (place / "said").write_text("0")
    stop, done, out = PROCESSES.Event(), PROCESSES.Value("i"), PROCESSES.Queue()
    worker = PROCESSES.Process(target=_searching, args=(place, people, stop, done, out))
    worker.start()
    assert out.get(timeout=120) == "ready"
    with opened(place, "rw") as w:
        while done.value < wanted and number < 30:
            number += 1
            w.enrol(
                "criminal", [record(f"C-{number}-{n}", 1, touch=100 + n) for n in range(people)]
            )
            # What was acknowledged is seen by every search that begins from now on.
            (place / "said.new").write_text(str(number))
            (place / "said.new").replace(place / "said")
            before = done.value
            until = time.monotonic() + 60
            while done.value == before and number % 3 == 0 and time.monotonic() < until:
                time.sleep(0.01)
        searched = done.value
        while done.value < searched + 2:
            time.sleep(0.01)
        stop.set()
        wrong, latest = out.get(timeout=120)
    worker.join()
    assert (wrong, latest) == (0, number)
    assert searched > 3


def test_a_manifest_is_read_again_where_its_files_are_gone(place, monkeypatch):
    """The writer merges between the reading of a manifest and the opening of what it names."""
    with opened(place, "rw") as w:
        w.enrol("criminal", [record("C-1", 1)])
        w._state.indexes["criminal"].flush()
        w.enrol("criminal", [record("C-2", 2)])
        w._state.indexes["criminal"].flush()
        true = held.manifests.read
        old = true(place / "index" / "criminal")
        w._state.indexes["criminal"].compact()
        answers = [old, old]
        monkeypatch.setattr(
            held.manifests,
            "read",
            lambda f: answers.pop() if answers and f.name == "criminal" else true(f),
        )
        with opened(place) as r:
            assert (found(r, 1), found(r, 2)) == (["C-1"], ["C-2"])
        assert not answers


def test_changes_that_were_forgotten_are_read_from_the_tables(place, monkeypatch):
    with opened(place, "rw") as w, opened(place) as r:
        assert found(r, 1) == []
        for person in range(1, 4):
            w.enrol("criminal", [record(f"C-{person}", person)])
        monkeypatch.setattr(schema, "CHANGES_KEPT", 1)
        changes.install(w._state.gallery.database)
        assert [found(r, person) for person in range(1, 4)] == [["C-1"], ["C-2"], ["C-3"]]


def test_a_new_record_is_not_taken_for_the_removed_one_of_its_key(place):
    with opened(place, "rw") as w, opened(place) as r:
        w.enrol("criminal", [record("C-1", 1)])
        assert found(r, 1) == ["C-1"]
        w.expunge("C-1", **ORDER)
        # As releases gave keys that did not know better.
        w._state.gallery.database.execute("UPDATE meta SET value = 1 WHERE key = 'next_record'")
        w.enrol("criminal", [record("C-9", 9)])
        keys = [k for (k,) in w._state.gallery.database.execute("SELECT id FROM record")]
        assert keys == [1]
        assert (found(r, 9), found(r, 1)) == (["C-9"], [])


def test_no_key_is_given_again(place):
    with opened(place, "rw") as w:
        w.enrol("criminal", [record("C-1", 1)])
        w.expunge("C-1", **ORDER)
        w.enrol("criminal", [record("C-2", 2)])
        w.expunge("C-2", **ORDER)
    with opened(place, "rw") as w:
        w.enrol("criminal", [record("C-3", 3)])
        keys = [k for (k,) in w._state.gallery.database.execute("SELECT id FROM record")]
        assert keys == [3]


def test_a_new_segment_is_not_taken_for_the_removed_one_of_its_name(place):
    with opened(place, "rw") as w, opened(place) as r:
        index = w._state.indexes["criminal"]
        w.enrol("criminal", [record("C-1", 1)])
        index.flush()
        assert found(r, 1) == ["C-1"]
        w.expunge("C-1", **ORDER)
        w.enrol("criminal", [record("C-9", 9)])
        index.flush()
        names = [path.name for path in (place / "index" / "criminal").glob("*.seg")]
        assert names == ["segment-00000001.seg"]
        assert (found(r, 9), found(r, 1)) == (["C-9"], [])
