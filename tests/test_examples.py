"""The programs of examples/ are started as a user starts them, and called over a connection."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import fpmatch as fp

ROOT = Path(__file__).resolve().parent.parent
JAIL, POLICE, BUREAU = "CS0010100", "CS0010200", "CSSIR0000"
LONG = 120.0
"""Seconds that a start may take on a busy machine with nothing compiled."""


def picture(name: str) -> str:
    return base64.b64encode(fp.sample(f"optical/{name}.png").read_bytes()).decode()


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    path = tmp_path / "county.fpm"
    with fp.Engine.create(path) as engine:
        engine.add_partition("criminal", ndr=1, owner="DOJ-FBI")
        engine.add_partition("immigration", ndr=9, owner="DHS")
        mate = fp.extract(fp.read_image(fp.sample("optical/1_1.png"), ppi=500))
        for partition in ("criminal", "immigration"):
            engine.enrol(partition, [fp.Record("C-17", [mate])])
        engine.publish(fp.Policy.load(fp.sample("demo_policy.toml")))
    return path


@contextmanager
def started(said: str, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A program that runs, and the port that it says it has."""
    program = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )
    assert program.stdout is not None
    seen = []
    try:
        for line in program.stdout:
            seen.append(line)
            if found := re.search(said, line):
                yield program, int(found[1])
                break
        else:
            pytest.fail("".join(seen))
    finally:
        program.send_signal(signal.SIGTERM)
        try:
            rest = program.communicate(timeout=30)[0]
        except subprocess.TimeoutExpired:
            program.kill()
            rest = program.communicate()[0]
        sys.stdout.write("".join((*seen, rest)))


def until(ready) -> None:
    end = time.monotonic() + LONG
    while not ready():
        assert time.monotonic() < end, "not ready"
        time.sleep(0.2)


# -- the web service ---------------------------------------------------------------------------


def asked(port: int, method: str, path: str, token: str = "", body: object = None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=LONG) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def healthy(port: int) -> bool:
    try:
        return asked(port, "GET", "/health")[0] == 200
    except OSError:
        return False


@pytest.fixture
def callers(tmp_path: Path) -> Path:
    path = tmp_path / "callers.toml"
    path.write_text(
        "".join(
            f'[[caller]]\ntoken_sha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n'
            f'booking_ori = "{ori}"\nchain = ["{BUREAU}"]\nenrols = {enrols}\n'
            for token, ori, enrols in (
                ("of-jail", JAIL, '["criminal"]'),
                ("of-police", POLICE, "[]"),
            )
        )
    )
    return path


@pytest.fixture
def service():
    pytest.importorskip("fastapi", reason="the web service needs fastapi: pip install fastapi")
    pytest.importorskip("uvicorn", reason="the web service needs uvicorn: pip install uvicorn")
    return ROOT / "examples" / "web_service.py"


SAYS = r"running on http://127\.0\.0\.1:(\d+)"


@pytest.mark.slow
def test_readers_find_what_the_writer_enrols_as_the_agency_of_their_token(
    service, gallery, callers
) -> None:
    both = [service, gallery, "--callers", callers, "--port", 0]
    with (
        started(SAYS, *both, "--workers", 2) as (_, read),
        started(SAYS, *both, "--write") as (_, write),
    ):
        until(lambda: healthy(read))
        until(lambda: healthy(write))
        assert asked(write, "GET", "/health")[1]["writes"] is True

        def sections(token: str, name: str) -> dict[str, dict]:
            status, said = asked(
                read, "POST", "/search", token, {"fingers": [{"picture": picture(name)}]}
            )
            assert status == 200, said
            return {s["partition"]: s for s in said["partitions"]}

        found = sections("of-jail", "1_2")
        assert found["criminal"]["candidates"][0]["record"] == "C-17"
        assert found["immigration"]["candidates"][0]["record"] == "C-17"
        denied = sections("of-police", "1_2")
        assert denied["criminal"]["candidates"][0]["record"] == "C-17"
        assert denied["immigration"]["reason"] == "ORI_DEACTIVATED"

        listed = sections("of-jail", "2_2")["criminal"]["candidates"]
        assert "C-18" not in [candidate["record"] for candidate in listed]
        new = {"fingers": [{"picture": picture("2_1")}]}
        path = "/partitions/criminal/records/C-18"
        assert asked(read, "PUT", path, "of-jail", new)[0] == 404  # a reader has no such path
        assert asked(write, "PUT", path, "of-police", new)[0] == 403
        assert asked(write, "PUT", path, "of-jail", new) == (
            200,
            {"fingers_added": 1, "to_look_at": 0},
        )
        # Whichever reader is asked, from now on it is there.
        for _ in range(4):
            assert sections("of-jail", "2_2")["criminal"]["candidates"][0]["record"] == "C-18"

        # Nothing of what a caller sends says who it is, and nothing bad is more than an answer.
        body = {"fingers": [{"picture": picture("1_2")}]}
        assert asked(read, "POST", "/search", "somebody", body)[0] == 401
        assert asked(read, "POST", "/search", "", body)[0] in (401, 403)
        status, said = asked(read, "POST", "/search", "of-police", body | {"booking_ori": JAIL})
        assert (status, said["error"]) == (422, "InputError")
        assert "booking_ori" in said["message"]
        for wrong in ("%", base64.b64encode(b"no picture").decode()):
            status, said = asked(
                read, "POST", "/search", "of-jail", {"fingers": [{"picture": wrong}]}
            )
            assert status == 422, said
            assert len(said["message"]) < 300
        assert asked(read, "POST", "/search", "of-jail", b"{")[0] == 422
    with fp.Engine.open(gallery) as engine:
        assert engine.audit.verify().ok


def refused(*arguments: object) -> str:
    """What a program says that does not start."""
    ran = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LONG,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 2, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_a_service_says_what_is_wrong_before_it_starts(service, gallery, callers, tmp_path) -> None:
    bad = tmp_path / "bad.toml"
    for text, said in (
        ('[[caller]]\ntoken_sha256 = "00"\nbooking_ori = "nobody"\n', "'nobody' is no ORI"),
        ('[[caller]]\ntoken = "00"\n', "unexpected keyword argument 'token'"),
        ("", "'caller'"),
        ("[[", "TOMLDecodeError"),
    ):
        bad.write_text(text)
        assert said in refused(service, gallery, "--callers", bad)
    assert "absent.toml" in refused(service, gallery, "--callers", tmp_path / "absent.toml")
    assert "no gallery" in refused(service, tmp_path / "absent.fpm", "--callers", callers)
    assert "one process writes" in refused(
        service, gallery, "--callers", callers, "--write", "--workers", 2
    )


# -- the pool ----------------------------------------------------------------------------------


class Client:
    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=LONG)
        self.lines = self.connection.makefile("rwb")

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.connection.close()

    def ask(self, body: object) -> dict:
        self.lines.write(body if isinstance(body, bytes) else json.dumps(body).encode() + b"\n")
        self.lines.flush()
        return json.loads(self.lines.readline())


def who(port: int) -> int:
    """The process that takes a new connection."""
    try:
        with Client(port) as client:
            return client.ask({"ping": True})["pong"]
    except (OSError, ValueError):  # its process was killed just then
        return 0


@pytest.mark.slow
def test_a_pool_searches_beside_a_writer_and_replaces_who_dies(gallery) -> None:
    program = [ROOT / "examples" / "worker_pool.py", gallery, "--ori", POLICE, "--chain", BUREAU]
    says = r"listening on port (\d+)"
    with started(says, *program, "--workers", 2, "--port", 0) as (pool, port):
        seen: set[int] = set()
        until(lambda: seen.add(who(port)) or len(seen - {0}) == 2)
        with Client(port) as client:
            said = client.ask({"fingers": [picture("1_2")], "ppi": 500, "tcn": "T-1"})
            sections = {s["partition"]: s for s in said["partitions"]}
            assert said["tcn"] == "T-1"
            assert sections["criminal"]["candidates"][0]["record"] == "C-17"
            assert sections["immigration"]["reason"] == "ORI_DEACTIVATED"
            # Bad lines are answered, and the connection goes on.
            for bad in (
                b"\n", b"[]\n", b"{\n", {"fingers": []}, {"fingers": 3}, {"fingers": ["%"]},
                {"fingers": [base64.b64encode(b"FPT no template").decode()]},
                {"fingers": [picture("1_2")], "booking_ori": JAIL},
                {"fingers": [picture("1_2")], "ppi": "much"},
                {"fingers": [picture("1_2")], "max_candidates": -1},
                {"fingers": [picture("1_2")], "tcn": "T-1"},
            ):  # fmt: skip
                said = client.ask(bad)
                assert said["error"], bad
            with fp.Engine.open(gallery, "rw") as engine:
                stored = fp.extract(fp.read_image(fp.sample("optical/2_1.png"), ppi=500))
                engine.enrol("criminal", [fp.Record("C-18", [stored])])
                probe = base64.b64encode(stored.to_bytes()).decode()
                said = client.ask({"fingers": [probe]})
                sections = {s["partition"]: s for s in said["partitions"]}
                assert sections["criminal"]["candidates"][0]["record"] == "C-18"
        before = set(seen - {0})
        os.kill(min(before), signal.SIGKILL)
        until(lambda: who(port) not in (*before, 0))
        assert pool.poll() is None
    assert pool.returncode == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with fp.Engine.open(gallery) as engine:
        assert engine.audit.verify().ok


def test_a_pool_says_what_is_wrong_before_it_starts(gallery, tmp_path) -> None:
    program = ROOT / "examples" / "worker_pool.py"
    assert "'nobody' is no ORI" in refused(program, gallery, "--ori", "nobody")
    assert "no gallery" in refused(program, tmp_path / "absent.fpm", "--ori", POLICE)
