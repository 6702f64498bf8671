"""What a gallery owes to others: notifications to owners, copies, and probes kept for later.

A file of its own, because searches write it also where the gallery is open for reading only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from fpmatch import database as files
from fpmatch.database import Durability
from fpmatch.encryption import Chest
from fpmatch.errors import CorruptError
from fpmatch.ledger import copies
from fpmatch.ledger.cipher import cipher_for, install
from fpmatch.ledger.messages import Messages
from fpmatch.ledger.tables import LEDGER, LEDGER_COLUMNS
from fpmatch.ledger.values import (
    DEFERRED,
    RETAINED,
    SETTLED,
    DamagedProbe,
    KeptProbe,
)

FILE = "ledger.sqlite"
_PROBE = "token, kind, partition, event, expires, identity, request, owner, claimed, templates"


class Ledger(Messages):
    """Notifications, copies and kept probes, in one SQLite file.

    Parameters
    ----------
    database : sqlite3.Connection
    chest : Chest, optional
        The keys of an encrypted gallery.
    """

    def __init__(self, database: sqlite3.Connection, chest: Chest | None = None) -> None:
        super().__init__(database, cipher_for(database, chest))
        self.copies = copies.Copies(self._transaction, self.cipher.values)

    @classmethod
    def create(
        cls, folder: Path, *, durability: Durability = "full", chest: Chest | None = None
    ) -> Self:
        """Make an empty one.

        Parameters
        ----------
        folder : Path
            Of the gallery.
        durability : Durability
            As for `open`.
        chest : Chest, optional
            Its keys, if it shall be encrypted.
        """
        files.create_file(folder / FILE, f"{LEDGER}{copies.TABLE};")
        if chest is not None:
            database = files.open_file(folder / FILE, write=True, durability=durability)
            with closing(database), files.transaction(database):
                install(database, chest)
        return cls.open(folder, durability=durability, chest=chest)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        durability: Durability = "full",
        write: bool = True,
        chest: Chest | None = None,
    ) -> Self:
        """Open it; several processes may write.

        Parameters
        ----------
        folder : Path
            Of the gallery.
        durability : Durability
            "full" waits for the disk at each commit.
        write : bool
            False to look only.
        chest : Chest, optional
            The keys of an encrypted gallery.

        Raises
        ------
        KeysError
            If it is encrypted and these are not its keys.
        """
        database = files.open_file(folder / FILE, write=write, durability=durability)
        try:
            if write:
                files.add_columns(database, LEDGER_COLUMNS)
                with files.transaction(database):
                    database.execute(copies.TABLE)  # ledgers that were made before have none
            return cls(database, chest)
        except BaseException:
            database.close()
            raise

    def keep(self, probe: KeptProbe, contents: Sequence[bytes]) -> None:
        """Store a probe and its templates (as the vault sealed them)."""
        with self._transaction() as database:
            key, box = self.cipher.new(database)
            numbers = [
                database.execute(
                    "INSERT INTO template (bytes) VALUES (?)", (box.put(one, "template", place),)
                ).lastrowid
                for place, one in enumerate(contents)
            ]
            database.execute(
                "INSERT INTO probe VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    probe.token,
                    probe.kind,
                    probe.partition,
                    probe.event,
                    probe.expires,
                    box.put_text(probe.identity, "identity"),
                    box.put_text(json.dumps(probe.request), "request"),
                    self.cipher.named(key, numbers),
                    probe.owner,
                    probe.claimed,
                ),
            )

    def claim(self, token: str, kind: str, claimed: str) -> KeptProbe | None:
        """Take a probe up, if nobody else is doing so: one statement, so one of all succeeds.

        Parameters
        ----------
        token, kind : str
            Which probe; one of another kind is not there.
        claimed : str
            As in `KeptProbe`.

        Returns
        -------
        KeptProbe or None
            None if it is not there, or claimed already.
        """
        with self._transaction() as database:
            row = database.execute(
                "UPDATE probe SET claimed = ? WHERE token = ? AND kind = ? AND claimed = '' "
                f"RETURNING {_PROBE}",
                (claimed, token, kind),
            ).fetchone()
            return None if row is None else self._kept(row)

    def disown(self, token: str, owner: str) -> None:
        """Note that a probe's search was answered, so that no later opening asks again."""
        with self._transaction() as database:
            database.execute(
                "UPDATE probe SET owner = ? WHERE token = ? AND owner = ?", (SETTLED, token, owner)
            )

    def unclaim(self, token: str, claimed: str) -> None:
        """Let go of a probe that was taken up and still waits; another's claim stays."""
        with self._transaction() as database:
            database.execute(
                "UPDATE probe SET claimed = '' WHERE token = ? AND claimed = ?", (token, claimed)
            )

    def kept(self, kind: str, partition: str | None = None) -> list[KeptProbe]:
        """Probes of a kind, by token; without those that cannot be read (`damaged`)."""
        with self._one_state():
            found = self.database.execute(
                f"SELECT {_PROBE} FROM probe "
                "WHERE kind = ? AND (? IS NULL OR partition = ?) ORDER BY token",
                (kind, partition, partition),
            ).fetchall()
            out = []
            for row in found:
                with suppress(CorruptError):
                    out.append(self._kept(row))
            return out

    def damaged(self) -> list[DamagedProbe]:
        """Probes that cannot be read: no search may use them, and each can be destroyed."""
        out = []
        with self._one_state():
            for row in self.database.execute(f"SELECT {_PROBE} FROM probe").fetchall():
                try:
                    whole = self._kept(row).kind in (DEFERRED, RETAINED)
                except CorruptError:
                    whole = False
                if not whole:
                    out.append(self._damaged(row))
        return out

    def find(self, token: str) -> KeptProbe | None:
        """One probe, or None; `CorruptError` if it cannot be read."""
        with self._one_state():
            row = self.database.execute(
                f"SELECT {_PROBE} FROM probe WHERE token = ?", (token,)
            ).fetchone()
            return None if row is None else self._kept(row)

    def contents(self, token: str) -> list[bytes]:
        """A probe's templates, as stored; `CorruptError` where one is missing."""
        with self._one_state():
            found = self.database.execute(
                "SELECT templates FROM probe WHERE token = ?", (token,)
            ).fetchone()
            if found is None:
                return []
            key, numbers = self.cipher.names(found[0])
            box = self.cipher.of(self.database, key)
            rows = [
                self.database.execute("SELECT bytes FROM template WHERE id = ?", (n,)).fetchone()
                for n in numbers
            ]
            if None in rows:
                raise CorruptError("a kept probe is stored damaged: a template is missing")
            return [box.get(row[0], "template", place) for place, row in enumerate(rows)]

    def destroy(self, token: Any, *, scrub: bool = True) -> bool:
        """Overwrite a probe and forget it; False if it is not there (any more).

        Parameters
        ----------
        token : str
            Its own; of one that is damaged whatever is stored as such.
        scrub : bool
            Empty the write-ahead log too; without it the caller does, after the last of several.
        """
        with self._transaction() as database:
            found = database.execute(
                "SELECT templates FROM probe WHERE token = ?", (token,)
            ).fetchone()
            if found is None:
                return False
            database.execute("DELETE FROM probe WHERE token = ?", (token,))
            try:
                key, numbers = self.cipher.names(found[0])
            except CorruptError:
                self._destroy_unnamed(database)
            else:
                self._overwrite(database, key, numbers)
        if scrub:
            self.scrub()
        return True

    def _overwrite(
        self, database: sqlite3.Connection, key: int | None, numbers: Iterable[int]
    ) -> None:
        for number in numbers:
            database.execute(
                "UPDATE template SET bytes = zeroblob(length(bytes)) WHERE id = ?", (number,)
            )
        if key is not None:
            self.cipher.destroy(database, key)

    def _destroy_unnamed(self, database: sqlite3.Connection) -> None:
        """Overwrite the templates and keys that no probe names: one's own could not be told."""
        keys, used = set(), set()
        for (held,) in database.execute("SELECT templates FROM probe").fetchall():
            with suppress(CorruptError):
                key, numbers = self.cipher.names(held)
                keys.add(key)
                used.update(numbers)
        rows = database.execute("SELECT id FROM template").fetchall()
        self._overwrite(database, None, {row for (row,) in rows} - used)
        for unused in self.cipher.all_keys(database) - keys:
            self.cipher.destroy(database, unused)

    def _damaged(self, row: tuple[Any, ...]) -> DamagedProbe:
        token, _, partition, _, _, identity, _, _, _, held = row
        whose = None
        with suppress(CorruptError):
            box = self.cipher.of(self.database, self.cipher.names(held)[0])
            whose = box.get_text(identity, "identity")
        return DamagedProbe(token, partition if isinstance(partition, str) else "", whose)

    def scrub(self, *, wait: bool = True) -> None:
        """Empty the write-ahead log; see `fpmatch.database.scrub`."""
        with self.lock:
            files.scrub(self.database, wait=wait)

    @contextmanager
    def _one_state(self) -> Iterator[None]:
        """A probe is read with its key, which another process may destroy or exchange meanwhile."""
        with self.lock, files.reading(self.database):
            yield

    def _kept(self, row: tuple[str, ...]) -> KeptProbe:
        token, kind, partition, event, expires, identity, request, owner, claimed, held = row
        for one in (token, kind, partition, event, expires, owner, claimed):
            files.stored_text(one, "a kept probe")
        box = self.cipher.of(self.database, self.cipher.names(held)[0])
        asked = files.stored(box.get_text(request, "request"), "a kept probe")
        # What an opening looks at has to be there.
        known = isinstance(asked, dict) and isinstance(asked.get("intent"), int)
        if not known or not isinstance(asked.get("tcn"), str):
            raise CorruptError("a kept probe is stored damaged: its request is none")
        return KeptProbe(
            token,
            kind,
            partition,
            event,
            expires,
            box.get_text(identity, "identity"),
            asked,
            owner,
            claimed,
        )

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self.database.close()
