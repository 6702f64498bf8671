"""What a policy attaches to each node of the tree of jurisdictions and agencies.

Built once per policy; every look-up afterwards is a few dictionary reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property

from fpmatch.policy import presets
from fpmatch.policy.authority import Scope
from fpmatch.policy.condition import vocabulary
from fpmatch.policy.model import (
    Activation,
    Consent,
    Declared,
    Rule,
    in_force,
)
from fpmatch.policy.tree import Tree


class Registry(Tree):
    """Indexes over a `Declared` policy. Read-only after construction, so threads may share it."""

    def __init__(self, declared: Declared) -> None:
        super().__init__(declared)
        self.declared = declared
        self.words = vocabulary(declared)
        self.scope = Scope(self)
        self.expanded = [presets.expand(m, declared.partitions) for m in declared.modes]
        self.rules = (*declared.rules, *(r for e in self.expanded for r in e.rules))
        self.activations = (
            *declared.activations,
            *(a for e in self.expanded for a in e.activations),
        )
        self._attach()
        self._planned = {partition for _, partition in self.settings_at}
        self._asking = {
            j.id: j.require_consent for j in declared.jurisdictions if j.require_consent
        }

    def _attach(self) -> None:
        """Hang everything on its nodes; what lies outside its author's authority is left out."""
        self.rules_at: dict[str, dict[str, list[Rule]]] = {}
        self.settings_at: dict[tuple[str, str], list[Activation]] = {}
        self.consents_at: dict[tuple[str, str], list[Consent]] = {}
        self.rule_by_id = {r.id: r for r in self.rules}
        for rule in sorted(self.rules, key=lambda r: r.id):
            if self.scope.rule_problem(rule):
                continue
            for node in rule.who:
                by_partition = self.rules_at.setdefault(node, {})
                for name in self.names(rule.partitions):
                    by_partition.setdefault(name, []).append(rule)
        for setting in sorted(self.activations, key=lambda a: (a.label, a.author)):
            if not self.scope.activation_problem(setting):
                self.settings_at.setdefault((setting.who, setting.partition), []).append(setting)
        for consent in sorted(self.declared.consents, key=lambda c: (c.label, c.author)):
            if not self.scope.consent_problem(consent):
                self.consents_at.setdefault((consent.who, consent.partition), []).append(consent)

    @cached_property
    def dates(self) -> list[datetime]:
        """Every moment at which an interval of the policy begins or ends, in order."""
        declared = self.declared
        moments: set[datetime | None] = set()
        for group in (declared.agencies, self.rules, self.activations, declared.consents):
            moments.update(t for item in group for t in (item.start, item.end))
        for agreement in declared.agreements:
            moments.update((agreement.start, agreement.ends))
        return sorted(m for m in moments if m is not None)

    def rules_on(self, path: Iterable[str], partition: str) -> Iterator[Rule]:
        """Rules that cover the path's first node on that partition, each once."""
        seen: set[str] = set()
        for node in path:
            by_partition = self.rules_at.get(node)
            if by_partition is None:
                continue
            for rule in by_partition.get(partition, ()):
                if rule.id not in seen:
                    seen.add(rule.id)
                    yield rule

    def setting(self, path: Iterable[str], partition: str, at: datetime) -> Activation | None:
        """The setting in force: the node's own, else its nearest ancestor's.

        Where several settings of one node are in force, the most restrictive one counts.

        Parameters
        ----------
        path : tuple of str
            The node and all above it, nearest first; see `Tree.path`.
        partition : str
            Name of the partition.
        at : datetime
            The time asked about, with an offset.
        """
        if partition not in self._planned:
            return None
        for node in path:
            found = [
                s
                for s in self.settings_at.get((node, partition), ())
                if in_force(s.start, s.end, at)
            ]
            if found:
                return max(found, key=lambda s: _RESTRICTION[s.state])
        return None

    def consent(self, ori: str, partition: str, at: datetime) -> Consent | None:
        """The agency's own answer in force; a no beats a yes.

        Parameters
        ----------
        ori : str
            The agency.
        partition : str
            Name of the partition.
        at : datetime
            The time asked about, with an offset.
        """
        given = self.consents_at.get((ori, partition))
        if given is None:
            return None
        found = [c for c in given if in_force(c.start, c.end, at)]
        return max(found, key=lambda c: _REFUSAL[c.state]) if found else None

    def consent_required(self, path: Iterable[str], partition: str) -> bool:
        """Whether a jurisdiction above demands that each agency be asked."""
        return bool(self._asking) and any(partition in self._asking.get(n, ()) for n in path)

    def agreement_covers(self, rule: Rule, partition: str, path: tuple[str, ...]) -> bool:
        """Whether the cited agreement binds the partition's owner and the link's own side.

        Parameters
        ----------
        rule : Rule
            Cites the agreement.
        partition : str
            Name of the partition.
        path : tuple of str
            The node and all above it, nearest first; see `Tree.path`.
        """
        agreement = self.agreements[rule.agreement]
        owner = self.partitions[partition].owner
        if partition not in self.names(agreement.partitions) or owner not in agreement.parties:
            return False
        return any(self.scope.seat(party) in path for party in agreement.parties if party != owner)


_RESTRICTION = {"active": 0, "inactive": 1, "deactivated": 2}
_REFUSAL = {"NOT_ASKED": 0, "ASKED_YES": 1, "ASKED_NO": 2}
