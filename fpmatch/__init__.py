"""fpmatch: high-throughput fingerprint identification with access control inside the search.

The library gives candidates, never identities, and decides nothing about people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpmatch.lazy_names import loader

if TYPE_CHECKING:
    from fpmatch.drawing import Drawing as Drawing
    from fpmatch.drawing import draw as draw
    from fpmatch.drawing import draw_pairs as draw_pairs
    from fpmatch.errors import AuditError as AuditError
    from fpmatch.errors import ExtractionError as ExtractionError
    from fpmatch.errors import FormatError as FormatError
    from fpmatch.errors import FpmatchError as FpmatchError
    from fpmatch.errors import InputError as InputError
    from fpmatch.errors import PolicyError as PolicyError
    from fpmatch.formats import read_templates as read_templates
    from fpmatch.image import FingerImage as FingerImage
    from fpmatch.image import SlapFinger as SlapFinger
    from fpmatch.image import read_image as read_image
    from fpmatch.image import segment_slap as segment_slap
    from fpmatch.matcher import Score as Score
    from fpmatch.matcher import compare as compare
    from fpmatch.policy import Policy as Policy
    from fpmatch.samples import sample as sample
    from fpmatch.search import Engine as Engine
    from fpmatch.template import Template as Template
    from fpmatch.template import extract as extract
    from fpmatch.template import quality as quality
    from fpmatch.types import Candidate as Candidate
    from fpmatch.types import FingerPosition as FingerPosition
    from fpmatch.types import Impression as Impression
    from fpmatch.types import Ori as Ori
    from fpmatch.types import Outcome as Outcome
    from fpmatch.types import PartitionResult as PartitionResult
    from fpmatch.types import Reason as Reason
    from fpmatch.types import Record as Record
    from fpmatch.types import RecordsRequest as RecordsRequest
    from fpmatch.types import SearchRequest as SearchRequest
    from fpmatch.types import SearchResponse as SearchResponse
    from fpmatch.warming import warm as warm

__version__ = "0.1.0"

_PUBLIC = {
    "AuditError": "fpmatch.errors",
    "Candidate": "fpmatch.types",
    "Drawing": "fpmatch.drawing",
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
    "RecordsRequest": "fpmatch.types",
    "Score": "fpmatch.matcher",
    "SearchRequest": "fpmatch.types",
    "SearchResponse": "fpmatch.types",
    "Template": "fpmatch.template",
    "SlapFinger": "fpmatch.image",
    "compare": "fpmatch.matcher",
    "draw": "fpmatch.drawing",
    "draw_pairs": "fpmatch.drawing",
    "extract": "fpmatch.template",
    "quality": "fpmatch.template",
    "read_image": "fpmatch.image",
    "read_templates": "fpmatch.formats",
    "sample": "fpmatch.samples",
    "segment_slap": "fpmatch.image",
    "warm": "fpmatch.warming",
}

__all__ = [
    "AuditError",
    "Candidate",
    "Drawing",
    "Engine",
    "ExtractionError",
    "FingerImage",
    "FingerPosition",
    "FormatError",
    "FpmatchError",
    "Impression",
    "InputError",
    "Ori",
    "Outcome",
    "PartitionResult",
    "Policy",
    "PolicyError",
    "Reason",
    "Record",
    "RecordsRequest",
    "Score",
    "SearchRequest",
    "SearchResponse",
    "SlapFinger",
    "Template",
    "__version__",
    "compare",
    "draw",
    "draw_pairs",
    "extract",
    "quality",
    "read_image",
    "read_templates",
    "sample",
    "segment_slap",
    "warm",
]


if not TYPE_CHECKING:  # else any misspelt name would have the type Any
    __getattr__ = loader(__name__, _PUBLIC)


def __dir__() -> list[str]:
    return __all__
