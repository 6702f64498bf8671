"""Options of an opening that are more than a number or a word."""

from __future__ import annotations

from collections.abc import Mapping

from fpmatch.checks import check_choice, check_pairs, check_text, quoted
from fpmatch.database import Durability
from fpmatch.errors import InputError

DURABILITIES = ("full", "off")


def durability_of(value: object) -> Durability:
    """Whether commits wait for the disk, as the caller said it.

    Raises
    ------
    InputError
        If it is neither "full" nor "off".
    """
    return "off" if check_choice("durability", value, DURABILITIES) == "off" else "full"


def routes_of(value: object) -> dict[str, dict[str, str]]:
    """Offices by partition and agency, as the caller said them.

    Raises
    ------
    InputError
        If they are no mapping of text to mappings of text.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > 4096:
        raise InputError(f"routes must map partitions to offices, not be {quoted(value)}")
    return {
        check_text("a partition of routes", k, longest=200): check_pairs(
            "the routes of a partition", v, most=100_000
        )
        for k, v in value.items()
    }
