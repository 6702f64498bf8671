"""The process in which pictures are decoded, seen from inside: requests in, pixels out.

What goes through the pipes is lengths, numbers and text, never an object: whoever takes over the
decoder by a hostile picture has taken over this process and nothing beside it.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ImageError

REQUEST = struct.Struct("<QQQQ")
"""Bytes of the file; most pixels; bytes of address space beyond what it has; seconds of CPU."""
REPLY = struct.Struct("<QQ")
"""Bytes of the head (JSON, ASCII); bytes of pixels that follow it."""
READY = b"ready\n"
_STDIN, _STDOUT = 0, 1

Decoded = tuple[NDArray[np.uint8], tuple[float, float] | None, str]


def main() -> None:
    """Decode whatever standard input asks for, until it ends."""
    from fpmatch.image.decode import decode

    serve(decode)


def serve(decode: Callable[[bytes, int], Decoded]) -> None:
    """Answer requests with what `decode` gives.

    Parameters
    ----------
    decode : callable
        Bytes and most pixels -> pixels, resolution, name of the format; raises `ImageError`.
    """
    out = os.dup(_STDOUT)
    os.dup2(2, _STDOUT)  # what a decoder prints must not look like a reply
    base = _address_space()
    _limit("RLIMIT_CORE", 0)
    _write(out, READY)
    while (head := _read(REQUEST.size)) is not None:
        size, most, memory, seconds = REQUEST.unpack(head)
        data = _read(size)
        if data is None:
            return
        _limit("RLIMIT_AS", base + memory)
        _limit("RLIMIT_CPU", int(_cpu_seconds()) + 1 + seconds)
        _write(out, *_answer(decode, data, most))


def _answer(decode: Callable[[bytes, int], Decoded], data: bytes, most: int) -> tuple[bytes, ...]:
    pixels: bytes = b""
    try:
        found, recorded, name = decode(data, most)
        told: dict[str, Any] = {"shape": found.shape, "recorded": recorded, "name": name}
        pixels = found.tobytes()
    except ImageError as error:
        told = {"error": str(error)}
    except MemoryError:
        told = {"error": "the image takes more memory to decode than its process may have"}
    text = json.dumps(told).encode("ascii")
    return REPLY.pack(len(text), len(pixels)), text, pixels


def _read(size: int) -> bytes | None:
    """So many bytes of standard input; None where it ended."""
    parts = []
    while size:
        part = os.read(_STDIN, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(out: int, *parts: bytes) -> None:
    for part in parts:
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(out, rest) :]


def _address_space() -> int:
    """Bytes of address space that this process has, 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _limit(name: str, value: int) -> None:
    """Lower what this process may use, where the system has such limits."""
    if sys.platform == "win32":
        return
    import resource

    which = getattr(resource, name)
    most = resource.getrlimit(which)[1]
    if most != resource.RLIM_INFINITY:
        value = min(value, most)
    resource.setrlimit(which, (value, most))


if __name__ == "__main__":
    main()
