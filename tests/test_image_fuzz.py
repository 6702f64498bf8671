"""A short run of tests/fuzz_pictures.py, and what long runs found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import fuzz_pictures
import pytest

from fpmatch.errors import ImageError
from fpmatch.image import wsq_codes
from fpmatch.image.decode import decode
from fpmatch.image.wsq_check import check_wsq


@pytest.mark.parametrize("kind", fuzz_pictures.KINDS)
def test_mutated_pictures_raise_nothing_foreign(kind: str, tmp_path: Path) -> None:
    cuts = len(fuzz_pictures.Inputs(kind).cuts)
    tally = fuzz_pictures.fuzz(kind, cuts + 300, tmp_path / "now", first=cuts - 100)
    assert tally.faults == []
    assert tally.inputs == 400
    assert tally.read > 5


def test_the_fuzzer_notices_what_it_looks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(kind: str, seed: int, first: int, last: int, where: Path):
        code = (
            f"import sys, os; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            "import fuzz_pictures as f\n"
            "from pathlib import Path\n"
            "def bad(data, kind):\n"
            "    bad.calls += 1\n"
            "    number = bad.calls + first - 2 if bad.calls > 1 else -1\n"
            "    if number == 2: os.abort()\n"
            "    if number == 4: raise IndexError('foreign')\n"
            "    if number == 50: bad.kept = b'x' * (f.allowed(10**5) + 10**7)\n"
            "    return False\n"
            "bad.calls = 0\n"
            f"first = {first}\n"
            "f.use = bad\n"
            f"f._child({kind!r}, {seed}, {first}, {last}, Path({str(where)!r}))\n"
        )
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(fuzz_pictures, "_start", start)
    tally = fuzz_pictures.fuzz("PPM", 60, tmp_path / "now")
    assert tally.inputs == 60
    assert [number for number, _ in tally.faults] == [2, 4, 50]
    said = [what for _, what in tally.faults]
    assert said[0] == "killed by SIGABRT"
    assert "IndexError" in said[1]
    assert "bytes for" in said[2]


def segments(data: bytes) -> dict[int, list[int]]:
    """Places of the segments of a WSQ file, by marker."""
    places: dict[int, list[int]] = {}
    at = 2
    while data[at : at + 2] != b"\xff\xa1":
        marker = int.from_bytes(data[at : at + 2], "big")
        places.setdefault(marker, []).append(at)
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        while marker == 0xFFA3 and not (data[end] == 0xFF and data[end + 1]):
            end += 2 if data[end] == 0xFF else 1
        at = end
    return places | {0xFFA1: [at]}


def coefficients(data: bytes) -> list[int]:
    """Coefficients of each block of a WSQ file, bit by bit, as the specification tells it."""
    tables: dict[int, dict[tuple[int, int], int]] = {}
    out = []
    for marker, at in sorted((at, m) for m, all_ in segments(data).items() for at in all_):
        marker, at = at, marker
        if marker == 0xFFA6:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            at += 4
            while at < end:
                counts, table, code = data[at + 1 : at + 17], {}, 0
                values = iter(data[at + 17 : at + 17 + sum(counts)])
                for length, count in enumerate(counts, 1):
                    for _ in range(count):
                        table[length, code] = next(values)
                        code += 1
                    code <<= 1
                tables[data[at]] = table
                at += 17 + sum(counts)
        elif marker == 0xFFA3:
            end = at + 5
            while not (data[end] == 0xFF and data[end + 1]):
                end += 2 if data[end] == 0xFF else 1
            body = data[at + 5 : end].replace(b"\xff\0", b"\xff")
            out.append(_given("".join(f"{byte:08b}" for byte in body), tables[data[at + 4]]))
    return out


def _given(bits: str, table: dict[tuple[int, int], int]) -> int:
    total = at = 0
    while at < len(bits):
        length = next(
            (
                n
                for n in range(1, 17)
                if (n, int(bits[at : at + n], 2)) in table and at + n <= len(bits)
            ),
            None,
        )
        if length is None:
            break
        value = table[length, int(bits[at : at + length], 2)]
        at += length
        size = {101: 8, 102: 8, 103: 16, 104: 16, 105: 8, 106: 16}.get(value, 0)
        number = int(bits[at : at + size] or "0", 2)
        at += size
        total += value if value <= 100 else number if value in (105, 106) else 1
    return total


def wsq() -> bytes:
    return fuzz_pictures.seeds("WSQ")[1]


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize("part", [1 << 16, 64, 7])
def test_coefficients_are_counted_as_the_specification_tells(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wsq_codes, "_PART", part)
    counted: list[int] = []
    real = wsq_codes.Codes.count

    def count(self: wsq_codes.Codes, data: bytes) -> int | None:
        counted.append(real(self, data))
        return counted[-1]

    monkeypatch.setattr(wsq_codes.Codes, "count", count)
    for data in fuzz_pictures.seeds("WSQ"):
        counted.clear()
        check_wsq(data, 10**6)
        assert counted == coefficients(data)
        assert len(counted) == 3


def test_wsq_files_that_crash_their_decoder_are_refused() -> None:
    """Each kind of damage killed the process before the file was looked at."""
    data = wsq()
    found = segments(data)
    codes, blocks = found[0xFFA6], found[0xFFA3]
    frame, taps, steps = (found[m][0] for m in (0xFFA2, 0xFFA4, 0xFFA5))
    (end,) = found[0xFFA1]
    block = data[blocks[1] : blocks[1] + 5]
    bad = {
        "code that is in no table": changed(data, blocks[0] + 5, b"\xff\0" * 40),
        "more coefficients than pixels": changed(data, frame + 6, b"\0\x10\0\x10"),
        "more Huffman codes": changed(data, codes[0] + 5, b"\x03"),
        "table is malformed": changed(data, codes[0] + 4, b"\x09"),
        "without their Huffman table": changed(data, blocks[0] + 4, b"\x07"),
        "do not fill their segment": changed(data, taps + 4, b"\x01"),
        "64 subbands": changed(data, steps + 2, b"\x01\x00"),
        "a segment ends behind the file": changed(data, steps + 2, b"\xff\x00"),
        "one frame": data[:frame] + data[frame : frame + 19] + data[frame:],
        "before the frame": data[:frame] + data[frame + 19 :],
        "does not belong here": data[:end] + b"\xff\xb0" + data[end:],
        "ends in its coefficients": data[:end],
        "over 3 blocks": data[:end] + block + data[end:],
        "the file ends here": data[: codes[0] + 1],
        "between 1 and 1000000": changed(data, frame + 6, b"\xff\xff\xff\xff"),
    }
    for what, damaged in bad.items():
        with pytest.raises(ImageError, match=what):
            check_wsq(damaged, 10**6)
        with pytest.raises(ImageError, match=what):
            decode(damaged, 10**6)
