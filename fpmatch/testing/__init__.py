"""The reference as a product: what a team needs that tests an engine or a matcher of its own.

Importing it loads neither numba nor OpenCV nor FAISS; with pytest its fixtures are there by
themselves. ``docs/testing.md`` walks through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpmatch.lazy_names import loader

if TYPE_CHECKING:
    from fpmatch.reference import ReferenceEngine as ReferenceEngine
    from fpmatch.testing.abis import MockAbis as MockAbis
    from fpmatch.testing.abis_values import AbisError as AbisError
    from fpmatch.testing.adapter import Clock as Clock
    from fpmatch.testing.adapter import EngineUnderTest as EngineUnderTest
    from fpmatch.testing.adapter import Setup as Setup
    from fpmatch.testing.agreement import (
        assert_agrees_with_reference as assert_agrees_with_reference,
    )
    from fpmatch.testing.catalogue import CHECKS as CHECKS
    from fpmatch.testing.catalogue import Finding as Finding
    from fpmatch.testing.catalogue import assert_masks_respected as assert_masks_respected
    from fpmatch.testing.catalogue import findings as findings
    from fpmatch.testing.matchers import assert_mates_first as assert_mates_first
    from fpmatch.testing.matchers import assert_same_scores as assert_same_scores
    from fpmatch.testing.prints import mates as mates
    from fpmatch.testing.prints import print_of as print_of
    from fpmatch.testing.prints import score as score
    from fpmatch.testing.reference import reference_engine as reference_engine
    from fpmatch.testing.responses import assert_same_response as assert_same_response
    from fpmatch.testing.responses import differences as differences
    from fpmatch.testing.stories import assert_scenario as assert_scenario
    from fpmatch.testing.stories import scenario as scenario
    from fpmatch.testing.stories import scenarios as scenarios
    from fpmatch.testing.suite import EngineTests as EngineTests
    from fpmatch.testing.suite import MatcherTests as MatcherTests
    from fpmatch.testing.world import gallery as gallery
    from fpmatch.testing.world import open_policy as open_policy
    from fpmatch.testing.world import record as record
    from fpmatch.testing.world import request as request

_PUBLIC = {
    "AbisError": "fpmatch.testing.abis_values",
    "CHECKS": "fpmatch.testing.catalogue",
    "Clock": "fpmatch.testing.adapter",
    "EngineTests": "fpmatch.testing.suite",
    "EngineUnderTest": "fpmatch.testing.adapter",
    "Finding": "fpmatch.testing.catalogue",
    "MatcherTests": "fpmatch.testing.suite",
    "MockAbis": "fpmatch.testing.abis",
    "ReferenceEngine": "fpmatch.reference",
    "Setup": "fpmatch.testing.adapter",
    "assert_agrees_with_reference": "fpmatch.testing.agreement",
    "assert_masks_respected": "fpmatch.testing.catalogue",
    "assert_mates_first": "fpmatch.testing.matchers",
    "assert_same_response": "fpmatch.testing.responses",
    "assert_same_scores": "fpmatch.testing.matchers",
    "assert_scenario": "fpmatch.testing.stories",
    "differences": "fpmatch.testing.responses",
    "findings": "fpmatch.testing.catalogue",
    "gallery": "fpmatch.testing.world",
    "mates": "fpmatch.testing.prints",
    "open_policy": "fpmatch.testing.world",
    "print_of": "fpmatch.testing.prints",
    "record": "fpmatch.testing.world",
    "reference_engine": "fpmatch.testing.reference",
    "request": "fpmatch.testing.world",
    "scenario": "fpmatch.testing.stories",
    "scenarios": "fpmatch.testing.stories",
    "score": "fpmatch.testing.prints",
}

__all__ = [
    "CHECKS",
    "AbisError",
    "Clock",
    "EngineTests",
    "EngineUnderTest",
    "Finding",
    "MatcherTests",
    "MockAbis",
    "ReferenceEngine",
    "Setup",
    "assert_agrees_with_reference",
    "assert_masks_respected",
    "assert_mates_first",
    "assert_same_response",
    "assert_same_scores",
    "assert_scenario",
    "differences",
    "findings",
    "gallery",
    "mates",
    "open_policy",
    "print_of",
    "record",
    "reference_engine",
    "request",
    "scenario",
    "scenarios",
    "score",
]


if not TYPE_CHECKING:  # else any misspelt name would have the type Any
    __getattr__ = loader(__name__, _PUBLIC)


def __dir__() -> list[str]:
    return __all__
