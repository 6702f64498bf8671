"""What encryption at rest costs: enrolling, opening, searching, expunging, with it and without.

    python benchmarks/encryption_cost.py --fingers 5000
    python benchmarks/encryption_cost.py --stores 20000    # against SQLite files encrypted whole

CPU seconds of this process, the two galleries in turn; ratios of medians. The second part needs
`sqlcipher3` and `apsw-sqlite3mc`, which nothing else here uses, and leaves out what is not there.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fpmatch.encryption.box import Box, new_key
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.synthetic import mates, templates
from fpmatch.types import Record, SearchRequest

KEYS = {"bench": bytes(range(32))}
POLICY = """
version = 1
transactions = ["CAR"]
[[partition]]
name = "a"
ndr = 1
owner = "O"
requires_activation = false
[[jurisdiction]]
id = "S"
kind = "state"
[[agency]]
ori = "CA0380100"
parent = "S"
[[rule]]
id = "all"
effect = "permit"
who = "S"
partitions = "a"
author = "O"
"""
BY = {"order": "o", "authority": "a"}


def cpu(act: Callable[[], Any]) -> float:
    gc.collect()
    began = time.process_time()
    act()
    return time.process_time() - began


def galleries(fingers: int, rounds: int, folder: Path) -> None:
    people, again = list(templates(fingers, seed=1)), mates(rounds, seed=1)
    batch = max(1, fingers // rounds)
    times: dict[tuple[str, str], list[float]] = {}

    def note(what: str, kind: str, seconds: float) -> None:
        times.setdefault((what, kind), []).append(seconds)

    engines = {}
    for kind, keys in (("plain", None), ("encrypted", KEYS)):
        engines[kind] = Engine.create(folder / kind, keys=keys)
        engines[kind].add_partition("a", 1, "O", expected_fingers=fingers)
        engines[kind].publish(Policy.parse(POLICY))
    probes = list(again)
    for n in range(rounds):
        records = [
            Record(f"R-{i}", [people[i]], identity=f"P-{i}")
            for i in range(n * batch, (n + 1) * batch)
        ]
        for kind in engines:
            took = cpu(lambda k=kind, r=records: engines[k].enrol("a", r))
            note("enrol, a finger", kind, took / batch)
    for kind in engines:
        engines[kind].close()
    for n in range(rounds):
        for kind, keys in (("plain", None), ("encrypted", KEYS)):
            before = _memory()
            began = time.process_time()
            engine = Engine.open(folder / kind, "r", keys=keys)
            note("open", kind, time.process_time() - began)
            asked = SearchRequest(
                [probes[n]], booking_ori="CA0380100", transaction="CAR", max_candidates=20
            )
            note("first search", kind, cpu(lambda e=engine, a=asked: e.search(a)))
            for probe in probes:
                asked = SearchRequest(
                    [probe], booking_ori="CA0380100", transaction="CAR", max_candidates=20
                )
                note("search", kind, cpu(lambda e=engine, a=asked: e.search(a)))
            if n == 0:
                print(f"{kind}: private memory of an open reader grew {_memory() - before:.0f} MB")
            engine.close()
    for kind, keys in (("plain", None), ("encrypted", KEYS)):
        for path in (folder / kind).glob("columns-*.col"):
            path.unlink()
        began = time.process_time()
        Engine.open(folder / kind, "r", keys=keys).close()
        note("open without its copy of columns", kind, time.process_time() - began)
    for n in range(rounds):
        for kind, keys in (("plain", None), ("encrypted", KEYS)):
            with Engine.open(folder / kind, "rw", keys=keys) as engine:
                note("expunge", kind, cpu(lambda e=engine, n=n: e.expunge(f"R-{n}", **BY)))
    with Engine.open(folder / "encrypted", "rw", keys=KEYS) as engine:
        took = cpu(lambda: engine.rekey(renew=True))
        print(
            f"everything encrypted anew: {took:.2f} s CPU, {1e6 * took / fingers:.0f} us a finger"
        )
    for kind in engines:
        size = {}
        for path in (folder / kind).rglob("*"):
            if path.is_file():
                size[path.suffix] = size.get(path.suffix, 0) + path.stat().st_size
        print(kind, {k: f"{v / 1e6:.1f} MB" for k, v in size.items() if v > 1e5})
    print("| what | plain, ms CPU | encrypted, ms CPU | ratio |\n|---|---|---|---|")
    for what in dict.fromkeys(what for what, _ in times):
        a, b = (statistics.median(times[what, kind]) for kind in ("plain", "encrypted"))
        print(f"| {what} | {1e3 * a:.3f} | {1e3 * b:.3f} | {b / a:.2f} |")


def _memory() -> float:
    """Private memory of this process, MB; the peak where the system does not say."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text()
        lines = [line.split() for line in text.splitlines() if line.startswith("Private")]
        return sum(int(words[1]) for words in lines) / 1e3
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def stores(count: int, folder: Path) -> None:
    """Templates written and read: as they are, each encrypted, and in files encrypted whole."""
    rng = np.random.default_rng(1)
    contents = [rng.bytes(int(n)) for n in rng.integers(400, 1400, count)]
    order = rng.permutation(count).tolist()
    box = Box(new_key(), "bench")
    ways: dict[str, tuple[Callable[[], Any], bool]] = {
        "sqlite3, as they are": (lambda: sqlite3.connect(folder / "plain"), False),
        "sqlite3, each under a key of its own (AES-SIV)": (
            lambda: sqlite3.connect(folder / "each"),
            True,
        ),
    }
    try:
        import sqlcipher3

        ways["SQLCipher"] = (
            lambda: _keyed(sqlcipher3.connect(str(folder / "sqlcipher")), "x'" + "11" * 32 + "'"),
            False,
        )
    except ImportError:
        print("no sqlcipher3 here")
    try:
        import apsw

        ways["SQLite3 Multiple Ciphers, ChaCha20"] = (
            lambda: _keyed(apsw.Connection(str(folder / "mc")), "raw:" + "11" * 32),
            False,
        )
    except ImportError:
        print("no apsw-sqlite3mc here")
    print("| way | write, us | read, us | open and read one, ms |\n|---|---|---|---|")
    for name, (connect, encrypt) in ways.items():
        database = connect()
        database.execute("CREATE TABLE template (id INTEGER PRIMARY KEY, bytes BLOB, key BLOB)")

        def write(database: Any = database, encrypt: bool = encrypt) -> None:
            database.execute("BEGIN")
            for n, content in enumerate(contents):
                key = b""
                if encrypt:
                    bare = new_key()
                    key = box.put(bare, "key", n)
                    content = Box(bare, "x").put(content, "template", n)
                database.execute("INSERT INTO template VALUES (?, ?, ?)", (n, content, key))
            database.execute("COMMIT")

        def read(database: Any = database, encrypt: bool = encrypt) -> None:
            for n in order:
                row = database.execute("SELECT bytes, key FROM template WHERE id = ?", (n,))
                content, key = row.fetchone()
                if encrypt:
                    content = Box(box.get(key, "key", n), "x").get(content, "template", n)
                assert content == contents[n]

        wrote = cpu(write) / count
        database.close()
        database = connect()
        took = cpu(lambda read=read, database=database, encrypt=encrypt: read(database, encrypt))
        database.close()

        def once(connect: Callable[[], Any] = connect) -> None:
            one = connect()
            one.execute("SELECT bytes FROM template WHERE id = 5").fetchone()
            one.close()

        opened = statistics.median(cpu(once) for _ in range(9))
        print(f"| {name} | {1e6 * wrote:.1f} | {1e6 * took / count:.1f} | {1e3 * opened:.2f} |")


def _keyed(database: Any, key: str) -> Any:
    quote = '"' if key.startswith("x'") else "'"
    database.execute(f"PRAGMA key = {quote}{key}{quote}")
    return database


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--fingers", type=int, default=0)
    ask.add_argument("--rounds", type=int, default=10)
    ask.add_argument("--stores", type=int, default=0)
    said = ask.parse_args()
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    try:
        if said.fingers:
            galleries(said.fingers, said.rounds, folder)
        if said.stores:
            stores(said.stores, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
