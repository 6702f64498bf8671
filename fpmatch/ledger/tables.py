"""The tables of the ledger."""

from __future__ import annotations

LEDGER = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE notification (
    id TEXT PRIMARY KEY,
    intent INTEGER NOT NULL,
    state TEXT NOT NULL,
    body TEXT NOT NULL,
    envelope BLOB,
    owner TEXT NOT NULL DEFAULT ''
);
CREATE INDEX notification_intent ON notification (intent);
CREATE TABLE probe (
    token TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    partition TEXT NOT NULL,
    event TEXT NOT NULL,
    expires TEXT NOT NULL,
    identity TEXT NOT NULL,
    request TEXT NOT NULL,
    templates TEXT NOT NULL,
    owner TEXT NOT NULL DEFAULT '',
    claimed TEXT NOT NULL DEFAULT ''
);
CREATE TABLE template (id INTEGER PRIMARY KEY AUTOINCREMENT, bytes BLOB NOT NULL);
"""
LEDGER_COLUMNS = (("notification", "owner"), ("probe", "owner"), ("probe", "claimed"))
"""Columns that ledgers made before do not have; added when they are opened."""
