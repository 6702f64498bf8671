"""The keys of one gallery: a data key for each generation, wrapped under the caller's key.

They lie in ``keys.json`` in the gallery's folder and are of no use without the caller's. What is
wrapped is bound to the gallery, the generation and the name of the caller's key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from fpmatch.checks import quoted
from fpmatch.durable import replacing, storage_errors
from fpmatch.encryption.box import KEY_BYTES, Box, new_key
from fpmatch.encryption.ring import Ring, ring_of
from fpmatch.errors import MALFORMED, CorruptError, InputError, KeysError, StorageError

NAME = "keys.json"
FORMAT = 1
_GENERATION = 4
"""Bytes that say under which generation something is."""


@dataclass(frozen=True, slots=True)
class _Wrapped:
    generation: int
    under: str
    key: bytes


class Chest:
    """The open keys of a gallery. Safe for several threads.

    Parameters
    ----------
    folder : Path
        Of the gallery.
    source : KeySource
        Is asked again when keys change.
    """

    def __init__(self, folder: Path, source: object) -> None:
        self._folder = folder
        self._source = source
        self._lock = threading.Lock()
        self.gallery = ""
        self.under = ""
        self._keys: dict[int, tuple[bytes, Box]] = {}
        self._seen = (0, 0)
        self._load()

    @classmethod
    def create(cls, folder: Path, source: object) -> Chest:
        """Make the keys of a new gallery.

        Raises
        ------
        KeysError, InputError
            As for `ring_of`.
        """
        ring = ring_of(source)
        gallery = os.urandom(16).hex()
        _write(folder, gallery, [_wrap(ring, gallery, 1, new_key())])
        return cls(folder, source)

    @property
    def current(self) -> int:
        """The generation of the key that new data is under."""
        return max(self._keys)

    @property
    def generations(self) -> tuple[int, ...]:
        """Those that there are keys of, ascending."""
        return tuple(sorted(self._keys))

    def put(self, content: bytes, *place: object) -> bytes:
        """Encrypt a value of the gallery under its current key, whoever made that."""
        if self._seen != _seen(self._folder):
            with self._lock:
                self._load()
        number = self.current
        return number.to_bytes(_GENERATION, "little") + self._of(number)[1].put(content, *place)

    def get(self, stored: object, *place: object) -> bytes:
        """Decrypt a value of the gallery.

        Raises
        ------
        KeysError
            If it is under a key that this gallery does not have.
        CorruptError
            If it is damaged, or not where it belongs.
        """
        if not isinstance(stored, bytes) or len(stored) <= _GENERATION:
            raise CorruptError(f"an encrypted value ({place[0] if place else ''}) is damaged")
        return self._of(generation_of(stored))[1].get(stored[_GENERATION:], *place)

    def file_key(self, generation: int, salt: bytes) -> bytes:
        """The key of one file: 32 bytes.

        Parameters
        ----------
        generation : int
        salt : bytes
            Drawn at random for the file.
        """
        return _derived(self._of(generation)[0], b"file" + salt)[:32]

    # -- other keys ----------------------------------------------------------------------------

    def rewrap(self) -> str:
        """Wrap every data key under the caller's current key; its name."""
        with self._lock:
            ring = ring_of(self._source)
            self._store(ring, self._bare())
            return ring.current

    def add_generation(self) -> int:
        """Make a data key for what is written from now on; its generation."""
        with self._lock:
            number = max(self._keys) + 1
            self._store(ring_of(self._source), {**self._bare(), number: new_key()})
            return number

    def drop_before(self, generation: int) -> None:
        """Forget data keys that nothing is under any more."""
        with self._lock:
            kept = {n: key for n, key in self._bare().items() if n >= generation}
            self._store(ring_of(self._source), kept)

    def _store(self, ring: Ring, keys: dict[int, bytes]) -> None:
        _write(
            self._folder,
            self.gallery,
            [_wrap(ring, self.gallery, n, key) for n, key in sorted(keys.items())],
        )
        self._seen = _seen(self._folder)
        self._take(keys, ring.current)

    def _take(self, keys: dict[int, bytes], under: str) -> None:
        self._keys = {
            n: (key, Box(_derived(key, b"values"), self.gallery)) for n, key in keys.items()
        }
        self.under = under

    def _load(self) -> None:
        seen = _seen(self._folder)
        gallery, wrapped = _read(self._folder)
        ring = ring_of(self._source)
        if self.gallery and self.gallery != gallery:
            raise KeysError(f"{NAME} is another gallery's now")
        self.gallery, self._seen = gallery, seen
        keys = {one.generation: _unwrapped(ring, gallery, one) for one in wrapped}
        self._take(keys, wrapped[-1].under)

    def _bare(self) -> dict[int, bytes]:
        return {n: key for n, (key, _) in self._keys.items()}

    def _of(self, generation: int) -> tuple[bytes, Box]:
        found = self._keys.get(generation)
        if found is None:
            with self._lock:
                self._load()  # Another process may have made it meanwhile.
            found = self._keys.get(generation)
        if found is None:
            raise KeysError(f"this gallery has no key of generation {generation}")
        return found


def chest_of(folder: Path, source: object) -> Chest | None:
    """The keys of a gallery; None if it is not encrypted.

    Parameters
    ----------
    folder : Path
        Of the gallery.
    source : KeySource or None
        As the caller gave it.

    Raises
    ------
    KeysError
        If it is encrypted and the caller's keys are missing or others.
    InputError
        If it is not and keys are given, or they cannot be used.
    """
    there = (folder / NAME).exists()
    if source is None:
        if there:
            raise KeysError(
                f"{folder.name} is encrypted: name its keys (keys=, fpmatch --key-file FILE)"
            )
        return None
    if not there:
        raise InputError(
            f"{folder.name} is not encrypted and takes no keys; export it and import it into a new "
            "gallery with keys (fpmatch archive)"
        )
    return Chest(folder, source)


def _seen(folder: Path) -> tuple[int, int]:
    """Which file of keys lies there; 2 us."""
    try:
        found = os.stat(folder / NAME)
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def generation_of(stored: bytes) -> int:
    """Under which generation a value or a wrapped key is."""
    return int.from_bytes(stored[:_GENERATION], "little")


def _derived(key: bytes, label: bytes) -> bytes:
    """A key for one purpose (one block of HKDF's expansion, RFC 5869, over SHA-512)."""
    return hmac.new(key, b"fpmatch 1 " + label + b"\x01", hashlib.sha512).digest()


def _about(gallery: str, generation: int, under: str) -> tuple[object, ...]:
    return ("data key", gallery, generation, under)


def _wrap(ring: Ring, gallery: str, generation: int, key: bytes) -> _Wrapped:
    name = ring.current
    box = Box(_derived(ring.keys[name], b"wrapping"), gallery)
    return _Wrapped(generation, name, box.put(key, *_about(gallery, generation, name)))


def _unwrapped(ring: Ring, gallery: str, one: _Wrapped) -> bytes:
    if one.under not in ring.keys:
        raise KeysError(
            f"this gallery is under the key {quoted(one.under)}, which is not among the keys given "
            f"({', '.join(sorted(ring.keys))[:200]})"
        )
    box = Box(_derived(ring.keys[one.under], b"wrapping"), gallery)
    try:
        key = box.get(one.key, *_about(gallery, one.generation, one.under))
    except CorruptError:
        raise KeysError(
            f"the key {one.under!r} does not open this gallery: it is another key of that name, or "
            f"{NAME} is damaged"
        ) from None
    if len(key) != KEY_BYTES:
        raise CorruptError(f"{NAME} is damaged: a data key has {len(key)} bytes")
    return key


def _write(folder: Path, gallery: str, wrapped: list[_Wrapped]) -> None:
    said = {
        "format": FORMAT,
        "gallery": gallery,
        "keys": [
            {"generation": one.generation, "under": one.under, "wrapped": one.key.hex()}
            for one in wrapped
        ],
    }
    with storage_errors(NAME), replacing(folder / NAME) as file:
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), 0o600)
        file.write(json.dumps(said, indent=1).encode())


def _read(folder: Path) -> tuple[str, list[_Wrapped]]:
    try:
        said = json.loads((folder / NAME).read_bytes())
        if said["format"] > FORMAT:
            raise StorageError(f"{NAME} has format {said['format']}; this release reads {FORMAT}")
        wrapped = [
            _Wrapped(int(k["generation"]), str(k["under"]), bytes.fromhex(k["wrapped"]))
            for k in said["keys"]
        ]
        gallery = str(said["gallery"])
        gallery.encode()
    except FileNotFoundError:
        raise KeysError(f"{NAME} is missing: restore it from a backup") from None
    except OSError as error:
        raise KeysError(f"{NAME} cannot be read: {error.strerror}") from error
    except MALFORMED:
        raise CorruptError(f"{NAME} is damaged: restore it from a backup") from None
    if not wrapped or any(not 0 < one.generation < 1 << 32 for one in wrapped):
        raise CorruptError(f"{NAME} is damaged: it has no usable key")
    return gallery, sorted(wrapped, key=lambda one: one.generation)
