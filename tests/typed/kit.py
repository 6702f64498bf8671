"""How a project of its own is typed that derives from the kit: no type checker may complain."""

from __future__ import annotations

from collections.abc import Sequence

from fpmatch import Policy, Record, SearchRequest, SearchResponse, Template
from fpmatch.testing import (
    EngineTests,
    EngineUnderTest,
    MatcherTests,
    MockAbis,
    ReferenceEngine,
    Setup,
    assert_masks_respected,
    assert_same_response,
    print_of,
    reference_engine,
    score,
)


class Ours:
    def __init__(self, setup: Setup) -> None:
        self.twin = ReferenceEngine(setup.clock, matcher=setup.compare)

    def add_partition(self, name: str, ndr: int, owner: str) -> None:
        self.twin.add_partition(name, ndr, owner)

    def enrol(self, partition: str, records: Sequence[Record]) -> int:
        self.twin.enrol(partition, records)
        return len(records)

    def publish(self, policy: Policy) -> None:
        self.twin.publish(policy)

    def search(self, request: SearchRequest) -> SearchResponse:
        return self.twin.search(request)


class TestOurs(EngineTests):
    scores = 0.01

    def make_engine(self, setup: Setup) -> EngineUnderTest:
        return Ours(setup)


class TestMatcher(MatcherTests):
    within = None

    def compare(self, probe: Template, candidate: Template) -> float:
        return score(probe, candidate) / 7


found = assert_masks_respected(Ours, compare=score, checks=["L1"])
held: list[bool | None] = [finding.ok for finding in found]
assert_masks_respected(lambda setup: ReferenceEngine(setup.clock, matcher=setup.compare))
first, second = reference_engine(), reference_engine()
request = SearchRequest([print_of(1)], "CA0380100")
assert_same_response(first.search(request), second.search(request), scores=None)
names: list[str] = [match.reference for match in MockAbis().identify([print_of(1)])]
