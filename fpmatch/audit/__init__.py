"""Hash-chained audit log: what was asked, decided, compared and released, provable afterwards.

The log is one SQLite file. Every search leaves an INTENT record before anything is compared and
an OUTCOME record after; policy changes, enrolments, expungements, refusals and reads of the log
itself leave events. `docs/audit.md` gives the format and says what the log proves and what not.
"""

from __future__ import annotations

from fpmatch.audit.checkpoint import Checkpoint
from fpmatch.audit.keys import candidate_digest, probe_digest
from fpmatch.audit.log import AuditLog
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
    "AuditLog",
    "AuditRecord",
    "AuditReport",
    "Checkpoint",
    "Contradiction",
    "Dangling",
    "IntentRecord",
    "Kind",
    "OutcomeRecord",
    "PartitionIntent",
    "PartitionOutcome",
    "candidate_digest",
    "duration_bucket",
    "probe_digest",
]
