"""The pytest plugin: fixtures that cost nothing until a test asks for one.

pytest loads this file in every project beside which fpmatch is installed: it imports no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fpmatch.policy import Policy
    from fpmatch.reference import ReferenceEngine
    from fpmatch.scenario.format import Scenario
    from fpmatch.template import Template
    from fpmatch.testing.abis import MockAbis
    from fpmatch.types import Record


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes ``fpmatch_scenario_name`` runs once for each of the fourteen."""
    if "fpmatch_scenario_name" in metafunc.fixturenames:
        from fpmatch.testing.stories import NAMES

        metafunc.parametrize("fpmatch_scenario_name", NAMES)


@pytest.fixture(scope="session")
def fpmatch_print() -> Callable[..., Template]:
    """`fpmatch.testing.print_of`: a touch of a person's finger, always the same."""
    from fpmatch.testing.prints import print_of

    return print_of


@pytest.fixture(scope="session")
def fpmatch_mates() -> list[tuple[Template, ...]]:
    """Two touches each of ten persons' fingers."""
    from fpmatch.testing.prints import mates

    return mates(10)


@pytest.fixture(scope="session")
def fpmatch_gallery() -> list[Record]:
    """Records ``R-0000`` to ``R-0019`` of persons 0 to 19, one finger each."""
    from fpmatch.testing.world import gallery

    return gallery(20)


@pytest.fixture(scope="session")
def fpmatch_policy() -> Policy:
    """A policy under which every agency may do everything; see `fpmatch.testing.open_policy`."""
    from fpmatch.testing.world import open_policy

    return open_policy()


@pytest.fixture
def fpmatch_reference() -> Callable[..., ReferenceEngine]:
    """`fpmatch.testing.reference_engine`: the reference, filled, for any policy and matcher."""
    from fpmatch.testing.reference import reference_engine

    return reference_engine


@pytest.fixture(scope="session")
def fpmatch_scenarios() -> tuple[Scenario, ...]:
    """The fourteen scenarios."""
    from fpmatch.testing.stories import scenarios

    return scenarios()


@pytest.fixture
def fpmatch_scenario(fpmatch_scenario_name: Any) -> Scenario:
    """Each of the fourteen scenarios in turn."""
    from fpmatch.testing.stories import scenario

    return scenario(fpmatch_scenario_name)


@pytest.fixture
def fpmatch_abis() -> MockAbis:
    """A mock ABIS with an empty gallery that answers from the reference."""
    from fpmatch.testing.abis import MockAbis

    return MockAbis()
