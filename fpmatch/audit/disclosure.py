"""A record as shown to outsiders: some fields with salt and value, the rest as commitments.

Both forms give the same record hash, so a redacted record still fits chain and tree. Nothing
here needs the log: `check` is all that a recipient runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fpmatch.audit import canonical, hashing, store
from fpmatch.errors import InputError

_HASH = re.compile(r"[0-9a-f]{64}")
_SALT = re.compile(rf"[0-9a-f]{{{2 * hashing.SALT_BYTES}}}")
_OPEN = {"seq": int, "prev": str, "time": str, "kind": str, "fields": dict}


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A checked record as disclosed; ``fields`` maps revealed paths to values."""

    seq: int
    prev: str
    time: str
    kind: str
    hash: str
    fields: dict[str, Any]
    struck: tuple[str, ...]


def disclose(row: store.Row, reveal: Callable[[str], bool]) -> dict[str, Any]:
    """The outsider's form of a stored record.

    Parameters
    ----------
    row : store.Row
        The record.
    reveal : callable
        Whether the field at a path may be shown.
    """
    items = canonical.parse_body(row.body)
    values = canonical.flat_fields(row.body)
    fields: dict[str, Any] = {}
    for salt, (path, _, text) in zip(hashing.salts(row.nonce, len(items)), items, strict=True):
        if reveal(path):
            fields[path] = {"salt": salt.hex(), "value": values[path]}
        else:
            fields[path] = {"commitment": hashing.commitment(salt, text)}
    return {"seq": row.seq, "prev": row.prev, "time": row.time, "kind": row.kind, "fields": fields}


def check(line: Any) -> Disclosed:
    """Compute a disclosed record's hash and collect what it reveals.

    Raises
    ------
    InputError
        If it does not have the form of a disclosed record.
    """
    if not isinstance(line, dict) or set(line) != set(_OPEN):
        raise InputError(f"a disclosed record has the fields {', '.join(_OPEN)} and no other")
    for name, kind in _OPEN.items():
        if type(line[name]) is not kind:
            raise InputError(f"{name} of a disclosed record must be of type {kind.__name__}")
    if _HASH.fullmatch(line["prev"]) is None:
        raise InputError("prev of a disclosed record is no hash")
    committed: list[tuple[str, str]] = []
    shown: dict[str, Any] = {}
    struck: list[str] = []
    for path in sorted(line["fields"]):
        said = line["fields"][path]
        name = canonical.value_text(path, "a field name")
        if isinstance(said, dict) and set(said) == {"commitment"}:
            committed.append((name, _matching(_HASH, said["commitment"], path)))
            struck.append(path)
        elif isinstance(said, dict) and set(said) == {"salt", "value"}:
            salt = bytes.fromhex(_matching(_SALT, said["salt"], path))
            text = f"{name}:{canonical.value_text(said['value'], path)}"
            committed.append((name, hashing.commitment(salt, text)))
            shown[path] = said["value"]
        else:
            raise InputError(f"{path[:60]!r} has neither salt and value nor a commitment")
    digest = hashing.record_hash(
        hashing.join_commitments(committed),
        line["kind"],
        line["prev"],
        line["seq"],
        line["time"],
    )
    return Disclosed(
        line["seq"], line["prev"], line["time"], line["kind"], digest, shown, tuple(struck)
    )


def parse_json(text: str | bytes, what: str) -> Any:
    """Parse JSON without floats and repeated names; `InputError` names what it should have been."""
    try:
        return json.loads(
            text, parse_float=_refuse, parse_constant=_refuse, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is damaged: {error}") from None


def lines_of(data: bytes, what: str) -> Iterator[tuple[int, Any]]:
    """Number and parsed content of each line of a JSON Lines text."""
    for number, line in enumerate(data.splitlines(), 1):
        yield number, parse_json(line, f"{what}, line {number},")


def _matching(pattern: re.Pattern[str], text: Any, path: str) -> str:
    if not isinstance(text, str) or pattern.fullmatch(text) is None:
        raise InputError(f"{path[:60]!r}: {str(text)[:24]!r} is no hexadecimal text of its length")
    return text


def _refuse(text: str) -> Any:
    raise InputError(f"the number {text[:24]} is no whole number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InputError("a name is given twice in one object")
    return found
