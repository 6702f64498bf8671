"""A policy as TOML text, and as a digest."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time
from typing import Any

from fpmatch.policy import model
from fpmatch.policy.model import Condition, Declared, permission_names

Pairs = Iterable[tuple[str, Any]]
ToPairs = Callable[[Any], Pairs]


def digest(declared: Declared) -> str:
    """SHA-256 over the content in a canonical order; the version number is left out."""
    content = {
        f.name: _plain(getattr(declared, f.name))
        for f in dataclasses.fields(declared)
        if f.name not in ("version", "agencies")
    }
    content["agencies"] = sorted(_agency(a) for a in declared.agencies)
    content["partitions"] = [_plain(p) for p in declared.partitions]
    return hashlib.sha256(_json(content).encode()).hexdigest()


def _agency(a: model.Agency) -> list[Any]:
    """As `_plain`, written out: there may be tens of thousands. Sorts by its unique ORI."""
    dates = [_plain(a.start), _plain(a.end)]
    return [a.ori, a.name, a.kind, a.parent, *dates, sorted(a.acknowledges)]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Values as JSON knows them: collections sorted, dataclasses as lists of their fields."""
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return sorted((_plain(v) for v in value), key=_json)
    later = LATER.get(type(value), {})
    out = [_plain(getattr(value, n)) for n in _field_names(type(value)) if n not in later]
    stated = {n: getattr(value, n) for n, default in later.items() if getattr(value, n) != default}
    return [*out, *([name, _plain(one)] for name, one in sorted(stated.items()))]


LATER: dict[type, dict[str, Any]] = {model.Partition: {"minutiae_roles": ()}}
"""Fields that came after galleries were published under digests without them, and their defaults: a
policy that does not state one keeps its digest. Every new field of a policy goes in here."""
_FIELDS: dict[type, tuple[str, ...]] = {}


def _field_names(kind: type) -> tuple[str, ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(f.name for f in dataclasses.fields(kind))
    return _FIELDS[kind]


def to_toml(declared: Declared) -> str:
    """TOML text that reads back as an equal policy. Defaults are left out."""
    parts = [lines(_head(declared))]
    if declared.attributes:
        parts.append("[attributes]\n" + lines((k, v) for k, v in declared.attributes))
    for name, attribute, pairs in TABLES:
        for item in getattr(declared, attribute):
            parts.append(f"[[{name}]]\n" + lines(pairs(item)))
    return "\n".join(parts)


def _head(d: Declared) -> Pairs:
    for name in ("version", "transactions", "purposes", "roles", "charges", "dispositions"):
        yield name, getattr(d, name)
    yield "mandates_enabled", d.mandates_enabled


def _partition(p: model.Partition) -> Pairs:
    for name, value in pairs_of(p):
        if name != "opaque":
            yield name, value
    if p.opaque:
        yield "status_visibility", "opaque"


def _agreement(a: model.Agreement) -> Pairs:
    for name, value in pairs_of(a):
        if name == "bits":
            yield "permissions", permission_names(value)
        elif not name.startswith("terminated"):
            yield name, value
    if a.bits == model.ALL:
        yield "permissions", permission_names(a.bits)
    if a.terminated_on is not None:
        yield "terminated", {"by": a.terminated_by, "on": a.terminated_on}


def _rule(r: model.Rule) -> Pairs:
    for name, value in pairs_of(r):
        if name == "bits":
            yield "permissions", permission_names(value)
        elif name in ("when", "unless"):
            yield name, _conditions(value)
        elif name == "defer":
            yield name, {"event": value.event, "days": value.days}
        elif name != "mode":
            yield name, value


def _conditions(conditions: tuple[Condition, ...]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for c in sorted(conditions, key=lambda c: c.field):
        if c.field == "protected":
            out["protected"] = c.values == {"yes"}
        elif c.field.startswith("attributes."):
            name = c.field.removeprefix("attributes.")
            out.setdefault("attributes", {})[name] = sorted(c.values)
        else:
            out[c.field] = sorted(c.values)
    return out


def pairs_of(item: Any) -> Pairs:
    """Fields that differ from their default, under the names that the file uses."""
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        required = field.default is dataclasses.MISSING
        if required or value != field.default:
            yield {"start": "from", "end": "to"}.get(field.name, field.name), value


def lines(pairs: Pairs) -> str:
    """Keys and values as lines of TOML."""
    return "".join(f"{key} = {value(said)}\n" for key, said in pairs)


def value(said: Any) -> str:
    """A value as TOML; dates without a time of day are written as dates."""
    if isinstance(said, bool):
        return "true" if said else "false"
    if isinstance(said, enum.Enum):
        return _text(said.value)
    if isinstance(said, int):
        return str(said)
    if isinstance(said, str):
        return _text(said)
    if isinstance(said, datetime):
        return _time(said)
    if isinstance(said, dict):
        return "{ " + ", ".join(f"{_key(k)} = {value(v)}" for k, v in said.items()) + " }"
    return "[" + ", ".join(value(v) for v in said) + "]"


def _time(value: datetime) -> str:
    value = value.astimezone(UTC)
    if value.timetz() == time(tzinfo=UTC):
        return value.date().isoformat()
    return value.isoformat().replace("+00:00", "Z")


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _text(key)


def _text(text: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


TABLES: tuple[tuple[str, str, ToPairs], ...] = (
    ("partition", "partitions", _partition),
    ("jurisdiction", "jurisdictions", pairs_of),
    ("agency", "agencies", pairs_of),
    ("agreement", "agreements", _agreement),
    ("activation", "activations", pairs_of),
    ("consent", "consents", pairs_of),
    ("rule", "rules", _rule),
    ("mode", "modes", pairs_of),
    ("optout", "optouts", pairs_of),
)
"""Kinds of table in a file's order: name, field of `Declared`, how one is written."""
