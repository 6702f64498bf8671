"""Slow, exact and obvious: the oracle of the descriptor, the matcher and the engine.

No numba, no FAISS, and no code of what it checks; only the parameters are shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fpmatch.reference.encode import ReferenceForm, encode
from fpmatch.reference.matcher import ReferenceScore, compare

if TYPE_CHECKING:
    from fpmatch.reference.engine import ReferenceEngine

__all__ = ["ReferenceEngine", "ReferenceForm", "ReferenceScore", "compare", "encode"]


def __getattr__(name: str) -> Any:
    if name == "ReferenceEngine":
        from fpmatch.reference.engine import ReferenceEngine

        return ReferenceEngine
    raise AttributeError(f"module 'fpmatch.reference' has no attribute {name!r}")
