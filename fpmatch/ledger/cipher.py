"""How values lie in the ledger: as they are, or encrypted; one face for both.

Each kept probe has a key of its own, messages and envelopes are under the gallery's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from fpmatch.database import encrypted_under, mark_encrypted, stored
from fpmatch.encryption import PLAIN_BOX, Chest, PlainBox
from fpmatch.encryption.chest_box import ChestBox
from fpmatch.encryption.key_table import TABLE, KeyTable
from fpmatch.errors import CorruptError, KeysError

_STORE = "ledger"


class Cipher:
    """Values as they are."""

    encrypted = False
    values: PlainBox = PLAIN_BOX
    """For messages and envelopes."""

    def new(self, database: sqlite3.Connection) -> tuple[int, PlainBox]:
        """A key for a probe, in the running transaction: its number, and what is under it."""
        return 0, PLAIN_BOX

    def of(self, database: sqlite3.Connection, key: int) -> PlainBox:
        """What is under a probe's key.

        Raises
        ------
        CorruptError
            If it cannot be read.
        """
        return PLAIN_BOX

    def destroy(self, database: sqlite3.Connection, key: int) -> None:
        """Overwrite a probe's key, in the running transaction."""

    def all_keys(self, database: sqlite3.Connection) -> set[int]:
        """The keys of probes, those too that were destroyed."""
        return set()

    def named(self, key: int, numbers: Sequence[int | None]) -> str:
        """What a probe's row says of its templates."""
        return json.dumps(numbers)

    def names(self, text: str) -> tuple[int, list[int]]:
        """Key and templates of a probe; `CorruptError` if they cannot be read."""
        found = stored(text, "a kept probe")
        return 0, _numbers(found)


class Encrypted(Cipher):
    """Values under a gallery's keys.

    Parameters
    ----------
    chest : Chest
    """

    encrypted = True

    def __init__(self, chest: Chest) -> None:
        self.values = ChestBox(chest, _STORE)
        self.keys = KeyTable(chest, _STORE)

    def new(self, database: sqlite3.Connection) -> tuple[int, PlainBox]:
        """See `Cipher.new`."""
        return self.keys.new(database)

    def of(self, database: sqlite3.Connection, key: int) -> PlainBox:
        """See `Cipher.of`."""
        return self.keys.read(database, key)

    def destroy(self, database: sqlite3.Connection, key: int) -> None:
        """See `Cipher.destroy`."""
        self.keys.destroy(database, key)

    def all_keys(self, database: sqlite3.Connection) -> set[int]:
        """See `Cipher.all_keys`."""
        return {key for (key,) in database.execute("SELECT id FROM data_key").fetchall()}

    def named(self, key: int, numbers: Sequence[int | None]) -> str:
        """See `Cipher.named`."""
        return json.dumps({"key": key, "templates": numbers})

    def names(self, text: str) -> tuple[int, list[int]]:
        """See `Cipher.names`.

        Raises
        ------
        CorruptError
            If they cannot be read.
        """
        found = stored(text, "a kept probe")
        if not isinstance(found, dict) or not _is_row(found.get("key")):
            raise CorruptError("a kept probe is stored damaged: it has no key")
        return found["key"], _numbers(found.get("templates"))


def _is_row(found: Any) -> bool:
    return isinstance(found, int) and 0 <= found < 1 << 63


def _numbers(found: Any) -> list[int]:
    if not isinstance(found, list) or not all(map(_is_row, found)):
        raise CorruptError("a kept probe is stored damaged: its templates are no numbers")
    return found


def install(database: sqlite3.Connection, chest: Chest) -> None:
    """Make a new, empty ledger an encrypted one, in the running transaction."""
    database.execute(TABLE)
    mark_encrypted(database, chest.gallery)


def cipher_for(database: sqlite3.Connection, chest: Chest | None) -> Cipher:
    """How the values of a ledger that was just opened lie.

    Raises
    ------
    KeysError
        If it is encrypted and its keys are not given, or those of another are.
    """
    if encrypted_under(database) != (None if chest is None else chest.gallery):
        raise KeysError("ledger.sqlite is under other keys than the gallery that it lies with")
    return Cipher() if chest is None else Encrypted(chest)
