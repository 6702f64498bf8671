"""One thing that is not as it should be, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.checks import quoted

RESTORE = "restore a backup; without one, expunge the record and enrol it again"
REBUILD = "derived from the records: made anew by repair"
OPEN = "nothing is lost: opening the gallery for writing finishes it"


@dataclass(frozen=True, slots=True)
class Finding:
    """What `check` found.

    Parameters
    ----------
    where : str
        File, partition or record.
    what : str
        What is wrong there; holds no template.
    do : str
        What to do about it.
    repairable : bool
        Whether `repair` mends it: it is derived from what is sound.
    mend : str
        For `repair`: which file or folder under the gallery's to remove, "" if none.
    """

    where: str
    what: str
    do: str
    repairable: bool = False
    mend: str = ""


def of_record(partition: str, name: str, what: str) -> Finding:
    """Something wrong with a record, which nothing else can tell.

    Parameters
    ----------
    partition : str
        Its name.
    name : str
        The record's id.
    what : str
        What is wrong with it.
    """
    return Finding(f"partition {quoted(partition)}, record {quoted(name)}", what, RESTORE)
