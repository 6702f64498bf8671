"""What an export hands to those who write it, impression by impression."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fpmatch.errors import InputError
from fpmatch.types import RecordInfo, StoredFinger

PART = ".part"


@dataclass(frozen=True, slots=True)
class Row:
    """One impression of one record.

    Parameters
    ----------
    info : RecordInfo
        Of its record.
    finger : StoredFinger
    content : bytes
        The stored form of its template.
    first : bool
        Whether the record has not had this impression yet, under another event.
    """

    info: RecordInfo
    finger: StoredFinger
    content: bytes
    first: bool

    def values(self) -> dict[str, Any]:
        """What tables and manifests have of it but the template itself."""
        return {
            "record": self.info.record,
            "position": int(self.finger.template.position),
            "identity": self.info.identity,
            "event": self.finger.event,
            "contributor": self.info.contributor,
            "protected": self.info.protected,
            "banned_uses": sorted(self.info.banned_uses),
            "source_sha256": self.finger.source.hex(),
            "extractor": self.finger.template.extractor,
            "slap": self.finger.template.slap,
        }


class Writer(Protocol):
    """Takes what is exported."""

    def add(self, row: Row) -> None:
        """Write one impression; InputError if the format cannot hold it."""

    def end(self, totals: Mapping[str, int]) -> None:
        """Write what comes last."""


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def check_free(target: Path) -> Path:
    """Where to write what shall lie at a place in the end.

    Raises
    ------
    InputError
        If something lies there but an empty folder, or an export was cut off on its way there.
    """
    part = target.with_name(target.name + PART)
    try:
        taken = target.exists() and not (target.is_dir() and not any(target.iterdir()))
        if taken:
            raise InputError(f"{target} is there already; an export replaces nothing")
        if part.exists():
            raise InputError(f"{part} is there, perhaps of an export that was cut off: remove it")
        if not target.absolute().parent.is_dir():
            raise InputError(f"cannot write {target}: its folder does not exist")
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}") from None
    return part
