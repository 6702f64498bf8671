"""Mutated inputs for every reader of interchange formats.

``python tests/fuzz_formats.py --inputs 200000 [--reader NAME] [--seed N] [--keep DIR]`` reads so
many mutated inputs with each reader and exits with 1 if any raised outside fpmatch's tree, took
over ten seconds, or, of every fiftieth, took more memory than the stated multiple of its size.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import format_cases as cases
import mutate
import numpy as np

from fpmatch import formats
from fpmatch.errors import FpmatchError
from fpmatch.finger import SLAPS
from fpmatch.formats import abis_messages, ebts, ebts_answers, itl_read
from fpmatch.formats.ebts_address import NAME, REPEATED, address_of
from fpmatch.formats.ebts_answering import Adjudication, Answering, Person
from fpmatch.types import Candidate, Outcome, PartitionResult, Reason, SearchResponse

MEMORY_TIMES = 64
"""Peak of Python's allocations while reading, in multiples of the input."""
MEMORY_FLOOR = 1 << 20
"""What small inputs may take whatever their size: error messages, tables, first imports."""
FLOORS = {"slaps": 8 << 20}
"""As fuzz_pictures.py allows for a picture that is decoded and looked at."""
SECONDS = 10.0
TIME = "2020-03-29T07:01:24.692Z"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
MEASURED = 50


@dataclass
class Tally:
    """What a run saw."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    most_memory: float = 0.0
    faults: list[tuple[bytes, str]] = field(default_factory=list)


def seeds(reader: str) -> list[bytes]:
    """Files to start from: our own records, and the small samples where they are at hand."""
    made = SEEDS[reader]()
    folder = Path(os.environ.get("FPMATCH_DATA", "")) / "formats" / FOLDERS.get(reader, "-")
    if os.environ.get("FPMATCH_DATA") and folder.is_dir():
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        made += [path.read_bytes() for path in files if path.stat().st_size < 50_000][:40]
    return made


def _fmr_seeds() -> list[bytes]:
    sizes = [(name, count) for name in cases.FMR for count in (3, 30)]
    return [formats.write(cases.record(name, count=count)) for name, count in sizes]


def _text_seeds() -> list[bytes]:
    one = cases.template(count=12)
    return [formats.write(formats.convert(one, name).content) for name in ("xyt", "xyt-m1")]


def _stored_seeds() -> list[bytes]:
    return [cases.template(seed, count).to_bytes() for seed, count in ((0, 3), (1, 40))]


def _itl_seeds() -> list[bytes]:
    """Small ones with all kinds of records, and minutiae in each notation of Type-9."""
    made = cases.transaction()
    m1 = {2: "03", 3: "1", 128: "64", 129: "64", 130: "2", 131: "197", 132: "197", 134: "04"}
    m1 |= {
        135: "90\x1f000F\x1f1",
        137: "001\x1f12\x1f13\x1f5\x1f1\x1f90\x1e002\x1f9\x1f8\x1f7\x1f2\x1f0",
    }
    other = formats.Transaction((*made.records[:-1], formats.tagged(9, m1)))
    fbi = {2: "03", 3: "1", 14: "08", 23: "001\x1f01000200281\x1f00\x1fC\x1f03304"}
    third = formats.Transaction((made.header, formats.tagged(9, fbi)))
    efs = {2: "03", 3: "4", 300: "2540\x1f3048\x1f254\x1f508\x1f1,1-5,5-9,1", 302: "7\x1fDST"}
    efs |= {315: "U", 331: "508\x1f1016\x1f45\x1fE\x1f20\x1f15\x1e762\x1f762\x1f0\x1fX\x1f\x1f180"}
    fourth = formats.Transaction((made.header, formats.tagged(9, efs)))
    full = {5: "Y", 7: "CS0010300ABC\x1eCS0010400", 73: "CS0010200\x1eCS0010500"}
    full |= {84: "3\x1fXX\x1e4\x1fUP", 98: "1\x1e9"}
    asked = cases.booking(full, kind="RPIS", priority="1", answered="CTRL-00000")
    kinds = [cases.submitted(kind) for kind in ("CAR", "TPIS", "RPIS", "LFIS")]
    return [
        formats.write(one)
        for one in (made, other, third, fourth, asked, asked, cases.booking(), *kinds)
    ]


def _slap_seeds() -> list[bytes]:
    """Transactions with a small slap each: cut as seen, by boxes, by polygons, one finger absent.

    The pictures are four targets of rings, so small that what is said of them takes most of the
    changes and the cutting little of the time.
    """
    height, width = 300, 620
    down, across = np.mgrid[:height, :width]
    pixels = np.full((height, width), 255, np.uint8)
    hand = ((2, 15, 40), (3, 165, 20), (4, 315, 30), (5, 465, 70))
    for _, left, top in hand:
        x, y = across - left - 60, down - top - 110
        rings = 128 + 100 * np.sin(2 * np.pi * np.hypot(x, y) / 9)
        pixels = np.where((x / 60) ** 2 + (y / 105) ** 2 < 1, rings.astype(np.uint8), pixels)
    boxes = "\x1e".join(f"{n}\x1f{x}\x1f{x + 120}\x1f{y}\x1f{y + 215}" for n, x, y in hand)
    corners = "\x1e".join(
        "\x1f".join(map(str, (n, 4, x, y, x + 120, y + 5, x + 118, y + 215, x, y + 210)))
        for n, x, y in hand
    )
    common = {2: "01", 3: "0", 6: str(width), 7: str(height), 8: "1", 9: "500", 10: "500"}
    common |= {11: "NONE", 12: "8", 13: "13"}
    said: list[dict[int, str | bytes]] = [{}, {21: boxes}, {25: corners}, {21: boxes, 25: corners}]
    said = [{**common, **more, 999: pixels.tobytes()} for more in said]
    pixels[:, 300:450] = 255
    said.append({**common, 18: "4\x1fXX", 999: pixels.tobytes()})
    return [formats.write(cases.booking(records=(formats.tagged(14, one),))) for one in said]


def _fir_seeds() -> list[bytes]:
    return [formats.write(cases.image_record(name)) for name in ("fir2005", "fir2011")]


def _cbeff_seeds() -> list[bytes]:
    """A file of two images, one of minutiae, and one with every element."""
    records = (cases.image_record("fir2011"), cases.record("iso2005", count=8))
    made = [formats.convert(one, "cbeff").content for one in records]
    about = formats.BdbInfo(
        b"challenge", "i", formats.RegistryId("Mosip", "7"), False, "2019-06-27T13:40:06.209Z",
        types=("Iris",), subtypes=("Left",), level="Raw", purpose="Enroll",
        quality=formats.Quality(formats.RegistryId("HMAC", "SHA-256"), 100),
    )  # fmt: skip
    info = formats.BirInfo("who", "i", b"payload", True, "2019-06-27T13:40:06.209Z")
    full = formats.Bir(
        b"block", (1, 1), (1, 1), info, about, formats.RegistryId("X", "1"), b"guard",
        (("EXCEPTION", "true"),), (formats.Bir(b"inner"),),
    )  # fmt: skip
    made.append(formats.BiometricRecord(formats.Bir(records=(full,))))
    old = b'<BIR><BIRInfo/><BIR><others><entry key="RETRY">2</entry></others></BIR></BIR>'
    return [*(formats.write(one) for one in made), old, *map(_without_pictures, made[:2])]


def _without_pictures(record: formats.BiometricRecord) -> bytes:
    """The same with blocks of a few bytes, so that changes meet the elements."""
    inner = tuple(replace(bir, data=bir.data[:40]) for bir in record.bir.records)
    return formats.write(replace(record, bir=replace(record.bir, records=inner)))


def _abis_seeds() -> list[bytes]:
    """Messages of every kind, as the specification writes them."""
    common = {"version": "1.1", "requestId": "91234567-89AB", "requesttime": TIME}
    named = {"referenceId": "01234567-89AB", "referenceURL": "https://share.example/get/a"}
    flags = {"maxResults": "10", "targetFPIR": "30", "flag1": "value1"}
    within = {"referenceIds": [{"referenceId": "2abe7b7d"}, {"referenceId": "7acce7b7d"}]}
    said = {"insert": named, "identify": {**named, "flags": flags, "gallery": within}}
    said |= {"delete": named, "ping": {}, "pendingJobs": {}, "referenceCount": {}}
    return [
        json.dumps({"id": f"mosip.abis.{name}", **common, **more}).encode()
        for name, more in said.items()
    ]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "abis": _abis_seeds,
    "cbeff": _cbeff_seeds,
    "fir": _fir_seeds,
    "fmr": _fmr_seeds,
    "xyt": _text_seeds,
    "fpt": _stored_seeds,
    "itl": _itl_seeds,
    "slaps": _slap_seeds,
}
TARGETS = (*cases.FMR[:4], "xyt", "fpt", "fir2005", "fir2011", "cbeff")
FOLDERS = {"fmr": "templates", "itl": "nist_itl", "fir": "fir"}


def use(data: bytes) -> bool:
    """Read, and do with the content what a caller would; whether it could be read."""
    try:
        content = formats.read(data)
    except FpmatchError:
        if itl_read.begins(data):
            with contextlib.suppress(FpmatchError):
                _answer(itl_read.beginning(data))
        return False
    for ppi in (None, 500):
        with contextlib.suppress(FpmatchError):
            for template in formats.templates_of(content, ppi=ppi):
                template.to_bytes()
    for target in TARGETS:
        with contextlib.suppress(FpmatchError):
            formats.write(formats.convert(content, target, view=0).content)
    _dig(content)
    try:
        written = formats.write(content)
    except FpmatchError:
        return True
    formats.read(written, formats.format_of(content))
    return True


def use_message(data: bytes) -> bool:
    """Parse an ABIS message and answer it; whether it is well-formed."""
    said = abis_messages.parse(data)
    if isinstance(said, abis_messages.Failure):
        answer = json.loads(abis_messages.failed(said, NOW))
        if set(answer) != {"id", "requestId", "responsetime", "returnValue", "failureReason"}:
            raise AssertionError("a failure is not answered as one")
        return False
    answer = json.loads(abis_messages.succeeded(said, NOW))
    if (answer["id"], answer["requestId"]) != (said.operation.value, said.request):
        raise AssertionError("an answer does not say what it answers")
    return True


def use_slap(data: bytes) -> bool:
    """Cut what slaps a transaction has; whether any was cut.

    A cut lies in its picture and is called what its slap can show, whatever the record says.
    """
    try:
        shown = formats.pictures_of(formats.read(data))
    except FpmatchError:
        return False
    done = False
    for picture in shown:
        try:
            cuts = formats.cut_slap(picture)
        except FpmatchError:
            continue
        named = [one.position for one in cuts]
        if not named or len(set(named)) < len(named) or not set(named) <= set(SLAPS[picture.slap]):
            raise AssertionError(f"fingers {named} of a slap {picture.slap}")
        if set(named) & set(picture.amputated):
            raise AssertionError("a finger that is absent was cut")
        if any(one.image.slap != picture.slap or not one.image.pixels.size for one in cuts):
            raise AssertionError("a cut without its mark, or without pixels")
        done = True
    return done


def _dig(content: Any) -> None:
    """Parse what is only parsed on demand; decoding pictures is the business of another room."""
    if isinstance(content, formats.Transaction) and not {4, 13, 14} & {
        record.type for record in content.records
    }:
        with contextlib.suppress(FpmatchError):
            ebts.submission(content, stand_in="CS0010200")
    if isinstance(content, formats.Transaction):
        _answer(content)
    if isinstance(
        content, formats.Transaction | formats.FingerImageRecord | formats.BiometricRecord
    ):
        with contextlib.suppress(FpmatchError):
            for picture in formats.pictures_of(content):
                picture.disagreement()
                if picture.coding == "RAW":
                    with contextlib.suppress(FpmatchError):
                        picture.read()
        return
    for view in getattr(content, "views", ()):
        for block in getattr(view, "blocks", ()):
            with contextlib.suppress(FpmatchError):
                formats.ridge_counts(block)
            with contextlib.suppress(FpmatchError):
                formats.cores_and_deltas(block, content.format)


FOUND = tuple(Candidate(f"C-{i}", 99.0 - i, 0.0) for i in range(30))
DISCLOSED = SearchResponse(
    "",
    1,
    (PartitionResult("town", Outcome.SEARCHED_DISCLOSED, Reason.GRANTED, candidates=FOUND),),
)
ANSWERING = Answering(
    who=lambda partition, candidate: Person("A1", "ROE,RICHARD"),
    adjudicate=lambda section: Adjudication("C-1"),
)


def _answer(content: formats.Transaction) -> None:
    """Answer what can be; our reader must see in the answers what was meant to be there."""
    try:
        address = address_of(content)
    except FpmatchError:
        return
    day = date(2026, 1, 2)
    findings = ebts_answers.findings_of(address, DISCLOSED, ANSWERING)
    made = ebts_answers.results(address, DISCLOSED, ANSWERING, day, findings)
    for answer in (*made, ebts_answers.refusal(address, [address.kind], ANSWERING, day)):
        try:
            back = formats.read(answer.data, strict=True)
        except FpmatchError as error:
            raise AssertionError(f"an answer cannot be read: {error}") from error
        first, second = back.records
        if not (
            formats.write(back) == answer.data
            and first.get(10).value == address.control
            and first.text(9) == answer.control
            and first.text(4) == answer.kind
            and all(
                second.get(number).value == value
                for number, value in address.repeated.items()
                if number in REPEATED[answer.kind] and number != NAME
            )
        ):
            raise AssertionError("an answer does not say what it was made from")


def _with_checksum(data: bytes) -> bytes:
    """Stored templates carry a CRC-32, which would stop nearly every change at the door."""
    return data[:4] + zlib.crc32(data[8:]).to_bytes(4, "little") + data[8:]


USES: dict[str, Callable[[bytes], bool]] = {"abis": use_message, "slaps": use_slap}
STRUCTURED: dict[str, Callable[[Sequence[bytes], random.Random], bytes]] = {
    "abis": mutate.values,
    "cbeff": mutate.elements,
    "slaps": mutate.fields,
}
MENDED: dict[str, Callable[[bytes], bytes]] = {"fpt": _with_checksum}


def fuzz(reader: str, inputs: int, seed: int = 0) -> Tally:
    """Read mutated inputs; faults are collected, never raised."""
    starts = seeds(reader)
    for start in starts:
        USES.get(reader, use)(start)
    rng = random.Random(f"{reader} {seed}")
    tally = Tally()
    for number in range(inputs):
        data = mutate.mutate(starts, rng)
        if reader in STRUCTURED and rng.random() < 0.6:
            data = STRUCTURED[reader](starts, rng)
        if reader in MENDED and rng.random() < 0.9:
            data = MENDED[reader](data)
        measured = number % MEASURED == 0
        if measured:
            tracemalloc.start()
        begun = time.perf_counter()
        try:
            read = USES[reader](data) if reader in USES else use(data)
        except Exception as error:  # every foreign exception is a finding
            tally.faults.append((data, f"{type(error).__name__}: {error}"))
            read = False
        took = time.perf_counter() - begun
        if measured:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            over = max(peak - FLOORS.get(reader, MEMORY_FLOOR), 0) / max(len(data), 1)
            tally.most_memory = max(tally.most_memory, over)
            if over > MEMORY_TIMES:
                tally.faults.append((data, f"{peak} bytes for {len(data)}"))
        if took > SECONDS:
            tally.faults.append((data, f"{took:.1f} s"))
        tally.inputs += 1
        tally.read += read
        tally.refused += not read
        tally.seconds += took
        tally.slowest = max(tally.slowest, took)
    return tally


def main() -> int:
    """The command; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--reader", choices=sorted(SEEDS), action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for inputs that found something")
    options = parser.parse_args()
    found = 0
    for reader in options.reader or sorted(SEEDS):
        tally = fuzz(reader, options.inputs, options.seed)
        found += len(tally.faults)
        print(
            f"{reader}: {tally.inputs} inputs, {tally.read} read, {tally.refused} refused, "
            f"{len(tally.faults)} faults, {tally.seconds:.0f} s, slowest {tally.slowest * 1e3:.0f} "
            f"ms, memory at most {tally.most_memory:.1f} times the input over "
            f"{FLOORS.get(reader, MEMORY_FLOOR)} bytes",
            flush=True,
        )
        for data, what in tally.faults[:20]:
            print(f"  {len(data)} bytes: {what[:200]}")
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                name = f"{reader}-{hashlib.sha256(data).hexdigest()[:12]}"
                (options.keep / name).write_bytes(data)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
