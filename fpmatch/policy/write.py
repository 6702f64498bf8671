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
    return [_plain(getattr(value, name)) for name in _field_names(type(value))]


_FIELDS: dict[type, tuple[str, ...]] = {}


def _field_names(kind: type) -> tuple[str, ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(f.name for f in dataclasses.fields(kind))
    return _FIELDS[kind]


def to_toml(declared: Declared) -> str:
    """TOML text that reads back as an equal policy. Defaults are left out."""
    parts = [_lines(_head(declared))]
    if declared.attributes:
        parts.append("[attributes]\n" + _lines((k, v) for k, v in declared.attributes))
    tables: tuple[tuple[str, tuple[Any, ...], Callable[[Any], Pairs]], ...] = (
        ("partition", declared.partitions, _partition),
        ("jurisdiction", declared.jurisdictions, _fields),
        ("agency", declared.agencies, _fields),
        ("agreement", declared.agreements, _agreement),
        ("activation", declared.activations, _fields),
        ("consent", declared.consents, _fields),
        ("rule", declared.rules, _rule),
        ("mode", declared.modes, _fields),
        ("optout", declared.optouts, _fields),
    )
    for name, items, pairs in tables:
        for item in items:
            parts.append(f"[[{name}]]\n" + _lines(pairs(item)))
    return "\n".join(parts)


def _head(d: Declared) -> Pairs:
    for name in ("version", "transactions", "purposes", "roles", "charges", "dispositions"):
        yield name, getattr(d, name)
    yield "mandates_enabled", d.mandates_enabled


def _partition(p: model.Partition) -> Pairs:
    for name, value in _fields(p):
        if name != "opaque":
            yield name, value
    if p.opaque:
        yield "status_visibility", "opaque"


def _agreement(a: model.Agreement) -> Pairs:
    for name, value in _fields(a):
        if name == "bits":
            yield "permissions", permission_names(value)
        elif not name.startswith("terminated"):
            yield name, value
    if a.bits == model.ALL:
        yield "permissions", permission_names(a.bits)
    if a.terminated_on is not None:
        yield "terminated", {"by": a.terminated_by, "on": a.terminated_on}


def _rule(r: model.Rule) -> Pairs:
    for name, value in _fields(r):
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


def _fields(item: Any) -> Pairs:
    """Fields that differ from their default, under the names that the file uses."""
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        required = field.default is dataclasses.MISSING
        if required or value != field.default:
            yield {"start": "from", "end": "to"}.get(field.name, field.name), value


def _lines(pairs: Pairs) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in pairs)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return _text(value.value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    return "[" + ", ".join(_value(v) for v in value) + "]"


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
