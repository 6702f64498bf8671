"""The methods of a policy that return another one: who takes part, and who asks not to."""

from __future__ import annotations

from typing import Self

from fpmatch.checks import quoted
from fpmatch.errors import PolicyError
from fpmatch.policy import change
from fpmatch.policy.instant import Instant, instant
from fpmatch.policy.model import Declared, OptOutRequest, OptOutStatus
from fpmatch.policy.registry import Registry
from fpmatch.policy.rewrite import Written


class Editing:
    """Base of `fpmatch.policy.Policy`: what is declared, and its changes.

    Parameters
    ----------
    declared : Declared
        What the document says.

    Raises
    ------
    PolicyError
        If it is anything else.
    """

    def __init__(self, declared: Declared) -> None:
        if not isinstance(declared, Declared):
            raise PolicyError(f"a policy is made by load or parse, not of {quoted(declared)}")
        self._declared = declared
        self._registry = Registry(declared)
        self._written: Written | None = None

    def _with(self, declared: Declared) -> Self:
        """A policy that says something else, and remembers the text that this one came from."""
        changed = type(self)(declared)
        changed._written = self._written
        return changed

    def deactivate(
        self, ori: str, partition: str, *, authority: str, reason: str, at: Instant | None = None
    ) -> Self:
        """Opt out: switch an agency or jurisdiction off, from ``at`` on, as a new policy.

        Parameters
        ----------
        ori : str
            The agency or jurisdiction.
        partition : str
            Name of the partition.
        authority : str
            The principal that decides: the agency, a jurisdiction above it, its state bureau
            or the partition's owner.
        reason : str
            Why, in the words of the one who decides; kept in the policy.
        at : datetime, date or ISO text, optional
            From when on; now by default.

        Raises
        ------
        PolicyError
            If the principal has no authority over the node or the partition.
        """
        when = instant(at)
        return self._with(
            change.deactivate(self._registry, ori, partition, authority, reason, when)
        )

    def activate(
        self, ori: str, partition: str, *, authority: str, reason: str, at: Instant | None = None
    ) -> Self:
        """Switch on. Raises PolicyError also where another principal's "off" stands.

        Parameters
        ----------
        ori : str
            The agency or jurisdiction.
        partition : str
            Name of the partition.
        authority : str
            The principal that decides: the agency, a jurisdiction above it, its state bureau or
            the partition's owner.
        reason : str
            Why, in the words of the one who decides; kept in the policy.
        at : datetime, date or ISO text, optional
            From when on; now by default.
        """
        when = instant(at)
        return self._with(change.activate(self._registry, ori, partition, authority, reason, when))

    def reschedule(
        self,
        ori: str,
        partition: str,
        *,
        date: Instant,
        authority: str,
        reason: str,
        at: Instant | None = None,
    ) -> Self:
        """Adjust the activation date in the deployment plan. Raises as `activate`.

        Parameters
        ----------
        ori : str
            The agency or jurisdiction.
        partition : str
            Name of the partition.
        date : datetime, date or ISO text
            When it becomes active.
        authority : str
            The principal that decides: the agency, a jurisdiction above it, its state bureau or
            the partition's owner.
        reason : str
            Why, in the words of the one who decides; kept in the policy.
        at : datetime, date or ISO text, optional
            From when on; now by default.
        """
        day, when = instant(date), instant(at)
        return self._with(
            change.reschedule(self._registry, ori, partition, authority, reason, day, when)
        )

    def remove(
        self, ori: str, partition: str, *, authority: str, reason: str, at: Instant | None = None
    ) -> Self:
        """Remove from the deployment plan. Raises as `deactivate`.

        Parameters
        ----------
        ori : str
            The agency or jurisdiction.
        partition : str
            Name of the partition.
        authority : str
            The principal that decides: the agency, a jurisdiction above it, its state bureau or
            the partition's owner.
        reason : str
            Why, in the words of the one who decides; kept in the policy.
        at : datetime, date or ISO text, optional
            From when on; now by default.
        """
        when = instant(at)
        return self._with(change.remove(self._registry, ori, partition, authority, reason, when))

    def request_optout(
        self, id: str, ori: str, partition: str, *, at: Instant | None = None
    ) -> Self:
        """Record a request to opt out; without effect until somebody acts on it.

        Parameters
        ----------
        id : str
            Of the request; not used before.
        ori : str
            The agency or jurisdiction.
        partition : str
            Name of the partition.
        at : datetime, date or ISO text, optional
            When it was made; now by default.
        """
        request = OptOutRequest(id, ori, partition, instant(at))
        return self._with(change.request_optout(self._registry, request))

    def answer_optout(
        self, id: str, status: OptOutStatus | str, *, answer: str = "", at: Instant | None = None
    ) -> Self:
        """Close a request as accepted or refused; to give it effect, `deactivate`.

        Parameters
        ----------
        id : str
            Of the request.
        status : OptOutStatus
            Accepted or refused.
        answer : str
            In words.
        at : datetime, date or ISO text, optional
            When it was answered; now by default.
        """
        status = OptOutStatus(status)
        return self._with(change.answer_optout(self._registry, id, status, answer, instant(at)))
