"""The tables of the system of record."""

from __future__ import annotations

GALLERY = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE partition (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    ndr INTEGER NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    expected INTEGER NOT NULL,
    next_row INTEGER NOT NULL DEFAULT 0,
    changes INTEGER NOT NULL DEFAULT 0,
    sum BLOB NOT NULL
);
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL REFERENCES partition (id),
    record TEXT NOT NULL,
    identity TEXT NOT NULL,
    contributor TEXT NOT NULL,
    protected INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    banned TEXT NOT NULL,
    item BLOB NOT NULL,
    UNIQUE (partition, record)
);
CREATE INDEX record_identity ON record (partition, identity);
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    record INTEGER NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    UNIQUE (record, event)
);
CREATE TABLE finger (
    key INTEGER PRIMARY KEY,
    record INTEGER NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    template INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    UNIQUE (record, sha256)
);
CREATE TABLE held (
    event INTEGER NOT NULL REFERENCES event (id) ON DELETE CASCADE,
    finger INTEGER NOT NULL REFERENCES finger (key) ON DELETE CASCADE,
    PRIMARY KEY (event, finger)
) WITHOUT ROWID;
CREATE INDEX held_finger ON held (finger);
CREATE TABLE template (id INTEGER PRIMARY KEY AUTOINCREMENT, bytes BLOB NOT NULL);
CREATE TABLE policy (
    version INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    published TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE TABLE journal (id TEXT PRIMARY KEY, kind TEXT NOT NULL, fields TEXT NOT NULL);
"""
# `template` is only ever appended to and overwritten in place: SQLite leaves stale copies behind
# when it moves cells between pages, even with secure_delete, and rows that never move leave none.

STAMPS = """
CREATE TABLE IF NOT EXISTS stamp (partition INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TRIGGER IF NOT EXISTS stamp_partition AFTER INSERT ON partition BEGIN
    INSERT OR REPLACE INTO stamp VALUES (NEW.id, randomblob(16));
END;
CREATE TRIGGER IF NOT EXISTS stamp_record_insert AFTER INSERT ON record BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition = NEW.partition;
END;
CREATE TRIGGER IF NOT EXISTS stamp_record_update
AFTER UPDATE OF id, partition, record, protected, sealed, banned ON record BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition IN (OLD.partition, NEW.partition);
END;
CREATE TRIGGER IF NOT EXISTS stamp_record_delete AFTER DELETE ON record BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition = OLD.partition;
END;
CREATE TRIGGER IF NOT EXISTS stamp_finger_insert AFTER INSERT ON finger BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition = NEW.key >> 40;
END;
CREATE TRIGGER IF NOT EXISTS stamp_finger_update
AFTER UPDATE OF key, record, position ON finger BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition IN (OLD.key >> 40, NEW.key >> 40);
END;
CREATE TRIGGER IF NOT EXISTS stamp_finger_delete AFTER DELETE ON finger BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition = OLD.key >> 40;
END;
INSERT OR REPLACE INTO stamp SELECT id, randomblob(16) FROM partition;
"""
# A new stamp with every change of what `fpmatch.gallery.columns` shows, whoever makes it: this
# release, an older one, or a hand in the database. Drawn at random, so that none comes twice, not
# even where an older copy of the file is put back and goes another way. Added to galleries that
# lack it when they are opened for writing; older releases read and write them as before.

CHANGES = """
CREATE TABLE IF NOT EXISTS change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, partition INTEGER NOT NULL, record INTEGER NOT NULL
);
CREATE TRIGGER IF NOT EXISTS change_record_insert AFTER INSERT ON record BEGIN
    INSERT INTO change (partition, record) VALUES (NEW.partition, NEW.id);
END;
CREATE TRIGGER IF NOT EXISTS change_record_update
AFTER UPDATE OF id, partition, record, protected, sealed, banned ON record BEGIN
    INSERT INTO change (partition, record)
        VALUES (OLD.partition, OLD.id), (NEW.partition, NEW.id);
END;
CREATE TRIGGER IF NOT EXISTS change_record_delete AFTER DELETE ON record BEGIN
    INSERT INTO change (partition, record) VALUES (OLD.partition, OLD.id);
END;
CREATE TRIGGER IF NOT EXISTS change_finger_insert AFTER INSERT ON finger BEGIN
    INSERT INTO change (partition, record) VALUES (NEW.key >> 40, NEW.record);
END;
CREATE TRIGGER IF NOT EXISTS change_finger_update
AFTER UPDATE OF key, record, position ON finger BEGIN
    INSERT INTO change (partition, record)
        VALUES (OLD.key >> 40, OLD.record), (NEW.key >> 40, NEW.record);
END;
CREATE TRIGGER IF NOT EXISTS change_finger_delete AFTER DELETE ON finger BEGIN
    INSERT INTO change (partition, record) VALUES (OLD.key >> 40, OLD.record);
END;
"""
# Which records changed, in order, for processes that read beside the one that writes: by key alone,
# so that nothing of a removed record stays. The newest are kept (`CHANGES_KEPT`).

CHANGES_KEPT = 100_000
"""Changes that are kept; whoever is further behind reads the tables."""

WITHDRAWN = """
CREATE TABLE IF NOT EXISTS withdrawn (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, mark BLOB NOT NULL
)
"""
"""What was expunged, sealed and unsealed, by keyed digest: asked when a backup is restored."""

ANSWERED = """
CREATE TABLE IF NOT EXISTS answered (
    key BLOB PRIMARY KEY,
    call BLOB NOT NULL,
    at INTEGER NOT NULL,
    journal TEXT NOT NULL,
    seq INTEGER NOT NULL DEFAULT 0,
    answer TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answered_at ON answered (at);
CREATE INDEX IF NOT EXISTS answered_journal ON answered (journal);
"""
"""What acts under a caller's key were answered: keyed digests and numbers, never a name."""

UNFINISHED = "CREATE TABLE IF NOT EXISTS unfinished (id TEXT PRIMARY KEY, fields TEXT NOT NULL)"
"""Removals that are committed and not yet carried through to every other file."""

ORIGINS = """
CREATE TABLE IF NOT EXISTS item (
    event INTEGER NOT NULL REFERENCES event (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    PRIMARY KEY (event, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin (
    event INTEGER NOT NULL,
    finger INTEGER NOT NULL,
    source BLOB NOT NULL,
    PRIMARY KEY (event, finger),
    FOREIGN KEY (event, finger) REFERENCES held (event, finger) ON DELETE CASCADE
) WITHOUT ROWID;
"""
"""What records were made from: digests of items and of files, gone with what they are of. Added to
galleries that lack them when they are opened for writing."""

NEXT_RECORD = """
INSERT INTO meta SELECT 'next_record', COALESCE(MAX(id), 0) + 1 FROM record WHERE TRUE
ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE excluded.value > value
"""
"""The key that the next record gets: larger than any that one ever had. Releases that did not know
of it took the smallest that was free at the end."""

GALLERY_COLUMNS = (("partition", "sum_stamp"),)
"""Columns that galleries made before do not have; added when they are opened for writing."""
