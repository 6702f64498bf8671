"""Ctrl-C in the middle of an enrolment: what was read is stored, and the command goes on."""

from __future__ import annotations

import json
import os
import signal
import sys
from itertools import islice
from pathlib import Path

import pytest
from engine_helpers import engine, print_of, record

from fpmatch.bulk import reading
from fpmatch.errors import InputError, StorageError
from fpmatch.parameters import SEARCH
from fpmatch.search import Engine, enrolment
from fpmatch.types import RecordsRequest

OWNER = RecordsRequest(owner="DOJ-FBI")
MANY = SEARCH.enrol_batch + 5


def count(e: Engine) -> int:
    return e.count("criminal", OWNER).records


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        (KeyboardInterrupt, 0),
        (KeyboardInterrupt, 3),
        (KeyboardInterrupt, MANY),
        (RuntimeError, 3),
        (InputError, 3),
        (SystemExit, 3),
    ],
)
def test_what_was_read_before_a_source_raises_is_stored(kind, before):
    def source():
        for i in range(before):
            yield record(f"R-{i}", i % 7)
        raise kind("in the middle")

    told = []
    with engine({}) as e:
        with pytest.raises(kind) as error:
            e.enrol("criminal", source(), progress=lambda *said: told.append(said))
        assert count(e) == before
        assert error.value.__notes__ == [
            f"{before} records that came before are enrolled, and on disk"
        ]
        assert told[-1:] == ([(before, before)] if before else [])
        assert e.enrol("criminal", [record("R-new", 3)]).ok
        assert e.audit.verify().ok


# -- the command -------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path) -> Path:
    """An empty gallery and six files that need not be read."""
    with Engine.create(tmp_path / "g.fpm", durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
    for i in range(6):
        (tmp_path / f"{i}.fpt").write_bytes(print_of(i).to_bytes())
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """Run ``fpmatch enrol`` here; at each of some files, counted from 1, a signal comes in."""
    from fpmatch.cli.app import run as command

    original = reading.fingers_in

    def call(place: Path, *words: object, at: dict[int, int] | None = None, what=("*.fpt",)):
        seen = []

        def load(*given):
            seen.append(given)
            found = original(*given)
            if len(seen) in (at or {}):
                os.kill(os.getpid(), (at or {})[len(seen)])
            return found

        files = sorted(f for pattern in what for f in place.glob(pattern))
        argv = ["fpmatch", "enrol", place / "g.fpm", "criminal", *files, *words, "--json", "-"]
        monkeypatch.setattr(reading, "fingers_in", load)
        monkeypatch.setattr(sys, "argv", [str(w) for w in argv])
        capsys.readouterr()
        code = 0
        try:
            command()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, json.loads(out) if out.strip() else None, err

    return call


def held(place: Path) -> list[str]:
    with Engine.open(place / "g.fpm") as e:
        return [r.record for r in e.records("criminal", OWNER)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_enrolment_keeps_what_it_read_and_goes_on(run, place, number):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    code, said, err = run(place, at={3: number})
    assert code == 128 + number
    assert (said["interrupted"], said["accepted"], said["read"]) == (True, 3, 3)
    assert "once more" in err
    assert held(place) == ["0", "1", "2"]
    code, said, _ = run(place, "--skip", 3)
    assert (code, said["interrupted"], said["accepted"], said["fingers"]) == (0, False, 3, 3)
    assert held(place) == [str(i) for i in range(6)]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_whole_command_again_takes_nothing_twice(run, place):
    run(place, at={4: signal.SIGINT})
    code, said, _ = run(place)
    assert (code, said["accepted"], said["fingers"]) == (0, 6, 2)


def test_within_an_entry_what_was_read_is_stored_and_the_entry_comes_again(run, place):
    _, said, _ = run(place, "--record", "all", at={2: signal.SIGINT})
    assert (said["accepted"], said["fingers"], said["read"]) == (1, 2, 0)
    _, said, _ = run(place, "--record", "all", "--skip", said["read"])
    assert (said["accepted"], said["fingers"], said["read"]) == (1, 4, 1)


def test_an_order_while_a_file_is_read(run, place, monkeypatch):
    def twice():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("nobody heard")

    first = reading.fingers_in
    calls = []

    def load(*given):
        calls.append(given)
        return first(*given) if len(calls) < 3 else twice()

    monkeypatch.setattr(reading, "fingers_in", load)
    monkeypatch.setattr(
        sys, "argv", ["fpmatch", "enrol", str(place / "g.fpm"), "criminal",
                      *(str(place / f"{i}.fpt") for i in range(6))],
    )  # fmt: skip
    from fpmatch.cli.app import run as command

    with pytest.raises(SystemExit):
        command()
    assert held(place) == ["0", "1"]


def test_a_table_is_interrupted_and_goes_on(run, place, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    rows = {
        "record": [f"R-{i}" for i in range(6)],
        "template": [print_of(i).to_bytes() for i in range(6)],
    }
    pq.write_table(pa.table(rows), place / "all.parquet")
    from fpmatch.gallery import sources

    original = sources._record

    def interrupting(rows):
        if rows[0]["record"] == "R-3":
            os.kill(os.getpid(), signal.SIGTERM)
        return original(rows)

    monkeypatch.setattr(sources, "_record", interrupting)
    code, said, _ = run(place, what=("*.parquet",))
    assert (code, said["accepted"], said["read"]) == (143, 4, 4)
    monkeypatch.setattr(sources, "_record", original)
    code, said, _ = run(place, "--skip", 4, what=("*.parquet",))
    assert (code, said["accepted"]) == (0, 2)
    assert held(place) == [f"R-{i}" for i in range(6)]


def test_what_fails_on_the_way_says_what_is_stored(run, place, monkeypatch):
    original, calls = enrolment._batch, []

    def full(*args):
        calls.append(args)
        if len(calls) == 2:
            raise StorageError("no room")
        return original(*args)

    monkeypatch.setattr(enrolment, "_batch", full)
    monkeypatch.setattr(enrolment, "islice", lambda numbered, _: islice(numbered, 4))
    code, said, err = run(place)
    assert (code, said) == (2, None)
    assert "4 records" in err
    assert "--skip 4" in err
    assert "no room" in err
    assert held(place) == ["0", "1", "2", "3"]


def test_an_error_before_anything_is_stored_is_one_line(run, place):
    for i in range(6):
        (place / f"{i}.fpt").rename(place / f"{i}.txt")
    code, _, err = run(place, what=("nothing*",))
    assert code == 2
    assert "--skip" not in err
