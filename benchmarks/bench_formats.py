"""Interchange formats on one thread: MB/s and files/s, transactions beside nistitl in the same run.

    python benchmarks/bench_formats.py [--seconds 2]

Transactions: the real ones where FPMATCH_DATA has them (in memory), else made up. CPU time of the
calling thread; every file as often as fits, the systems taking turns, the least time of each.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import format_cases as cases  # noqa: E402

from fpmatch import formats  # noqa: E402
from fpmatch.formats import ebts_answers  # noqa: E402
from fpmatch.formats.cbeff_values import NAMESPACE  # noqa: E402
from fpmatch.formats.ebts_address import address_of  # noqa: E402
from fpmatch.formats.ebts_answering import Answering, Person  # noqa: E402
from fpmatch.types import (  # noqa: E402
    Candidate,
    Outcome,
    PartitionResult,
    Reason,
    SearchResponse,
)

BDB = f"{{{NAMESPACE}}}BDB"


def transactions() -> list[bytes]:
    folder = Path(os.environ.get("FPMATCH_DATA", ROOT / ".." / "shared" / "data"))
    paths = sorted((folder / "formats" / "nist_itl").glob("*"))
    return [path.read_bytes() for path in paths] or [formats.write(cases.transaction())] * 20


def least(call: Callable[[bytes], object], files: list[bytes], seconds: float) -> float:
    """Sum over the files of the least CPU time of several calls, seconds."""
    total = 0.0
    for data in files:
        best, spent, calls = float("inf"), 0.0, 0
        while calls < 3 or spent < seconds / len(files):
            start = time.thread_time()
            call(data)
            took = time.thread_time() - start
            best, spent, calls = min(best, took), spent + took, calls + 1
        total += best
    return total


def row(name: str, call: Callable[[bytes], object], files: list[bytes], seconds: float) -> None:
    took = least(call, files, seconds)
    size = sum(map(len, files)) / 1e6
    print(f"{name:34} {size / took:10.0f} MB/s {len(files) / took:10.0f} files/s")


def rows(name: str, files: list[bytes], seconds: float) -> None:
    """Reading and writing of some transactions, beside nistitl where it is installed."""
    row(f"{name} read", formats.read, files, seconds)
    parsed = {data: formats.read(data) for data in files}
    row(f"{name} write", lambda data: formats.write(parsed[data]), files, seconds)
    try:
        import nistitl
    except ImportError:
        print("nistitl is not installed: pip install nistitl")
        return

    def theirs(data: bytes) -> object:
        message = nistitl.Message()
        message.parse(data)
        return message

    row(f"{name} read, nistitl", theirs, files, seconds)
    messages = {data: theirs(data) for data in files}
    row(f"{name} write, nistitl", lambda data: messages[data].NIST, files, seconds)


def answers(seconds: float) -> None:
    """Answers to one submission of each kind, made from a response of 99 candidates."""
    found = tuple(Candidate(f"C-{i}", 99.0 - i, 0.0) for i in range(99))
    section = PartitionResult(
        "criminal", Outcome.SEARCHED_DISCLOSED, Reason.GRANTED, candidates=found
    )
    response = SearchResponse("", 1, (section,))
    how = Answering(who=lambda partition, candidate: Person("A1", "ROE,RICHARD"))
    day = date(2026, 1, 2)
    asked = [cases.submitted(kind) for kind in ("CAR", "RPIS", "TPIS", "LFIS")]
    addresses = [address_of(one) for one in asked]
    made = [ebts_answers.results(one, response, how, day)[0].data for one in addresses]
    rows("answers", made, seconds)
    by_answer = dict(zip(made, addresses, strict=True))

    def answer(data: bytes) -> object:
        return ebts_answers.results(by_answer[data], response, how, day)

    row("answers from a response", answer, made, seconds)


def cbeff(seconds: float) -> None:
    """A file of ten fingers, pictures of 15 KB each; beside the bare XML parser and base64."""
    rng = np.random.default_rng(0)
    views = tuple(
        formats.ImageView(rng.bytes(120 * 125), 120, 125, position=p) for p in range(1, 11)
    )
    record = formats.convert(formats.FingerImageRecord("fir2011", views), "cbeff").content
    files = [formats.write(record)]

    def bare(data: bytes) -> object:
        blocks = (node.text or "" for node in ElementTree.fromstring(data).iter(BDB))
        return [base64.b64decode(text) for text in blocks]

    def pictures(data: bytes) -> object:
        return formats.pictures_of(formats.read(data))

    row("cbeff read, ten fingers", formats.read, files, seconds)
    row(
        "cbeff read, pictures taken", lambda d: formats.pictures_of(formats.read(d)), files, seconds
    )
    row("cbeff read, ElementTree + base64", bare, files, seconds)
    row("cbeff write", lambda data: formats.write(record), files, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    seconds = parser.parse_args().seconds
    files = transactions()
    print(f"{len(files)} transactions, {sum(map(len, files)) / 1e6:.1f} MB")
    rows("itl", files, seconds)
    answers(seconds)
    cbeff(seconds)
    for name in (*cases.FMR, "xyt", "fpt"):
        made = [
            formats.write(formats.convert(cases.template(seed), name).content) for seed in range(20)
        ]
        row(f"{name} read, 40 minutiae", formats.read, made, seconds / 4)
        held = {data: formats.read(data) for data in made}
        row(f"{name} write", lambda data, held=held: formats.write(held[data]), made, seconds / 4)
        row(f"{name} to template", lambda d, h=held: formats.templates_of(h[d]), made, seconds / 4)
    for name in ("fir2005", "fir2011"):
        made = [formats.write(cases.image_record(name, seed)) for seed in range(20)]
        row(f"{name} read", formats.read, made, seconds / 4)
        held = {data: formats.read(data) for data in made}
        row(f"{name} write", lambda data, held=held: formats.write(held[data]), made, seconds / 4)


if __name__ == "__main__":
    main()
