"""A whole gallery out to a portable file, and in again: records, policies, requests to opt out."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import fpmatch
from fpmatch.audit import AuditLog, Kind
from fpmatch.audit.log import now
from fpmatch.checks import check_flag, check_integer, check_text, path_of, quoted
from fpmatch.database import reading as one_state
from fpmatch.durable import put_folder_in_place, storage_errors
from fpmatch.encryption import KeySource, chest_of
from fpmatch.errors import CorruptError, FpmatchError, InputError, StorageError
from fpmatch.gallery import Gallery, facts, opt_outs, origins
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.search.apart import LOG
from fpmatch.search.opening import lock
from fpmatch.template import Template
from fpmatch.types import OptOutReceipt, SourcedRecord
from fpmatch.upkeep.archive_file import GALLERY, POLICIES, Reader, arrow, reading, writing

ORDER = "imported from an archive"
BY = {"order": ORDER, "authority": "the archive"}
_LONGEST_WORDS = 1 << 16


@dataclass(frozen=True, slots=True)
class Archived:
    """What an archive holds.

    Parameters
    ----------
    records : dict of str to int
        By partition.
    roots : dict of str to str
        By partition; equal contents have equal roots.
    impressions : int
        Rows of its table.
    policies : int
        Published policies.
    """

    records: dict[str, int]
    roots: dict[str, str]
    impressions: int
    policies: int


def export_archive(
    path: str | Path,
    to: str | Path,
    *,
    actor: str = "",
    clock: Callable[[], datetime] = now,
    keys: KeySource | None = None,
) -> Archived:
    """Write a whole gallery to a portable file, as of one moment; the log says so first.

    Parameters
    ----------
    path : str or Path
        The gallery's folder; others may search and write it meanwhile.
    to : str or Path
        A file that does not exist yet. It is not encrypted, whatever the gallery is: whoever has it
        has all records, sealed and protected ones too.
    actor : str
        Who asks; goes into the log.
    clock : callable
        Gives the time, with a time zone.
    keys : KeySource, optional
        The caller's keys of an encrypted gallery, as for `Engine.open`.

    Returns
    -------
    Archived

    Raises
    ------
    StorageError
        If it is no gallery, there is something at the place, or it cannot be written.
    AuditError
        If the log cannot take the record: then nothing is written.
    InputError
        If an argument cannot be used.

    Notes
    -----
    It holds neither the log nor what waits for others (messages, copies, kept probes), nor the
    list of removals: a backup does. Some 200 us a record.
    """
    folder, target = path_of(path), path_of(to)
    check_text("actor", actor, longest=255)
    arrow()
    with contextlib.closing(lock(folder, "r")), storage_errors(target.name):
        if target.exists():
            raise StorageError(f"{target.name} exists already; choose another name")
        chest = chest_of(folder, keys)
        with contextlib.closing(AuditLog.open(folder / LOG, "rw", clock=clock, actor=actor)) as log:
            log.event(Kind.ENGINE, {"what": "archive exported", "by": actor})
        with (
            contextlib.closing(Gallery.open(folder, "r", chest=chest)) as gallery,
            one_state(gallery.database),
            writing(target) as archive,
        ):
            counts: dict[str, int] = {}
            rows = archive.rows(_rows(gallery, counts))
            roots = {info.name: gallery.root(info.name) for info in gallery.partitions}
            archive.json(GALLERY, _described(gallery, counts, roots))
            policies = list(_policies(gallery))
            archive.json(POLICIES, {"policies": policies})
            archive.end({"made": clock().isoformat(), "release": fpmatch.__version__})
    return Archived(counts, roots, rows, len(policies))


def _rows(gallery: Gallery, counts: dict[str, int]) -> Iterator[dict[str, Any]]:
    for info in gallery.partitions:
        counts[info.name] = 0
        for key, name in facts.names(gallery, info.name):
            counts[info.name] += 1
            one = facts.facts(gallery, key)
            shared = {
                "partition": info.name,
                "record": name,
                "identity": one.identity,
                "contributor": one.contributor,
                "protected": one.protected,
                "sealed": one.sealed,
                "banned_uses": sorted(one.banned_uses),
            }
            items = {
                event: b"".join(sorted(origins.taken(gallery, info.name, name, event))[:1])
                for event in one.events
            }
            for finger in origins.fingers(gallery, key, events=True):
                yield {
                    **shared,
                    "event": finger.event,
                    "item": items[finger.event],
                    "position": int(finger.template.position),
                    "template": finger.template.to_bytes(),
                    "source": finger.source,
                }


def _described(
    gallery: Gallery, counts: Mapping[str, int], roots: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "partitions": [
            {
                "name": info.name,
                "ndr": info.ndr,
                "owner": info.owner,
                "expected_fingers": gallery.expected(info.name),
                "records": counts[info.name],
                "root": roots[info.name],
            }
            for info in gallery.partitions
        ],
        "opt_outs": [asdict(one) for one in opt_outs.listed(gallery)],
    }


def _policies(gallery: Gallery) -> Iterator[dict[str, Any]]:
    versions = gallery.database.execute("SELECT version FROM policy ORDER BY version").fetchall()
    for (version,) in versions:
        found = gallery.policy(version)
        assert found is not None
        yield {"version": found[0], "digest": found[2], "document": found[1]}


def import_archive(source: str | Path, to: str | Path, **options: Any) -> Archived:
    """Make a gallery of what `export_archive` wrote, in a new folder.

    Partitions, records with their seals, and policies are put in as the engine's own calls would,
    with a log that begins here. Roots are compared with the archive's at the end: what is there
    is what was exported, to the last fact, or there is nothing.

    Parameters
    ----------
    source : str or Path
        The file.
    to : str or Path
        Does not exist yet.
    **options
        As for `Engine.create`; with ``keys`` the new gallery is encrypted.

    Returns
    -------
    Archived

    Raises
    ------
    CorruptError
        If the archive is damaged, or its records are not those that it was made of.
    InputError
        If it cannot be read, is of a later release, or holds what cannot be stored.
    StorageError
        If there is something at the place, or it cannot be written.
    """
    target = path_of(to)
    with reading(path_of(source)) as archive, storage_errors(target.name):
        if target.exists():
            raise StorageError(f"{target.name} exists already; choose another name")
        part = target.with_name(target.name + ".making")
        shutil.rmtree(part, ignore_errors=True)
        try:
            done = _made(archive, part, options)
            put_folder_in_place(part, target, sync=options.get("durability", "full") == "full")
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return done


def _made(archive: Reader, part: Path, options: dict[str, Any]) -> Archived:
    said = archive.json(GALLERY)
    wanted: dict[str, str] = {}
    rows = 0
    with Engine.create(part, **options) as engine:
        for info in _list(said, "partitions"):
            name, root = _text(info, "name"), _text(info, "root")
            engine.add_partition(
                name,
                _field(info, "ndr"),
                _text(info, "owner"),
                expected_fingers=_field(info, "expected_fingers"),
            )
            wanted[name] = root
        sealed: list[tuple[str, str]] = []
        for partition, items, count, hidden in _partitions(archive):
            if partition not in wanted:
                raise CorruptError(
                    f"records of a partition that is not listed: {quoted(partition)}"
                )
            report = engine.enrol(partition, items)
            rows += count
            if report.errors:
                raise InputError(
                    f"a record of the archive cannot be stored: {report.errors[0].message}"
                )
            sealed += [(partition, name) for name in hidden]
        for partition, name in sealed:
            engine.seal(name, partition=partition, **BY)
        # Before the policies, which would declare some of them anew.
        state = engine._state
        for one in _list(said, "opt_outs"):
            _ask(state.gallery, one)
        policies = _list(archive.json(POLICIES), "policies")
        for one in policies:
            version = _field(one, "version")
            if not isinstance(version, int):
                raise CorruptError("a policy of the archive has no version")
            policy = Policy.parse(_text(one, "document"), f"policy version {version}")
            policy = policy.with_version(version)
            if policy.digest != one.get("digest"):
                raise CorruptError(f"policy version {version} is not the one that was published")
            engine.publish(policy)
        found = {info.name: state.gallery.root(info.name) for info in engine.partitions}
        if found != wanted:
            raise CorruptError("the records of the archive are not those that it was made of")
        records = {
            info.name: len(list(facts.names(state.gallery, info.name)))
            for info in engine.partitions
        }
        engine.audit.event(Kind.ENGINE, {"what": ORDER, "made": str(archive.said.get("made"))[:64]})
    return Archived(records, wanted, rows, len(policies))


def _partitions(
    archive: Reader,
) -> Iterator[tuple[str, list[SourcedRecord], int, list[str]]]:
    """Batches of items of one partition: with how many rows, and which records are sealed."""
    batch: list[SourcedRecord] = []
    hidden: list[str] = []
    partition, count = "", 0
    for key, rows in _events(archive):
        if batch and (key[0] != partition or len(batch) >= 1024):
            yield partition, batch, count, hidden
            batch, hidden, count = [], [], 0
        partition = key[0]
        batch.append(_item(rows))
        count += len(rows)
        if rows[0]["sealed"] and key[1] not in hidden:
            hidden.append(key[1])
    if batch:
        yield partition, batch, count, hidden


def _events(archive: Reader) -> Iterator[tuple[tuple[str, str, str], list[dict[str, Any]]]]:
    """Rows of one event at a time; they lie together."""
    last: tuple[str, str, str] | None = None
    rows: list[dict[str, Any]] = []
    for row in archive.rows():
        if any(value is None for value in row.values()):
            raise CorruptError("a row of the archive lacks a value")
        key = (row["partition"], row["record"], row["event"])
        if rows and key != last:
            assert last is not None
            yield last, rows
            rows = []
        last = key
        rows.append(row)
    if rows and last is not None:
        yield last, rows


def _item(rows: list[dict[str, Any]]) -> SourcedRecord:
    first = rows[0]
    fingers = [Template.from_bytes(row["template"]) for row in rows]
    if any(int(f.position) != row["position"] for f, row in zip(fingers, rows, strict=True)):
        raise CorruptError("a finger's position is not its template's")
    return SourcedRecord(
        record=first["record"],
        fingers=tuple(fingers),
        identity=first["identity"],
        event=first["event"],
        contributor=first["contributor"],
        protected=first["protected"],
        banned_uses=frozenset(first["banned_uses"]),
        item=first["item"],
        sources=tuple(row["source"] for row in rows),
    )


def _ask(gallery: Gallery, said: Mapping[str, Any]) -> None:
    try:
        asked = OptOutReceipt(**said)
        _of_its_kinds(asked)
        known = {one.request for one in opt_outs.listed(gallery)}
        if asked.request not in known:  # Or a policy declares it.
            opt_outs.add(gallery, asked)
    except FpmatchError:
        raise
    except Exception as error:
        raise CorruptError("a request to opt out cannot be read") from error


def _of_its_kinds(asked: OptOutReceipt) -> None:
    """Every field of the kind that it was stored with, and short enough to be shown."""
    for field in fields(asked):
        value = getattr(asked, field.name)
        if isinstance(field.default, bool):
            check_flag(field.name, value)
        elif isinstance(field.default, int):
            check_integer(field.name, value, 0, (1 << 63) - 1)
        else:
            check_text(field.name, value, longest=_LONGEST_WORDS, printable=False)


def _list(said: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = said.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise CorruptError(f"the archive has no list of {name}")
    return found


def _field(said: Mapping[str, Any], name: str) -> Any:
    if name not in said:
        raise CorruptError(f"the archive lacks the field {name}")
    return said[name]


def _text(said: Mapping[str, Any], name: str) -> str:
    found = _field(said, name)
    if not isinstance(found, str):
        raise CorruptError(f"the archive's field {name} is no text")
    return found
