"""The TOML form of a policy: shape and spelling, checked by pydantic at the border.

What refers to what is checked in `fpmatch.policy.read`, after this.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from fpmatch.checks import check_word
from fpmatch.policy.model import Authority, ConsentState, Effect, OptOutStatus
from fpmatch.policy.presets import MODES
from fpmatch.types import Ori


def _instant(value: Any) -> Any:
    """A TOML date is midnight UTC; a time of day must say its offset."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no UTC offset; write it as {value.isoformat()}Z")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{value} lies outside the years 1 to 9999 in UTC") from None
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError(f"{value!r} is no date; write it without quotes, as in 2011-08-05")


def _listed(value: Any) -> Any:
    """A single word stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _ori(value: str) -> str:
    return str(Ori(value))


def _code(value: str) -> str:
    """As contributors name it when they ban a use: another spelling would slip past the ban."""
    return check_word("a transaction or purpose", value)


def _one_or_several(item: dict[str, Any], least: int = 0) -> WithJsonSchema:
    """For editors: a list, for which one word will do."""
    several: dict[str, Any] = {"type": "array", "items": item}
    return WithJsonSchema({"anyOf": [item, several | ({"minItems": least} if least else {})]})


_TEXT: dict[str, Any] = {"type": "string"}
_DATES = WithJsonSchema({"anyOf": [_TEXT | {"format": "date"}, _TEXT | {"format": "date-time"}]})

Instant = Annotated[datetime, BeforeValidator(_instant), _DATES]
Flag = Annotated[bool, Field(strict=True)]
Words = Annotated[tuple[str, ...], BeforeValidator(_listed), _one_or_several(_TEXT)]
SomeWords = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=100_000),
    _one_or_several(_TEXT, 1),
]
OriText = Annotated[
    str, AfterValidator(_ori), WithJsonSchema(_TEXT | {"pattern": "^[A-Z]{2}[A-Z0-9]{7}$"})
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Codes = Annotated[
    tuple[Annotated[str, AfterValidator(_code)], ...],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=100_000),
    _one_or_several(_TEXT, 1),
]
PermissionName = Literal["accept", "probe", "view", "notify", "retain"]
Permissions = Annotated[
    tuple[PermissionName, ...],
    BeforeValidator(_listed),
    _one_or_several(_TEXT | {"enum": list(get_args(PermissionName))}),
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, populate_by_name=True)


class _Dated(_Table):
    start: Instant | None = Field(None, alias="from")
    end: Instant | None = Field(None, alias="to")


class PartitionTable(_Table):
    """``[[partition]]``."""

    name: Name
    ndr: int = Field(ge=1, le=9999, strict=True)
    owner: Name
    kind: Literal["federal", "local"] = "federal"
    requires_activation: Flag = True
    searches_protected: Flag = False
    protected_roles: Words = ()
    minutiae_roles: Words = ()
    status_visibility: Literal["full", "opaque"] | None = None


class JurisdictionTable(_Table):
    """``[[jurisdiction]]``."""

    id: Name
    name: str = ""
    kind: str = "county"
    parent: str = ""
    via: str = ""
    require_consent: Words = ()


class AgencyTable(_Dated):
    """``[[agency]]``."""

    ori: OriText
    name: str = ""
    kind: str = "police"
    parent: str = ""
    acknowledges: Words = ()


class TerminationTable(_Table):
    """``[agreement.terminated]``."""

    by: Name
    on: Instant


class AgreementTable(_Dated):
    """``[[agreement]]``."""

    id: Name
    kind: Literal["MOA", "287(g)"] = "MOA"
    parties: SomeWords
    partitions: SomeWords
    permissions: Permissions = ("accept", "probe", "view", "notify", "retain")
    notice_days: int = Field(0, ge=0, le=3650, strict=True)
    terminated: TerminationTable | None = None


class ActivationTable(_Dated):
    """``[[activation]]``."""

    who: SomeWords
    partition: Name
    state: Literal["active", "inactive", "deactivated"] = "active"
    author: Name
    authority: Authority | None = None
    reason: str = ""


class ConsentTable(_Dated):
    """``[[consent]]``."""

    who: OriText
    partition: Name
    state: ConsentState
    author: Name


class ConditionTable(_Table):
    """The inline tables ``when`` and ``unless``."""

    transaction: Words | None = None
    purpose: Words | None = None
    role: Words | None = None
    charge: Words | None = None
    disposition: Words | None = None
    protected: Flag | None = None
    attributes: dict[str, Words] = {}


class DeferTable(_Table):
    """The inline table ``defer``."""

    event: Name
    days: int = Field(365, ge=1, le=36500, strict=True)


class RuleTable(_Dated):
    """``[[rule]]``."""

    id: Name
    effect: Effect
    who: SomeWords
    partitions: SomeWords
    permissions: Permissions | None = None
    author: Name
    authority: Authority | None = None
    when: ConditionTable | None = None
    unless: ConditionTable | None = None
    agreement: str = ""
    legal_basis: str = ""
    signer: str = ""
    defer: DeferTable | None = None


class ModeTable(_Dated):
    """``[[mode]]``."""

    mode: Literal[MODES]  # type: ignore[valid-type]
    who: SomeWords
    partition: str = ""
    author: Name
    authority: Authority | None = None
    retain: Flag = False
    agreement: str = ""
    charges: Words = ()
    event: Name = "CONVICTION"
    expires_days: int = Field(365, ge=1, le=36500, strict=True)
    except_roles: Words = ()
    until: Instant | None = None
    legal_basis: str = ""
    reason: str = ""


class OptOutTable(_Table):
    """``[[optout]]``."""

    id: Name
    who: Name
    partition: Name
    requested: Instant
    status: OptOutStatus = OptOutStatus.OPEN
    decided: Instant | None = None
    answer: str = ""


class PolicyDocument(_Table):
    """A whole policy file."""

    version: int = Field(1, ge=1, strict=True)
    transactions: Codes
    purposes: Codes = ("C", "D", "E", "F", "H", "I", "J", "S", "X")
    roles: Words = ()
    charges: Words = ("felony", "misdemeanor", "infraction", "traffic")
    dispositions: Words = ("convicted", "acquitted", "dismissed", "pending")
    attributes: dict[str, Words] = {}
    status_visibility: Literal["full", "opaque"] = "full"
    mandates_enabled: Flag = False
    registry: str = ""
    partition: tuple[PartitionTable, ...]
    jurisdiction: tuple[JurisdictionTable, ...] = ()
    agency: tuple[AgencyTable, ...] = ()
    agreement: tuple[AgreementTable, ...] = ()
    activation: tuple[ActivationTable, ...] = ()
    consent: tuple[ConsentTable, ...] = ()
    rule: tuple[RuleTable, ...] = ()
    mode: tuple[ModeTable, ...] = ()
    optout: tuple[OptOutTable, ...] = ()
