"""Conditions over the facts of a search, in three-valued logic: True, False, unknown (None).

A value that the policy's vocabulary does not list is unknown, never false: a free-text charge,
a misspelt role or the generic charge code 0399 must not slip past a rule that forbids.
"""

from __future__ import annotations

from collections.abc import Mapping

from fpmatch.policy.model import GENERIC_CHARGES, Condition, Declared
from fpmatch.types import Facts

Vocabulary = Mapping[str, frozenset[str]]

PENDING = "pending"
"""The disposition of an open case: it may still become any other one."""


def vocabulary(declared: Declared) -> dict[str, frozenset[str]]:
    """The values that each field may take; anything else is unknown."""
    words = {
        "transaction": frozenset(declared.transactions),
        "purpose": frozenset(declared.purposes),
        "role": frozenset(("", *declared.roles)),
        "charge": frozenset(declared.charges) - GENERIC_CHARGES,
        "disposition": frozenset(declared.dispositions) - {PENDING},
        "protected": frozenset(("yes", "no")),
    }
    for name, values in declared.attributes:
        words[f"attributes.{name}"] = frozenset(values)
    return words


def value_of(field: str, facts: Facts) -> str | None:
    """The fact that a condition speaks of, as text; None where it was not given."""
    if field.startswith("attributes."):
        return facts.attributes.get(field.removeprefix("attributes."))
    if field == "protected":
        return "yes" if facts.protected is True else "no" if facts.protected is False else None
    return getattr(facts, field)


def holds(condition: Condition, facts: Facts, words: Vocabulary) -> bool | None:
    """Truth of one condition.

    Parameters
    ----------
    condition : Condition
        Field and values.
    facts : Facts
        Of the search.
    words : mapping of str to frozenset
        Values that each field may take; anything else is unknown.
    """
    value = value_of(condition.field, facts)
    if not isinstance(value, str) or value not in words[condition.field]:
        return None
    return value in condition.values


def all_hold(conditions: tuple[Condition, ...], facts: Facts, words: Vocabulary) -> bool | None:
    """Truth of a conjunction: one false settles it, else one unknown does.

    Parameters
    ----------
    conditions : tuple of Condition
        All of which must hold.
    facts : Facts
        Of the search.
    words : mapping of str to frozenset
        Values that each field may take; anything else is unknown.
    """
    unknown = False
    for condition in conditions:
        truth = holds(condition, facts, words)
        if truth is False:
            return False
        unknown = unknown or truth is None
    return None if unknown else True
