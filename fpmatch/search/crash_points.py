"""Names for the moments between durable steps, so that tests can stop the process at each."""

from __future__ import annotations

from collections.abc import Callable

ENROL = ("enrol.checked", "enrol.committed", "enrol.logged", "enrol.indexed")
SEARCH = (
    "search.decided",
    "search.intent",
    "search.compared",
    "search.judged",
    "search.prepared",
    "search.outcome",
    "search.released",
)
NOTIFY = ("notify.claimed", "notify.logged")
COPY = ("copy.claimed", "copy.logged")
SEAL = ("seal.committed", "log.appended", "seal.logged")
PUBLISH = ("publish.committed", "log.appended", "publish.logged")
PARTITION = (
    "partition.committed",
    "partition.indexed",
    "log.appended",
    "partition.logged",
)
UPDATE = (
    "update.checked",
    "update.committed",
    "log.appended",
    "update.logged",
    "update.indexed",
)
LOOK = ("look.logged", "look.read")
EXPUNGE = (
    "expunge.committed",
    "expunge.scrubbed",
    "expunge.indexed",
    "expunge.probes",
    "expunge.logged",
)
REKEY = ("rekey.begun", "rekey.step", "rekey.renewed")

hook: Callable[[str], None] | None = None
"""Called with the name of every step that was just finished; None in ordinary use."""


def crash_point(name: str) -> None:
    """Say that a step is finished."""
    if hook is not None:
        hook(name)
