"""From TOML text to a `Declared` policy; every complaint names file, line and fix."""

from __future__ import annotations

import csv
import difflib
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fpmatch.errors import InputError, PolicyFileError
from fpmatch.policy import document as doc
from fpmatch.policy.convert import declared_from
from fpmatch.policy.lines import Location, line_of, positions
from fpmatch.policy.model import Agency, Declared
from fpmatch.types import Ori

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``."""

STEP = 2000
"""Agencies between two calls of a progress callback."""


def _silent(stage: str, done: int, total: int) -> None:
    pass


class Source:
    """A policy text, able to say where in it something stands."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.origins: dict[str, list[int]] = {}
        self._positions: dict[tuple[str | int, ...], int] | None = None

    def place(self, table: str, item: int) -> Location:
        """Where the ``item``-th value of a kind was written; one table may give several."""
        origins = self.origins.get(table)
        return (table, origins[item] if origins else item)

    def error(self, location: Location, problem: str) -> PolicyFileError:
        """An error that points at a location."""
        if self._positions is None:
            self._positions = positions(self.text)
        return PolicyFileError(f"{self.name}:{line_of(self._positions, location)}: {problem}")


def read(
    text: str,
    name: str,
    *,
    folder: Path | None = None,
    progress: Progress = _silent,
    besides: tuple[str, ...] = (),
) -> tuple[Declared, Source]:
    """Read a policy text.

    ``folder`` is where a ``registry`` file is looked for; ``besides`` names top-level tables
    that belong to somebody else and are passed over.

    Parameters
    ----------
    text : str
        TOML.
    name : str
        What messages call it.
    folder : path, optional
        Where the registry file is looked for; none may be named without.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    besides : tuple of str
        Tables that are read by others and passed over here.

    Raises
    ------
    PolicyFileError
        If the text is no TOML, has an unknown or ill-typed key, or refers to what is not there.
    """
    source = Source(text, name)
    progress("parse", 0, 1)
    raw = loads(text, name)
    for key in besides:
        raw.pop(key, None)
    progress("parse", 1, 1)
    tables = raw.pop("agency", [])
    if not isinstance(tables, list):
        raise source.error(("agency",), "write each agency under its own [[agency]] header")
    try:
        parsed = doc.PolicyDocument.model_validate(raw)
    except ValidationError as error:
        raise invalid(source, error) from None
    agencies = _agencies(source, tables, progress)
    if parsed.registry:
        agencies += _registry_file(source, parsed.registry, folder, progress)
    declared, source.origins = declared_from(parsed, agencies, source.error)
    return declared, source


def loads(text: str, name: str) -> dict[str, Any]:
    """TOML text as plain values. Raises PolicyFileError with the line of a syntax error."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(name, text, error) from None
    except RecursionError:
        raise PolicyFileError(f"{name}: brackets within brackets without end") from None


def _syntax(name: str, text: str, error: tomllib.TOMLDecodeError) -> PolicyFileError:
    message = str(error)
    line = 1
    if "(at line " in message:
        line = int(message.split("(at line ")[1].split(",")[0])
    elif "end of document" in message:
        line = max(1, len(text.splitlines()))
    return PolicyFileError(f"{name}:{line}: not valid TOML: {message}")


def invalid(source: Source, error: ValidationError) -> PolicyFileError:
    """One complaint of pydantic in the words of this file format; a misspelt key comes first."""
    found = error.errors(include_url=False)
    first, *others = sorted(found, key=lambda e: e["type"] != "extra_forbidden")
    location = tuple(first["loc"])
    problem = _wording(first, location)
    more = f" (and {len(others)} more)" if others else ""
    return source.error(location, problem + more)


def _wording(error: Any, location: tuple[str | int, ...]) -> str:
    where = ".".join(str(p) for p in location if not isinstance(p, int))
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        return f"unknown key {where!r}{_suggest(location)}"
    if kind == "missing":
        return f"{where!r} is missing; add it{_example(where)}"
    if kind == "literal_error" or kind == "enum":
        expected = error["ctx"]["expected"]
        return f"{where!r} is {given!r}; write one of {expected}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{where!r} is {given!r}: {message}"


def _example(where: str) -> str:
    examples = {
        "transactions": ', as in transactions = ["CAR"]',
        "partition": ", as in [[partition]] with name, ndr and owner",
        "author": ": the ORI, jurisdiction or owner that decides this",
    }
    return examples.get(where.rsplit(".", 1)[-1], "")


_TABLES: dict[str, type[doc._Table]] = {
    "partition": doc.PartitionTable,
    "jurisdiction": doc.JurisdictionTable,
    "agency": doc.AgencyTable,
    "agreement": doc.AgreementTable,
    "activation": doc.ActivationTable,
    "consent": doc.ConsentTable,
    "rule": doc.RuleTable,
    "mode": doc.ModeTable,
    "optout": doc.OptOutTable,
}


def _suggest(location: tuple[str | int, ...]) -> str:
    """The known key that an unknown one resembles most, else all that are known."""
    words = [str(p) for p in location if not isinstance(p, int)]
    table: type[doc._Table] = doc.PolicyDocument
    if len(words) > 1:
        table = _TABLES.get(words[0], doc.PolicyDocument)
    if words[-2:-1] in (["when"], ["unless"]):
        table = doc.ConditionTable
    known = [f.alias or name for name, f in table.model_fields.items()]
    close = difflib.get_close_matches(words[-1], known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}"


def _agencies(source: Source, tables: list[Any], progress: Progress) -> list[Agency]:
    out = []
    total = len(tables)
    for i, table in enumerate(tables):
        try:
            row = doc.AgencyTable.model_validate(table)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            location = ("agency", i, *first["loc"])
            raise source.error(location, _wording(first, location)) from None
        out.append(
            Agency(row.ori, row.name, row.kind, row.parent, row.start, row.end, row.acknowledges)
        )
        if not (i + 1) % STEP or i + 1 == total:
            progress("agencies", i + 1, total)
    return out


def _registry_file(
    source: Source, registry: str, folder: Path | None, progress: Progress
) -> list[Agency]:
    """Agencies from a CSV file with the columns ori, name, kind and parent."""
    if folder is None:
        raise source.error(("registry",), "a registry file needs Policy.load, not Policy.parse")
    path = folder / registry
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise source.error(("registry",), f"cannot read {registry!r}: {error}") from None
    rows: Iterable[list[str]] = csv.reader(text.splitlines())
    out: list[Agency] = []
    total = text.count("\n")
    for number, row in enumerate(rows, start=1):
        if number == 1:
            if row != ["ori", "name", "kind", "parent"]:
                raise PolicyFileError(f"{registry}:1: the first line must be ori,name,kind,parent")
            continue
        if len(row) != 4:
            raise PolicyFileError(f"{registry}:{number}: {len(row)} columns; write 4")
        try:
            ori = str(Ori(row[0]))
        except InputError as error:
            raise PolicyFileError(f"{registry}:{number}: {error}") from None
        out.append(Agency(ori, row[1], row[2] or "police", row[3]))
        if not number % STEP:
            progress("agencies", number, total)
    progress("agencies", len(out), len(out))
    return out
