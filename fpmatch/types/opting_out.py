"""A request to opt out, as the gallery keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OptOutReceipt:
    """What was asked, what was answered, and whether it is so: three things apart.

    Parameters
    ----------
    request : str
        Names the request.
    who : str
        The agency or jurisdiction that shall not be searched.
    partition : str
    status : str
        ``open``, ``accepted`` or ``refused``. None of them has an effect of its own: a policy has.
    asked, decided : str
        When, in UTC (ISO 8601); ``decided`` is empty while it is open.
    reason, answer : str
        In the words of who asked and who answered. Kept here, not in the log.
    authority : str
        Who answered.
    policy_version : int
        The policy in force; 0 if there is none.
    in_effect : bool
        Whether under that policy no search of it, with whatever facts, can reach the partition at
        this time.
    audit_seq : int
        The log's record of the latest step; 0 where this is no answer to that step.
    """

    request: str
    who: str
    partition: str
    status: str
    asked: str
    reason: str = ""
    decided: str = ""
    authority: str = ""
    answer: str = ""
    policy_version: int = 0
    in_effect: bool = False
    audit_seq: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {name: getattr(self, name) for name in self.__slots__}
