"""What was withdrawn from a gallery: kept apart from its backups, and asked at a restoration."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpmatch.checks import path_of
from fpmatch.database import reading
from fpmatch.encryption import KeySource, chest_of
from fpmatch.errors import MALFORMED, CorruptError, InputError
from fpmatch.gallery import Gallery, withdrawn
from fpmatch.search.opening import lock

FORMAT = 2
"""Of a list that says how records are barred; an earlier release must not pass that over."""
_LAST = 1 << 62
"""No list has a higher number: there are more to come."""
PLAIN = 1
"""Of one that says of nothing but removals and seals."""


@dataclass(frozen=True, slots=True)
class Removals:
    """What was expunged, sealed, unsealed and barred, by keyed digest, and the policy in force.

    Parameters
    ----------
    gallery : str
        Which gallery; a digest.
    last : int
        Number of the last one.
    marks : tuple of (int, str, bytes)
        Number, kind and mark of each.
    policy : (int, str) or None
        Version and document in force.
    """

    gallery: str
    last: int
    marks: tuple[tuple[int, str, bytes], ...]
    policy: tuple[int, str] | None


def removals(path: str | Path, *, keys: KeySource | None = None) -> bytes:
    """What has been withdrawn from a gallery until now, as JSON; it names nobody.

    Keep the newest apart from the backups: `restore` asks it, so that nothing comes back that was
    expunged after a backup was made, no later seal, protection or ban is lost, and no withdrawn
    grant is in force again. 100 bytes for each removal, seal or change of protection or bans.

    Parameters
    ----------
    path : str or Path
        The gallery's folder; others may have it open.
    keys : KeySource, optional
        The caller's keys of an encrypted gallery, as for `Engine.open`.

    Raises
    ------
    StorageError
        If it is no gallery.
    """
    folder = path_of(path)
    with (
        contextlib.closing(lock(folder, "r")),
        contextlib.closing(Gallery.open(folder, "r", chest=chest_of(folder, keys))) as gallery,
        reading(gallery.database),
    ):
        found = withdrawn.since(gallery)
        policy = gallery.policy()
        secret = gallery.secret("withdrawn")
    body = {
        "gallery": name_of(secret),
        "last": found[-1][0] if found else 0,
        "marks": [[seq, kind, mark.hex()] for seq, kind, mark in found],
        "policy": None if policy is None else [policy[0], policy[1]],
    }
    barred = any(kind.startswith(withdrawn.BARS) for _, kind, _ in found)
    version = FORMAT if barred else PLAIN
    return json.dumps({"format": version, "sha256": _digest(body), "removals": body}).encode()


def read_removals(source: bytes | str | Path) -> Removals:
    """Read what `removals` gave.

    Parameters
    ----------
    source : bytes, str or Path
        The bytes themselves, or the file that holds them.

    Raises
    ------
    CorruptError
        If it is damaged.
    InputError
        If it cannot be read, or is of a later release.
    """
    if not isinstance(source, bytes):
        path = path_of(source)
        try:
            source = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path.name} cannot be read: {error.strerror}") from error
    try:
        stored = json.loads(source)
        later = stored["format"] > FORMAT
    except MALFORMED as error:
        raise CorruptError(f"the list of removals is damaged: {error}") from error
    if later:
        raise InputError(f"these removals are of a later release than format {FORMAT}")
    try:
        body = stored["removals"]
        sound = stored["sha256"] == _digest(body)
        found = Removals(
            str(body["gallery"]),
            int(body["last"]),
            tuple((int(s), str(k), bytes.fromhex(m)) for s, k, m in body["marks"]),
            None if body["policy"] is None else (int(body["policy"][0]), str(body["policy"][1])),
        )
        if any(not 0 < seq <= min(found.last, _LAST) for seq, _, _ in found.marks):
            raise ValueError("a number that none has")
    except MALFORMED as error:
        raise CorruptError(f"the list of removals is damaged: {error}") from error
    if not sound:
        raise CorruptError("the list of removals is damaged: its SHA-256 differs")
    return found


def name_of(secret: bytes) -> str:
    """Which gallery a secret is of."""
    return hashlib.sha256(b"gallery" + secret).hexdigest()


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
