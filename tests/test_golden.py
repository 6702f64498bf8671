"""Galleries that earlier states of this project made: read as they are, brought up to date once.

``tests/golden/*.tar.xz`` each hold a gallery as `engine_helpers` of then made it: five records, of
which one is sealed and one expunged, a protected one and one with a ban, a deferred and a retained
probe, a withheld search, and the answers of then.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
from pathlib import Path

import pytest
from engine_helpers import LATER, ON, Clock, record, request

from fpmatch import upkeep
from fpmatch.errors import InputError, StorageError
from fpmatch.policy import Policy
from fpmatch.search import Engine

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.tar.xz"))
OPTIONS = {"clock": Clock(), "durability": "off"}


@pytest.fixture(params=GOLDEN, ids=lambda path: path.name.split(".")[0])
def place(request, tmp_path) -> Path:
    with tarfile.open(request.param) as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "golden.fpm"


def told(answer: dict) -> dict[str, tuple]:
    """Outcome and records of each section; scores may have moved with the calibration."""
    return {
        s["partition"]: (
            s["outcome"],
            tuple(c["record"] for c in s.get("candidates") or () if c["score"] >= 30),
        )
        for s in answer["partitions"]
    }


def now(engine: Engine) -> dict[str, dict[str, tuple]]:
    return {
        str(p): told(json.loads(engine.search(request(ON, p, threshold=30)).to_bytes()))
        for p in range(1, 6)
    }


def then(place: Path) -> dict[str, dict[str, tuple]]:
    answers = json.loads((place / "answers.json").read_text())
    return {p: told(json.loads(text)) for p, text in answers.items()}


def test_there_are_some():
    assert len(GOLDEN) >= 3


def test_an_older_gallery_answers_as_it_did(place):
    with Engine.open(place, **OPTIONS) as e:
        assert now(e) == then(place)
        assert e.audit.verify().ok
    with Engine.open(place, "rw", **OPTIONS) as e:
        assert now(e) == then(place)
        assert e.audit.verify().ok
    (place / "answers.json").unlink()
    # Searches that were cut off there by nobody: all of them have an outcome.
    assert upkeep.check(place, deep=True) == ()


def test_an_older_gallery_can_do_what_newer_ones_can(place, tmp_path):
    """A reader that follows, removals that are known at a restoration, probes that wait."""
    with Engine.open(place, "rw", **OPTIONS) as w, Engine.open(place, **OPTIONS) as r:
        w.enrol("criminal", [record("C-9", 9)])
        section = r.search(request(ON, 9, threshold=30))["criminal"]
        assert [c.record for c in section.candidates] == ["C-9"]
        upkeep.backup(place, tmp_path / "copy")
        w.expunge("C-9", order="o", authority="a")
        w.unseal("C-4", order="o", authority="a")
        assert not r.search(request(ON, 9, threshold=30))["criminal"].candidates
        assert len(w.cascade("immigration")) == 1
        section = w.search(request(LATER, 2))["immigration"]
        answer = w.report_event(section.token, "CONVICTION", disposition="convicted")
        assert answer["immigration"].outcome == "SEARCHED_DISCLOSED"
        listed = upkeep.removals(place)
    done = upkeep.restore(tmp_path / "copy", tmp_path / "new", removals=listed, **OPTIONS)
    assert (done.expunged, done.unsealed) == (1, 1)


def test_a_reader_of_an_older_gallery_follows_without_what_it_lacks(place):
    """Opened for reading before anybody brought it up to date: it reads the tables."""
    with Engine.open(place, **OPTIONS) as r:
        assert now(r) == then(place)
        with Engine.open(place, "rw", **OPTIONS) as w:
            w.enrol("criminal", [record("C-9", 9)])
            section = r.search(request(ON, 9, threshold=30))["criminal"]
            assert [c.record for c in section.candidates] == ["C-9"]


def test_searches_of_before_there_were_scales_are_played_again(place):
    """Their records name none: they were searched at the stated one."""
    with Engine.open(place, "rw", **OPTIONS) as e:
        old = [r for r in e.audit.records(kind="INTENT") if r.fields["cri"] == ON]
        assert old
        assert all("scale" not in r.fields for r in old)
        played = 0
        for record_ in old:
            for person in range(1, 6):
                try:
                    report = e.replay(record_.seq, request(ON, person, threshold=30))
                except InputError:
                    continue  # of another person
                played += 1
                assert report.partitions
                assert all("decision" not in different for _, different in report.partitions)
        assert played == len(old)
        assert e.audit.verify().ok
        assert len(e.cascade("immigration")) == 1
        *_, last = e.audit.records(kind="INTENT")
        assert last.fields["scale"] == "stated"


@pytest.mark.parametrize("file", ["gallery.sqlite", "ledger.sqlite"])
def test_a_later_format_is_refused_with_its_number(place, file):
    with sqlite3.connect(place / file) as database:
        database.execute("UPDATE meta SET value = 99 WHERE key = 'format'")
    database.close()
    for mode in ("r", "rw"):
        with pytest.raises(StorageError, match="99"):
            Engine.open(place, mode, **OPTIONS)


def test_a_policy_keeps_the_digest_that_it_was_published_under():
    """One of each table. A new field of a policy changes no digest of those that lack it.

    Where this fails after a field was added, the field belongs into `fpmatch.policy.write.LATER`.
    """
    found = Policy.load(GOLDEN[0].parent / "policy.toml")
    assert found.digest == "568f863cb03de578cce7958d599be936058f0948735f02be0fd652ca3bd0f98a"
    declared = found.declared
    tables = ("partitions", "jurisdictions", "agencies", "agreements", "activations", "consents")
    assert all(getattr(declared, name) for name in (*tables, "rules", "modes", "optouts"))
