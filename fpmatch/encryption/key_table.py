"""Keys of single things, in a table of a database, each wrapped under the gallery's data key.

Whoever destroys such a key destroys all copies of what is under it, wherever they lie, as long as
no copy of the key does. Rows are appended and overwritten in place and never move, so that none
leaves a trace (as the table of templates, `fpmatch.gallery.schema`).
"""

from __future__ import annotations

import sqlite3

from fpmatch.encryption.box import KEY_BYTES, Box, new_key
from fpmatch.encryption.chest import Chest
from fpmatch.errors import CorruptError

TABLE = """
CREATE TABLE IF NOT EXISTS data_key (id INTEGER PRIMARY KEY AUTOINCREMENT, wrapped BLOB NOT NULL)
"""


def is_destroyed(wrapped: bytes) -> bool:
    """Whether nothing but zeros is left of a key."""
    return not any(wrapped)


class KeyTable:
    """The keys of one database.

    Parameters
    ----------
    chest : Chest
    store : str
        Which database; keys of one do not open in another.
    """

    def __init__(self, chest: Chest, store: str) -> None:
        self.chest = chest
        self.store = store
        self._last: tuple[int, bytes, Box] | None = None

    def new(self, database: sqlite3.Connection) -> tuple[int, Box]:
        """Make a key, in the running transaction: its number, and a box under it."""
        key = new_key()
        wrapped = self.chest.put(key, "key", self.store)
        number = database.execute("INSERT INTO data_key (wrapped) VALUES (?)", (wrapped,)).lastrowid
        assert number is not None
        return number, self._box(number, wrapped, key)

    def renew(self, database: sqlite3.Connection, number: int) -> Box:
        """Put another key in the place of one, in the running transaction; a box under it."""
        key = new_key()
        wrapped = self.chest.put(key, "key", self.store)
        database.execute("UPDATE data_key SET wrapped = ? WHERE id = ?", (wrapped, number))
        return self._box(number, wrapped, key)

    def box(self, number: int, wrapped: object) -> Box:
        """The box of a key.

        Parameters
        ----------
        number : int
            Its own.
        wrapped : bytes
            As it is stored.

        Raises
        ------
        CorruptError
            If it was destroyed, is missing, or is damaged.
        """
        if not isinstance(wrapped, bytes) or is_destroyed(wrapped):
            raise CorruptError(f"the key {number} of {self.store} has been destroyed")
        last = self._last  # Several values of one thing are read or written after each other.
        if last is not None and last[:2] == (number, wrapped):
            return last[2]
        key = self.chest.get(wrapped, "key", self.store)
        if len(key) != KEY_BYTES:
            raise CorruptError(f"the key {number} of {self.store} is damaged")
        return self._box(number, wrapped, key)

    def _box(self, number: int, wrapped: bytes, key: bytes) -> Box:
        box = Box(key, f"{self.chest.gallery} {self.store} {number}")
        self._last = (number, wrapped, box)
        return box

    def read(self, database: sqlite3.Connection, number: int) -> Box:
        """The box of a key, by its number; errors as for `box`."""
        found = database.execute("SELECT wrapped FROM data_key WHERE id = ?", (number,)).fetchone()
        return self.box(number, None if found is None else found[0])

    def destroy(self, database: sqlite3.Connection, number: int) -> None:
        """Overwrite a key, in the running transaction."""
        database.execute(
            "UPDATE data_key SET wrapped = zeroblob(length(wrapped)) WHERE id = ?", (number,)
        )
