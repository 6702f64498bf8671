"""The short form of `tests/faults/play.py`: some faults of each kind, and none that goes unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from how_often import often

PLAY = Path(__file__).resolve().parent / "faults" / "play.py"
sys.path.insert(0, str(PLAY.parent))


@pytest.fixture(scope="module")
def library() -> str:
    import play

    found = play.build()
    if found is None:
        pytest.skip("no C compiler, or no Linux: the library that makes faults cannot be built")
    return found


def run(library: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(PLAY), *arguments],
        env={**os.environ, "LD_PRELOAD": library},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--encrypted"]], ids=["plain", "encrypted"])
def test_faults_lose_nothing_revive_nothing_and_raise_our_errors(library, more):
    if more:
        pytest.importorskip("cryptography")
    done = run(library, "--trials", str(often(80)), "--seed", "5", *more)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    last = done.stdout.splitlines()[-1].split("|")
    trials, hit = int(last[2]), int(last[3])
    assert trials >= often(80)
    # Or the faults do not reach the files, and the test shows nothing.
    assert hit >= 0.8 * often(80)


def test_a_loss_would_be_noticed(tmp_path):
    """The judge itself: a gallery that lacks what was acknowledged, and holds what was removed."""
    import play

    play.make(tmp_path / "g.fpm")
    truth = play.Truth(there={"C-1": {1}, "C-3": {3}}, gone={"C-2": {2}}, sealed={"C-1"})
    truth.together = [{"C-2", "C-4"}]
    wrong = play.left(tmp_path / "g.fpm", truth)
    assert "lost: C-3" in wrong
    assert "revived: C-2" in wrong
    assert "half expunged: ['C-2'] of ['C-2', 'C-4']" in wrong
    assert any(w.startswith("person 1:") for w in wrong)


def test_what_is_left_behind_would_be_noticed(tmp_path):
    import play
    from engine_helpers import Clock, record

    from fpmatch.search import Engine

    play.make(tmp_path / "g.fpm")
    truth = play.Truth(there={"C-1": {1}, "C-2": {2}}, gone={"N-1-2-3": {5}})
    assert play.left_behind(tmp_path / "g.fpm", truth) == []
    with Engine.open(tmp_path / "g.fpm", "rw", clock=Clock(), durability="off") as engine:
        engine.enrol("criminal", [record("N-1-2-3", 5)])
    found = play.left_behind(tmp_path / "g.fpm", truth)
    assert "left behind: N-1-2-3 in gallery.sqlite" in found
    assert "left behind: person 5 in gallery.sqlite" in found
    assert any(".seg" in one and "person 5" in one for one in found)


def test_a_file_that_could_be_opened_for_reading_only_is_noticed(tmp_path, monkeypatch):
    """SQLite falls back to reading where a file cannot be opened for writing at that moment."""
    from fpmatch import database, sqlite_errors
    from fpmatch.errors import WriteError

    database.create_file(tmp_path / "x.sqlite", "CREATE TABLE meta (key TEXT, value);")
    true = sqlite_errors.connect
    monkeypatch.setattr(
        sqlite_errors,
        "connect",
        lambda p, uri, **o: true(p, uri.replace("mode=rw", "mode=ro"), **o),
    )
    with pytest.raises(WriteError):
        database.connect(tmp_path / "x.sqlite", write=True)
    database.connect(tmp_path / "x.sqlite", write=False).close()
