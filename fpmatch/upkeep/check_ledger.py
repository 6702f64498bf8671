"""What is owed to others: can it be read, and is it whole."""

from __future__ import annotations

import json
from collections.abc import Iterator

from fpmatch.ledger import Ledger
from fpmatch.upkeep.finding import Finding


def check_ledger(ledger: Ledger) -> Iterator[Finding]:
    """Messages, copies and kept probes, each as far as it can be read without the vault's key."""
    database = ledger.database
    for name, body in database.execute("SELECT id, body FROM notification").fetchall():
        if not _is_object(body):
            yield Finding(
                "ledger.sqlite", f"message {name!r} is damaged", "the log names its search: ask it"
            )
    if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'copy'").fetchone():
        waiting = database.execute("SELECT tcn, recipient, body FROM copy WHERE NOT sealed")
        for tcn, recipient, body in waiting.fetchall():
            if not _is_object(body):
                yield Finding(
                    "ledger.sqlite",
                    f"the copy of {tcn!r} for {recipient!r} is damaged",
                    "have the search submitted again",
                )
    templates = {row for (row,) in database.execute("SELECT id FROM template").fetchall()}
    kept = database.execute("SELECT kind, partition, request, templates FROM probe").fetchall()
    for kind, partition, request, held in kept:
        try:
            rows = set(json.loads(held))
        except (ValueError, TypeError):
            rows = {-1}
        if not _is_object(request) or not rows <= templates:
            yield Finding(
                "ledger.sqlite",
                f"a {kind} probe of partition {partition!r} is damaged",
                "have it submitted again, and cancel it",
            )


def _is_object(text: object) -> bool:
    try:
        return isinstance(json.loads(text), dict)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False
