"""What was decided stays decided: the same facts give the same answer till the next date.

Every interval of a policy is half-open, so between two neighbouring dates of the policy the
decision procedure gives one and the same answer. An answer is kept under the number of that
span and all the facts it may depend on; only what waits for an event, whose last day follows
from the time of asking, is decided anew each time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from operator import attrgetter

from fpmatch.policy.decide import decide
from fpmatch.policy.registry import Registry
from fpmatch.types import Decision, Facts

_ENTRIES = 65_536
"""Most partition entries kept, some 200 bytes each; past that all are dropped."""


_LONGEST = 64
"""Longest text kept, characters: no word of a policy's vocabulary need be longer."""
_LONGEST_NAME = 200
"""The same for what is listed: agencies and partitions."""

_values = attrgetter(*(f.name for f in fields(Facts)))


class Memo:
    """The decision procedure with a memory. Threads may share it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._attributes = tuple(name for name, _ in registry.declared.attributes)
        self._kept: dict[tuple[object, ...], Decision] = {}
        self._most = max(1, _ENTRIES // max(1, len(registry.partitions)))

    def decide(self, facts: Facts, at: datetime, digest: str) -> Decision:
        """As `fpmatch.policy.decide.decide`, bit for bit.

        Parameters
        ----------
        facts : Facts
            Of the search.
        at : datetime
            The time asked about, with an offset.
        digest : str
            SHA-256 of what the policy says, in hexadecimal; goes into the decision.
        """
        key = self._key(facts, at)
        kept = self._kept.get(key) if key is not None else None
        if kept is not None:
            return Decision(kept.policy_version, digest, at, False, kept.reason, kept.partitions)
        made = decide(self._registry, facts, at, digest)
        if key is not None and self._lasting(made):
            if len(self._kept) >= self._most:
                self._kept = {}
            self._kept[key] = made
        return made

    def _lasting(self, made: Decision) -> bool:
        """Whether it holds for the whole span and names nothing that the policy does not."""
        return (
            not made.refused
            and len(made.partitions) == len(self._registry.partitions)
            and all(p.defer_expires is None for p in made.partitions)
        )

    def _key(self, facts: Facts, at: datetime) -> tuple[object, ...] | None:
        """All that a decision may depend on; None for facts that are no plain short text.

        A flag is told apart by identity, as the procedure does: 1 is not True.
        """
        said = list(_values(facts))
        for n, value in enumerate(said):
            if value is None or value is True or value is False:
                continue
            if isinstance(value, tuple):
                if not all(isinstance(one, str) and len(one) <= _LONGEST_NAME for one in value):
                    return None
            elif type(value) is dict or isinstance(value, Mapping):
                # What the policy does not declare it does not look at.
                said[n] = known = tuple([value.get(name) for name in self._attributes])
                if not all(map(_short, known)):
                    return None
            elif not _short(value):
                return None
        said.append(bisect_right(self._registry.dates, at))
        return tuple(said)


def _short(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= _LONGEST)
