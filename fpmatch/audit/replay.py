"""What an auditor needs to run a search again and see whether the same came out."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.audit.records import AuditRecord
from fpmatch.errors import AuditError


@dataclass(frozen=True, slots=True)
class Replay:
    """Inputs and result digests of one partition's search.

    The search runs again with the probe whose keyed digest is ``probe_digest``, on the gallery
    snapshot ``gallery_root``, under the named policy, matcher and parameters; its candidate list
    must then have ``candidate_digest``.
    """

    tcn: str
    partition: str
    policy_version: int
    policy_digest: str
    matcher_version: str
    parameters_digest: str
    probe_digest: str
    gallery_root: str
    effort: str
    max_candidates: int
    threshold: int
    candidate_digest: str
    n_candidates: int

    def differences(
        self,
        *,
        gallery_root: str,
        candidate_digest: str,
        probe_digest: str,
        matcher_version: str,
        parameters_digest: str,
    ) -> tuple[str, ...]:
        """Names of what differs in a second run; empty if it reproduced the first."""
        second = {
            "gallery_root": gallery_root,
            "candidate_digest": candidate_digest,
            "probe_digest": probe_digest,
            "matcher_version": matcher_version,
            "parameters_digest": parameters_digest,
        }
        return tuple(name for name, value in second.items() if getattr(self, name) != value)


def replay_of(intent: AuditRecord, outcome: AuditRecord, partition: str) -> Replay:
    """Collect the fields; `AuditError` if the partition was not searched."""
    said = outcome.partitions.get(partition, {})
    if not str(said.get("outcome", "")).startswith("SEARCHED"):
        raise AuditError(f"{partition!r} was not searched in {intent.tcn!r}: nothing to repeat")
    asked = intent.fields
    try:
        return Replay(
            tcn=intent.tcn,
            partition=partition,
            policy_version=asked["policy_version"],
            policy_digest=asked["policy_digest"],
            matcher_version=asked["matcher_version"],
            parameters_digest=asked["parameters_digest"],
            probe_digest=asked["probe_digest"],
            gallery_root=said["gallery_root"],
            effort=asked["effort"],
            max_candidates=asked["max_candidates"],
            threshold=asked["threshold"],
            candidate_digest=said["candidate_digest"],
            n_candidates=said["n_candidates"],
        )
    except KeyError as error:
        raise AuditError(f"the records of {intent.tcn!r} lack {error}") from None
