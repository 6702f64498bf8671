"""What is owed to others: can it be read, and is it whole."""

from __future__ import annotations

import json
from collections.abc import Iterator

from fpmatch.checks import quoted
from fpmatch.encryption import PlainBox
from fpmatch.errors import CorruptError
from fpmatch.ledger import Ledger
from fpmatch.ledger.copies import place
from fpmatch.search.kept_probes import trace
from fpmatch.upkeep.finding import Finding


def check_ledger(ledger: Ledger) -> Iterator[Finding]:
    """Messages, copies and kept probes, each as far as it can be read without the vault's key."""
    database, cipher = ledger.database, ledger.cipher
    for name, body in database.execute("SELECT id, body FROM notification").fetchall():
        if not _is_object(cipher.values, body, "message", name):
            yield Finding(
                "ledger.sqlite", f"message {name!r} is damaged", "the log names its search: ask it"
            )
    if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'copy'").fetchone():
        waiting = database.execute("SELECT tcn, intent, recipient, body FROM copy WHERE NOT sealed")
        for tcn, intent, recipient, body in waiting.fetchall():
            if not _is_object(cipher.values, body, *place(intent, recipient)):
                yield Finding(
                    "ledger.sqlite",
                    f"the copy of {tcn!r} for {recipient!r} is damaged",
                    "have the search submitted again",
                )
    templates = {row for (row,) in database.execute("SELECT id FROM template").fetchall()}
    kept = database.execute("SELECT token, partition, templates FROM probe").fetchall()
    damaged = {one.token for one in ledger.damaged()}
    for token, partition, held in kept:
        try:
            _, rows = cipher.names(held)
        except CorruptError:
            rows = [-1]
        if token in damaged or not set(rows) <= templates:
            yield Finding(
                "ledger.sqlite",
                f"the kept probe {trace(token)} of partition {quoted(partition)} is damaged",
                "have it submitted again, and cancel it by its token, or this name of it",
            )


def _is_object(box: PlainBox, stored: object, *place: object) -> bool:
    try:
        return isinstance(json.loads(box.get_text(stored, *place)), dict)
    except (ValueError, TypeError, CorruptError):
        return False
