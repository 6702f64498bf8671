"""Names of records that differ for each recipient."""

from __future__ import annotations

import hashlib


def opaque_id(recipient: str, partition: str, record: str) -> str:
    """A record's name for one recipient: always the same, and so no secret.

    Parameters
    ----------
    recipient : str
        The agency that reads it.
    partition : str
        Its name.
    record : str
        The record's id.
    """
    content = "\x00".join((recipient, partition, record)).encode("utf-8", "surrogatepass")
    return "H" + hashlib.sha256(content).hexdigest()[:32]
