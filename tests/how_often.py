"""How many cases a property is tried with: a quarter in `make test`, all with THOROUGH=1."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("FPMATCH_THOROUGH", "") not in ("", "0")


def often(cases: int) -> int:
    """Cases to try now, of those that a thorough run tries."""
    return cases if THOROUGH else cases // 4
