"""Looking at records, and comparing a probe with one of them: what is asked, what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fpmatch.finger import FingerPosition
from fpmatch.types.access import Outcome, PartitionInfo, Reason
from fpmatch.types.claim import claim_of
from fpmatch.types.search import FingerScore


@dataclass(frozen=True, slots=True)
class RecordsRequest:
    """Who asks to look at records, and as what: an agency, or the owner of the partition.

    To the policy the methods that look are types of transaction: ``RECORDS``, ``RECORD`` and
    ``COUNT``. Where it does not list one among its transactions, no agency may do that.

    Parameters
    ----------
    booking_ori : str
        The agency that asks (as EBTS 2.073 for a search).
    owner : str
        Instead of an agency: the owner of the partition, as gallery and policy name it.
    chain : sequence of str
        The further agencies that the question passed, in order.
    purpose, role : str
        As in a search; contributors may have banned them.
    attributes : mapping of str
        Declared facts, as the policy's vocabulary knows them.
    """

    booking_ori: str = ""
    owner: str = ""
    chain: Sequence[str] = ()
    purpose: str = "C"
    role: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordInfo:
    """The facts of one record; never a template.

    Parameters
    ----------
    record : str
        Its id; for an agency to which the partition is opaque the name that its candidates have.
    positions : tuple of FingerPosition
        One for each stored impression, ascending.
    identity, contributor, events, protected, sealed, banned_uses
        As enrolled and changed since. Empty and False for all but the partition's owner.
    version : str
        Stands for all that is stored of the record, templates too: what is equal has one version,
        and every change gives another. For `Engine.update`; empty for all but the owner.
    """

    record: str
    positions: tuple[FingerPosition, ...]
    identity: str = ""
    contributor: str = ""
    events: tuple[str, ...] = ()
    protected: bool = False
    sealed: bool = False
    banned_uses: frozenset[str] = frozenset()
    version: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain types only; what the asker does not see is not named."""
        out: dict[str, Any] = {"record": self.record, "positions": [int(p) for p in self.positions]}
        if self.identity:
            out |= {
                "identity": self.identity,
                "contributor": self.contributor,
                "events": list(self.events),
                "protected": self.protected,
                "sealed": self.sealed,
                "banned_uses": sorted(self.banned_uses),
                "version": self.version,
            }
        return out


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Some of the records that the asker may see, ascending by name.

    Parameters
    ----------
    partition : str
    records : tuple of RecordInfo
    after : str
        Where the next page begins: pass it as ``after``. Empty on the last one.
    """

    partition: str
    records: tuple[RecordInfo, ...]
    after: str = ""

    def __iter__(self) -> Iterator[RecordInfo]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, slots=True)
class RecordCount:
    """How many records, and impressions of fingers, of a partition the asker may see."""

    partition: str
    records: int
    fingers: int


@dataclass(frozen=True, slots=True)
class PartitionSummary:
    """A partition, and how much of it the asker may see.

    Parameters
    ----------
    partition : PartitionInfo
        Name, number and owner.
    count : RecordCount or None
        None where nobody asks, or the records are not open to who does.
    """

    partition: PartitionInfo
    count: RecordCount | None = None


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """What a gallery holds.

    Parameters
    ----------
    partitions : tuple of PartitionSummary
    policy_version : int
        Of the policy in force; 0 if there is none.
    policy_digest : str
        SHA-256 of it.
    """

    partitions: tuple[PartitionSummary, ...]
    policy_version: int = 0
    policy_digest: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain types only; what may not be counted is null."""
        listed = []
        for one in self.partitions:
            info, count = one.partition, one.count
            listed.append(
                {
                    "name": info.name,
                    "ndr": info.ndr,
                    "owner": info.owner,
                    "records": None if count is None else count.records,
                    "fingers": None if count is None else count.fingers,
                }
            )
        policy = {"version": self.policy_version, "digest": self.policy_digest}
        return {"partitions": listed, "policy": policy if self.policy_version else None}


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of the comparison of a probe with one record.

    ``score`` is None unless the result is disclosed, and then also where there was nothing to
    compare with: a record that is absent, sealed, protected or banned for this use, and one
    without a finger of the probe's positions, look the same.

    Parameters
    ----------
    record : str
        As it was asked for.
    outcome, reason
        Of the partition, as in a search.
    score : float or None
        -10*log10 of the calibrated false match rate, rounded to 0.01.
    fmr : float or None
        That false match rate: of one comparison, not of a search among many; see `Candidate`.
    """

    tcn: str
    policy_version: int
    partition: str
    record: str
    outcome: Outcome
    reason: Reason
    score: float | None = None
    fmr: float | None = None
    fingers: tuple[FingerScore, ...] = ()
    complete: bool = True
    audit_seq: int = field(default=0, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "tcn": self.tcn,
            "policy_version": self.policy_version,
            "partition": self.partition,
            "record": self.record,
            "outcome": self.outcome.value,
            "reason": self.reason.value,
            "score": self.score,
            "fmr": self.fmr,
            "fmr_below": self.score is not None and claim_of(self.score).below,
            "fingers": [f.to_dict() for f in self.fingers],
            "complete": self.complete,
        }
