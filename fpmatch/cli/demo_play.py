"""What the demo does: one person, three agencies, two galleries, and what each of them learns."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpmatch.cli import demo_data
from fpmatch.errors import StorageError

if TYPE_CHECKING:
    from fpmatch.audit import AuditReport
    from fpmatch.cli.output import Progress
    from fpmatch.policy import Explanation, Policy
    from fpmatch.search import Engine, EnrolReport, Notification
    from fpmatch.template import Template
    from fpmatch.types import PartitionResult, SearchRequest, SearchResponse

POLICY = Path(__file__).with_name("demo_policy.toml")
PARTITIONS = (("criminal", 1, "DOJ-FBI"), ("immigration", 9, "DHS"))
SUBMITTERS = (
    ("CS0010100", "Alder County Jail", "DEMO-0001"),
    ("CS0010200", "Alder City Police", "DEMO-0002"),
    ("CS0020100", "Birch County Sheriff", "DEMO-0003"),
)
ACTIVATED, DEACTIVATED, WITHHELD = (ori for ori, _, _ in SUBMITTERS)
BUREAU = "CSSIR0000"
ROUTES = {"immigration": {"alder": "Alder field office", "birch": "Birch field office"}}
THRESHOLD = 40.0
"""Lowest score listed: one false match in 10 000 comparisons."""


@dataclass(slots=True)
class Told:
    """All that the demo shows."""

    enrolled: dict[str, EnrolReport] = field(default_factory=dict)
    policy: Policy | None = None
    why: dict[tuple[str, str], Explanation] = field(default_factory=dict)
    responses: dict[str, SearchResponse] = field(default_factory=dict)
    messages: list[tuple[Notification, list[str]]] = field(default_factory=list)
    compared: dict[tuple[str, str], int] = field(default_factory=dict)
    proofs: dict[tuple[str, str], str] = field(default_factory=dict)
    report: AuditReport | None = None
    tampered: AuditReport | None = None
    same_bytes: bool = False
    read: int = 0
    made: int = 0


def play(
    folder: Path,
    progress: Progress | None = None,
    *,
    bundled: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Told:
    """Do it all in a fresh gallery folder.

    Parameters
    ----------
    folder : path
        Of the gallery; to be made.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    bundled : bool
        Read the committed prints where there are any.
    say : callable
        Called with a sentence before each step.
    """
    from fpmatch.policy import Policy
    from fpmatch.search import Engine

    told = Told()
    say("Reading prints, extracting, enrolling ...")
    prints = demo_data.Prints(bundled=bundled)
    with Engine.create(str(folder), routes=ROUTES) as engine:
        for name, number, owner in PARTITIONS:
            engine.add_partition(name, ndr=number, owner=owner, expected_fingers=1000)
            told.enrolled[name] = engine.enrol(name, demo_data.records(prints, name, progress))
        engine.publish(Policy.load(POLICY))
        told.policy = engine.policy
        say("Searching the same fingerprint as three agencies ...")
        probe = demo_data.probe(prints)
        for ori, _, tcn in SUBMITTERS:
            for name, _, _ in PARTITIONS:
                told.why[ori, name] = engine.explain(ori=ori, partition=name)
            told.responses[ori] = engine.search(_request(probe, ori, tcn))
        stranger = engine.search(
            _request(demo_data.stranger(prints), SUBMITTERS[2][0], "DEMO-0004")
        )
        mine = told.responses[SUBMITTERS[2][0]]["immigration"]
        told.same_bytes = _bytes(mine) == _bytes(stranger["immigration"])
        say("Opening the owners' messages, reading the log, making proofs, verifying ...\n")
        _owners(engine, told)
        _audit(engine, told)
    told.tampered = tamper(folder / "audit.sqlite")
    told.read, told.made = prints.read, prints.made
    return told


def _request(finger: Template, ori: str, tcn: str) -> SearchRequest:
    from fpmatch.types import SearchRequest

    return SearchRequest(
        fingers=[finger],
        booking_ori=ori,
        chain=[BUREAU],
        transaction="CAR",
        charge="misdemeanor",
        tcn=tcn,
        threshold=THRESHOLD,
    )


def _bytes(section: PartitionResult) -> bytes:
    """One partition's answer as it would be sent, without the transaction's own number."""
    from fpmatch.types import SearchResponse

    return SearchResponse("", 1, (section,)).to_bytes()


def _owners(engine: Engine, told: Told) -> None:
    """Open the owners' envelopes, as each owner may."""
    for message in engine.notifications():
        candidates = json.loads(engine.envelope(message.id, message.owner))
        told.messages.append((message, [c["record"] for c in candidates]))
        engine.deliver(message.id)


def _audit(engine: Engine, told: Told) -> None:
    """Read the counters, make the proofs, verify the log."""
    from fpmatch.audit import Kind
    from fpmatch.types import Outcome

    for record in engine.audit.records(kind=Kind.OUTCOME):
        for name, said in record.partitions.items():
            told.compared[record.tcn, name] = int(said["stage2"])
    provers = {
        Outcome.NOT_SEARCHED: engine.audit.prove_not_searched,
        Outcome.SEARCHED_WITHHELD: engine.audit.prove_withheld,
    }
    for ori, _, tcn in SUBMITTERS:
        for section in told.responses[ori]:
            prove = provers.get(section.outcome)
            if prove is not None:
                told.proofs[tcn, section.partition] = _checked(prove(tcn, section.partition))
    told.report = engine.audit.verify()


def _checked(proof: Any) -> str:
    """The sentence of a proof that holds on its own, without the log."""
    from fpmatch.audit import verify_proof

    report = verify_proof(proof.to_json())
    if not report.ok:
        raise StorageError(f"a proof does not hold: {report.why}")
    return report.sentence


def tamper(log: Path) -> AuditReport:
    """Change one word in a copy of the log, past its own guards, and verify the copy.

    Raises
    ------
    StorageError
        If the log holds nothing to change.
    """
    import sqlite3
    from contextlib import closing

    from fpmatch.audit.verify import verify_log

    with tempfile.TemporaryDirectory(prefix="fpmatch-demo-") as folder:
        copy = Path(folder) / "copy.sqlite"
        with closing(sqlite3.connect(log)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("DROP TRIGGER records_no_update")
            changed = target.execute(
                "UPDATE records SET body = replace(body, 'NOT_SEARCHED', 'SEARCHED_WITHHELD') "
                "WHERE kind = 'OUTCOME' AND body LIKE '%NOT_SEARCHED%'"
            )
            if changed.rowcount < 1:
                raise StorageError("the log holds no record of a partition that was not searched")
            target.commit()
        return verify_log(copy)


def checks(told: Told) -> list[tuple[str, bool]]:
    """What the demo is meant to show, and whether it did."""
    from fpmatch.types import Outcome

    tcn = {ori: number for ori, _, number in SUBMITTERS}
    outcome = {ori: told.responses[ori]["immigration"].outcome for ori in tcn}
    listed = {ori: told.responses[ori]["criminal"].candidates for ori in tcn}
    hits = {m.tcn: records for m, records in told.messages}
    wanted = demo_data.WANTED
    seen = told.responses[ACTIVATED]["immigration"].candidates or ()
    report, tampered = told.report, told.tampered
    return [
        (
            "One policy gave three agencies three different searches of the same person; what one "
            "may not see changed nothing in what it may.",
            len(set(outcome.values())) == len(tcn)
            and len(set(listed.values())) == 1
            and [c.record for c in listed[ACTIVATED] or ()] == [wanted.criminal]
            and [c.record for c in seen] == [wanted.immigration],
        ),
        (
            "A partition that was not granted was not touched: no comparison, no message to its "
            "owner, and a proof of it.",
            outcome[DEACTIVATED] is Outcome.NOT_SEARCHED
            and told.compared[tcn[DEACTIVATED], "immigration"] == 0
            and tcn[DEACTIVATED] not in hits
            and (tcn[DEACTIVATED], "immigration") in told.proofs,
        ),
        (
            "Where results are withheld the owner is told and the submitter is not: its answer is "
            "the same, byte for byte, with a hit and without.",
            outcome[WITHHELD] is Outcome.SEARCHED_WITHHELD
            and told.responses[WITHHELD]["immigration"].candidates is None
            and hits.get(tcn[WITHHELD]) == [wanted.immigration]
            and told.same_bytes,
        ),
        (
            "Every search left its record before anything was compared; the log verifies, and one "
            "changed answer in a copy was found.",
            bool(report and report.ok and not report.dangling)
            and bool(tampered and not tampered.ok),
        ),
    ]


def result(told: Told) -> dict[str, Any]:
    """The demo as plain types."""
    assert told.report is not None
    assert told.tampered is not None
    return {
        "enrolled": {name: report.accepted for name, report in told.enrolled.items()},
        "policy": {"version": told.policy.version, "digest": told.policy.digest}
        if told.policy
        else None,
        "searches": {ori: response.to_dict() for ori, response in told.responses.items()},
        "notifications": [
            {"owner": m.owner, "partition": m.partition, "office": m.office, "tcn": m.tcn,
             "booking_ori": m.booking_ori, "records": records}
            for m, records in told.messages
        ],
        "comparisons": {f"{tcn} {name}": count for (tcn, name), count in told.compared.items()},
        "proofs": {f"{tcn} {name}": text for (tcn, name), text in told.proofs.items()},
        "audit": {"ok": told.report.ok, "records": told.report.records,
                  "dangling": len(told.report.dangling)},
        "withheld_answer_same_without_hit": told.same_bytes,
        "tampered_copy_ok": told.tampered.ok,
        "shown": [{"what": what, "held": held} for what, held in checks(told)],
    }  # fmt: skip
