"""A short run of tests/fuzz_formats.py."""

from __future__ import annotations

import tracemalloc

import fuzz_formats
import pytest

from fpmatch import formats
from fpmatch.errors import FormatError


@pytest.mark.parametrize("reader", sorted(fuzz_formats.SEEDS))
def test_mutated_inputs_raise_nothing_foreign(reader: str) -> None:
    inputs = 300 if reader == "slaps" else 1500  # of which many are pictures that are cut
    tally = fuzz_formats.fuzz(reader, inputs, seed=1)
    assert [what for _, what in tally.faults] == []
    assert tally.read > 10
    assert tally.refused > 10


def test_the_fuzzer_notices_what_it_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(data: bytes) -> bool:
        raise IndexError("foreign")

    monkeypatch.setattr(fuzz_formats, "seeds", lambda reader: [])
    monkeypatch.setattr(fuzz_formats.mutate, "mutate", lambda starts, rng: b"x")
    monkeypatch.setattr(fuzz_formats, "use", leak)
    assert len(fuzz_formats.fuzz("fmr", 3).faults) == 3
    monkeypatch.setattr(fuzz_formats, "use", lambda data: bool(bytes(1 << 22)))
    assert "bytes for 1" in fuzz_formats.fuzz("fmr", 1).faults[0][1]


def _tagged(type: int, fields: bytes) -> bytes:
    head = b"%d.001:%%07d\x1d" % type
    size = len(head % 0) + len(fields) + 1
    return head % size + fields + b"\x1c"


def _itl(rest: bytes, listing: bytes) -> bytes:
    return _tagged(1, b"1.002:0400\x1d1.003:" + listing) + rest


SIZE = 400_000
NINE, FOURTEEN = b"1\x1f1\x1e9\x1f01", b"1\x1f1\x1e14\x1f01"
HEAD = b"14.002:01\x1d14.006:8\x1d14.007:8\x1d14.013:"
LEAST = b"\0\0\0\x22" + bytes(15) + b"\2" + bytes(10) + b"\x60" + bytes(3)
FLOODS = {
    "newlines": b"1 2 3\n" + b"\n" * SIZE,
    "lines": b"1 2 3\n" * (SIZE // 6),
    "listing": _itl(b"", b"1\x1f1" + b"\x1e2\x1f0" * (SIZE // 4)),
    "subfields": _itl(_tagged(9, b"9.002:01\x1d9.012:" + b"\x1e" * SIZE), NINE),
    "extended": _itl(_tagged(9, b"9.2:1\x1d9.331:" + b"1\x1f1\x1f1\x1fE\x1e" * 50_000), NINE),
    "items": _itl(_tagged(9, b"9.002:01\x1d9.137:" + b"\x1f" * SIZE), NINE),
    "positions": _itl(_tagged(14, HEAD + b"\x1e" * SIZE + b"\x1d14.999:x"), FOURTEEN),
    "numbers": _itl(_tagged(14, HEAD + b"9" * SIZE + b"\x1d14.999:x"), FOURTEEN),
    "fields": _itl(_tagged(9, b"9.002:01\x1d" + b"9.3:\x1d" * (SIZE // 5) + b"9.3:"), NINE),
    "records": _itl(b"\0\0\0\5\1" * (SIZE // 5), b"1\x1f900" + b"\x1e4\x1f01" * 900),
    "digits": b"1.001:" + b"9" * SIZE,
    "representations": b"FMR\x00030\0" + bytes(3) + b"\0\xff\xff\0" + bytes(SIZE),
    "views": b"FMR\x00030\0" + bytes(12) + b"\xff\0" + bytes(SIZE),
    "blocks": b"FMR\x00 20\0" + bytes(14) + b"\1\0" + bytes(4) + b"\xff\xfc" + b"\0\1\0\4" * SIZE,
    "images": b"FIR\x00020\0" + bytes(3) + b"\0\xff\xff\0\1" + bytes(SIZE),
    "stored": b"FPT\1" + bytes(SIZE),
    "least views": b"FMR\x00 20\0\0\0\6\x12\0\0\0\n\0\n\0\xc5\0\xc5\xff\0" + b"\2\0\0\0\0\0" * 255,
    "least representations": b"FMR\x00030\0\0\0\x84\xdf\3\xe8\0" + LEAST * 1000,
    "elements": b"<BIR>" + b"<a/>" * 65_000 + b"</BIR>",
    "least elements": b"<BIR>" + b"<BIR/>" * 999 + b"</BIR>",
    "facts": b"<BIR>" + b"<Others><Key/></Others>" * 30_000 + b"</BIR>",
    "attributes": b"<BIR " + b" ".join(b'a%d=""' % i for i in range(40_000)) + b"/>",
    "namespaces": b"<BIR " + b" ".join(b'xmlns:a%d="b"' % i for i in range(4_000)) + b"/>",
    "subtypes": b"<BIR><BDBInfo><Subtype>" + b"a " * SIZE + b"</Subtype></BDBInfo></BIR>",
    "base64": b"<BIR><BDB>" + b"QUFB\n" * SIZE + b"</BDB></BIR>",
    "comments": b"<!---->" * 50_000 + b"<BIR/>",
    "references": b"<BIR><BIRInfo><Creator>" + b"&#65;" * SIZE + b"</Creator></BIRInfo></BIR>",
    "least records": _itl(b"2.001:15\x1d2.2:1\x1c" * 900, b"1\x1f900" + b"\x1e2\x1f1" * 900),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOODS)
def test_floods_take_bounded_memory_and_raise_nothing_foreign(name: str) -> None:
    data = FLOODS[name]
    tracemalloc.start()
    fuzz_formats.use(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < fuzz_formats.MEMORY_TIMES * len(data) + fuzz_formats.MEMORY_FLOOR


MESSAGES = {
    "lists": b'{"id":' + b"[" * SIZE,
    "empty lists": b'{"id":[' + b"[]," * SIZE + b"[]]}",
    "objects": b'{"id":[' + b"{}," * SIZE + b"{}]}",
    "names": b"{" + b",".join(b'"%d":0' % i for i in range(80_000)) + b"}",
    "digits": b'{"id":' + b"9" * SIZE + b"}",
    "text": b'{"id":"' + b"\\u0041" * 150_000 + b'"}',
}


@pytest.mark.parametrize("name", MESSAGES)
def test_floods_of_messages_take_bounded_memory(name: str) -> None:
    data = MESSAGES[name]
    tracemalloc.start()
    fuzz_formats.use_message(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < fuzz_formats.MEMORY_TIMES * len(data) + fuzz_formats.MEMORY_FLOOR


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (FLOODS["newlines"], "up to 4096 minutiae are read"),
        (FLOODS["listing"], r"1\.003 lists over 1000 records"),
        (FLOODS["fields"], "over 4096 fields"),
        (b"FMR\x00030\0" + bytes(4) + b"\x03\xe9\0" + LEAST * 1001, "up to 1000"),
        (b"FIR\x00020\0" + bytes(4) + b"\x03\xe9\0\1" + bytes(SIZE), "up to 1000"),
    ],
)
def test_counts_beyond_need_are_refused(data: bytes, what: str) -> None:
    name = formats.recognise(data) if data[:1] in b"1" else None
    with pytest.raises(FormatError, match=what):
        formats.read(data, name or {b"FM": "iso2011", b"FI": "fir2011"}[data[:2]])
