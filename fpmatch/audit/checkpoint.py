"""A checkpoint: one line that fixes the whole log so far, to be kept by someone else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from fpmatch.argument_types import takes
from fpmatch.errors import InputError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log was at one moment.

    The chain alone cannot show that its last records were cut off; a checkpoint held outside
    can. ``root`` is the Merkle root over the hashes of records 1 to ``size``, ``head`` the hash
    of record ``size``, ``time_utc`` the time of that record.
    """

    log_id: str
    size: int
    root: str
    head: str
    time_utc: str

    def fits(self, root: str, head: str, time_utc: str | None) -> bool:
        """Whether a log of this size is the one meant; a time of None is not compared.

        Parameters
        ----------
        root : str
            Of the tree, hexadecimal.
        head : str
            Hash of the last record, hexadecimal.
        time_utc : str or None
            Of the checkpoint.
        """
        same_time = time_utc is None or time_utc == self.time_utc
        return same_time and (root, head) == (self.root, self.head)

    def to_json(self) -> str:
        """One line of canonical JSON."""
        return json.dumps({"checkpoint": 1, **asdict(self)}, sort_keys=True, separators=(",", ":"))

    @classmethod
    @takes(text=(str, bytes))
    def from_json(cls, text: str | bytes) -> Checkpoint:
        """Read `to_json`; `InputError` if the text is no checkpoint."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"no checkpoint: {error}") from None
        return cls.from_dict(found)

    @classmethod
    def from_dict(cls, found: Any) -> Checkpoint:
        """Build from parsed JSON; `InputError` if a field is missing, unknown or ill-typed."""
        names = {"log_id": str, "size": int, "root": str, "head": str, "time_utc": str}
        if not isinstance(found, dict) or found.get("checkpoint") != 1:
            raise InputError("no checkpoint: expected an object with checkpoint = 1")
        if set(found) != {"checkpoint", *names}:
            raise InputError(f"no checkpoint: expected the fields {', '.join(names)}")
        for name, kind in names.items():
            if type(found[name]) is not kind:
                raise InputError(f"no checkpoint: {name} must be of type {kind.__name__}")
        if found["size"] < 1:
            raise InputError("no checkpoint: size must be positive")
        return cls(**{name: found[name] for name in names})
