"""About which partitions a policy says something at each node of the tree."""

from __future__ import annotations

from fpmatch.policy.model import ROOT
from fpmatch.policy.registry import Registry


def attachments(registry: Registry) -> dict[str, set[str]]:
    """By node, the partitions whose decisions differ there from those of the node above.

    A node that is not named has no say of its own: whatever holds for its nearest ancestor that
    is named holds for it.
    """
    touched: dict[str, set[str]] = {ROOT: set(registry.partitions)}
    for node, by_partition in registry.rules_at.items():
        touched.setdefault(node, set()).update(by_partition)
    for node, partition in (*registry.settings_at, *registry.consents_at):
        touched.setdefault(node, set()).add(partition)
    for jurisdiction in registry.jurisdictions.values():
        if jurisdiction.require_consent:
            touched.setdefault(jurisdiction.id, set()).update(jurisdiction.require_consent)
    for agreement in registry.agreements.values():
        names = registry.names(agreement.partitions)
        for party in agreement.parties:
            seat = registry.scope.seat(party)
            if seat:
                touched.setdefault(seat, set()).update(names)
                touched.setdefault(party, set()).update(names)
    return touched
