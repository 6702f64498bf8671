"""Who may search what, who sees it, who is told, and why.

A policy is a readable TOML document; `Policy` answers for one search at one time. The decision
procedure is in `decide`, its compiled form in `table`; ``docs/policy.md`` is the manual.
"""

from __future__ import annotations

from fpmatch.policy.explain import Explanation
from fpmatch.policy.model import (
    ActivationState,
    Authority,
    ConsentState,
    Effect,
    OptOutRequest,
    OptOutStatus,
)
from fpmatch.policy.policy import Policy
from fpmatch.policy.presets import MODES

__all__ = [
    "MODES",
    "ActivationState",
    "Authority",
    "ConsentState",
    "Effect",
    "Explanation",
    "OptOutRequest",
    "OptOutStatus",
    "Policy",
]
