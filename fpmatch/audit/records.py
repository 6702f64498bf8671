"""What a record of the log says: kinds, the two records of a search, and a record as read."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from fpmatch.argument_types import takes
from fpmatch.audit import canonical
from fpmatch.errors import InputError
from fpmatch.types import (
    Decision,
    Outcome,
    PartitionDecision,
    PartitionResult,
    Permission,
    Reason,
    SearchRequest,
)

_BUCKETS_MS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)


class Kind(enum.StrEnum):
    """Kinds of record. INTENT and OUTCOME are the two halves of a search."""

    GENESIS = "GENESIS"
    INTENT = "INTENT"
    OUTCOME = "OUTCOME"
    ENGINE = "ENGINE"
    PARTITION = "PARTITION"
    POLICY = "POLICY"
    OPT_OUT = "OPT_OUT"
    ENROL = "ENROL"
    LOOK = "LOOK"
    SHOWN = "SHOWN"
    TEMPLATES_ASKED = "TEMPLATES_ASKED"
    TEMPLATES_GIVEN = "TEMPLATES_GIVEN"
    UPDATE = "UPDATE"
    EXPUNGE = "EXPUNGE"
    SEAL = "SEAL"
    UNSEAL = "UNSEAL"
    DEFER = "DEFER"
    DEFER_CANCELLED = "DEFER_CANCELLED"
    DEFER_USED = "DEFER_USED"
    RETAIN = "RETAIN"
    REPLAY = "REPLAY"
    RELEASE = "RELEASE"
    NOTIFY = "NOTIFY"
    EXPORT = "EXPORT"
    AUTH_FAILED = "AUTH_FAILED"
    AUDIT_READ = "AUDIT_READ"
    PRUNE = "PRUNE"


@dataclass(frozen=True, slots=True)
class PartitionIntent:
    """What the policy decided for one partition, before anything was compared."""

    partition: str
    permissions: str = ""
    reason: str = Reason.NO_GRANT
    rules: tuple[str, ...] = ()
    authority: str = ""
    agreement: str = ""
    legal_basis: str = ""
    consent_overridden: bool = False
    acknowledged: bool = False
    defer_until: str = ""

    @classmethod
    @takes(decision="PartitionDecision")
    def of(cls, decision: PartitionDecision) -> PartitionIntent:
        """Take over a policy decision."""
        return cls(
            decision.partition,
            permission_names(decision.permissions),
            decision.reason.value,
            decision.rules,
            decision.authority,
            decision.agreement,
            decision.legal_basis,
            decision.consent_overridden,
            decision.acknowledged,
            decision.defer_until,
        )


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """First half of a search: who asks what, under which policy, and what was decided.

    Parameters
    ----------
    ori, cri : str
        The agency that sent the submission last in the chain (EBTS 1.008) and the controlling
        agency (2.073). The chain starts with the latter.
    probe_digest : str
        From `probe_digest`: keyed, so that the log answers no "was this print searched?".
    requested : tuple of str, or None
        Partition names asked for; None means all that is granted.
    threshold : int
        Lowest score listed, hundredths.
    protected : bool or None
        The flag that the caller stated; None is unknown or malformed.
    attributes : tuple of str
        ``name=value`` of those that the policy declares and the caller stated, sorted. Others
        are not logged: a decision cannot depend on them, and they may name a person.
    declared_citizen : bool or None
        What the caller declared; never inferred.
    record_digest : str
        Keyed, of the stored record that the probe is from and those that it is compared with.
    matcher_version, parameters_digest : str
        What would have to run again.
    """

    tcn: str
    cri: str
    policy_version: int
    policy_digest: str
    partitions: tuple[PartitionIntent, ...] = ()
    ori: str = ""
    chain: tuple[str, ...] = ()
    tcr: str = ""
    transaction: str = ""
    purpose: str = ""
    role: str = ""
    user: str = ""
    charge: str | None = None
    disposition: str | None = None
    protected: bool | None = None
    attributes: tuple[str, ...] = ()
    declared_citizen: bool | None = None
    requested: tuple[str, ...] | None = None
    copies_to: tuple[str, ...] = ()
    probe_digest: str = ""
    record_digest: str = ""
    fingers: int = 0
    max_candidates: int = 0
    threshold: int = 0
    effort: str = ""
    rotation: str = ""
    scale: str = ""
    positions: str = ""
    minutiae: bool = False
    matcher_version: str = ""
    parameters_digest: str = ""

    @classmethod
    @takes(request="SearchRequest", decision="Decision")
    def of(
        cls, request: SearchRequest, decision: Decision, *, tcn: str = "", **more: Any
    ) -> IntentRecord:
        """Build from a request and the decision on it.

        Parameters
        ----------
        request, decision
            What was asked and what the policy answered.
        tcn : str
            Transaction control number, where the engine gave one; else the request's own.
        **more
            Any other field: ``user``, ``probe_digest``, ``matcher_version``,
            ``parameters_digest``, ``requested`` (as names), ``attributes``, ``declared_citizen``.
        """
        chain = (request.booking_ori, *request.chain)
        asked = request.partitions
        said: dict[str, Any] = {
            "tcn": tcn or request.tcn,
            "cri": request.booking_ori,
            "policy_version": decision.policy_version,
            "policy_digest": decision.policy_digest,
            "partitions": tuple([_intent_of(d) for d in decision.partitions]),
            "ori": chain[-1],
            "chain": chain,
            "tcr": request.tcr,
            "transaction": request.transaction,
            "purpose": request.purpose,
            "role": request.role,
            "charge": request.charge,
            "disposition": request.disposition,
            "protected": request.protected,
            "declared_citizen": _declared_citizen(request.attributes),
            "requested": None if asked is None else tuple([str(p) for p in asked]),
            "copies_to": tuple(request.copies_to),
            "fingers": len(request.fingers),
            "max_candidates": request.max_candidates,
            "threshold": round(request.lowest * 100),
            "effort": request.effort,
            "rotation": request.rotation,
            "scale": request.scale,
            "positions": request.positions,
            "minutiae": request.minutiae,
        }
        return cls(**{**said, **more})


@dataclass(frozen=True, slots=True)
class PartitionOutcome:
    """What happened in one partition.

    ``live``, ``codes``, ``stage1`` and ``stage2`` count live fingers, codes scanned, fingers
    scanned and fingers verified by the matcher, as the search code itself counted them: all
    zero where nothing was searched. ``paired`` counts candidates given with their minutiae.
    ``gallery_root`` and ``candidate_digest`` let an auditor repeat the search and compare.
    ``coverage``, where hosts hold the rows: shards that answered, of how many; rows, of how many.
    """

    partition: str
    outcome: str
    reason: str
    live: int = 0
    codes: int = 0
    stage1: int = 0
    stage2: int = 0
    complete: bool = True
    gallery_root: str = ""
    candidate_digest: str = ""
    n_candidates: int = 0
    paired: int = 0
    recipients: tuple[str, ...] = ()
    notifications: tuple[str, ...] = ()
    coverage: tuple[int, ...] = ()

    @classmethod
    @takes(result="PartitionResult")
    def of(cls, result: PartitionResult, **more: Any) -> PartitionOutcome:
        """From a section and its cost; ``more`` gives what a response does not hold."""
        cost = result.cost
        said: dict[str, Any] = {
            "partition": result.partition,
            "outcome": result.outcome.value,
            "reason": result.reason.value,
            "live": cost.live_fingers if cost else 0,
            "codes": cost.codes_scanned if cost else 0,
            "stage1": cost.fingers_scanned if cost else 0,
            "stage2": cost.fingers_verified if cost else 0,
            "complete": result.complete,
            "n_candidates": len(result.candidates or ()),
            "paired": result.paired,
        }
        if cost is not None and cost.coverage is not None:
            more["coverage"] = cost.coverage.numbers
        return cls(**{**said, **more})


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """Second half of a search: what was compared, found and released.

    ``result`` is ``ok`` or ``error``; ``error`` names the kind of error, never its message.
    ``release_policy_*`` is the policy in force at release, which may narrow the decision.
    """

    tcn: str
    partitions: tuple[PartitionOutcome, ...] = ()
    result: str = "ok"
    error: str = ""
    release_policy_version: int = 0
    release_policy_digest: str = ""
    duration: str = ""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A record as read from the log; ``fields`` are nested mappings."""

    seq: int
    prev_hash: str
    time_utc: str
    kind: str
    fields: Mapping[str, Any]
    hash: str
    intent_seq: int | None = None

    @property
    def tcn(self) -> str:
        """Transaction control number; empty where the record has none."""
        return str(self.fields.get("tcn", ""))

    @property
    def partitions(self) -> Mapping[str, Mapping[str, Any]]:
        """What the record says of each partition, by name."""
        return self.fields.get("partitions") or {}


NOT_SEARCHED_OUTCOMES = frozenset(
    {Outcome.NOT_SEARCHED, Outcome.DEFERRED, Outcome.DEFERRED_CANCELLED, Outcome.REFUSED}
)
"""Outcomes that claim that nothing was compared."""

OPT_OUT_STATUS = ("open", "accepted", "refused")

COUNTERS = ("live", "codes", "stage1", "stage2")


@takes(milliseconds=(int, float))
def duration_bucket(milliseconds: float) -> str:
    """Coarse duration, e.g. ``<30ms``: fine times would tell how large a gallery is."""
    for limit in _BUCKETS_MS:
        if milliseconds < limit:
            return f"<{limit}ms"
    return f">={_BUCKETS_MS[-1]}ms"


def time_text(moment: datetime) -> str:
    """UTC, microseconds, fixed width: ``2026-01-31T12:00:00.000000Z``.

    Raises
    ------
    InputError
        If the time has no offset.
    """
    if moment.tzinfo is None:
        raise InputError(f"the time {moment} has no time zone")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


def search_items(
    record: IntentRecord | OutcomeRecord, more: Mapping[str, Any] | None = None
) -> list[canonical.Item]:
    """Canonical items of one half of a search, with further top-level fields."""
    out = _items_at(record, "")
    if more:
        out += canonical.items_below("", more)
    for partition in record.partitions:
        unique = isinstance(partition, PartitionOutcome) and partition.candidate_digest
        out += (_items_of if unique else _known_items)(partition)
    return canonical.sort_items(out)


def _items_of(record: PartitionIntent | PartitionOutcome) -> list[canonical.Item]:
    return _items_at(record, _prefix(record.partition))


def _items_at(record: Any, prefix: str) -> list[canonical.Item]:
    """Items of a record's own fields, below a path."""
    kind: Any = type(record)
    places, values = _places(kind, prefix)
    return canonical.leaves(places, values(record))


# Decisions and untouched partitions come again with every search of an agency.
_known_items = lru_cache(maxsize=4096)(_items_of)


@lru_cache(maxsize=1024)
def _prefix(partition: str) -> str:
    return canonical.pointer("partitions", partition)


@lru_cache(maxsize=1024)
def _places(kind: type, prefix: str) -> tuple[list[tuple[str, str, bool]], attrgetter]:
    """Path, path as JSON and whether it may be left out, of each field, and what reads them."""
    names, values, optional = _SHAPES[kind]
    return [(*canonical.join(prefix, name), name in optional) for name in names], values


def _shape(kind: Any, *optional: str) -> tuple[tuple[str, ...], attrgetter, tuple[str, ...]]:
    own = (f.name for f in fields(kind) if f.name not in ("partition", "partitions"))
    names = tuple(sorted(own))
    return names, attrgetter(*names), optional


# Left out when empty. In a partition's outcome only what an engine writes of every partition or of
# none: else the mere presence of a struck-out field would tell of a hit.
_SHAPES = {
    PartitionIntent: _shape(
        PartitionIntent, "agreement", "legal_basis", "consent_overridden", "defer_until"
    ),
    PartitionOutcome: _shape(PartitionOutcome, "coverage"),
    IntentRecord: _shape(
        IntentRecord, "tcr", "role", "user", "disposition", "copies_to", "record_digest", "minutiae"
    ),
    OutcomeRecord: _shape(
        OutcomeRecord, "error", "release_policy_version", "release_policy_digest"
    ),
}


@lru_cache(maxsize=64)
def permission_names(permissions: Permission) -> str:
    """Permissions as the log names them, joined by ``+``."""
    return "+".join([str(p.name) for p in Permission if p in permissions])


# The policy gives the same entry again for the same facts.
_intent_of = lru_cache(maxsize=4096)(PartitionIntent.of)


def _declared_citizen(attributes: Mapping[str, str]) -> bool | None:
    said = attributes.get("declared_citizen", "").lower()
    return {"true": True, "yes": True, "false": False, "no": False}.get(said)
