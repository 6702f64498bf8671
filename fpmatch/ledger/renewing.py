"""What an encrypted ledger holds, under keys of now; and without what no key opens any more."""

from __future__ import annotations

from fpmatch.database import transaction
from fpmatch.errors import CorruptError
from fpmatch.ledger.cipher import Encrypted
from fpmatch.ledger.copies import place
from fpmatch.ledger.ledger import Ledger


def renew(ledger: Ledger) -> int:
    """Messages, envelopes, copies and kept probes under keys of now; how many probes.

    Parameters
    ----------
    ledger : Ledger
        Of an encrypted gallery; other processes may use it meanwhile.
    """
    cipher = ledger.cipher
    assert isinstance(cipher, Encrypted)
    with ledger.lock:
        messages = ledger.database.execute("SELECT id FROM notification").fetchall()
        copies = ledger.database.execute("SELECT id FROM copy").fetchall()
        tokens = ledger.database.execute("SELECT token FROM probe").fetchall()
    for (name,) in messages:
        _message(ledger, cipher, name)
    for (number,) in copies:
        _copy(ledger, cipher, number)
    return sum(_probe(ledger, cipher, token) for (token,) in tokens)


def _message(ledger: Ledger, cipher: Encrypted, name: str) -> None:
    values = cipher.values
    with ledger.lock, transaction(ledger.database):
        found = ledger.database.execute(
            "SELECT body, envelope FROM notification WHERE id = ?", (name,)
        ).fetchone()
        if found is None:
            return
        body, envelope = found
        body = values.put(values.get(body, "message", name), "message", name)
        if envelope is not None:
            envelope = values.put(values.get(envelope, "envelope", name), "envelope", name)
        ledger.database.execute(
            "UPDATE notification SET body = ?, envelope = ? WHERE id = ?", (body, envelope, name)
        )


def _copy(ledger: Ledger, cipher: Encrypted, number: int) -> None:
    with ledger.lock, transaction(ledger.database):
        found = ledger.database.execute(
            "SELECT intent, recipient, body FROM copy WHERE id = ?", (number,)
        ).fetchone()
        if found is not None:
            bound = place(found[0], found[1])
            body = cipher.values.put(cipher.values.get(found[2], *bound), *bound)
            ledger.database.execute("UPDATE copy SET body = ? WHERE id = ?", (body, number))


def _probe(ledger: Ledger, cipher: Encrypted, token: str) -> int:
    database = ledger.database
    with ledger.lock, transaction(database):
        found = database.execute(
            "SELECT identity, request, templates FROM probe WHERE token = ?", (token,)
        ).fetchone()
        if found is None:
            return 0
        identity, request, held = found
        number, places = cipher.names(held)
        old = cipher.of(database, number)
        contents = ledger.contents(token)
        new = cipher.keys.renew(database, number)
        database.execute(
            "UPDATE probe SET identity = ?, request = ? WHERE token = ?",
            (
                new.put(old.get(identity, "identity"), "identity"),
                new.put(old.get(request, "request"), "request"),
                token,
            ),
        )
        for at, (row, content) in enumerate(zip(places, contents, strict=True)):
            database.execute(
                "UPDATE template SET bytes = ? WHERE id = ?",
                (new.put(content, "template", at), row),
            )
        return 1


def drop_unreadable(ledger: Ledger) -> int:
    """Forget the probes whose keys were destroyed elsewhere; how many."""
    gone = 0
    with ledger.lock:
        found = ledger.database.execute("SELECT token, templates FROM probe").fetchall()
    for token, held in found:
        try:
            ledger.cipher.of(ledger.database, ledger.cipher.names(held)[0])
        except CorruptError:
            gone += ledger.destroy(token, scrub=False)
    return gone
