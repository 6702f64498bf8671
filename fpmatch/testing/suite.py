"""Test classes to derive from: pytest then runs the kit on what you make."""

from __future__ import annotations

from typing import ClassVar

from fpmatch.errors import MissingExtra
from fpmatch.reference.engine import Compare
from fpmatch.template import Template
from fpmatch.testing.adapter import EngineUnderTest, Setup
from fpmatch.testing.agreement import assert_agrees_with_reference
from fpmatch.testing.bench import NotChecked, bench
from fpmatch.testing.catalogue import CHECKS
from fpmatch.testing.check import Check
from fpmatch.testing.matchers import assert_mates_first, assert_same_scores
from fpmatch.testing.prints import score
from fpmatch.testing.stories import CLEAR, NAMES, assert_scenario

try:
    import pytest
except ImportError:
    raise MissingExtra(
        "test classes need pytest: pip install 'fpmatch[testing]'; without it the assertions of "
        "fpmatch.testing can be called from any test"
    ) from None

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found


class EngineTests:
    """The kit for an engine. Derive a class called ``Test...`` and say how an engine is made.

    Attributes
    ----------
    matcher : callable
        Given to engines as ``setup.compare``, and to the reference. Set it to yours, as a
        staticmethod, where your engine compares with another.
    scores : float or None
        How far scores may lie from the reference's; None looks only at records and their order.
    threshold : float
        Score that separates mates from others, for the scenarios.
    several_fingers : bool
        Set it to False for an engine that takes one finger a record.
    notes : bool
        Set it to True for an engine that remarks on a submission's own fingers as fpmatch does.
    """

    matcher: ClassVar[Compare] = staticmethod(score)
    scores: ClassVar[float | None] = 0.0
    threshold: ClassVar[float] = CLEAR
    several_fingers: ClassVar[bool] = True
    notes: ClassVar[bool] = False

    def make_engine(self, setup: Setup) -> EngineUnderTest:
        """A new engine, empty; yours. Raises NotImplementedError."""
        raise NotImplementedError("make_engine(self, setup) has to give a new engine of yours")

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
    def test_leak(self, check: Check) -> None:
        """One check of the leak catalogue."""
        with bench(self.make_engine, type(self).matcher) as made:
            try:
                check.run(made)
            except NotChecked as reason:
                pytest.skip(str(reason))
            except AssertionError as wrong:
                raise AssertionError(f"{check.id}: {check.says}\nbut {wrong}") from None

    @pytest.mark.parametrize("name", NAMES)
    def test_scenario(self, name: str) -> None:
        """One of the fourteen stories."""
        assert_scenario(
            self.make_engine, name, compare=type(self).matcher, threshold=self.threshold
        )

    def test_agrees_with_the_reference(self) -> None:
        """Generated galleries, policies and submissions."""
        assert_agrees_with_reference(
            self.make_engine,
            compare=type(self).matcher,
            scores=self.scores,
            notes=self.notes,
            several_fingers=self.several_fingers,
        )


class MatcherTests:
    """The kit for a matcher. Derive a class called ``Test...`` and give it a ``compare``.

    Attributes
    ----------
    within : float or None
        How far scores may lie from the reference's; None, the default, for a matcher with a scale
        of its own.
    """

    within: ClassVar[float | None] = None

    def compare(self, probe: Template, candidate: Template) -> float:
        """A score of two templates; yours. Raises NotImplementedError."""
        raise NotImplementedError("compare(self, probe, candidate) has to give a score of yours")

    def test_mates_score_above_others(self) -> None:
        """Whatever the scale, prints of one finger come first."""
        assert_mates_first(self.compare)

    def test_scores_are_those_of_the_reference(self) -> None:
        """Pair by pair, where ``within`` says how near."""
        if self.within is None:
            pytest.skip("it has a scale of its own; set within= to compare scores")
        assert_same_scores(self.compare, within=self.within)
