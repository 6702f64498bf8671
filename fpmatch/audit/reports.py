"""Questions to the log: who was searched under whose authority, and did what was stated hold?

Every function takes the records in order and reads them once; memory grows with the number of
agencies, not of searches.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fpmatch.audit.records import COUNTERS, AuditRecord, Kind
from fpmatch.errors import InputError
from fpmatch.parameters import AUDIT

OTHER = "(other)"
"""Label of what was merged because its own count was too small."""


@dataclass(frozen=True, slots=True)
class Search:
    """The two halves of one search."""

    intent: AuditRecord
    outcome: AuditRecord

    @property
    def cri(self) -> str:
        """The controlling agency."""
        return str(self.intent.fields.get("cri", ""))

    def decided(self, partition: str) -> Mapping[str, Any]:
        """What the policy decided for a partition."""
        return self.intent.partitions.get(partition, {})

    def happened(self, partition: str) -> Mapping[str, Any]:
        """What happened in a partition."""
        return self.outcome.partitions.get(partition, {})

    def searched(self, partition: str) -> bool:
        """Whether anything of the partition was compared, disclosed or not, or in vain."""
        happened = self.happened(partition)
        return self._answered(partition) or any(happened.get(name) for name in COUNTERS)

    def _answered(self, partition: str) -> bool:
        return str(self.happened(partition).get("outcome", "")).startswith("SEARCHED")

    def hit(self, partition: str) -> bool:
        """Whether the partition gave a candidate, released or not."""
        return int(self.happened(partition).get("n_candidates", 0)) > 0

    def no_hit(self, partition: str) -> bool:
        """Whether all of the partition was compared and gave no candidate.

        A search that was not completed has not shown that there is none, nor has one among named
        records or one that was to list nobody.
        """
        asked = self.intent.fields
        whole = self.happened(partition).get("complete") is True
        listed = asked.get("max_candidates") != 0 and not asked.get("record_digest")
        return self._answered(partition) and whole and listed and not self.hit(partition)


@dataclass(frozen=True, slots=True)
class Unknowing:
    """An agency whose prints were searched in a partition without its acknowledgement."""

    cri: str
    searches: int
    first_time: str
    last_time: str
    authorities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OptOut:
    """A request to opt out that is not in effect."""

    request: str
    cri: str
    partition: str
    asked: str
    status: str
    searches_since: int


@dataclass(frozen=True, slots=True)
class ByAuthority:
    """Searches of one partition with one outcome, by the class of authority that decided."""

    partition: str
    authority: str
    outcome: str
    overridden: bool
    searches: int


@dataclass(frozen=True, slots=True)
class Difference:
    """An agency and partition where the log disagrees with what was stated."""

    cri: str
    partition: str
    stated_searched: bool
    searched: int
    not_searched: int
    example_tcn: str


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Searches of an agency for one class of charge; ``hits`` is None where too few to tell."""

    cri: str
    charge: str
    searches: int
    hits: int | None


def searches(records: Iterable[AuditRecord]) -> Iterator[Search]:
    """Join intents and outcomes; a search without an outcome is for `verify` to name."""
    waiting: dict[int, AuditRecord] = {}
    for record in records:
        if record.kind == Kind.INTENT:
            waiting[record.seq] = record
        elif record.kind == Kind.OUTCOME and record.intent_seq in waiting:
            yield Search(waiting.pop(record.intent_seq), record)


def unknowing(records: Iterable[AuditRecord], partition: str) -> list[Unknowing]:
    """Agencies searched in a partition that had not acknowledged it, by agency."""
    found: dict[str, list[Search]] = defaultdict(list)
    for search in searches(records):
        if search.searched(partition) and not search.decided(partition).get("acknowledged"):
            found[search.cri].append(search)
    return [
        Unknowing(
            cri,
            len(some),
            some[0].intent.time_utc,
            some[-1].intent.time_utc,
            tuple(sorted({str(s.decided(partition).get("authority", "")) for s in some})),
        )
        for cri, some in sorted(found.items())
    ]


@dataclass(slots=True)
class _Request:
    cri: str
    partition: str
    asked: str
    status: str = "open"
    since: int = 0


def ineffective_opt_outs(
    records: Iterable[AuditRecord], path: Callable[[str], tuple[str, ...]] | None = None
) -> list[OptOut]:
    """Requests to opt out that are open or refused, or were accepted and yet not kept.

    Parameters
    ----------
    records : iterable of AuditRecord
        The log, or a span of it.
    path : callable, optional
        An agency and the jurisdictions that it lies in: requests of these then count for it. By
        default a request counts for the very agency that it names.

    Notes
    -----

    Reads OPT_OUT events with the fields ``request``, ``cri``, ``partition`` and ``status``
    (``open``, ``accepted``, ``refused``); a later event of the same request changes its status.
    `OptOut.searches_since` counts searches of the partition for that agency since the request,
    or since it was accepted.
    """
    requests: dict[str, _Request] = {}
    waiting: dict[int, AuditRecord] = {}
    for record in records:
        if record.kind == Kind.OPT_OUT:
            _take_request(requests, record)
        elif record.kind == Kind.INTENT:
            waiting[record.seq] = record
        elif record.kind == Kind.OUTCOME and record.intent_seq in waiting:
            search = Search(waiting.pop(record.intent_seq), record)
            for request in requests.values():
                concerned = (search.cri,) if path is None else path(search.cri)
                if request.cri in concerned and search.searched(request.partition):
                    request.since += 1
    return [
        OptOut(name, r.cri, r.partition, r.asked, r.status, r.since)
        for name, r in requests.items()
        if r.status != "accepted" or r.since
    ]


def _take_request(requests: dict[str, _Request], record: AuditRecord) -> None:
    said = {name: str(said) for name, said in record.fields.items()}
    name = said.get("request", str(record.seq))
    if name not in requests:
        requests[name] = _Request(said.get("cri", ""), said.get("partition", ""), record.time_utc)
    status = said.get("status", "open")
    if status == "accepted" and requests[name].status != "accepted":
        requests[name].since = 0
    requests[name].status = status


def by_authority(records: Iterable[AuditRecord], partition: str | None = None) -> list[ByAuthority]:
    """Searches by partition, authority, outcome and whether consent was overridden."""
    found: Counter[tuple[str, str, str, bool]] = Counter()
    for search in searches(records):
        for name, happened in search.outcome.partitions.items():
            if partition in (None, name):
                decided = search.decided(name)
                key = (
                    name,
                    str(decided.get("authority", "")),
                    str(happened.get("outcome", "")),
                    bool(decided.get("consent_overridden")),
                )
                found[key] += 1
    return [ByAuthority(*key, n) for key, n in sorted(found.items())]


@dataclass(slots=True)
class _Tally:
    searched: int = 0
    not_searched: int = 0
    example: dict[bool, str] = field(default_factory=dict)


def stated_against_effective(
    records: Iterable[AuditRecord], stated: Mapping[tuple[str, str], bool]
) -> list[Difference]:
    """Where the log disagrees with a stated policy.

    Parameters
    ----------
    records : iterable of AuditRecord
        The log, or a span of it.
    stated : mapping
        From (controlling agency, partition) to whether its submissions are said to be searched
        there.
    """
    tallies: dict[tuple[str, str], _Tally] = defaultdict(_Tally)
    for search in searches(records):
        for partition in search.outcome.partitions:
            key = (search.cri, partition)
            if key in stated:
                done = search.searched(partition)
                tally = tallies[key]
                tally.searched += done
                tally.not_searched += not done
                tally.example.setdefault(done, search.intent.tcn)
    return [
        Difference(*key, stated[key], t.searched, t.not_searched, t.example[not stated[key]])
        for key, t in sorted(tallies.items())
        if (not stated[key]) in t.example
    ]


def declared_citizens(records: Iterable[AuditRecord], partition: str) -> dict[str, int]:
    """Searches of a partition whose caller declared the person a citizen, by agency."""
    found: Counter[str] = Counter()
    for search in searches(records):
        if search.intent.fields.get("declared_citizen") is True and search.searched(partition):
            found[search.cri] += 1
    return dict(sorted(found.items()))


def aggregate(
    records: Iterable[AuditRecord],
    *,
    hit_in: str = "",
    no_hit_in: str = "",
    k: int = AUDIT.k_anonymity,
) -> list[Aggregate]:
    """Searches by agency and class of charge, fit to be published.

    Parameters
    ----------
    records : iterable of AuditRecord
        The log, or a span of it.
    hit_in, no_hit_in : str
        `Aggregate.hits` counts searches with a candidate in the one partition and none in the
        other, where all of it was compared; an empty name leaves out that half of the condition.
    k : int
        No cell with fewer searches is shown: it is merged with the agency's smallest other
        cells, and an agency too small altogether with other small ones. ``hits`` is shown where
        at least k searches had one and at least k had none.

    Raises
    ------
    InputError
        If `k` is too small.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, not {k}")
    cells: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for search in searches(records):
        cell = cells[search.cri][str(search.intent.fields.get("charge") or "unknown")]
        cell[0] += 1
        cell[1] += _hit(search, hit_in, no_hit_in)
    small: list[list[int]] = []
    out: list[Aggregate] = []
    for cri, charges in sorted(cells.items()):
        merged = _merged(charges, k)
        if merged is None:
            small += charges.values()
        else:
            out += [_shown(cri, charge, cell, k) for charge, cell in sorted(merged.items())]
    rest = [sum(column) for column in zip(*small, strict=True)] if small else [0, 0]
    if rest[0] >= k:
        out.append(_shown(OTHER, OTHER, rest, k))
    return out


def _hit(search: Search, hit_in: str, no_hit_in: str) -> bool:
    if not hit_in and not no_hit_in:
        return False
    if no_hit_in and not search.no_hit(no_hit_in):
        return False
    return not hit_in or search.hit(hit_in)


def _merged(charges: Mapping[str, list[int]], k: int) -> dict[str, list[int]] | None:
    if sum(cell[0] for cell in charges.values()) < k:
        return None
    by_size = sorted(charges.items(), key=lambda item: (item[1][0], item[0]))
    rest = [0, 0]
    while by_size and (by_size[0][1][0] < k or 0 < rest[0] < k):
        _, cell = by_size.pop(0)
        rest = [rest[0] + cell[0], rest[1] + cell[1]]
    out = dict(by_size)
    if rest[0]:
        out[OTHER] = rest
    return out


def _shown(cri: str, charge: str, cell: list[int], k: int) -> Aggregate:
    n, hits = cell
    return Aggregate(cri, charge, n, hits if k <= hits <= n - k else None)
