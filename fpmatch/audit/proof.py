"""Proofs about one partition in one search, checkable with nothing but the proof itself.

A proof holds the two records of the search with only the needed fields revealed, the Merkle
path of each to a checkpoint's root, and that checkpoint. Who has the checkpoint from a witness
needs neither the log nor trust in whoever made the proof.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fpmatch.argument_types import takes
from fpmatch.audit import disclosure, merkle, store
from fpmatch.audit.checkpoint import Checkpoint
from fpmatch.audit.disclosure import Disclosed
from fpmatch.audit.records import COUNTERS, NOT_SEARCHED_OUTCOMES, Kind
from fpmatch.audit.verify import partitions_of
from fpmatch.errors import AuditError, InputError
from fpmatch.types import Outcome, Reason

Claim = Literal["NOT_SEARCHED", "WITHHELD"]

_COMMON = ("tcn", "cri", "transaction", "policy_version", "policy_digest", "intent_seq", "result")
_DECISION = ("permissions", "reason", "rules", "authority", "agreement", "legal_basis")
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "NOT_SEARCHED": (*_DECISION, "outcome", *COUNTERS),
    # Counters of a withheld search would tell its recipient how large the gallery is.
    "WITHHELD": (*_DECISION, "outcome"),
}


@dataclass(frozen=True, slots=True)
class Proof:
    """A claim about a partition in a transaction, with all that is needed to check it.

    ``records`` alternate intent and outcome, each in disclosed form; ``paths`` lead from each
    to the root of ``checkpoint``. ``sentence`` says the claim in words.
    """

    claim: Claim
    tcn: str
    partition: str
    sentence: str
    records: tuple[Mapping[str, Any], ...]
    paths: tuple[tuple[str, ...], ...]
    checkpoint: Checkpoint

    def to_json(self) -> str:
        """One line of JSON, to be handed out."""
        said = {
            "proof": 1,
            "claim": self.claim,
            "tcn": self.tcn,
            "partition": self.partition,
            "sentence": self.sentence,
            "records": list(self.records),
            "paths": [list(p) for p in self.paths],
            "checkpoint": {"checkpoint": 1, **asdict(self.checkpoint)},
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":"))

    @classmethod
    @takes(text=(str, bytes))
    def from_json(cls, text: str | bytes) -> Proof:
        """Read `to_json`; `InputError` if the text is no proof. Checks the form, not the claim."""
        said = disclosure.parse_json(text, "the proof")
        names = {"proof", "claim", "tcn", "partition", "sentence", "records", "paths", "checkpoint"}
        if not isinstance(said, dict) or set(said) != names or said["proof"] != 1:
            raise InputError("no proof: expected the fields " + ", ".join(sorted(names)))
        if said["claim"] not in _SHOWN:
            raise InputError(f"no proof: unknown claim {str(said['claim'])[:24]!r}")
        if not all(isinstance(said[n], str) for n in ("tcn", "partition", "sentence")):
            raise InputError("no proof: tcn, partition and sentence must be text")
        records, paths = said["records"], said["paths"]
        if not isinstance(records, list) or not isinstance(paths, list):
            raise InputError("no proof: records and paths must be lists")
        if not all(isinstance(p, list) and all(isinstance(h, str) for h in p) for p in paths):
            raise InputError("no proof: a path must be a list of hashes")
        return cls(
            said["claim"],
            said["tcn"],
            said["partition"],
            said["sentence"],
            tuple(records),
            tuple(tuple(p) for p in paths),
            Checkpoint.from_dict(said["checkpoint"]),
        )


@dataclass(frozen=True, slots=True)
class ProofReport:
    """Whether a proof holds, why not, and what it says, in words made from its records."""

    ok: bool
    why: str = ""
    sentence: str = ""


@takes(proof=(Proof, str, bytes), checkpoint=(Checkpoint, type(None)))
def verify_proof(proof: Proof | str | bytes, checkpoint: Checkpoint | None = None) -> ProofReport:
    """Check a proof on its own: no database, no key.

    Parameters
    ----------
    proof : Proof, str or bytes
        The proof, or its JSON.
    checkpoint : Checkpoint, optional
        The one that a witness kept. Without it the proof is only as good as the checkpoint
        that it brings along.

    Raises
    ------
    InputError
        If the text is no proof at all.
    """
    if not isinstance(proof, Proof):
        proof = Proof.from_json(proof)
    if checkpoint is not None and checkpoint != proof.checkpoint:
        return ProofReport(False, "the proof leads to another checkpoint than the witness kept")
    if len(proof.records) != len(proof.paths):
        return ProofReport(False, "each record needs a path to the root")
    found: list[Disclosed] = []
    for line, path in zip(proof.records, proof.paths, strict=True):
        record = disclosure.check(dict(line) if isinstance(line, Mapping) else line)
        size = proof.checkpoint.size
        if not 1 <= record.seq <= size:
            return ProofReport(False, f"record {record.seq} lies outside the checkpoint's {size}")
        if merkle.root_from_path(record.hash, record.seq - 1, size, path) != proof.checkpoint.root:
            return ProofReport(False, f"record {record.seq} does not lead to the checkpoint's root")
        found.append(record)
    why = _fault(proof.claim, proof.tcn, proof.partition, found)
    if why:
        return ProofReport(False, why)
    return ProofReport(True, "", _sentence(proof.claim, proof.tcn, proof.partition, found))


def build(
    claim: Claim,
    tcn: str,
    partition: str,
    rows: list[store.Row],
    checkpoint: Checkpoint,
    leaves: tuple[int, list[bytes], list[merkle.Peak]],
) -> Proof:
    """Make a proof from the rows of one transaction.

    Parameters
    ----------
    claim : Claim
        What is proved.
    tcn : str
        Control number.
    partition : str
        Its name.
    rows : list[store.Row]
        Records of the search.
    checkpoint : Checkpoint
        That the reader can verify against.
    leaves : tuple[int, list[bytes], list[merkle.Peak]]
        Hashes of all leaves.

    Raises
    ------
    AuditError
        If the claim does not hold or cannot be shown; the message says why.
    """
    pairs = _pairs(tcn, rows, checkpoint)
    try:
        records = [
            disclosure.disclose(row, lambda path: _needed(claim, partition, path)) for row in pairs
        ]
        found = [disclosure.check(line) for line in records]
    except InputError as error:
        raise AuditError(f"a record of {tcn!r} is damaged: {error}") from None
    why = _fault(claim, tcn, partition, found)
    if why:
        raise AuditError(f"{claim} cannot be proved for {partition!r} in {tcn!r}: {why}")
    base, hashes, peaks = leaves

    def hash_of(first: int, last: int) -> bytes:
        return merkle.subtree(first, last, hashes, base, peaks)

    paths = [tuple(merkle.path_to(row.seq - 1, checkpoint.size, hash_of)) for row in pairs]
    sentence = _sentence(claim, tcn, partition, found)
    return Proof(claim, tcn, partition, sentence, tuple(records), tuple(paths), checkpoint)


def _needed(claim: Claim, partition: str, path: str) -> bool:
    """Whether a proof shows a field: all that its sentence and its claim rest on."""
    keys = [k.replace("~1", "/").replace("~0", "~") for k in path[1:].split("/")]
    if keys[0] == "partitions" and len(keys) == 3:
        return keys[1] == partition and keys[2] in _SHOWN[claim]
    return len(keys) == 1 and keys[0] in _COMMON


def of_agency(tcn: str, rows: list[store.Row], cri: str | None) -> list[store.Row]:
    """The rows of one agency's transaction among all that have its number.

    Parameters
    ----------
    tcn : str
        Control number.
    rows : list of Row
        Intents and outcomes.
    cri : str or None
        The agency; None where only one used the number.

    Raises
    ------
    AuditError
        If none is named and several agencies used the number.
    """
    agency = {r.seq: str(json.loads(r.body).get("/cri", "")) for r in rows if r.kind == Kind.INTENT}
    if cri is None:
        if len(set(agency.values())) > 1:
            raise AuditError(f"several agencies used the number {tcn!r}; say whose with cri=")
        return rows
    intents = {seq for seq, name in agency.items() if name == cri}
    return [r for r in rows if r.seq in intents or r.intent_seq in intents]


def _pairs(tcn: str, rows: list[store.Row], checkpoint: Checkpoint) -> list[store.Row]:
    intents = [r for r in rows if r.kind == Kind.INTENT]
    outcomes = {r.intent_seq: r for r in rows if r.kind == Kind.OUTCOME}
    if not intents:
        raise AuditError(f"the log has no search with TCN {tcn!r}; it may have been pruned")
    out: list[store.Row] = []
    for intent in intents:
        outcome = outcomes.get(intent.seq)
        if outcome is None:
            raise AuditError(
                f"the search {tcn!r} began at record {intent.seq} and has no outcome: what was "
                "compared is unknown"
            )
        out += [intent, outcome]
    if out[-1].seq > checkpoint.size:
        raise AuditError(
            f"record {out[-1].seq} is later than the checkpoint ({checkpoint.size}); take a new one"
        )
    return out


def _fault(claim: Claim, tcn: str, partition: str, found: list[Disclosed]) -> str:
    """Why the disclosed records do not carry the claim; empty if they do."""
    if not found or len(found) % 2:
        return "a proof needs the intent and the outcome of each search"
    for record in found:
        hidden = [path for path in record.struck if _needed(claim, partition, path)]
        if hidden:
            # What is struck out is no default: a rule that is hidden is not "no rule".
            return f"it strikes out {', '.join(hidden)} of record {record.seq}"
    if len({intent.fields.get("/cri") for intent in found[::2]}) > 1:
        return "its searches are those of several agencies"
    for intent, outcome in zip(found[::2], found[1::2], strict=True):
        if intent.kind != Kind.INTENT or outcome.kind != Kind.OUTCOME:
            return "the records are not an intent and its outcome"
        if intent.fields.get("/tcn") != tcn or outcome.fields.get("/tcn") != tcn:
            return "a record is of another transaction"
        if outcome.fields.get("/intent_seq") != intent.seq:
            return f"the outcome {outcome.seq} answers another intent than {intent.seq}"
        decided = partitions_of(intent.fields).get(partition, {})
        said = partitions_of(outcome.fields).get(partition, {})
        why = (_searched if claim == "NOT_SEARCHED" else _not_withheld)(decided, said)
        if why:
            return why
    return ""


def _searched(decided: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    if said.get("outcome") not in NOT_SEARCHED_OUTCOMES:
        return f"its outcome is {said.get('outcome', 'not recorded')}"
    if "PROBE" in str(decided.get("permissions", "PROBE")).split("+"):
        return "the decision granted a search"
    counted = [name for name in COUNTERS if type(said.get(name)) is not int or said[name] != 0]
    return f"the counters {', '.join(counted)} are not zero" if counted else ""


def _not_withheld(decided: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    if said.get("outcome") != Outcome.SEARCHED_WITHHELD:
        return f"its outcome is {said.get('outcome', 'not recorded')}"
    permissions = decided.get("permissions")
    if not isinstance(permissions, str) or "PROBE" not in permissions.split("+"):
        return "the decision granted no search"
    return ""


def _sentence(claim: Claim, tcn: str, partition: str, found: list[Disclosed]) -> str:
    intent, outcome = found[-2], found[-1]
    decided = partitions_of(intent.fields)[partition]
    said = partitions_of(outcome.fields)[partition]
    rules = decided.get("rules")
    named = [str(r) for r in rules] if isinstance(rules, list) else []
    if not named:
        named = ["none" if decided.get("reason") in _BY_NO_RULE else "none: default deny"]
    more = ""
    if claim == "NOT_SEARCHED":
        what = (
            f"was not searched ({decided.get('reason')}): no code, no finger and no record of it "
            "was compared"
        )
        if said.get("outcome") == Outcome.DEFERRED:
            more = " It waits for an event: what is compared then is recorded under another number."
    elif "VIEW" in str(decided.get("permissions")).split("+"):
        what = (
            "was searched, and its result, granted at first, withheld from the submitter at "
            f"release ({said.get('reason')})"
        )
    else:
        what = f"was searched and its result withheld from the submitter ({decided.get('reason')})"
    return (
        f"In transaction {tcn} of agency {intent.fields.get('/cri')} the partition {partition!r} "
        f"{what}. Decided before any comparison under policy version "
        f"{intent.fields.get('/policy_version')} by rule {', '.join(named)}"
        f" (authority: {decided.get('authority') or 'none'}); recorded as {intent.seq} at "
        f"{intent.time} and {outcome.seq} at {outcome.time}.{more}"
    )


_BY_NO_RULE = (Reason.NOT_REQUESTED, Reason.PROTECTED)
"""What a submission itself says: nothing was denied for want of a rule."""
