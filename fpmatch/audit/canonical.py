"""Canonical form of a record's fields: one line of text a field, in one possible spelling.

A record's fields are nested mappings with text, whole numbers, truth values, None and lists of
these at the leaves. Each leaf becomes one *item*, ``"/path/to/leaf":value``, where the path is
a JSON pointer (RFC 6901) and the value is JSON without spaces and with everything outside ASCII
escaped. The items, sorted by path by code point, joined by commas in braces, are the record's
body. There are no floats: two programs need not print the same float the same way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quote
from typing import Any

from fpmatch.errors import InputError
from fpmatch.parameters import AUDIT

Item = tuple[str, str, str]
"""Path, path as JSON, and the item's text: path and value as JSON, joined by a colon."""

_MAX_INT = 2**53 - 1
_MAX_TEXT = AUDIT.max_text
_PLAIN = frozenset({str, int, bool, type(None), tuple, list})


def items(fields: Mapping[str, Any]) -> list[Item]:
    """Canonical items of a nested mapping.

    Parameters
    ----------
    fields : mapping
        Keys are text; leaves are text, whole numbers within +-(2**53 - 1), truth values, None,
        or lists and tuples of these. Enumerations of text or numbers count as their value.

    Returns
    -------
    list of Item
        Sorted by path.

    Raises
    ------
    InputError
        On floats, bytes, keys that are no text, text that is too long or holds half a
        surrogate pair, whole numbers out of range, or too many fields.
    """
    out: list[Item] = []
    _walk("", fields, out)
    return sort_items(out)


def sort_items(found: list[Item]) -> list[Item]:
    """Bring items of one record into order, in place; `InputError` if there are too many."""
    if len(found) > AUDIT.max_fields:
        raise InputError(f"a record of {len(found)} fields; at most {AUDIT.max_fields} fit")
    found.sort()
    return found


def items_below(prefix: str, fields: Mapping[str, Any]) -> list[Item]:
    """Items of a nested mapping that hangs below a path, in the mapping's own order."""
    out: list[Item] = []
    _walk(prefix, fields, out)
    return out


def leaves(places: Sequence[tuple[str, str, bool]], values: Sequence[Any]) -> list[Item]:
    """Items of plain values whose paths are known: path, path as JSON, left out when empty."""
    return [
        (
            path,
            name,
            f"{name}:{_quote(value)}"
            if type(value) is str and len(value) <= _MAX_TEXT and value.isascii()
            else f"{name}:{value_text(value, path)}",
        )
        for (path, name, optional), value in zip(places, values, strict=True)
        if value or not optional
    ]


def body(record_items: Sequence[Item]) -> str:
    """The record body: canonical JSON of one flat object, from path to value."""
    return "{" + ",".join([text for _, _, text in record_items]) + "}"


def parse_body(text: str) -> list[Item]:
    """Items of a stored body.

    Raises
    ------
    InputError
        If the text is not canonical: another spelling, order, or kind of value.
    """
    found = flat_items(flat_fields(text))
    if body(found) != text:
        raise InputError("the body is not in canonical form")
    return found


def flat_fields(text: str) -> dict[str, Any]:
    """The flat mapping from path to value that a body spells, without checking its form.

    Raises
    ------
    InputError
        If a field has no place in the log.
    """
    try:
        flat = json.loads(text, parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the body is no JSON of whole numbers and text: {error}") from None
    if not isinstance(flat, dict):
        raise InputError("the body is no JSON object")
    return flat


def flat_items(flat: Mapping[str, Any]) -> list[Item]:
    """Items of an already flat mapping from path to value."""
    found = []
    for path, value in flat.items():
        name = _text(path, "a field name")
        found.append((path, name, name + ":" + value_text(value, path)))
    return sort_items(found)


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a flat mapping from path to value into nested mappings.

    Raises
    ------
    InputError
        If two names contradict each other.
    """
    out: dict[str, Any] = {}
    for path, value in flat.items():
        if not path.startswith("/"):
            raise InputError(f"{path[:40]!r} is no field path: it must start with '/'")
        keys = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
        place = out
        for key in keys[:-1]:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise InputError(f"the path {path[:40]!r} goes through a value")
        if keys[-1] in place:
            raise InputError(f"the path {path[:40]!r} is given twice")
        place[keys[-1]] = value
    return out


def value_text(value: Any, path: str = "") -> str:
    """Canonical JSON of one leaf value; `InputError` if it has no place in the log."""
    if type(value) is str and len(value) <= _MAX_TEXT and value.isascii():
        return _quote(value)  # nearly every field, so it goes first
    if isinstance(value, str):
        return _text(value, path)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if -_MAX_INT <= value <= _MAX_INT:
            return int.__repr__(value)
        raise InputError(f"{path or 'a field'}: {value} is outside +-(2**53 - 1)")
    if isinstance(value, list | tuple):
        if any(isinstance(v, list | tuple | Mapping) for v in value):
            raise InputError(f"{path or 'a field'}: a list in the log holds plain values only")
        return "[" + ",".join([value_text(v, path) for v in value]) + "]"
    if isinstance(value, Mapping) and not value:
        return "{}"
    raise InputError(
        f"{path or 'a field'}: {type(value).__name__} has no place in the log; give text, whole "
        "numbers (hundredths for scores), truth values, None, or lists of these"
    )


def pointer(*keys: str) -> str:
    """JSON pointer of nested keys."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _walk(prefix: str, fields: Mapping[str, Any], out: list[Item]) -> None:
    for key, value in fields.items():
        path, name = join(prefix, key)
        if type(value) in _PLAIN:
            out.append((path, name, name + ":" + value_text(value, path)))
        elif isinstance(value, Mapping) and value:
            _walk(path, value, out)
        else:
            out.append((path, name, name + ":" + value_text(value, path)))


@lru_cache(maxsize=4096)
def join(prefix: str, key: str) -> tuple[str, str]:
    """Path of a key below another path, and that path as JSON.

    Raises
    ------
    InputError
        If a name cannot be written.
    """
    if not isinstance(key, str):
        raise InputError(f"a field name must be text, not {type(key).__name__}")
    if not key:
        raise InputError("a field name must not be empty")
    path = prefix + pointer(key)
    return path, _text(path, "a field name")


def _text(value: str, path: str) -> str:
    if len(value) > AUDIT.max_text:
        raise InputError(
            f"{path or 'a field'}: {len(value)} characters; the log takes {AUDIT.max_text}. "
            "It holds digests, never templates or documents"
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InputError(f"{path or 'a field'}: the text holds half a surrogate pair") from None
    return _quote(value)


def _no_float(text: str) -> Any:
    raise InputError(f"the number {text[:24]} is no whole number")
