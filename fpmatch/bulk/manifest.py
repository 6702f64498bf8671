"""CSV manifests: which files make which record, and what else is to be stored with it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from fpmatch.argument_types import takes
from fpmatch.bulk.items import Item, Part
from fpmatch.checks import check_path, quoted
from fpmatch.errors import InputError

NEEDED = ("record", "file")
COLUMNS = (
    *NEEDED, "position", "identity", "event", "contributor", "protected", "banned_uses",
)  # fmt: skip
PROVENANCE = ("sha256", "source_sha256", "extractor", "slap")
"""What an export adds: the first is checked, the second stored, the others for people to read."""
SHARED = ("identity", "contributor", "protected", "banned_uses")
"""What all rows of a record and event must agree on."""
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0", "")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@takes(path=check_path)
def read_manifest(path: Path) -> list[Item]:
    """Items of a CSV file with the columns of `COLUMNS`; ``record`` and ``file`` are needed.

    Files are relative to the manifest's folder; the columns stand in any order. A byte order mark,
    UTF-16 (as spreadsheets write it) and semicolons or tabs in place of commas are understood.
    ``banned_uses`` has spaces between its uses, or is a JSON list of them. Rows of one record and
    event make one item.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Item
        One whose rows cannot be read, or disagree, has a ``problem`` that names the line: all of
        it is refused, for nobody knows what the bad row would have said. About 700 bytes a row.

    Raises
    ------
    InputError
        If a column is unknown or missing, or the file is no CSV in a known encoding.
    """
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    out: dict[tuple[str, str], Item] = {}
    try:
        names = [(n or "").strip().lower() for n in next(reader, [])]
        _check_columns(path, names)
        # People put spaces around values; an export writes them as they are.
        tidy = str if PROVENANCE[0] in names else str.strip
        for row in reader:
            if row:
                where = f"{path}, line {reader.line_num}"
                join(out, _item(path, where, names, [tidy(value) for value in row]))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from error
    return list(out.values())


def looks_like_one(head: bytes) -> bool:
    """Whether a file that begins so is a table of text with a column ``record``."""
    try:
        text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        return False
    first = text.splitlines()[0] if text.strip() else ""
    return "record" in [n.strip().strip('"').lower() for n in re.split("[,;\t]", first)]


def _check_columns(path: Path, names: Sequence[str]) -> None:
    missing = [c for c in NEEDED if c not in names]
    unknown = [n for n in names if n not in (*COLUMNS, *PROVENANCE)]
    # A misspelt `protected` that is passed over would protect nobody.
    if missing or unknown or len(set(names)) < len(names):
        said = ", ".join(repr(n[:40]) for n in names[:12]) or "none"
        raise InputError(
            f"{path}: the first line must name the columns record and file, and may name "
            f"{', '.join((*COLUMNS[2:], *PROVENANCE))}, each once; it has {said}"
        )


def write_uses(uses: Iterable[str]) -> str:
    """Banned uses as one value of a manifest."""
    listed = sorted(str(use) for use in uses)
    return json.dumps(listed) if any(" " in use for use in listed) else " ".join(listed)


def _uses(text: str) -> frozenset[str] | None:
    """None where it is a list of something else."""
    if not text.startswith("["):
        return frozenset(text.split())
    try:
        found = json.loads(text)
    except ValueError:
        return None
    good = isinstance(found, list) and all(isinstance(use, str) for use in found)
    return frozenset(found) if good else None


def _item(path: Path, where: str, names: Sequence[str], values: list[str]) -> Item:
    row = dict.fromkeys((*COLUMNS, *PROVENANCE), "") | dict(zip(names, values, strict=False))
    item = Item(
        record=row["record"],
        parts=[Part(str(path.parent / row["file"]), row["position"], *_digests(row))],
        identity=row["identity"],
        event=row["event"],
        contributor=row["contributor"],
        protected=row["protected"].lower() in _YES,
        banned_uses=_uses(row["banned_uses"]) or frozenset(),
        where=where,
    )
    said = _wrong(row, len(names), len(values))
    if said:
        item.problem = ("InputError", f"{where}: {said}")
    return item


def _digests(row: dict[str, str]) -> tuple[str, str]:
    return row["sha256"].lower(), row["source_sha256"].lower()


def _wrong(row: dict[str, str], columns: int, values: int) -> str:
    """What a row says that cannot be; "" for nothing."""
    if values > columns:
        return "more values than columns"
    if not row["record"] or not row["file"]:
        return "the columns record and file need a value"
    flag = row["protected"].lower()
    if flag not in (*_YES, *_NO):
        return f"protected must be yes or no, not {quoted(flag)}"
    if _uses(row["banned_uses"]) is None:
        return "banned_uses must be uses with spaces between them, or a JSON list of them"
    if any(one and not _DIGEST.fullmatch(one) for one in _digests(row)):
        return "a SHA-256 has 64 hexadecimal digits"
    return ""


def join(out: dict[tuple[str, str], Item], item: Item) -> None:
    """Put an item among others: rows of one record and event are one, where they agree."""
    # Rows without a record have nothing in common but that.
    key = (item.record, item.event) if item.record else ("", item.where)
    first = out.setdefault(key, item)
    if first is item:
        return
    for name in SHARED:
        if getattr(first, name) != getattr(item, name) and item.problem is None:
            item.problem = (
                "InputError",
                f"{item.where}: {name} differs from that of the same record in {first.where}",
            )
    first.problem = first.problem or item.problem
    first.parts += item.parts


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is no UTF-8; save it as 'CSV UTF-8'"
        ) from error


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)
