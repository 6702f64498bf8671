"""fpmatch: high-throughput fingerprint identification with access control inside the search.

The library gives candidates, never identities, and decides nothing about people.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "AuditError": "fpmatch.errors",
    "Candidate": "fpmatch.types",
    "Engine": "fpmatch.search",
    "ExtractionError": "fpmatch.errors",
    "FingerImage": "fpmatch.image",
    "FingerPosition": "fpmatch.types",
    "FormatError": "fpmatch.errors",
    "FpmatchError": "fpmatch.errors",
    "Impression": "fpmatch.types",
    "InputError": "fpmatch.errors",
    "Ori": "fpmatch.types",
    "Outcome": "fpmatch.types",
    "PartitionResult": "fpmatch.types",
    "Policy": "fpmatch.policy",
    "PolicyError": "fpmatch.errors",
    "Reason": "fpmatch.types",
    "Record": "fpmatch.types",
    "Score": "fpmatch.matcher",
    "SearchRequest": "fpmatch.types",
    "SearchResponse": "fpmatch.types",
    "Template": "fpmatch.template",
    "compare": "fpmatch.matcher",
    "extract": "fpmatch.template",
    "read_image": "fpmatch.image",
    "read_templates": "fpmatch.formats",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fpmatch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
