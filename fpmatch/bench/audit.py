"""The cost of a decision and its two audit records, with and without waiting for the disk."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from fpmatch.audit import AuditLog, IntentRecord, OutcomeRecord, PartitionOutcome
from fpmatch.bench.measure import Bench, quantiles, stated
from fpmatch.evaluate.extraction import Progress
from fpmatch.policy import Policy
from fpmatch.types import Decision, Outcome, SearchRequest

_GROUP = 32
"""Searches that share one sync in the grouped figure."""


def bench_audit(
    *, searches: int = 2000, agencies: int = 200, progress: Progress | None = None
) -> Bench:
    """Decide, write the intent, write the outcome: microseconds a search on one thread.

    Parameters
    ----------
    searches : int
        Searches without sync; a tenth of them with.
    agencies : int
        Agencies of the policy, in ten counties of one state.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    policy = Policy.parse(policy_text(agencies), "bench.toml")
    figures: dict[str, float | int] = {"searches": searches, "agencies": agencies}
    decide_us = []
    for i in range(searches):
        start = time.thread_time()
        _decide(policy, i % agencies)
        decide_us.append((time.thread_time() - start) * 1e6)
    # An agency's first decision is worked out, the later ones are remembered by the policy.
    figures["decide_first_us_median"] = round(quantiles(decide_us[:agencies]).median, 1)
    figures["decide_us_median"] = round(quantiles(decide_us[agencies:] or decide_us).median, 1)
    with tempfile.TemporaryDirectory() as folder:
        for durability, count in (("off", searches), ("full", max(searches // 10, 20))):
            path = Path(folder) / f"{durability}.db"
            with AuditLog.create(path, durability=durability) as log:  # type: ignore[arg-type]
                clock = time.process_time if durability == "off" else time.perf_counter
                values = []
                for i in range(count):
                    start = clock()
                    _one(log, policy, i, agencies)
                    values.append((clock() - start) * 1e6)
                    if progress is not None:
                        progress(f"durability {durability}", i + 1, count)
                name = "no_sync" if durability == "off" else "sync"
                figures[f"decide_and_audit_us_median_{name}"] = round(quantiles(values).median, 1)
                if durability == "full":
                    figures["decide_and_audit_us_grouped"] = _grouped(log, policy, agencies)
                start = time.perf_counter()
                report = log.verify()
                per_record = (time.perf_counter() - start) * 1e6 / report.records
                figures["verify_us_per_record"] = round(per_record, 1)
    return Bench(
        "audit",
        figures,
        stated(clock="CPU without sync, wall with", group=_GROUP, disk="temporary folder"),
    )


def policy_text(agencies: int) -> str:
    """A policy of one state, ten counties and any number of invented agencies."""
    lines = [
        'version = 1\ntransactions = ["CAR"]',
        '[[partition]]\nname = "criminal"\nndr = 1\nowner = "DOJ-FBI"\nrequires_activation = false',
        '[[partition]]\nname = "immigration"\nndr = 9\nowner = "DHS"',
        '[[jurisdiction]]\nid = "state"\nkind = "state"\nvia = "CSSIR0000"',
        '[[agency]]\nori = "CSSIR0000"\nkind = "sib"\nparent = "state"',
    ]
    lines += [f'[[jurisdiction]]\nid = "county-{c}"\nparent = "state"' for c in range(10)]
    lines += [f'[[agency]]\nori = "{_ori(i)}"\nparent = "county-{i % 10}"' for i in range(agencies)]
    lines += [
        '[[rule]]\nid = "criminal"\neffect = "permit"\nwho = "state"\npartitions = "criminal"\n'
        'author = "DOJ-FBI"\nlegal_basis = "invented"',
        '[[mode]]\nmode = "interoperable"\nwho = "state"\npartition = "immigration"\n'
        'author = "DHS"\nlegal_basis = "invented"',
        '[[mode]]\nmode = "ori_deactivated"\nwho = "county-3"\npartition = "immigration"\n'
        'author = "county-3"',
    ]
    return "\n\n".join(lines) + "\n"


def _ori(number: int) -> str:
    return f"CS{number:05d}00"


def _decide(policy: Policy, agency: int) -> Decision:
    return policy.decide(policy.facts(_ori(agency)), datetime.now(UTC))


def _records(policy: Policy, number: int, agencies: int) -> tuple[IntentRecord, OutcomeRecord]:
    agency = number % agencies
    request = SearchRequest(fingers=[], booking_ori=_ori(agency), chain=["CSSIR0000"])
    decision = _decide(policy, agency)
    tcn = f"BENCH{number:010d}"
    intent = IntentRecord.of(request, decision, tcn=tcn, probe_digest="0" * 64)
    sections = tuple(
        PartitionOutcome(
            d.partition,
            (Outcome.SEARCHED_DISCLOSED if d.probe else Outcome.NOT_SEARCHED).value,
            d.reason.value,
            live=1_000_000 if d.probe else 0,
            codes=40_000 if d.probe else 0,
            stage1=9_000 if d.probe else 0,
            stage2=200 if d.probe else 0,
        )
        for d in decision.partitions
    )
    return intent, OutcomeRecord(tcn, sections, duration="<30ms")


def _one(log: AuditLog, policy: Policy, number: int, agencies: int) -> None:
    intent, outcome = _records(policy, number, agencies)
    log.outcome(log.intent(intent), outcome)


def _grouped(log: AuditLog, policy: Policy, agencies: int) -> float:
    """Microseconds a search where a batch of searches shares its syncs."""
    values = []
    for batch in range(10):
        start = time.perf_counter()
        records = [_records(policy, 10**6 + batch * _GROUP + i, agencies) for i in range(_GROUP)]
        numbers = log.intents([intent for intent, _ in records])
        log.outcomes(zip(numbers, [outcome for _, outcome in records], strict=True))
        values.append((time.perf_counter() - start) * 1e6 / _GROUP)
    return round(quantiles(values).median, 1)
