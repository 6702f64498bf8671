"""Hash-chained audit log: what was asked, decided, compared and released, provable afterwards.

The log is one SQLite file. Every search leaves an INTENT record before anything is compared and
an OUTCOME record after; policy changes, enrolments, expungements, refusals and reads of the log
itself leave events. `docs/audit.md` gives the format and says what the log proves and what not.
"""

from __future__ import annotations

from fpmatch.audit.checkpoint import Checkpoint
from fpmatch.audit.export import PUBLIC_FIELDS, ExportReport, verify_export
from fpmatch.audit.keys import candidate_digest, probe_digest
from fpmatch.audit.log import AuditLog
from fpmatch.audit.proof import Proof, ProofReport, verify_proof
from fpmatch.audit.records import (
    AuditRecord,
    IntentRecord,
    Kind,
    OutcomeRecord,
    PartitionIntent,
    PartitionOutcome,
    duration_bucket,
)
from fpmatch.audit.verify import AuditReport, Contradiction, Dangling

__all__ = [
    "PUBLIC_FIELDS",
    "AuditLog",
    "AuditRecord",
    "AuditReport",
    "Checkpoint",
    "Contradiction",
    "Dangling",
    "ExportReport",
    "IntentRecord",
    "Kind",
    "OutcomeRecord",
    "PartitionIntent",
    "PartitionOutcome",
    "Proof",
    "ProofReport",
    "candidate_digest",
    "duration_bucket",
    "probe_digest",
    "verify_export",
    "verify_proof",
]
