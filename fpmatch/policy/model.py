"""What a policy is made of: frozen values, free of any file format.

Times are half-open intervals ``[start, end)`` in UTC; ``None`` means unbounded on that side.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fpmatch.policy.moments import later
from fpmatch.types import Permission

ROOT = "*"
"""The node above every jurisdiction: a rule on it covers every registered agency."""

ACCEPT = Permission.ACCEPT.value
PROBE = Permission.PROBE.value
VIEW = Permission.VIEW.value
NOTIFY = Permission.NOTIFY.value
RETAIN = Permission.RETAIN.value
ALL = ACCEPT | PROBE | VIEW | NOTIFY | RETAIN
SEARCHING = ALL & ~ACCEPT
"""Every permission that has the partition touched: what a setting switches off."""

MAX_PARTITIONS = 64
"""Partitions of one policy: a mask is one 64-bit integer."""

GENERIC_CHARGES = frozenset({"0399", "399"})
"""NCIC codes that stand for "no code available": they look like a charge and say nothing."""


class Effect(enum.StrEnum):
    """What a rule does."""

    PERMIT = "permit"
    FORBID = "forbid"
    MANDATE = "mandate"


class Authority(enum.StrEnum):
    """The standing in which a rule's author speaks."""

    LOCAL = "local"
    SIB = "sib"
    OWNER = "partition-owner"
    MANDATE = "mandate"


class ActivationState(enum.StrEnum):
    """Setting of a node in the deployment plan. Where several meet, the later one here wins."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    DEACTIVATED = "deactivated"


class ConsentState(enum.StrEnum):
    """Answer of one agency to the question whether it wants to take part."""

    NOT_ASKED = "NOT_ASKED"
    ASKED_YES = "ASKED_YES"
    ASKED_NO = "ASKED_NO"


class OptOutStatus(enum.StrEnum):
    """How far a request to opt out has come. It has no effect by itself."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"


def in_force(start: datetime | None, end: datetime | None, at: datetime) -> bool:
    """Whether ``at`` lies in ``[start, end)``.

    Parameters
    ----------
    start : datetime or None
        None is from ever.
    end : datetime or None
        None is for ever.
    at : datetime
        The time asked about, with an offset.
    """
    return (start is None or start <= at) and (end is None or at < end)


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """A node of the registry tree that is no agency: a state, a county, a district.

    Parameters
    ----------
    id, name, kind, parent : str
        ``parent`` is another jurisdiction's id, or "" at the top.
    via : str
        ORI of the bureau that every submission to a federal partition must pass.
    require_consent : tuple of str
        Partitions for which every agency below must have been asked and said yes.
    """

    id: str
    name: str = ""
    kind: str = "county"
    parent: str = ""
    via: str = ""
    require_consent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Agency:
    """A registered agency. Its place in the tree is what ``parent`` says and nothing else.

    ``kind`` "sib" and "federal" are relays: they forward what others took.
    ``acknowledges`` lists partitions that the agency knows its prints are searched in.
    """

    ori: str
    name: str = ""
    kind: str = "police"
    parent: str = ""
    start: datetime | None = None
    end: datetime | None = None
    acknowledges: tuple[str, ...] = ()

    @property
    def relay(self) -> bool:
        """Whether it forwards what others took, and so is neither asked nor activated."""
        return self.kind in ("sib", "federal")


@dataclass(frozen=True, slots=True)
class Partition:
    """A gallery with one owner, and what the owner decided about it once for all.

    Parameters
    ----------
    kind : str
        ``federal`` or ``local``; ``no_federal_submission`` forbids the federal ones.
    requires_activation : bool
        Whether an agency without any setting in the deployment plan is inactive.
    searches_protected : bool
        Whether probes of protected persons may be searched here at all.
    protected_roles : tuple of str
        Roles to which protected records of this partition are shown.
    minutiae_roles : tuple of str
        Roles that may be shown the paired minutiae of this partition's candidates.
    opaque : bool
        Whether submitters see one status for "withheld" and "not searched".
    """

    name: str
    ndr: int
    owner: str
    kind: str = "federal"
    requires_activation: bool = True
    searches_protected: bool = False
    protected_roles: tuple[str, ...] = ()
    minutiae_roles: tuple[str, ...] = ()
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """An MOA or a 287(g) agreement: a permit that cites it lives and ends with it.

    ``terminated_on`` is the day the notice was received; the agreement ends ``notice_days``
    later.
    """

    id: str
    parties: tuple[str, ...]
    partitions: tuple[str, ...]
    bits: int = ALL
    kind: str = "MOA"
    start: datetime | None = None
    end: datetime | None = None
    notice_days: int = 0
    terminated_by: str = ""
    terminated_on: datetime | None = None

    @property
    def ends(self) -> datetime | None:
        """When it ends: by its own term or by notice, whichever is first."""
        if self.terminated_on is None:
            return self.end
        noticed = later(self.terminated_on, self.notice_days)
        return noticed if self.end is None else min(noticed, self.end)

    def in_force(self, at: datetime) -> bool:
        """Whether it binds at that time."""
        return in_force(self.start, self.ends, at)


@dataclass(frozen=True, slots=True)
class Activation:
    """One node's setting in the deployment plan of one partition."""

    who: str
    partition: str
    state: ActivationState
    author: str
    authority: Authority
    start: datetime | None = None
    end: datetime | None = None
    reason: str = ""

    @property
    def label(self) -> str:
        """How decisions and reports name it."""
        return f"activation:{self.who}:{self.partition}:{self.state.value}"


@dataclass(frozen=True, slots=True)
class Consent:
    """An agency's answer, recorded by itself, its jurisdiction or the state's bureau."""

    who: str
    partition: str
    state: ConsentState
    author: str
    start: datetime | None = None
    end: datetime | None = None

    @property
    def label(self) -> str:
        """How decisions and reports name it."""
        return f"consent:{self.who}:{self.partition}:{self.state.value}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact and the values that satisfy it; ``field`` "attributes.x" is a declared attribute."""

    field: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Defer:
    """An event worth waiting for: the search is decided anew when it happens."""

    event: str
    days: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A permit, a forbid or a mandate.

    A permit or mandate counts where ``when`` is true and ``unless`` is false. A forbid counts
    except where ``when`` is false or ``unless`` is true: what is unknown never helps.

    Parameters
    ----------
    who : tuple of str
        Nodes; the rule covers each and all agencies below. ``("*",)`` covers everyone.
    partitions : tuple of str
        Names, or ``("*",)`` for all.
    bits : int
        Permission bits given or taken.
    author : str
        The principal that speaks: an ORI, a jurisdiction, or a partition owner's name.
    mode : str
        Name of the preset that the rule was expanded from, "" if it was written out.
    """

    id: str
    effect: Effect
    who: tuple[str, ...]
    partitions: tuple[str, ...]
    bits: int
    author: str
    authority: Authority
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    agreement: str = ""
    legal_basis: str = ""
    signer: str = ""
    defer: Defer | None = None
    mode: str = ""

    @property
    def conditional(self) -> bool:
        """Whether it depends on the facts of the search."""
        return bool(self.when or self.unless)


@dataclass(frozen=True, slots=True)
class Mode:
    """One of the seven meanings of "opt out", set for a node; expands to rules and settings."""

    mode: str
    who: str
    author: str
    authority: Authority
    partition: str = ""
    retain: bool = False
    agreement: str = ""
    charges: tuple[str, ...] = ()
    event: str = "CONVICTION"
    expires_days: int = 365
    except_roles: tuple[str, ...] = ()
    until: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    legal_basis: str = ""
    reason: str = ""

    @property
    def label(self) -> str:
        """Prefix of the ids of everything it expands to."""
        since = f"@{self.start:%Y-%m-%dT%H:%M}" if self.start else ""
        return ":".join(p for p in ("mode", self.who, self.partition, self.mode) if p) + since


@dataclass(frozen=True, slots=True)
class OptOutRequest:
    """A request to opt out: a record, apart from any effect."""

    id: str
    who: str
    partition: str
    requested: datetime
    status: OptOutStatus = OptOutStatus.OPEN
    decided: datetime | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """A whole policy as written."""

    version: int
    transactions: tuple[str, ...]
    purposes: tuple[str, ...]
    roles: tuple[str, ...]
    charges: tuple[str, ...]
    dispositions: tuple[str, ...]
    attributes: tuple[tuple[str, tuple[str, ...]], ...]
    mandates_enabled: bool
    partitions: tuple[Partition, ...]
    jurisdictions: tuple[Jurisdiction, ...]
    agencies: tuple[Agency, ...]
    agreements: tuple[Agreement, ...] = ()
    activations: tuple[Activation, ...] = ()
    consents: tuple[Consent, ...] = ()
    rules: tuple[Rule, ...] = ()
    modes: tuple[Mode, ...] = ()
    optouts: tuple[OptOutRequest, ...] = ()


def permission_bits(names: Iterable[str]) -> int:
    """Bits of permission names, e.g. ``("probe", "view")``."""
    bits = 0
    for name in names:
        bits |= Permission[name.upper()].value
    return bits


def permission_names(bits: int) -> tuple[str, ...]:
    """Names of permission bits, in the order accept, probe, view, notify, retain."""
    return tuple(p.name.lower() for p in Permission if p.name and p.value & bits)
