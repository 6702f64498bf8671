"""What is encrypted and compared with nothing else: can it be opened?"""

from __future__ import annotations

from collections.abc import Iterator

from fpmatch.encryption import PlainBox
from fpmatch.errors import FpmatchError
from fpmatch.gallery import Gallery
from fpmatch.ledger import Ledger
from fpmatch.search.kept_probes import trace
from fpmatch.upkeep.finding import Finding

_VALUES = (
    ("SELECT key, value FROM meta WHERE typeof(value) = 'blob'", "secret", "a secret"),
    ("SELECT id, fields FROM unfinished", "removal", "a note of a removal"),
    ("SELECT journal, answer FROM answered", "answer", "an answer that was kept"),
)
_OF_RECORDS = (
    ("SELECT e.record, i.digest FROM item i JOIN event e ON e.id = i.event", "item"),
    ("SELECT e.record, o.source FROM origin o JOIN event e ON e.id = o.event", "source"),
)


def check_values(gallery: Gallery) -> Iterator[Finding]:
    """Secrets, notes, answers and digests of an encrypted gallery."""
    cipher, database = gallery.cipher, gallery.database
    if not cipher.encrypted:
        return
    for query, place, what in _VALUES:
        for name, stored in database.execute(query).fetchall():
            if not _opens(cipher.values, stored, place, name):
                yield Finding("gallery.sqlite", f"{what} cannot be decrypted", "restore a backup")
    for query, place in _OF_RECORDS:
        for record, stored in database.execute(query).fetchall():
            try:
                sound = _opens(cipher.of(database, record), stored, place)
            except FpmatchError:
                continue  # Its record is a finding already.
            if not sound:
                what = f"a digest of what record {record} was made from cannot be decrypted"
                yield Finding("gallery.sqlite", what, "restore, or enrol it again")


def check_owed(ledger: Ledger) -> Iterator[Finding]:
    """Probes and envelopes of an encrypted ledger, where `check_ledger` does not look."""
    cipher, database = ledger.cipher, ledger.database
    if not cipher.encrypted:
        return
    damaged = {one.token for one in ledger.damaged()}
    for (token,) in database.execute("SELECT token FROM probe").fetchall():
        if token in damaged:
            continue  # A finding already.
        try:
            ledger.contents(token)
        except FpmatchError:
            what = f"the kept probe {trace(token)} cannot be decrypted"
            yield Finding("ledger.sqlite", what, "have it submitted again, and cancel it")
    for name, envelope in database.execute(
        "SELECT id, envelope FROM notification WHERE envelope IS NOT NULL"
    ).fetchall():
        if not _opens(cipher.values, envelope, "envelope", name):
            what = f"the envelope of message {name!r} cannot be decrypted"
            yield Finding("ledger.sqlite", what, "the log names its search: ask it")


def _opens(box: PlainBox, stored: object, *place: object) -> bool:
    try:
        box.get(stored, *place)
    except FpmatchError:
        return False
    return True
