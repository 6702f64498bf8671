"""What the reference engine holds."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.finger import FingerPosition
from fpmatch.reference.encode import ReferenceForm
from fpmatch.template import Template

Form = ReferenceForm | Template
"""What is compared: the reference's search form, or prints as they are for a matcher of yours."""


@dataclass(slots=True)
class Held:
    """A record in memory: fingers by event."""

    record: str
    events: dict[str, dict[bytes, tuple[FingerPosition, Form]]]
    protected: bool = False
    sealed: bool = False
    banned: frozenset[str] = frozenset()

    def hidden(self, sees_protected: bool, uses: set[str]) -> bool:
        """Whether a search with these uses may not know of it."""
        barred = self.protected and not sees_protected
        return self.sealed or barred or bool(self.banned & uses)

    def impressions(self) -> list[Template]:
        """Each impression once, as it was enrolled, in order of position."""
        every = dict.fromkeys(content for held in self.events.values() for content in held)
        return sorted((Template.from_bytes(content) for content in every), key=lambda t: t.position)

    def fingers(self) -> list[tuple[FingerPosition, Form]]:
        """Each impression once, though several events may hold it."""
        every: dict[bytes, tuple[FingerPosition, Form]] = {}
        for held in self.events.values():
            every.update(held)
        return list(every.values())
