"""The tree of jurisdictions and agencies, with the partitions and agreements they speak of."""

from __future__ import annotations

from fpmatch.policy.model import ROOT, Agency, Agreement, Declared, Partition


class Tree:
    """Who is who, and what lies below what. Read-only after construction."""

    def __init__(self, declared: Declared) -> None:
        self.agencies: dict[str, Agency] = {a.ori: a for a in declared.agencies}
        self.jurisdictions = {j.id: j for j in declared.jurisdictions}
        self.partitions: dict[str, Partition] = {p.name: p for p in declared.partitions}
        self.agreements: dict[str, Agreement] = {a.id: a for a in declared.agreements}
        self.parent = {j.id: j.parent or ROOT for j in declared.jurisdictions}
        self.parent.update((a.ori, a.parent or ROOT) for a in declared.agencies)
        self._paths: dict[str, tuple[str, ...]] = {}

    def names(self, partitions: tuple[str, ...]) -> tuple[str, ...]:
        """Partition names, with ``*`` spelt out."""
        return tuple(self.partitions) if ROOT in partitions else partitions

    def path(self, node: str) -> tuple[str, ...]:
        """The node and everything above it, nearest first, ending with the root."""
        found = self._paths.get(node)
        if found is None:
            above = self.path(self.parent[node]) if node != ROOT else ()
            found = self._paths[node] = (node, *above)
        return found

    def via(self, path: tuple[str, ...]) -> str:
        """The bureau that a federal submission must pass, from the nearest jurisdiction, or ""."""
        for node in path[1:]:
            jurisdiction = self.jurisdictions.get(node)
            if jurisdiction is not None and jurisdiction.via:
                return jurisdiction.via
        return ""
