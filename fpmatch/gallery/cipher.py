"""How values lie in the system of record: as they are, or encrypted; one face for both.

In an encrypted gallery, what names or depicts a person is under keys that can be destroyed one by
one: each record has a key (its id, identity, contributor, names of events, digests), each template
another. Where a name has to be found, its keyed digest lies in its place, which tells equal names
from others and no more.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from pathlib import Path
from typing import Any

from fpmatch.database import (
    encrypted_under,
    mark_encrypted,
    stored_bytes,
    stored_number,
    stored_text,
)
from fpmatch.encryption import PLAIN_BOX, PLAIN_FILES, Box, Chest, EncryptedFiles, Files, PlainBox
from fpmatch.encryption.chest_box import ChestBox
from fpmatch.encryption.key_table import TABLE, KeyTable
from fpmatch.errors import CorruptError, KeysError
from fpmatch.sqlite_errors import MissingTableError

Facts = tuple[str, str, str]
"""Id, identity, contributor of a record."""

TABLES = (
    TABLE,
    """
    CREATE TABLE IF NOT EXISTS record_facts (
        record INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
        key INTEGER NOT NULL,
        facts BLOB NOT NULL
    )
    """,
)
"""What an encrypted gallery has beside the other tables."""
_STORE = "gallery"
_BETWEEN = "\x00"
"""Between facts; no name can hold it (`fpmatch.checks.check_text`)."""


class Cipher:
    """Values as they are: of a gallery that is not encrypted."""

    encrypted = False
    values: PlainBox = PLAIN_BOX
    """For what belongs to no record: notes, answers, secrets."""
    files: Files = PLAIN_FILES

    def token(self, database: sqlite3.Connection, what: str, *names: str) -> str:
        """What stands where a name is looked for.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        what : str
            Kind of the name.
        *names : str
            The name last, after those that it is unique under.
        """
        return names[-1]

    def columns(
        self, database: sqlite3.Connection, partition: int, facts: Facts
    ) -> tuple[str, str, str]:
        """What the columns record, identity and contributor hold, beside `put_facts`.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        partition : int
            Its key.
        facts : (str, str, str)
            As they are.
        """
        return facts

    def put_facts(self, database: sqlite3.Connection, key: int, facts: Facts) -> None:
        """Store the facts of a record, new or changed, in the running transaction.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        key : int
            Of the record.
        facts : (str, str, str)
            As they are.
        """

    def facts(self, database: sqlite3.Connection, key: int, stored: tuple[Any, ...]) -> Facts:
        """The facts of a record.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        key : int
            Of the record.
        stored : (object, object, object)
            What the columns hold.

        Raises
        ------
        CorruptError
            If they cannot be decrypted, or are no text.
        """
        name, identity, contributor = (stored_text(one, "a record") for one in stored)
        return name, identity, contributor

    def of(self, database: sqlite3.Connection, key: int) -> PlainBox:
        """For values that belong to a record; errors as for `facts`."""
        return PLAIN_BOX

    def drop_facts(self, database: sqlite3.Connection, key: int) -> None:
        """Destroy what decrypts the values of a record, in the running transaction."""

    def add_template(self, database: sqlite3.Connection, content: bytes) -> int:
        """Store a template in the running transaction; its number."""
        found = database.execute("INSERT INTO template (bytes) VALUES (?)", (content,)).lastrowid
        assert found is not None
        return found

    def template(self, database: sqlite3.Connection, number: int, stored: Any) -> bytes:
        """A template.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        number : int
            Its own.
        stored : bytes
            As it is stored.

        Raises
        ------
        CorruptError
            If it cannot be decrypted.
        """
        return stored_bytes(stored, "a template")

    def drop_template(self, database: sqlite3.Connection, number: int) -> None:
        """Overwrite a template in the running transaction."""
        database.execute(
            "UPDATE template SET bytes = zeroblob(length(bytes)) WHERE id = ?", (number,)
        )


PLAIN = Cipher()


class Encrypted(Cipher):
    """Values of an encrypted gallery.

    Parameters
    ----------
    folder : Path
        Of the gallery.
    chest : Chest
        Its keys.
    """

    encrypted = True

    def __init__(self, folder: Path, chest: Chest) -> None:
        self.chest = chest
        self.keys = KeyTable(chest, _STORE)
        self.values = ChestBox(chest, _STORE)
        self.files = EncryptedFiles(folder, chest)
        self._lookup = b""

    def token(self, database: sqlite3.Connection, what: str, *names: str) -> str:
        """See `Cipher.token`: a keyed digest."""
        if not self._lookup:
            self._lookup = lookup_secret(database, self.values)
        said = _BETWEEN.join((what, *map(str, names))).encode("utf-8", "surrogatepass")
        return hmac.new(self._lookup, said, hashlib.sha256).hexdigest()

    def columns(
        self, database: sqlite3.Connection, partition: int, facts: Facts
    ) -> tuple[str, str, str]:
        """See `Cipher.columns`: what they are found by.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        partition : int
            Its key.
        facts : (str, str, str)
            As they are.
        """
        name, identity, _ = facts
        record = self.token(database, "record", str(partition), name)
        return record, self.token(database, "identity", identity), ""

    def put_facts(self, database: sqlite3.Connection, key: int, facts: Facts) -> None:
        """See `Cipher.put_facts`.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        key : int
            Of the record.
        facts : (str, str, str)
            As they are.
        """
        found = self._row(database, key)
        if found is None:
            number, box = self.keys.new(database)
            database.execute(
                "INSERT INTO record_facts VALUES (?, ?, ?)",
                (key, number, box.put_text(_BETWEEN.join(facts), "facts", key)),
            )
            return
        box = self.keys.box(found[0], found[1])
        database.execute(
            "UPDATE record_facts SET facts = ? WHERE record = ?",
            (box.put_text(_BETWEEN.join(facts), "facts", key), key),
        )

    def facts(self, database: sqlite3.Connection, key: int, stored: tuple[Any, ...]) -> Facts:
        """See `Cipher.facts`; 20 us.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        key : int
            Of the record.
        stored : tuple
            Not looked at.

        Raises
        ------
        CorruptError
            If they cannot be decrypted.
        """
        number, wrapped, facts = self._found(database, key)
        said = self.keys.box(number, wrapped).get_text(facts, "facts", key).split(_BETWEEN)
        if len(said) != 3:
            raise CorruptError(f"the facts of record {key} are stored damaged")
        return said[0], said[1], said[2]

    def of(self, database: sqlite3.Connection, key: int) -> Box:
        """See `Cipher.of`."""
        number, wrapped, _ = self._found(database, key)
        return self.keys.box(number, wrapped)

    def drop_facts(self, database: sqlite3.Connection, key: int) -> None:
        """See `Cipher.drop_facts`."""
        # What cannot be read has to go too.
        found = database.execute("SELECT key FROM record_facts WHERE record = ?", (key,)).fetchone()
        if found is not None:
            self.keys.destroy(database, found[0])

    def add_template(self, database: sqlite3.Connection, content: bytes) -> int:
        """See `Cipher.add_template`: under a key of its own, which has its number."""
        number, box = self.keys.new(database)
        database.execute(
            "INSERT INTO template (id, bytes) VALUES (?, ?)",
            (number, box.put(content, "template", number)),
        )
        return number

    def template(self, database: sqlite3.Connection, number: int, stored: Any) -> bytes:
        """See `Cipher.template`: read with its key, in one state of both; 20 us.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        number : int
            Its own.
        stored : bytes
            Not looked at: it may be of another state than the key.

        Raises
        ------
        CorruptError
            If it cannot be decrypted.
        """
        found = database.execute(
            "SELECT t.bytes, k.wrapped FROM template t JOIN data_key k ON k.id = t.id "
            "WHERE t.id = ?",
            (number,),
        ).fetchone()
        if found is None:
            raise CorruptError(f"template {number} has no key")
        return self.keys.box(number, found[1]).get(found[0], "template", number)

    def drop_template(self, database: sqlite3.Connection, number: int) -> None:
        """See `Cipher.drop_template`: and its key."""
        super().drop_template(database, number)
        self.keys.destroy(database, number)

    def _row(self, database: sqlite3.Connection, key: int) -> tuple[int, Any, Any] | None:
        found = database.execute(
            "SELECT f.key, k.wrapped, f.facts FROM record_facts f "
            "LEFT JOIN data_key k ON k.id = f.key WHERE f.record = ?",
            (key,),
        ).fetchone()
        if found is None:
            return None
        return stored_number(found[0], "a record's key"), found[1], found[2]

    def _found(self, database: sqlite3.Connection, key: int) -> tuple[int, Any, Any]:
        found = self._row(database, key)
        if found is None:
            raise CorruptError(f"record {key} has no facts")
        return found


def lookup_secret(database: sqlite3.Connection, values: PlainBox) -> bytes:
    """The secret that tokens are made with.

    Raises
    ------
    CorruptError
        If it is missing or damaged.
    """
    found = database.execute("SELECT value FROM meta WHERE key = 'lookup'").fetchone()
    if found is None:
        raise CorruptError("gallery.sqlite is damaged: the secret of its look-ups is missing")
    return values.get(found[0], "secret", "lookup")


def install(database: sqlite3.Connection, chest: Chest) -> None:
    """Make a new, empty gallery an encrypted one, in the running transaction."""
    for statement in TABLES:
        database.execute(statement)
    secret = ChestBox(chest, _STORE).put(os.urandom(32), "secret", "lookup")
    database.execute("INSERT INTO meta VALUES ('lookup', ?)", (secret,))
    mark_encrypted(database, chest.gallery)


def cipher_for(database: sqlite3.Connection, folder: Path, chest: Chest | None) -> Cipher:
    """How the values of a gallery that was just opened lie.

    Parameters
    ----------
    database : sqlite3.Connection
        Of the gallery.
    folder : Path
        Where it lies.
    chest : Chest or None
        The keys that are given.

    Raises
    ------
    KeysError
        If it is encrypted and its keys are not given, or those of another are.
    """
    try:
        found = encrypted_under(database)
    except MissingTableError:
        found = None
    if found != (None if chest is None else chest.gallery):
        raise KeysError(
            f"{folder.name} is encrypted, and these are not its keys: keys.json is missing, is "
            "another gallery's, or the caller gives none"
            if found is not None
            else f"{folder.name} is not encrypted and takes no keys"
        )
    return PLAIN if chest is None else Encrypted(folder, chest)


def cipher_of(database: sqlite3.Connection) -> Cipher:
    """How the values of the gallery behind a connection lie."""
    return getattr(database, "cipher", PLAIN)


def use(database: sqlite3.Connection, cipher: Cipher) -> None:
    """Note with a connection how its values lie."""
    database.cipher = cipher  # type: ignore[attr-defined]
