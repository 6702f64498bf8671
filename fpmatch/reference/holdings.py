"""What the reference engine is given, and how it changes: plain lists in memory."""

from __future__ import annotations

from collections.abc import Iterable

from fpmatch.checks import check_flag, check_integer, check_several, check_text, check_uses, quoted
from fpmatch.errors import InputError, RefusedError
from fpmatch.policy import Policy
from fpmatch.reference.records import Form, Held
from fpmatch.template import Template
from fpmatch.types import PartitionInfo, Record


class Holdings:
    """Partitions, records and the policy in force."""

    def __init__(self) -> None:
        self.policy: Policy | None = None
        self.partitions: dict[str, PartitionInfo] = {}
        self.records: dict[str, dict[str, Held]] = {}

    def _form(self, finger: Template) -> Form:
        """What a print is compared as."""
        return finger

    def add_partition(self, name: str, ndr: int, owner: str) -> None:
        """Add an empty partition.

        Parameters
        ----------
        name : str
            Of the partition.
        ndr : int
            Its EBTS 2.098 number.
        owner : str
            Who owns it.

        Raises
        ------
        InputError
            If a value cannot be used.
        """
        check_text("partition", name, longest=200, empty=False)
        number = check_integer("ndr", ndr, 0, 2**31 - 1)
        self.partitions[name] = PartitionInfo(
            name, number, check_text("owner", owner, longest=255, empty=False)
        )
        self.records.setdefault(name, {})

    def enrol(self, partition: str, records: Iterable[Record]) -> None:
        """Add records; the same again changes nothing.

        Raises
        ------
        InputError
            If there is no such partition, or something is no record.
        """
        if isinstance(records, str | bytes) or not isinstance(records, Iterable):
            raise InputError(f"records must be a list, not {quoted(records)}")
        records = list(records)
        for record in records:
            if not isinstance(record, Record):
                raise InputError(f"records must be Record, not {quoted(record)}")
            for finger in check_several("fingers", record.fingers, most=10**4):
                if not isinstance(finger, Template):
                    raise InputError(f"fingers must be templates, not {quoted(finger)}")
        if partition not in self.records:
            raise InputError(f"there is no partition {quoted(partition)}; add it first")
        for record in records:
            held = self.records[partition].setdefault(record.record, Held(record.record, {}))
            event = held.events.setdefault(record.event, {})
            for finger in record.fingers:
                event[finger.to_bytes()] = (finger.position, self._form(finger))
            held.protected |= record.protected
            held.banned |= record.banned_uses

    def publish(self, policy: Policy) -> int:
        """Put a policy in force; its version.

        Raises
        ------
        InputError
            If it is no policy.
        """
        if not isinstance(policy, Policy):
            raise InputError(f"expected a Policy, not {quoted(policy)}")
        before = self.policy.version if self.policy else 0
        self.policy = policy.with_version(max(policy.version, before + 1))
        return self.policy.version

    def seal(self, partition: str, record: str, sealed: bool = True) -> None:
        """Hide a record, or show it again.

        Parameters
        ----------
        partition : str
            Its name.
        record : str
            The record's id.
        sealed : bool
            Hide it, or show it again.

        Raises
        ------
        RefusedError
            If there is no such record.
        """
        self._held(partition, record).sealed = sealed

    def _held(self, partition: str, record: str) -> Held:
        held = self.records.get(partition, {}).get(record)
        if held is None:
            raise RefusedError("no such record, or it is not open to you")
        return held

    def expunge(self, partition: str, record: str, event: str | None = None) -> None:
        """Forget a record, or one event of it.

        Parameters
        ----------
        partition : str
            Its name.
        record : str
            The record's id.
        event : str or None
            One enrolment; None for the record.

        Raises
        ------
        RefusedError
            If there is no such record.
        """
        held = self._held(partition, record)
        if event is not None and event not in held.events:
            raise RefusedError("no such record, or it is not open to you")
        if event is not None:
            del held.events[event]
        if event is None or not held.events:
            del self.records[partition][record]

    def update(
        self,
        partition: str,
        record: str,
        *,
        event: str | None = None,
        fingers: Iterable[Template] | None = None,
        protected: bool | None = None,
        banned_uses: Iterable[str] | None = None,
    ) -> None:
        """Change a record as `fpmatch.Engine.update` does; what is None stays as it is.

        Parameters
        ----------
        partition : str
            Its name.
        record : str
            The record's id.
        event : str, optional
            The enrolment whose fingers are replaced, where the record has several.
        fingers : iterable of Template, optional
            In their place.
        protected : bool, optional
            Shown to certain roles only.
        banned_uses : iterable of str, optional
            In place of those that it has.

        Raises
        ------
        RefusedError
            If there is no such record.
        InputError
            If a value cannot be used, or the record has no such event, or several.
        """
        held = self._held(partition, record)
        if fingers is not None:
            name = self._event(held, event)
            given = check_several("fingers", fingers, most=10**4)
            for finger in given:
                if not isinstance(finger, Template):
                    raise InputError(f"fingers must be templates, not {quoted(finger)}")
            held.events[name] = {f.to_bytes(): (f.position, self._form(f)) for f in given}
        if protected is not None:
            held.protected = bool(check_flag("protected", protected))
        if banned_uses is not None:
            held.banned = frozenset(check_uses("banned_uses", banned_uses))

    def _event(self, held: Held, event: str | None) -> str:
        if event is None and len(held.events) > 1:
            raise InputError(f"the record has {len(held.events)} events; say which: event=")
        name = next(iter(held.events)) if event is None else check_text("event", event, longest=255)
        if name not in held.events:
            raise InputError(f"the record has no event {quoted(name)}; enrolling adds one")
        return name
