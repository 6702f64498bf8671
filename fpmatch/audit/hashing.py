"""Hashes of the log: salted commitments to fields, and the record hash over them.

::

    salts      = SHAKE-256(nonce), 16 bytes a field in order of path
    commitment = SHA-256(0x02 || salt || item)
    record     = SHA-256(0x00 || canonical JSON {fields: {path: commitment}, kind, prev, seq, time})

The record hash is both the link of the chain and the leaf of the Merkle tree (RFC 6962, where
0x00 marks leaves and 0x01 inner nodes; 0x02 keeps commitments apart from both). A field can be
struck out by giving its commitment in place of its salt and value: the record hash stays the
same, and without the 128-bit salt nobody can find the value by trying.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quote
from struct import Struct

SALT_BYTES = 16
NONCE_BYTES = 32
ZERO = "0" * 64
"""Previous hash of the first record."""

_sha256 = hashlib.sha256
_FIELD = b"\x02"


def salts(nonce: bytes, count: int) -> tuple[bytes, ...]:
    """One 16-byte salt a field. Knowing some tells nothing of the others, nor of the nonce."""
    return _cut(count)(hashlib.shake_256(nonce).digest(SALT_BYTES * count))


@lru_cache(maxsize=256)
def _cut(count: int) -> Callable[[bytes], tuple[bytes, ...]]:
    return Struct(f"{SALT_BYTES}s" * count).unpack


def commitment(salt: bytes, item: str) -> str:
    """Salted commitment to one item's text, 64 hexadecimal digits."""
    return _sha256(_FIELD + salt + item.encode("ascii")).hexdigest()


def commitments(nonce: bytes, items: Sequence[tuple[str, str, str]]) -> str:
    """Canonical JSON of the mapping from path to commitment, for items sorted by path."""
    committed = [
        f'{name}:"{_sha256(_FIELD + salt + text.encode()).hexdigest()}"'
        for salt, (_, name, text) in zip(salts(nonce, len(items)), items, strict=True)
    ]
    return "{" + ",".join(committed) + "}"


def join_commitments(committed: Sequence[tuple[str, str]]) -> str:
    """Canonical JSON of (path as JSON, commitment) pairs, sorted by path."""
    return "{" + ",".join([f'{name}:"{digest}"' for name, digest in committed]) + "}"


def record_hash(committed: str, kind: str, prev: str, seq: int, time: str) -> str:
    """Hash of a record, from `commitments` and its four open fields; 64 hexadecimal digits.

    Parameters
    ----------
    committed : str
        Commitment to the fields, hexadecimal.
    kind : str
        Of the record.
    prev : str
        Hash of the record before.
    seq : int
        Its number.
    time : str
        As text.
    """
    header = (
        f'{{"fields":{committed},"kind":{_quote(kind)},"prev":"{prev}",'
        f'"seq":{seq},"time":{_quote(time)}}}'
    )
    return _sha256(b"\x00" + header.encode("ascii")).hexdigest()
