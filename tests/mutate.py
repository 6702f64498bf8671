"""A structured mutator: seeded changes of the kinds that break readers of binary formats."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from copy import deepcopy

_BYTES = (0, 1, 0x1C, 0x1D, 0x1E, 0x1F, 0x2E, 0x30, 0x39, 0x3A, 0x7F, 0x80, 0xFE, 0xFF)
_NUMBERS = (0, 1, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_DIGITS = (b"0", b"-1", b"1e9", b"99999999999999999999", b"01", b" 1", b"1.5", b"", b"\xb2")


def mutate(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """One input: a seed under one to four changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        data = rng.choice(_CHANGES)(data, seeds, rng)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    # Headers are at the front: half of the changes go there.
    size = len(data)
    return rng.randrange(min(size, 64) if rng.random() < 0.5 else size) if size else 0


def _flip(data: bytearray, _: object, rng: random.Random) -> bytearray:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)
    return data


def _set(data: bytearray, _: object, rng: random.Random) -> bytearray:
    if data:
        data[_place(data, rng)] = rng.choice(_BYTES)
    return data


def _number(data: bytearray, _: object, rng: random.Random) -> bytearray:
    at = _place(data, rng)
    width = rng.choice((2, 4))
    value = rng.choice(_NUMBERS) & (256**width - 1)
    data[at : at + width] = value.to_bytes(width, "big")
    return data


def _nudge(data: bytearray, _: object, rng: random.Random) -> bytearray:
    if data:
        at = _place(data, rng)
        data[at] = (data[at] + rng.choice((-2, -1, 1, 2))) % 256
    return data


def _cut(data: bytearray, _: object, rng: random.Random) -> bytearray:
    return data[: rng.randrange(len(data) + 1)]


def _drop(data: bytearray, _: object, rng: random.Random) -> bytearray:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 1, 2, 3, 8, 40))]
    return data


def _double(data: bytearray, _: object, rng: random.Random) -> bytearray:
    at = _place(data, rng)
    piece = data[at : at + rng.choice((1, 2, 6, 40, 200))]
    data[at:at] = piece * rng.choice((1, 1, 2, 20))
    return data


def _insert(data: bytearray, _: object, rng: random.Random) -> bytearray:
    at = _place(data, rng)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16)))
    return data


def _splice(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> bytearray:
    other = rng.choice(seeds)
    at = rng.randrange(len(other) + 1)
    return data[: rng.randrange(len(data) + 1)] + other[at : at + rng.randrange(1, 4096)]


def _figure(data: bytearray, _: object, rng: random.Random) -> bytearray:
    """Replace a run of decimal digits, as lengths and counts are in text formats."""
    at = start = _place(data, rng)
    while start < len(data) and not 0x30 <= data[start] <= 0x39 and start < at + 64:
        start += 1
    end = start
    while end < len(data) and 0x30 <= data[end] <= 0x39:
        end += 1
    data[start:end] = rng.choice(_DIGITS) if rng.random() < 0.5 else b"%d" % rng.randrange(2000)
    return data


_CHANGES = (_flip, _set, _number, _nudge, _cut, _drop, _double, _insert, _splice, _figure)


_WORDS = (
    b"", b"true", b"false", b"Finger", b"Iris", b"Right", b"Left Thumb", b"Right IndexFinger",
    b"-1", b"4294967296", b"9" * 40, b"RklSADAyMAA=", b"Rk1SACAyMAA=", b"====", b"_-8", b"&#13;",
    b"&amp;",
    b"\xc3\xa9", b"101", b"2020-02-30T00:00:00Z", b"<BIR/>", b"<BDB>AAAA</BDB>", b"<!-- -->",
)  # fmt: skip


def elements(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """A seed of XML that is most often still well-formed: texts and whole elements change."""
    parts = re.split(rb"(<[^>]*>)", rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(parts))
        change = rng.randrange(4)
        if change == 0 or at % 2 == 0:
            parts[at - at % 2] = rng.choice(_WORDS)
            continue
        name = re.match(rb"<(\w+)[^>]*[^/]>$", parts[at])
        close = name and next(
            (i for i in range(at, len(parts)) if parts[i] == b"</" + name[1] + b">"), None
        )
        if not close:
            continue
        whole = parts[at : close + 1]
        if change == 1:
            parts[at : close + 1] = [b""]
        elif change == 2:
            parts[at:at] = [*whole, b""]
        else:
            other = rng.randrange(0, len(parts), 2)
            parts[other] += b"".join(whole)
    return b"".join(parts)


_VALUES: tuple[object, ...] = (
    None, True, 0, -1, 1.5, 10**30, "", " ", "1.1", "x" * 300, "\ud800", "0", "10", "30", [], {},
    [[]], {"referenceIds": []}, {"referenceIds": [{"referenceId": 7}]}, "2020-02-30T00:00:00.000Z",
    "mosip.abis.ping", "mosip.abis.identify",
)  # fmt: skip


def values(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """A seed of JSON with members changed, taken out and added."""
    said = json.loads(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = said
        while isinstance(place, dict | list) and place:
            key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
            inner = place[key]
            if isinstance(inner, dict | list) and rng.random() < 0.7:
                place = inner
                continue
            if rng.random() < 0.2:
                del place[key]
            else:
                place[key] = deepcopy(rng.choice(_VALUES))
            break
        if rng.random() < 0.1:
            said[rng.choice(("flags", "gallery", "version", "extra"))] = deepcopy(
                rng.choice(_VALUES)
            )
    return json.dumps(said).encode()


_ITEMS = (
    b"", b"0", b"1", b"-1", b"2", b"5", b"7", b"13", b"14", b"15", b"19", b"99", b"300", b"560",
    b"561", b"65535", b"1e3", b"9" * 30, b" 3", b"UP", b"XX", b"\xff", b"NONE", b"WSQ20", b"500",
)  # fmt: skip


_SEGMENTS = (b"14.013", b"14.018", b"14.021", b"14.025")
"""What a slap's record says of its fingers; the other fields seldom let a reader get so far."""


def fields(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """A transaction with a Type-14 record whose fields change and whose length still fits."""
    seed = rng.choice(seeds)
    start, picture = seed.index(b"14.001:"), seed.index(b"14.999:")
    said = seed[start:picture].split(b"\x1d")[1:-1]
    for _ in range(rng.choice((1, 1, 2, 4))):
        told = [i for i, field in enumerate(said) if field[:6] in _SEGMENTS]
        at = rng.choice(told) if told and rng.random() < 0.8 else rng.randrange(len(said))
        name, _, value = said[at].partition(b":")
        parts = re.split(rb"([\x1e\x1f])", value)
        change = rng.randrange(8)
        if change == 0:
            del said[at]
            if not said:
                break
            continue
        if change == 1:
            parts += [rng.choice((b"\x1e", b"\x1f")), *parts]
        elif change == 2:
            del parts[rng.randrange(len(parts)) :]
        elif change == 3:
            name = rng.choice((b"14.018", b"14.021", b"14.025", b"14.013", b"14.8"))
        else:
            one = 2 * rng.randrange((len(parts) + 1) // 2)
            number = parts[one].isdigit() and rng.random() < 0.5
            near = b"%d" % (int(parts[one]) + rng.choice((-30, -1, 1, 30))) if number else b""
            parts[one] = near or rng.choice(_ITEMS)
        said[at] = name + b":" + b"".join(parts)
    rest = b"\x1d".join([*said, seed[picture:]])
    size = len(rest) + len(b"14.001:\x1d")
    size += next(digits for digits in range(1, 9) if len(b"%d" % (size + digits)) == digits)
    return seed[:start] + b"14.001:%d\x1d" % size + rest
