"""The facts of an ordinary search, for explanations and reports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from fpmatch.checks import check_flag, check_pairs, check_several, check_text, quoted
from fpmatch.errors import InputError
from fpmatch.policy.registry import Registry
from fpmatch.types import Facts, Ori

_ori = lru_cache(maxsize=1024)(Ori)


def ordinary(
    registry: Registry, ori: str, chain: tuple[str, ...] | None = None, **facts: Any
) -> Facts:
    """Facts of an ordinary search by an agency.

    Parameters
    ----------
    registry : Registry
    ori : str
        The booking agency.
    chain : tuple of str, optional
        The further agencies; by default the bureau that the registry names.
    **facts
        Any other field of `Facts`; ``transaction`` is the policy's first one by default.

    Raises
    ------
    InputError
        If an agency is no ORI, or a fact is unknown or of the wrong type.
    """
    checked = facts_of(facts)
    if chain is None:
        known = isinstance(ori, str) and ori in registry.agencies
        via = registry.via(registry.path(ori)) if known else ""
        chain = (via,) if via and via != ori else ()
    else:
        chain = tuple(check_several("chain", chain, most=64))
    checked.setdefault("transaction", registry.declared.transactions[0])
    return Facts(chain=tuple([_ori(check_text("an ORI", o)) for o in (ori, *chain)]), **checked)


def facts_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts by name, each checked.

    Raises
    ------
    InputError
        If one is unknown or of the wrong type.
    """
    out: dict[str, Any] = {}
    for name, value in facts.items():
        if name in ("transaction", "purpose", "role"):
            out[name] = check_text(name, value)
        elif name in ("charge", "disposition"):
            out[name] = None if value is None else check_text(name, value)
        elif name == "protected":
            out[name] = check_flag(name, value, unknown=True)
        elif name == "attributes":
            out[name] = check_pairs(name, value)
        elif name == "requested":
            several = () if value is None else check_several(name, value, most=256)
            named = tuple(check_text("a partition", p, longest=200) for p in several)
            out[name] = None if value is None else named
        else:
            raise InputError(f"{quoted(name)} is no fact; they are the fields of Facts")
    return out
