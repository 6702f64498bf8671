"""What a batch of enrolment is answered with when it is repeated under its key: no name in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fpmatch.checks import quoted
from fpmatch.gallery.results import EnrolError, NewRow
from fpmatch.types import Record

LONGEST = 255


def name_of(item: object) -> str:
    """The id of an item as a report can show it; "" where it has none."""
    name = getattr(item, "record", "")
    return (
        name[:LONGEST].encode("utf-8", "backslashreplace").decode() if isinstance(name, str) else ""
    )


_NAME, _BARE = "\ue000", "\ue001"
"""Stand for the record's id in a message that is kept."""


def answer(
    items: dict[int, Record],
    keys: Sequence[int],
    rows: Sequence[NewRow],
    errors: Sequence[EnrolError],
) -> dict[str, Any]:
    """What a repetition of a batch is answered with: no name. Its flags are not known yet.

    Parameters
    ----------
    items : dict of int to Record
        The batch, by number.
    keys : sequence of int
        Of the record of each item that was taken.
    rows : sequence of NewRow
        Fingers added.
    errors : sequence of EnrolError
        One for each item that was refused.
    """
    said = []
    for error in errors:
        name = name_of(items[error.item])
        message = error.message.replace(quoted(name), _NAME)
        said.append([error.item, message.replace(name, _BARE) if name else message])
    return {
        "keys": list(keys),
        "fingers": len(rows),
        "rows": [[row.row, int(row.position), row.record, row.item] for row in rows],
        "errors": said,
        "flags": None,
    }


def errors_of(items: dict[int, Record], said: list[list[Any]]) -> list[EnrolError]:
    """The errors of a batch that was answered before.

    Parameters
    ----------
    items : dict of int to Record
        The same batch, by number.
    said : list of [int, str]
        As they were kept.
    """
    out = []
    for item, message in said:
        name = name_of(items[item])
        text = str(message).replace(_BARE, name).replace(_NAME, quoted(name))
        out.append(EnrolError(item, name, text))
    return out
