"""The text that a policy was read from, with what was changed since: comments survive.

The text is cut into its tables. Only tables that changed are touched, each by `tomlkit`, which
keeps comments, order and layout; the others stay byte for byte. What comes out is read again and
compared, so that a text that this cannot follow is never passed on.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from fpmatch.policy import write
from fpmatch.policy.model import Declared

LONGEST = 1_000_000
"""Characters of a text that is followed; longer ones are written anew, without comments."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\-\"]+)\s*\]?\]\s*(?:#.*)?$")
_ASIDE = re.compile(r"\s*(?:#.*)?$")


@dataclass(frozen=True, slots=True)
class Written:
    """A policy as a text said it.

    Parameters
    ----------
    text : str
        TOML.
    declared : Declared
        What it says.
    origins : mapping of str to list of int
        For kinds of which one table may give several values: the table of each value.
    """

    text: str
    declared: Declared
    origins: Mapping[str, Sequence[int]]

    @classmethod
    def of(
        cls, text: str, declared: Declared, origins: Mapping[str, Sequence[int]]
    ) -> Written | None:
        """A text as it was read; None for one that is too long to be followed.

        Agencies of a registry file become tables of the text, so that it needs no file beside it.

        Parameters
        ----------
        text : str
            TOML.
        declared : Declared
            What it says.
        origins : mapping of str to list of int
            As above.
        """
        if len(text) > LONGEST:
            return None
        head, tables = _cut(text)
        if re.search(r"^\s*registry\s*=", head, re.MULTILINE):
            import tomlkit

            document = tomlkit.parse(head)
            document.pop("registry")
            inline = sum(table.kind == "agency" for table in tables)
            told = [_new("agency", write.pairs_of(a)) for a in declared.agencies[inline:]]
            text = _joined(tomlkit.dumps(document), [*(t.text for t in tables), *told])
        return cls(text, declared, origins)

    def with_changes(self, declared: Declared) -> str | None:
        """The text, changed to say something else; None where that cannot be done in place."""
        if declared == self.declared:
            return self.text
        tabled = {attribute for _, attribute, _ in write.TABLES} | {"version"}
        plain = {f.name for f in fields(Declared)} - tabled
        if any(getattr(declared, name) != getattr(self.declared, name) for name in plain):
            return None
        head, tables = _cut(self.text)
        head = _version(head, declared.version)
        for kind, attribute, pairs in write.TABLES:
            before, after = getattr(self.declared, attribute), getattr(declared, attribute)
            if before == after:
                continue
            of_kind = [t for t in tables if t.kind == kind]
            origins = self.origins.get(kind) or range(len(before))
            if len(of_kind) <= max(origins, default=-1):
                return None
            added = _follow(of_kind, before, after, origins, pairs)
            where = tables.index(of_kind[-1]) + 1 if of_kind else len(tables)
            more = "\n" if where < len(tables) else ""
            tables[where:where] = [_Table(kind, _new(kind, pairs(item)) + more) for item in added]
        return _joined(head, [t.text for t in tables])


class _Table:
    """One table of the text with the comments above it."""

    __slots__ = ("kind", "text")

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text


def _cut(text: str) -> tuple[str, list[_Table]]:
    """What stands before the first table, and the tables; sub-tables go with theirs."""
    lines = text.splitlines(keepends=True)
    starts: list[tuple[int, str]] = []
    for i, line in enumerate(lines):
        header = _HEADER.match(line)
        if header is None or "." in header.group(2):
            continue
        start = i
        while start and lines[start - 1].lstrip().startswith("#"):
            start -= 1
        starts.append((start, header.group(2).strip('"')))
    ends = [*(start for start, _ in starts), len(lines)][1:]
    head = "".join(lines[: starts[0][0]] if starts else lines)
    return head, [
        _Table(kind, "".join(lines[start:end]))
        for (start, kind), end in zip(starts, ends, strict=True)
    ]


def _follow(
    tables: list[_Table],
    before: Sequence[Any],
    after: Sequence[Any],
    origins: Sequence[int],
    pairs: write.ToPairs,
) -> list[Any]:
    """Change the tables of one kind; what they do not say yet is returned."""
    fates, added = _fates(before, after)
    for number, table in enumerate(tables):
        mine = [i for i, origin in enumerate(origins) if origin == number]
        kept = [before[i] for i in mine if fates[i] is before[i]]
        changed = [fates[i] for i in mine if fates[i] is not before[i] and fates[i] is not None]
        if len(kept) == len(mine):
            continue
        alike = {_without_who(pairs(item)) for item in changed}
        if changed and len(changed) == len(mine) and len(alike) == 1:
            table.text = _edited(table, dict(pairs(before[mine[0]])), dict(pairs(changed[0])))
            continue
        if kept:
            table.text = _edited(table, {}, {"who": [item.who for item in kept]})
        else:
            table.text = ""
        apart = changed and table.text.endswith("\n\n")
        table.text = _joined(table.text, [_new(table.kind, pairs(item)) for item in changed])
        table.text += "\n" if apart else ""
    return added


def _fates(before: Sequence[Any], after: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What became of each value (itself, another, or None), and the values that are new."""
    fates: list[Any] = list(before)
    added: list[Any] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            continue
        new = list(after[c:d])
        for i in range(a, b):
            same = next((item for item in new if _key(item) == _key(before[i])), None)
            fates[i] = same
            if same is not None:
                new.remove(same)
        added += new
    return fates, added


def _key(item: Any) -> tuple[Any, ...]:
    """What makes a value the same one after a change of the rest."""
    names = ("id",) if hasattr(item, "id") else _KEYS
    return tuple(getattr(item, name, None) for name in names)


_KEYS = ("ori", "name", "mode", "who", "partition", "state", "author", "start")
"""Fields by which values without an id are told apart."""


def _without_who(pairs: write.Pairs) -> str:
    return write.lines((key, value) for key, value in pairs if key != "who")


def _edited(table: _Table, before: dict[str, Any], after: dict[str, Any]) -> str:
    """The text of a table with other values; ``who`` of several is left as it stands."""
    import tomlkit

    body, aside = _apart(table.text)
    document = tomlkit.parse(body)
    found: Any = document[table.kind]
    item = found[0] if isinstance(found, list) else found
    for key in before.keys() - after.keys():
        item.remove(key)
    for key, value in after.items():
        if before and key == "who":
            continue
        if not before or before.get(key) != value:
            item[key] = tomlkit.value(write.value(value))
    return tomlkit.dumps(document) + aside


def _apart(text: str) -> tuple[str, str]:
    """A table, and the empty lines and comments after it: what is added belongs before them."""
    lines = text.splitlines(keepends=True)
    end = len(lines)
    while end and _ASIDE.match(lines[end - 1]):
        end -= 1
    body = "".join(lines[:end])
    return (body if body.endswith("\n") else body + "\n"), "".join(lines[end:])


def _version(head: str, version: int) -> str:
    import tomlkit

    document = tomlkit.parse(head)
    if document.get("version", 1) == version:
        return head
    if "version" not in document:
        body, aside = _apart(head)
        return f"{body if body.strip() else ''}version = {version}\n{aside}"
    document["version"] = version
    return tomlkit.dumps(document)


def _new(kind: str, pairs: write.Pairs) -> str:
    return f"[[{kind}]]\n{write.lines(pairs)}"


def _joined(first: str, others: Sequence[str]) -> str:
    """Texts one after another, new tables with an empty line before them."""
    out = first
    for text in others:
        if out and text and not out.endswith("\n\n") and text.startswith("[["):
            out += "\n" if out.endswith("\n") else "\n\n"
        out += text
    return out
