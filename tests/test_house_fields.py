"""What a decision depends on is said once: a new fact cannot be forgotten anywhere."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from engine_helpers import HELD, ON, POLICY, engine, print_of, request

from fpmatch.audit import IntentRecord
from fpmatch.policy import Policy
from fpmatch.policy.memo import Memo
from fpmatch.search import kept_probes
from fpmatch.search.decision import prepare
from fpmatch.search.run import intent_of
from fpmatch.types import Facts, Ori, PartitionDecision, Permission, Reason, SearchRequest
from fpmatch.types.search import STATED

FACTS = Facts((Ori(ON),), "CAR")
OTHER = {
    "chain": (Ori(ON), Ori(HELD)),
    "transaction": "CNA",
    "purpose": "F",
    "role": "officer",
    "charge": "felony",
    "disposition": "convicted",
    "protected": None,
    "attributes": {"unit": "jail"},
    "requested": ("criminal",),
}
"""For each fact a value other than that of `FACTS`."""
ATTRIBUTE = '\nattributes = { unit = ["jail", "field"] }\n'
AT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = [f.name for f in dataclasses.fields(Facts)]


def memo() -> Memo:
    return Memo(Policy.parse(ATTRIBUTE + POLICY).registry)


def test_every_fact_has_another_value_here():
    assert set(OTHER) == set(NAMES)
    assert all(OTHER[name] != getattr(FACTS, name) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_changes_the_key_of_a_remembered_decision(name):
    one, other = FACTS, dataclasses.replace(FACTS, **{name: OTHER[name]})
    key = memo()._key(one, AT)
    assert key is not None
    assert key == memo()._key(dataclasses.replace(one), AT)
    assert key != memo()._key(other, AT)


@pytest.mark.parametrize("value", [1, 0, "yes", 1.0])
def test_a_flag_that_is_none_is_not_taken_for_one(value):
    made = memo()
    assert made._key(dataclasses.replace(FACTS, protected=value), AT) not in (
        made._key(dataclasses.replace(FACTS, protected=True), AT),
        made._key(dataclasses.replace(FACTS, protected=False), AT),
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_of_a_request_reaches_the_decision(name):
    more = {"partitions": OTHER[name]} if name == "requested" else {name: OTHER[name]}
    if name == "chain":
        more = {"chain": OTHER["chain"][1:]}
    asked = dataclasses.replace(SearchRequest([], ON), **more)
    assert getattr(asked.facts(asked.partitions), name) == OTHER[name]
    back = SearchRequest.of(asked.facts(asked.partitions), [])
    assert back == dataclasses.replace(asked, fingers=[])


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_is_logged(name):
    with engine(text=ATTRIBUTE + POLICY) as e:

        def logged(facts: Facts) -> IntentRecord:
            return intent_of(
                e._state, prepare(e._state, SearchRequest.of(facts, [print_of(1)], tcn="T"))
            )

        one, other = logged(FACTS), logged(dataclasses.replace(FACTS, **{name: OTHER[name]}))
        told = [dataclasses.replace(r, partitions=(), policy_digest="") for r in (one, other)]
        assert told[0] != told[1]


def test_attributes_that_the_policy_does_not_declare_are_not_logged():
    with engine(text=ATTRIBUTE + POLICY) as e:
        e.search(request(attributes={"unit": "jail", "identity": "P-1"}, tcn="T"))
        (found,) = e.audit.records(kind="INTENT", tcn="T")
        assert found.fields["attributes"] == ["unit=jail"]
        assert "P-1" not in str(found.fields)


ASKED = {
    "booking_ori": ON,
    "chain": (HELD,),
    "transaction": "CNA",
    "purpose": "F",
    "role": "officer",
    "charge": "felony",
    "disposition": "pending",
    "protected": None,
    "attributes": {"unit": "jail", "identity": "P-1"},
    "max_candidates": 7,
    "threshold": 12.5,
    "effort": "scan",
    "rotation": "any",
    "scale": "any",
    "positions": "any",
    "minutiae": True,
}
"""A value other than the default for each field that a kept probe brings back."""


def test_each_field_of_a_request_is_kept_or_is_known_not_to_be():
    names = {f.name for f in dataclasses.fields(SearchRequest)}
    assert set(ASKED) == set(kept_probes.KEPT)
    assert names == set(kept_probes.KEPT) | set(kept_probes.FOR_THE_FIRST)
    assert set(STATED) <= set(kept_probes.KEPT)


def test_a_kept_probe_brings_back_every_field_of_its_request():
    default = {f.name: f.default for f in dataclasses.fields(SearchRequest)}
    assert all(ASKED[name] != default[name] for name in kept_probes.KEPT)
    with engine() as e:
        state = e._state
        running = prepare(state, SearchRequest([print_of(1)], tcn="T-1", **ASKED))
        granted = PartitionDecision("immigration", Permission.PROBE, Reason.GRANTED)
        token = kept_probes._put(state, running, granted, kept_probes.DEFERRED, "CONVICTION", "")
        found = state.ledger.find(token)
        assert found is not None
        back = kept_probes.request_of(state, found)
        for name in kept_probes.KEPT:
            got = getattr(back, name)
            assert (tuple(got) if name == "chain" else got) == ASKED[name], name
        assert back.partitions == ("immigration",)
        assert back.tcr == "T-1"
        assert list(back.fingers) == [print_of(1)]
        assert request().tcr == ""
