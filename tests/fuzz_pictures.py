"""Mutated pictures for `read_image`, decoded in a process that may die.

``python tests/fuzz_pictures.py --inputs 200000 [--kind NAME] [--seed N] [--keep DIR]`` reads so
many mutated pictures of each kind and exits with 1 if any killed its process, raised outside
fpmatch's tree, took over ten seconds, or, of every fiftieth, took more memory than what is stated
below. The first inputs are the seeds cut at every byte; all are made anew from kind, seed, number.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import mutate
import numpy as np
import wsq  # noqa: F401  registers the WSQ format with Pillow
from PIL import Image

import fpmatch as fp
from fpmatch import formats
from fpmatch.errors import FpmatchError

MOST_PIXELS = 500_000
"""What the caller lets a picture have: its memory is bounded by this."""
PIXEL_TIMES = 48
"""Bytes of memory a pixel that the caller lets a picture have, ..."""
MEMORY_TIMES = 64
"""... and so many times the input besides, ..."""
MEMORY_FLOOR = 8 << 20
"""... and what the system's allocators keep."""
SECONDS = 10.0
MEASURED = 50
ADDRESS_SPACE = 4 << 30
"""Of the process that decodes: a size in a header that is believed blindly ends it."""
KINDS = ("PNG", "JPEG", "JPEG2000", "WSQ", "BMP", "TIFF", "PPM", "RAW")


def seeds(kind: str) -> list[bytes]:
    """Small pictures of one kind, in the ways that the kind can be written."""
    small, large = _ridges(56, 64), _ridges(96, 72)
    both = [Image.fromarray(pixels) for pixels in (small, large)]
    deep = Image.fromarray(small.astype(np.uint16) * 256)
    modes = [both[0].convert(mode) for mode in ("RGB", "P", "1", "LA", "RGBA")]
    made = [_saved(image, kind) for image in both]
    if kind == "PNG":
        made += [_saved(image, kind) for image in (*modes, deep)]
        made.append(_saved(both[0], kind, dpi=(500, 500)))
    elif kind == "JPEG":
        made += [_saved(both[0], kind, progressive=True), _saved(modes[0], kind, quality=40)]
        made += [_saved(both[0], kind, dpi=(500, 500)), _saved(both[0].convert("CMYK"), kind)]
        made += [
            _saved(both[0], kind, exif=_turned()),
            _saved(both[0], kind, restart_marker_rows=1),
        ]
    elif kind == "JPEG2000":
        made += [_saved(image, kind) for image in (modes[0], modes[4], deep)]
        made += [_saved(both[0], kind, no_jp2=True), _saved(both[1], kind, tile_size=(32, 32))]
        made += [
            _saved(both[0], kind, irreversible=True, quality_layers=[20], quality_mode="rates")
        ]
    elif kind == "BMP":
        made += [_saved(image, kind) for image in (modes[0], modes[1], modes[2])] + [_rle()]
    elif kind == "TIFF":
        for how in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
            made.append(_saved(both[0], kind, compression=how))
        made += [_saved(modes[2], kind, compression="group4"), _saved(deep, kind)]
        made += [_saved(modes[0], kind, dpi=(500, 500)), _saved(modes[4], kind)]
    elif kind == "PPM":
        made += [_saved(image, kind) for image in (modes[0], modes[2], deep)]
        made.append(b"P2\n# plain\n64 56\n255\n" + b" ".join(b"%d" % v for v in small.flat))
    elif kind == "WSQ":
        made += _samples("fir/imagedecoder", "*.wsq", 16_000)
    return made


def _ridges(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    wave = np.cos((np.hypot(x - width / 3, y - height / 2)) * (2 * np.pi / 9))
    noise = np.random.default_rng(height).normal(0, 20, (height, width))
    return np.clip(128 + 100 * wave + noise, 0, 255).astype(np.uint8)


def _saved(image: Image.Image, kind: str, **how: object) -> bytes:
    if kind == "RAW":
        return struct.pack(">HHH", *image.size, 500) + image.convert("L").tobytes()
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _rle() -> bytes:
    """A picture with the run lengths of Windows, which Pillow reads and does not write."""
    width, height = 64, 56
    rows = (
        bytes((20, y, 38, 200)) + bytes((0, 6, 1, 2, 3, 4, 5, 6)) + b"\0\0" for y in range(height)
    )
    body = b"".join(rows) + b"\0\1"
    palette = bytes(n for level in range(256) for n in (level, level, level, 0))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 19685, 19685, 256, 0)
    offset = 14 + len(head) + len(palette)
    return struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset) + head + palette + body


def _samples(folder: str, pattern: str, most: int) -> list[bytes]:
    """The smallest real files, where they are at hand."""
    root = Path(os.environ.get("FPMATCH_DATA", "-")) / "formats" / folder
    files = sorted((p for p in root.glob(pattern)), key=lambda p: p.stat().st_size)
    return [path.read_bytes() for path in files[:2] if path.stat().st_size < most]


def _png_sums(data: bytes) -> bytes:
    """The checksums of the chunks made good, which would stop nearly every change at the door."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        end = at + 8 + int.from_bytes(out[at : at + 4], "big")
        if end + 4 > len(out):
            break
        out[end : end + 4] = zlib.crc32(out[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(out)


MENDED: dict[str, Callable[[bytes], bytes]] = {"PNG": _png_sums}


class Inputs:
    """The inputs of one kind by number: every cut of the small seeds, then mutations."""

    def __init__(self, kind: str, seed: int = 0) -> None:
        self.kind, self.seed = kind, seed
        self.seeds = seeds(kind)
        self.cuts = [
            (one, size) for one in self.seeds if len(one) < 4096 for size in range(len(one))
        ]

    def __getitem__(self, number: int) -> bytes:
        if number < len(self.cuts):
            one, size = self.cuts[number]
            return one[:size]
        rng = random.Random(f"{self.kind} {self.seed} {number}")
        data = mutate.mutate(self.seeds, rng)
        return MENDED[self.kind](data) if self.kind in MENDED and rng.random() < 0.9 else data


def use(data: bytes, kind: str) -> bool:
    """Read as a caller would, without and with a resolution; whether it could be read."""
    read = False
    for ppi in (500, None):
        try:
            if kind == "RAW":
                _raw(data, ppi)
            else:
                fp.read_image(data, ppi=ppi, max_pixels=MOST_PIXELS)
        except FpmatchError:
            if ppi is not None:
                return False
        else:
            read = True
    return read


def _raw(data: bytes, ppi: float | None) -> None:
    """A raw picture whose first six bytes are the width, height and resolution of its record."""
    head = data[:6].ljust(6, b"\0")
    width, height, stated = struct.unpack(">HHH", head)
    formats.Picture(
        data[6:],
        "RAW",
        width=width,
        height=height,
        ppi=(stated, stated),
        positions=(2,),
        impression=0,
    ).read(ppi)


@dataclass
class Tally:
    """What a run saw."""

    inputs: int = 0
    read: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    most_memory: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)


def _peak() -> int:
    """Bytes of memory that this process has had at most since `_forget`."""
    text = Path("/proc/self/status").read_text("ascii")
    return int(text.split("VmHWM:")[1].split()[0]) << 10


def _forget() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def allowed(size: int) -> int:
    return MEMORY_FLOOR + MEMORY_TIMES * size + PIXEL_TIMES * MOST_PIXELS


def _child(kind: str, seed: int, first: int, last: int, where: Path) -> None:
    """Read the inputs of a range; say before each which it is, and at the end what was seen."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    inputs = Inputs(kind, seed)
    use(inputs.seeds[0], kind)
    with where.open("wb", buffering=0) as now:
        for number in range(first, last):
            data = inputs[number]
            os.pwrite(now.fileno(), b"%012d" % number, 0)
            before = 0
            if number % MEASURED == 0:
                _forget()
                before = _peak()
            begun = time.process_time()
            try:
                read, fault = use(data, kind), ""
            except Exception as error:  # every foreign exception is a finding
                read, fault = False, f"{type(error).__name__}: {error}"
            took = time.process_time() - begun
            memory = _peak() - before if before else 0
            if memory > allowed(len(data)):
                fault = f"{memory} bytes for {len(data)}"
            if took > SECONDS:
                fault = f"{took:.1f} s"
            row = f"{number}\t{int(read)}\t{took:.6f}\t{memory}\t{fault[:300]!r}"
            print(row, flush=True)  # what is not out when the process dies is lost


def _start(kind: str, seed: int, first: int, last: int, where: Path) -> subprocess.Popen[str]:
    words = [
        sys.executable,
        __file__,
        "--child",
        kind,
        str(seed),
        str(first),
        str(last),
        str(where),
    ]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _lines(child: subprocess.Popen[str]) -> Iterator[str]:
    assert child.stdout is not None
    yield from child.stdout


def fuzz(kind: str, inputs: int, where: Path, seed: int = 0, first: int = 0) -> Tally:
    """Read mutated pictures; a process that dies is followed by another behind the input.

    ``where`` is a file in which the process says what it is reading; ``first`` the number of the
    first input, ``inputs`` that behind the last.
    """
    tally = Tally()
    while first < inputs:
        where.write_bytes(b"%012d" % first)
        child = _start(kind, seed, first, inputs, where)
        alarm = _watch(child, where)
        for line in _lines(child):
            parts = line.rstrip("\n").split("\t", 4)
            if len(parts) < 5:
                continue
            _count(tally, parts)
        alarm()
        code = child.wait()
        if code == 0:
            break
        if code > 0:
            raise RuntimeError(f"the process that decodes ended with status {code}")
        number = int(where.read_bytes() or b"0")
        tally.faults.append((number, _death(code)))
        tally.inputs += 1
        first = number + 1
    return tally


def _count(tally: Tally, parts: list[str]) -> None:
    number, read, took, memory, fault = parts
    tally.inputs += 1
    tally.read += read == "1"
    tally.seconds += float(took)
    tally.slowest = max(tally.slowest, float(took))
    tally.most_memory = max(tally.most_memory, int(memory))
    if fault != "''":
        tally.faults.append((int(number), fault))


def _death(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


def _watch(child: subprocess.Popen[str], where: Path) -> Callable[[], None]:
    """Kill a process that reads the same input for too long."""
    import threading

    done = threading.Event()

    def look() -> None:
        last, since = b"", time.monotonic()
        while not done.wait(1.0):
            now = where.read_bytes()
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 3 * SECONDS:
                child.kill()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()

    def stop() -> None:
        done.set()
        thread.join()

    return stop


def main() -> int:
    """The command; 1 if anything was found."""
    if sys.argv[1:2] == ["--child"]:
        kind, seed, first, last, where = sys.argv[2:]
        _child(kind, int(seed), int(first), int(last), Path(where))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz_pictures"))
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    found = 0
    for kind in options.kind or KINDS:
        tally = fuzz(kind, options.inputs, options.keep / f"{kind}.now", options.seed)
        found += len(tally.faults)
        print(
            f"{kind}: {tally.inputs} inputs, {tally.read} read, {len(tally.faults)} faults, "
            f"{tally.seconds:.0f} s of CPU, slowest {tally.slowest * 1e3:.0f} ms, memory at most "
            f"{tally.most_memory / MOST_PIXELS:.1f} bytes a pixel of {MOST_PIXELS}",
            flush=True,
        )
        inputs = Inputs(kind, options.seed)
        for number, what in tally.faults[:40]:
            print(f"  {number}, {len(inputs[number])} bytes: {what[:200]}")
            (options.keep / f"{kind}-{number}").write_bytes(inputs[number])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
