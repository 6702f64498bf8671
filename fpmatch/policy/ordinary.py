"""The facts of an ordinary search, for explanations and reports."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

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
        If an agency is no ORI.
    """
    if chain is None:
        known = ori in registry.agencies
        via = registry.via(registry.path(ori)) if known else ""
        chain = (via,) if via and via != ori else ()
    facts.setdefault("transaction", registry.declared.transactions[0])
    return Facts(chain=tuple([_ori(o) for o in (ori, *chain)]), **facts)
