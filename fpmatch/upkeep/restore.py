"""A gallery from its backup, without what was withdrawn since."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpmatch.audit import AuditLog, Kind
from fpmatch.checks import path_of
from fpmatch.durable import put_folder_in_place, storage_errors
from fpmatch.encryption import Chest, KeySource, chest_of
from fpmatch.encryption.chest_box import ChestBox
from fpmatch.errors import MALFORMED, CorruptError, InputError, StorageError
from fpmatch.gallery import Gallery, facts, updating, withdrawn
from fpmatch.gallery.removing import Wanted
from fpmatch.gallery.unreadable import drop_unreadable
from fpmatch.ledger import DEFERRED, RETAINED, Ledger
from fpmatch.ledger.renewing import drop_unreadable as drop_unreadable_probes
from fpmatch.parameters import SEARCH
from fpmatch.policy import Policy
from fpmatch.search import Engine, copies
from fpmatch.search.apart import LOG
from fpmatch.search.removal import expunge_together
from fpmatch.upkeep.backup import LIST, Backup, check_held, read_list
from fpmatch.upkeep.keys_apart import ItemKeys, put
from fpmatch.upkeep.keys_apart import read as read_item_keys
from fpmatch.upkeep.removals import Removals, name_of, read_removals

ORDER = "restored from a backup"
_BY: dict[str, Any] = {"order": ORDER, "authority": "the list of removals"}


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restoration did.

    Parameters
    ----------
    backup : Backup
        What was restored.
    expunged : int
        Records and events that were expunged after the backup, and are gone again.
    sealed, unsealed : int
        Records whose seal changed after the backup, and is as it was last.
    probes : int
        Kept probes of identities that were expunged after the backup.
    policy : int
        Version in force.
    barred : int
        Records whose protection or bans changed after the backup, and are as they were last.
    """

    backup: Backup
    expunged: int
    sealed: int
    unsealed: int
    probes: int
    policy: int
    barred: int = 0


def restore(
    source: str | Path,
    to: str | Path,
    *,
    removals: bytes | str | Path | None = None,
    without_removals: bool = False,
    item_keys: str | Path | None = None,
    keys: KeySource | None = None,
    **options: Any,
) -> Restored:
    """Make a gallery again from a backup, in a new folder.

    Parameters
    ----------
    source : str or Path
        A backup's folder, or its ``.tar`` file.
    to : str or Path
        Does not exist yet.
    removals : bytes, str or Path
        What `removals` gave after the backup was made, the later the better.
    without_removals : bool
        Restore though there is no list of removals: what was expunged since is back, what was
        sealed, protected or banned since is not, and has to be done again by hand. The log says so.
    item_keys : str or Path, optional
        Of an encrypted gallery the keys of its records: the file that `backup` or `item_keys` wrote
        last. What has none in it any more is gone from what is restored.
    keys : KeySource, optional
        The caller's keys of an encrypted gallery, those of when the backup was made.
    **options
        As for `Engine.open`.

    Returns
    -------
    Restored

    Raises
    ------
    InputError
        If no list of removals is given, or it is of another gallery or older than the backup.
    CorruptError
        If the backup, the list or the file of keys is damaged.
    KeysError
        If it is of an encrypted gallery, and its keys are not given or others.
    StorageError
        If it is no backup, there is something at the place, or it cannot be written.

    Notes
    -----
    The log goes on where the backup's ended; what the lost gallery logged after that is not in it,
    so keep what there is of it. Kept probes are those of the backup.
    """
    target = path_of(to)
    taken = None if removals is None else read_removals(removals)
    held = None if item_keys is None else read_item_keys(item_keys)
    if taken is None and without_removals is not True:
        raise InputError(
            "name the list of removals (fpmatch removals), or say that there is none: without it "
            "what was expunged after the backup would be back"
        )
    with storage_errors(target.name):
        if target.exists():
            raise StorageError(f"{target.name} exists already; choose another name")
        part = target.with_name(target.name + ".making")
        shutil.rmtree(part, ignore_errors=True)
        try:
            found = _unpacked(path_of(source), part)
            check_held(part, found, chest_of(part, keys))
            gone = _with_keys(part, held, keys)
            done = _cleared(part, found, taken, {**options, "keys": keys}, gone)
            put_folder_in_place(part, target, sync=options.get("durability", "full") == "full")
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return done


def _unpacked(source: Path, part: Path) -> Backup:
    if source.is_dir():
        shutil.copytree(source, part)
    else:
        part.mkdir(parents=True)
        try:
            with tarfile.open(source) as tar:
                tar.extractall(part, filter="data")
        except (tarfile.TarError, FileNotFoundError) as error:
            raise StorageError(f"{source.name} is no backup: {error}") from error
        except OSError:
            raise
        except Exception as error:
            # Whatever four libraries make of damaged bytes.
            raise StorageError(f"{source.name} is no backup: it cannot be unpacked") from error
    found = read_list(part)
    (part / LIST).unlink()
    return found


def _with_keys(part: Path, held: ItemKeys | None, keys: KeySource | None) -> int:
    """Give an encrypted backup its item keys; how many records no key opens any more."""
    chest = chest_of(part, keys)
    if (chest is None) != (held is None):
        raise InputError(
            "this backup is of a gallery that is not encrypted: it has no item keys"
            if chest is None
            else "name the item keys (--item-keys FILE): without them nothing in it can be read"
        )
    if chest is None or held is None:
        return 0
    put(part, held, chest)
    with contextlib.closing(Ledger.open(part, chest=chest)) as ledger:
        drop_unreadable_probes(ledger)
    with contextlib.closing(Gallery.open(part, "rw", chest=chest)) as gallery:
        return sum(drop_unreadable(gallery))


def _cleared(
    part: Path, found: Backup, taken: Removals | None, options: dict[str, Any], gone: int
) -> Restored:
    chest = chest_of(part, options["keys"])
    orders = Orders() if taken is None else _orders(part, taken, found, chest)
    probes = 0
    if orders.identities:
        probes = _drop_probes(part, orders, chest)
    if orders.bars:
        _bar(part, orders, chest)
    with Engine.open(part, "rw", **options) as engine:
        _carry_out(engine, orders)
        if gone:
            # Their names went unread, so that no expungement could look for them there.
            copies.forget_unknown(engine._state)
        if taken is not None and taken.policy is not None and taken.policy[0] > found.policy:
            version, document = taken.policy
            engine.publish(
                Policy.parse(document, f"policy version {version}").with_version(version)
            )
        done = Restored(
            found,
            expunged=len(orders.expunge) + gone,
            sealed=len(orders.seal),
            unsealed=len(orders.unseal),
            probes=probes,
            policy=0 if engine.policy is None else engine.policy.version,
            barred=len(orders.bars),
        )
        said = {"what": ORDER, "made": found.made, "removals": taken is not None}
        kinds = ("expunged", "sealed", "unsealed", "barred")
        counts = {kind: getattr(done, kind) for kind in kinds}
        engine.audit.event(Kind.ENGINE, {**said, **counts, "probes": probes})
        return done


@dataclass(slots=True)
class Orders:
    """What has to be done again: (partition, record[, event])."""

    expunge: list[tuple[str, ...]] = field(default_factory=list)
    seal: list[tuple[str, ...]] = field(default_factory=list)
    unseal: list[tuple[str, ...]] = field(default_factory=list)
    bars: list[tuple[str, str, bool, frozenset[str]]] = field(default_factory=list)
    identities: set[bytes] = field(default_factory=set)
    secret: bytes = b""


def _orders(part: Path, taken: Removals, found: Backup, chest: Chest | None) -> Orders:
    """Whom the list names, among the records of the backup."""
    after = [one for one in taken.marks if one[0] > found.withdrawn]
    later = [(kind, mark) for _, kind, mark in after]
    gone = set(later)
    seals = {m: kind for kind, m in later if kind in (withdrawn.SEAL, withdrawn.UNSEAL)}
    barred = {m: _bars_of(kind) for kind, m in later if kind.startswith(withdrawn.BARS)}
    with contextlib.closing(Gallery.open(part, "rw", chest=chest)) as gallery:
        secret = gallery.secret("withdrawn")
        if taken.gallery != name_of(secret):
            raise InputError("this list of removals is of another gallery")
        if taken.last < found.withdrawn:
            raise InputError("this list of removals is older than the backup")
        withdrawn.take_over(gallery, after)
        identities = {mark for kind, mark in gone if kind == withdrawn.IDENTITY}
        out = Orders(identities=identities, secret=secret)
        for info in gallery.partitions:
            for key, record in facts.names(gallery, info.name):
                mark = withdrawn.mark(secret, info.name, record)
                if (withdrawn.RECORD, mark) in gone:
                    out.expunge.append((info.name, record))
                    continue
                known = facts.facts(gallery, key)
                if barred.get(mark, now := (known.protected, known.banned_uses)) != now:
                    out.bars.append((info.name, record, *barred[mark]))
                for event in known.events:
                    one = (info.name, record, event)
                    if (withdrawn.EVENT, withdrawn.mark(secret, *one)) in gone:
                        out.expunge.append(one)
                if mark in seals:
                    sealed = seals[mark] == withdrawn.SEAL
                    (out.seal if sealed else out.unseal).append((info.name, record))
    return out


def _bars_of(kind: str) -> tuple[bool, frozenset[str]]:
    try:
        return withdrawn.read_bars(kind)
    except MALFORMED as error:
        raise CorruptError(f"the list of removals is damaged: {error}") from error


def _bar(part: Path, orders: Orders, chest: Chest | None) -> None:
    """Protect and ban as it was last, also what the policy in force knows no more."""
    box = None if chest is None else ChestBox(chest, LOG)
    with (
        contextlib.closing(AuditLog.open(part / LOG, "rw", box=box)) as log,
        contextlib.closing(Gallery.open(part, "rw", chest=chest)) as gallery,
    ):
        for partition, record, protected, banned in orders.bars:
            updating.update(
                gallery,
                partition,
                record,
                updating.Wanted(protected=protected, banned_uses=banned),
                **_BY,
                record_digest=log.records_digest(partition, [record]),
                accept=lambda _: None,
            )


def _drop_probes(part: Path, orders: Orders, chest: Chest | None) -> int:
    """Destroy the kept probes of identities that were expunged."""
    ledger = Ledger.open(part, chest=chest)
    with contextlib.closing(ledger.database):
        tokens = [
            probe.token
            for kind in (DEFERRED, RETAINED)
            for probe in ledger.kept(kind)
            if withdrawn.mark(orders.secret, probe.identity) in orders.identities
        ]
        return sum(ledger.destroy(token) for token in tokens)


def _carry_out(engine: Engine, orders: Orders) -> None:
    gone = [
        Wanted("event" if event else "record", record, "".join(event), partition)
        for partition, record, *event in orders.expunge
    ]
    for first in range(0, len(gone), SEARCH.most_expunged):
        some = gone[first : first + SEARCH.most_expunged]
        expunge_together(engine._state, some, (_BY["order"], _BY["authority"]))
    for partition, record in orders.seal:
        engine.seal(record, partition=partition, **_BY)
    for partition, record in orders.unseal:
        engine.unseal(record, partition=partition, **_BY)
