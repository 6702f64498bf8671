"""The compiled policy: one 64-bit mask per (agency, role, permission).

Compiled at one instant and good until the next date in the policy. Agencies to which nothing is
attached share the row of their nearest ancestor that has something, so the work grows with what
the policy says and not with the number of agencies. What depends on the facts of a search stays
behind as a short list of rules per row. `MaskTable.masks` equals `Policy.decide`, bit for bit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from fpmatch.policy.attachments import attachments
from fpmatch.policy.link import applies
from fpmatch.policy.model import ACCEPT, ROOT, Effect, Partition, Rule, in_force
from fpmatch.policy.registry import Registry
from fpmatch.types import Facts, Mask, Ori, Permission

PERMISSIONS = 5
"""Planes of a row, in the order of `Permission`."""

Plane = tuple[int, int, int, int, int]
NOTHING: Plane = (0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Masks:
    """For each permission the partitions that have it: bit ``i`` is the policy's i-th."""

    accept: int = 0
    probe: int = 0
    view: int = 0
    notify: int = 0
    retain: int = 0


@dataclass(slots=True)
class _Row:
    """A node's standing on every partition: fixed bits, and rules still to be evaluated."""

    granted: list[int] = field(default_factory=lambda: [0] * PERMISSIONS)
    mandated: list[int] = field(default_factory=lambda: [0] * PERMISSIONS)
    forbidden: list[int] = field(default_factory=lambda: [0] * PERMISSIONS)
    gated: int = 0
    conditional: dict[tuple[str, int], tuple[Rule, int]] = field(default_factory=dict)

    def copy(self) -> _Row:
        return _Row(
            self.granted[:],
            self.mandated[:],
            self.forbidden[:],
            self.gated,
            dict(self.conditional),
        )


class MaskTable:
    """A policy compiled at one time.

    Parameters
    ----------
    registry : Registry
    at : datetime
        Every validity interval, activation, consent and agreement is judged at this time.
    digest : str
        The policy's, in hexadecimal.

    Attributes
    ----------
    valid_until : datetime or None
        The table equals the policy for times in ``[at, valid_until)``; None is for ever.
    rows : (rows, roles, 5) uint64
        Masks by row, role and permission, as far as no fact but the role decides.
    row_of : (agencies,) int32
        Each agency's row, in the order of ``agencies``.

    Notes
    -----
    Look-up costs a few microseconds; with n conditional rules on the chain, n evaluations more.
    Immutable, so threads may share it; publishing a new policy replaces the whole table.
    """

    def __init__(self, registry: Registry, at: datetime, digest: str) -> None:
        self.version = registry.declared.version
        self.digest = digest
        self.at = at
        self.valid_until = next_change(registry, at)
        self.partitions = tuple(registry.partitions)
        self.roles = ("", *registry.declared.roles, None)
        self.agencies = tuple(registry.agencies)
        self._registry = registry
        self._transactions = frozenset(registry.declared.transactions)
        self._column = {role: i for i, role in enumerate(self.roles)}
        self._federal = _mask_of(registry, lambda p: p.kind == "federal")
        self._shelter = _mask_of(registry, lambda p: not p.searches_protected)
        builder = _Builder(registry, at)
        self._compile(builder)

    def _compile(self, builder: _Builder) -> None:
        registry, at = self._registry, self.at
        n = len(self.agencies)
        self.row_of = np.zeros(n, np.int32)
        relay_row = np.zeros(n, np.int32)
        self.active = np.ones(n, bool)
        self._index = {ori: i for i, ori in enumerate(self.agencies)}
        for i, agency in enumerate(registry.declared.agencies):
            self.row_of[i] = builder.number(agency.ori, True)
            relay_row[i] = builder.number(agency.ori, False) if agency.relay else self.row_of[i]
            self.active[i] = in_force(agency.start, agency.end, at)
        self._relay_row = relay_row
        self._conditional = [tuple(row.conditional.values()) for row in builder.rows]
        self._gated = [row.gated for row in builder.rows]
        self._fixed = [
            (_plane(r.granted), _plane(r.mandated), _plane(r.forbidden)) for r in builder.rows
        ]
        self.rows = np.zeros((len(builder.rows), len(self.roles), PERMISSIONS), np.uint64)
        for k in range(len(builder.rows)):
            for role, name in enumerate(self.roles):
                self.rows[k, role] = self._row(k, self._role_facts(name))
        self._pure = [not self._facts_needed(k) for k in range(len(builder.rows))]
        self._plain = self.rows.tolist()
        self._via = {ori: registry.via(registry.path(ori)) for ori in self.agencies}

    def _role_facts(self, role: str | None) -> Facts:
        """Facts of which only the role is known."""
        return Facts((), "", purpose="", role=role if role is not None else "\0", protected=None)

    def _facts_needed(self, row: int) -> bool:
        return any(
            c.field != "role"
            for rule, _ in self._conditional[row]
            for c in (*rule.when, *rule.unless)
        )

    def _row(self, row: int, facts: Facts) -> list[int]:
        """Five masks of one row for the given facts."""
        granted, mandated, forbidden = (list(p) for p in self._fixed[row])
        for rule, mask in self._conditional[row]:
            truth = applies(self._registry, rule, facts)
            if rule.effect is Effect.FORBID:
                if truth is not False:
                    _add(forbidden, rule.bits, mask)
            elif truth:
                _add(mandated if rule.effect is Effect.MANDATE else granted, rule.bits, mask)
        gated = self._gated[row]
        out = []
        for k in range(PERMISSIONS):
            own = granted[k] if 1 << k == ACCEPT else granted[k] & ~gated
            out.append((own | mandated[k]) & ~forbidden[k])
        return out

    def masks(self, facts: Facts) -> Masks:
        """All five masks of one search; all zero if the submission is refused."""
        if not facts.chain or facts.transaction not in self._transactions:
            return Masks()
        column = self._column.get(facts.role, len(self.roles) - 1)
        joined = [~0] * PERMISSIONS
        for position, ori in enumerate(facts.chain):
            i = self._index.get(ori)
            if i is None or not self.active[i]:
                return Masks()
            row = int(self._relay_row[i] if position else self.row_of[i])
            planes = self._plain[row][column] if self._pure[row] else self._row(row, facts)
            for k in range(PERMISSIONS):
                joined[k] &= planes[k]
        return self._close(facts, joined)

    def _close(self, facts: Facts, joined: list[int]) -> Masks:
        """Apply what concerns the whole submission, then what presupposes what."""
        accept, probe, view, notify, retain = joined
        if facts.protected is not False:
            probe &= ~self._shelter if facts.protected is True else 0
        via = self._via[facts.chain[0]]
        if via and via not in facts.chain:
            probe &= ~self._federal
        if facts.requested is not None:
            probe &= sum(1 << i for i, p in enumerate(self.partitions) if p in facts.requested)
        probe &= accept
        return Masks(accept, probe, view & probe, notify & probe, retain & probe)

    def depends(self, chain: tuple[Ori, ...]) -> int:
        """Partitions on which a rule on other facts than the role has a say, as a mask.

        Parameters
        ----------
        chain : tuple of Ori
            The booking agency, then those that the submission passed. Where one of them is not
            registered or not in force the mask is 0, as nothing depends on anything.
        """
        mask = 0
        for position, ori in enumerate(chain):
            i = self._index.get(ori)
            if i is None or not self.active[i]:
                return 0
            row = int(self._relay_row[i] if position else self.row_of[i])
            for rule, where in self._conditional[row]:
                if any(c.field != "role" for c in (*rule.when, *rule.unless)):
                    mask |= where
        return mask

    def mask(self, facts: Facts) -> Mask:
        """The partitions that may be searched now."""
        return Mask(self.masks(facts).probe, self.partitions)

    def column(self, permission: Permission, role: str = "") -> npt.NDArray[np.uint64]:
        """Every agency's mask for one permission, as far as the role alone decides: (agencies,).

        Rules on other facts count as they do when the facts are unknown: permits not, forbids do.
        """
        plane = permission.value.bit_length() - 1
        out = self.rows[self.row_of, self._column.get(role, len(self.roles) - 1), plane]
        if permission is not Permission.ACCEPT:
            out = out & self.rows[self.row_of, self._column.get(role, len(self.roles) - 1), 0]
        return np.where(self.active, out, np.uint64(0))

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.rows.nbytes + self.row_of.nbytes + self._relay_row.nbytes + self.active.nbytes


class _Builder:
    """Makes the rows: one for each node that has something attached, from its parent's.

    What covers a node covers all below it, so a row only gains bits on its way down; the setting
    alone may be another one there.
    """

    def __init__(self, registry: Registry, at: datetime) -> None:
        self.registry = registry
        self.at = at
        self.rows: list[_Row] = []
        self._numbers: dict[tuple[str, bool], int] = {}
        self._bit = {name: 1 << i for i, name in enumerate(registry.partitions)}
        self._touched = attachments(registry)

    def number(self, node: str, takes_prints: bool) -> int:
        """Row number of a node; ``takes_prints`` is False for a relay that only forwards."""
        key = (node, takes_prints)
        found = self._numbers.get(key)
        if found is not None:
            return found
        own = self._touched.get(node)
        if node == ROOT:
            number = self._append(self._build(_Row(), node, self._touched[ROOT], takes_prints))
        elif takes_prints:
            above = self.number(self.registry.parent[node], True)
            number = above
            if own:
                number = self._append(self._build(self.rows[above].copy(), node, own, True))
        else:
            everything = set(self.registry.partitions)
            number = self._append(self._build(_Row(), node, everything, False))
        self._numbers[key] = number
        return number

    def _append(self, row: _Row) -> int:
        self.rows.append(row)
        return len(self.rows) - 1

    def _build(self, row: _Row, node: str, names: set[str], takes_prints: bool) -> _Row:
        path = self.registry.path(node)
        for name in names:
            bit = self._bit[name]
            row.gated &= ~bit
            partition = self.registry.partitions[name]
            for rule in self.registry.rules_on(path, name):
                if in_force(rule.start, rule.end, self.at):
                    self._apply(row, rule, partition, path, bit)
            if self._gate(node, path, partition, takes_prints):
                row.gated |= bit
        return row

    def _apply(
        self, row: _Row, rule: Rule, partition: Partition, path: tuple[str, ...], bit: int
    ) -> None:
        bits = rule.bits
        if rule.effect is Effect.MANDATE and not self.registry.declared.mandates_enabled:
            return
        if rule.effect is Effect.PERMIT and rule.agreement:
            agreement = self.registry.agreements[rule.agreement]
            bits &= agreement.bits | ACCEPT
            if not agreement.in_force(self.at) or not self.registry.agreement_covers(
                rule, partition.name, path
            ):
                return
        if rule.conditional:
            _, mask = row.conditional.get((rule.id, bits), (rule, 0))
            narrowed = rule if bits == rule.bits else _with_bits(rule, bits)
            row.conditional[rule.id, bits] = (narrowed, mask | bit)
            return
        plane = {Effect.PERMIT: row.granted, Effect.MANDATE: row.mandated}.get(
            rule.effect, row.forbidden
        )
        _add(plane, bits, bit)

    def _gate(
        self, node: str, path: tuple[str, ...], partition: Partition, takes_prints: bool
    ) -> bool:
        """Whether the deployment plan or consent leaves only "accept"."""
        registry, name = self.registry, partition.name
        setting = registry.setting(path if takes_prints else path[:1], name, self.at)
        if setting is None:
            off = partition.requires_activation and takes_prints
        else:
            off = setting.state.value != "active"
        consent = registry.consent(node, name, self.at)
        answer = consent.state.value if consent is not None else ""
        required = takes_prints and registry.consent_required(path, name)
        return off or answer == "ASKED_NO" or (required and answer != "ASKED_YES")


def _with_bits(rule: Rule, bits: int) -> Rule:
    return replace(rule, bits=bits)


def _add(planes: list[int], bits: int, mask: int) -> None:
    for k in range(PERMISSIONS):
        if bits >> k & 1:
            planes[k] |= mask


def _plane(values: list[int]) -> Plane:
    a, p, v, n, r = values
    return a, p, v, n, r


def _mask_of(registry: Registry, test: Callable[[Partition], bool]) -> int:
    return sum(1 << i for i, p in enumerate(registry.declared.partitions) if test(p))


def next_change(registry: Registry, at: datetime) -> datetime | None:
    """The first moment after ``at`` at which any interval of the policy begins or ends."""
    later = bisect_right(registry.dates, at)
    return registry.dates[later] if later < len(registry.dates) else None
