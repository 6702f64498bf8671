"""A request as the command line asks for it: what ``search``, ``verify`` and ``replay`` share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpmatch.cli.inputs import (
    load_template,
    parse_pairs,
    parse_position,
    parse_protected,
    split_list,
)

if TYPE_CHECKING:
    from fpmatch.types import SearchRequest

READING = ("ppi", "trust_ppi", "extractor", "isolated")


def submission(fingers: Iterable[Path], ori: str, **said: Any) -> SearchRequest:
    """The request of a command's options, with its fingers read.

    Parameters
    ----------
    fingers : iterable of Path
        Images or templates.
    ori : str
        The booking agency.
    **said
        Options by their names; those that say how fingers are read, and fields of a request.

    Raises
    ------
    FpmatchError
        If a finger cannot be read, or a value cannot be used.
    """
    from fpmatch.types import SearchRequest

    how = {name: said.pop(name) for name in READING}
    how["estimate"] = said.pop("estimate_ppi")
    how["position"] = parse_position(said.pop("position"))
    named = said.pop("partition", None)
    return SearchRequest(
        fingers=[load_template(path, **how) for path in fingers],
        booking_ori=ori,
        chain=split_list(said.pop("chain") or ()),
        partitions=[_named(p) for p in named] if named else None,
        protected=parse_protected(said.pop("protected")),
        attributes=parse_pairs(said.pop("attribute") or (), "--attribute"),
        **said,
    )


def _named(partition: str) -> str | int:
    """A partition by name, or by its number."""
    return int(partition) if partition.isdecimal() else partition
