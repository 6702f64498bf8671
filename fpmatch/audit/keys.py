"""The log's secret key, kept beside the log and never in it, and the digests made with it.

A plain hash of a probe would let anyone who holds the log and a print ask "was this print
searched?". A keyed one answers that only to who also holds the key; destroying the key ends it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from fpmatch.argument_types import listed, takes
from fpmatch.checks import quoted
from fpmatch.durable import replacing, sync_folder
from fpmatch.encryption import PlainBox
from fpmatch.errors import AuditError, InputError, StorageError
from fpmatch.types import Candidate

KEY_BYTES = 32
_ENCRYPTED = "encrypted "
_PLACE = "log key"


def key_path(log_path: Path) -> Path:
    """Where the key of a log lies: the log's path with ``.key`` added."""
    return log_path.with_name(log_path.name + ".key")


def create_key(log_path: Path, box: PlainBox | None = None) -> bytes:
    """Make the key file, readable by its owner alone; `AuditError` if there is one already.

    Parameters
    ----------
    log_path : Path
    box : PlainBox, optional
        Encrypts what is in it.
    """
    path = key_path(log_path)
    key = os.urandom(KEY_BYTES)
    content = key.hex() if box is None else _ENCRYPTED + box.put(key, _PLACE).hex()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):  # not every file system can sync a folder
            sync_folder(path.parent)
    except OSError as error:
        raise AuditError(f"the key file {path} cannot be made: {error}") from error
    return key


def read_key(log_path: Path, box: PlainBox | None = None) -> bytes | None:
    """Read the key; None if it is encrypted and nothing is given to open it.

    Parameters
    ----------
    log_path : Path
    box : PlainBox, optional
        As for `create_key`.

    Raises
    ------
    AuditError
        If it is missing or damaged.
    """
    path = key_path(log_path)
    try:
        text = path.read_text("ascii").strip()
        if text.startswith(_ENCRYPTED):
            if box is None:
                return None
            key = box.get(bytes.fromhex(text.removeprefix(_ENCRYPTED)), _PLACE)
        else:
            key = bytes.fromhex(text)
    except (OSError, ValueError, StorageError) as error:
        raise AuditError(f"the key file {path} cannot be read: {error}") from error
    if len(key) != KEY_BYTES:
        raise AuditError(f"the key file {path} holds {len(key)} bytes instead of {KEY_BYTES}")
    return key


def renew_key(log_path: Path, box: PlainBox) -> None:
    """Encrypt the key anew, under the gallery's key of now.

    Parameters
    ----------
    log_path : Path
    box : PlainBox
        As for `create_key`.

    Raises
    ------
    AuditError
        If the key is missing or damaged.
    OSError
        If it cannot be written.
    """
    key = read_key(log_path, box)
    assert key is not None
    with replacing(key_path(log_path)) as file:
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), 0o600)
        file.write((_ENCRYPTED + box.put(key, _PLACE).hex()).encode() + b"\n")


@takes(key=bytes)
def probe_digest(key: bytes, fingers: Iterable[bytes]) -> str:
    """HMAC-SHA-256 of a probe's templates, 64 hexadecimal digits.

    Parameters
    ----------
    key : bytes
        The log's key.
    fingers : iterable of bytes
        Each finger's stored template, in the order of the request.

    Raises
    ------
    InputError
        If a finger is no bytes.
    """
    mac = hmac.new(key, b"probe", hashlib.sha256)
    for finger in fingers:
        if not isinstance(finger, bytes):
            raise InputError(f"a finger must be the bytes of a template, not {quoted(finger)}")
        mac.update(len(finger).to_bytes(8, "big"))
        mac.update(finger)
    return mac.hexdigest()


def records_digest(key: bytes, partition: str, records: Iterable[str]) -> str:
    """HMAC-SHA-256 of ids of records of a partition, in order; keyed as candidates are.

    Parameters
    ----------
    key : bytes
        The log's key.
    partition : str
    records : iterable of str
        As they were asked for or shown.
    """
    mac = hmac.new(key, b"records", hashlib.sha256)
    for name in (partition, *records):
        content = name.encode("utf-8", "surrogatepass")
        mac.update(len(content).to_bytes(8, "big"))
        mac.update(content)
    return mac.hexdigest()


@takes(key=bytes, candidates=listed("Candidate"))
def candidate_digest(key: bytes, candidates: Iterable[Candidate]) -> str:
    """HMAC-SHA-256 of a ranked candidate list (record ids and scores in hundredths).

    Keyed because record ids are few enough to try them all.
    """
    mac = hmac.new(key, b"candidates", hashlib.sha256)
    for candidate in candidates:
        record = candidate.record.encode("utf-8", "surrogatepass")
        mac.update(len(record).to_bytes(8, "big"))
        mac.update(record)
        mac.update(round(candidate.score * 100).to_bytes(8, "big", signed=True))
    return mac.hexdigest()
