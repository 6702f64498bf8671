"""Published policies, as documents by version."""

from __future__ import annotations

from datetime import datetime

from fpmatch.gallery import answers
from fpmatch.gallery.answers import Once
from fpmatch.gallery.journal import Journal


class Policies(Journal):
    """Base of `fpmatch.gallery.Gallery`: the policies that were put in force."""

    def publish(
        self, digest: str, document: str, version: int, at: datetime, once: Once | None = None
    ) -> str:
        """Store a policy document under the next version; the name of the journal entry.

        Parameters
        ----------
        digest : str
            SHA-256 of the document.
        document : str
            TOML text.
        version : int
            From 1.
        at : datetime
            Time of publication.
        once : Once, optional
            The caller's key.
        """
        with self.transaction() as database:
            database.execute(
                "INSERT INTO policy VALUES (?, ?, ?, ?)",
                (version, digest, at.isoformat(), document),
            )
            journal = self.journal("POLICY", {"policy_version": version, "policy_digest": digest})
            answers.put(database, once, journal, {"version": version})
            return journal

    def policy(self, version: int | None = None) -> tuple[int, str, str] | None:
        """A policy's version, document and digest; the newest by default, None if none."""
        with self.lock:
            found = self.database.execute(
                "SELECT version, document, digest FROM policy WHERE ? IS NULL OR version = ? "
                "ORDER BY version DESC LIMIT 1",
                (version, version),
            ).fetchone()
        return None if found is None else (int(found[0]), str(found[1]), str(found[2]))
