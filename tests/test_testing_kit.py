"""The kit on small engines: the right one passes, each broken one fails for its own reason."""

from __future__ import annotations

import dataclasses
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "kit_project"))
import tiny
import tiny_later

from fpmatch import testing
from fpmatch.errors import InputError
from fpmatch.testing.catalogue import chosen
from fpmatch.testing.responses import told
from fpmatch.types import FingerPosition, FingerScore


def reference(setup):
    return testing.ReferenceEngine(setup.clock, matcher=setup.compare)


def failed(make, **more):
    return {f.check.id: f.why for f in testing.findings(make, **more) if f.ok is False}


BROKEN = tiny.BROKEN | tiny_later.BROKEN
LATER = {c.id for c in testing.CHECKS if c.leak in ("L12", "L18")}
"""Checks that take more methods than the four."""


@pytest.mark.parametrize("make", [tiny.TinyEngine, reference, tiny_later.LaterEngine])
def test_a_right_engine_passes(make):
    found = testing.assert_masks_respected(make)
    assert len(found) == len(testing.CHECKS)
    unsure = {f.check.id for f in found if f.ok is None}
    can = {
        tiny.TinyEngine: set(),
        reference: {"L12-deferred-probes-do-not-outlive-an-opt-out"},
        tiny_later.LaterEngine: LATER,
    }
    assert unsure == {"L17-no-bytes-are-left"} | (LATER - can[make])
    testing.assert_agrees_with_reference(make, several_fingers=make is reference)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda cls: cls.__name__)
def test_a_broken_engine_fails_for_its_reason(broken):
    check = BROKEN[broken]
    assert set(failed(broken, checks=[check])) == {check}
    with pytest.raises(AssertionError, match=check):
        testing.assert_masks_respected(broken, checks=[check])


def test_every_check_fails_on_some_engine():
    seen = set()
    for broken in tiny.BROKEN:
        seen |= set(failed(broken))
    seen |= set(tiny_later.BROKEN.values())
    assert {c.id for c in testing.CHECKS} - seen == set()


def test_an_engine_that_keeps_files_and_removes_them_passes():
    (found,) = testing.assert_masks_respected(tiny.KeepsFiles, checks=["L17-no-bytes-are-left"])
    assert found.ok


def test_a_leak_is_told_by_name_with_what_was_seen():
    with pytest.raises(AssertionError) as told_of:
        testing.assert_masks_respected(tiny.ListsProtected)
    text = str(told_of.value)
    assert "checks of the leak catalogue fail" in text
    assert "L1-masked-records-crowd-nobody-out" in text
    assert "records that are protected are listed: ['A-00']" in text
    assert "L5-masked-records-are-not-compared" in text
    assert "8 could not be made" in text


def test_an_engine_that_ranks_wrong_or_compares_wrong_is_not_the_references_twin():
    for broken in (tiny.RanksWrong, tiny.WrongMatcher):
        with pytest.raises(AssertionError, match="not the reference's twin") as told_of:
            testing.assert_agrees_with_reference(broken, several_fingers=False)
        assert "it says" in str(told_of.value)

    # A matcher with other scores is right where only the order counts, and it is the same matcher.
    def own(a, b):
        return float(min(len(a), len(b)))

    testing.assert_agrees_with_reference(tiny.TinyEngine, compare=own, several_fingers=False)


def test_an_engine_that_compares_unseen_is_not_said_to_compare_nothing():
    class Unseen(tiny.SearchesTheDenied):
        def __init__(self, setup):
            super().__init__(setup)
            self.compare = testing.score

    found = {f.check.id: f for f in testing.findings(Unseen, checks=["L5"])}
    unsure = found["L5-denied-partition-is-not-compared"]
    assert unsure.ok is None
    assert "setup.compare" in unsure.why

    class Says(Unseen):
        def compared(self):
            return {"criminal": 4, "immigration": 4}

    assert "L5-denied-partition-is-not-compared" in failed(Says, checks=["L5"])


def test_what_cannot_be_done_from_another_thread_is_not_said_to_hold():
    class OfOneThread(tiny.TinyEngine):
        def publish(self, policy):
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError("made in another thread")
            super().publish(policy)

    (found,) = testing.findings(OfOneThread, checks=["L10-policy-changes-during-a-search"])
    assert found.ok is None
    assert "made in another thread" in found.why


def test_an_engine_that_lets_a_change_wait_is_right():
    class Waits(tiny.DecidesOnce):
        def __init__(self, setup):
            super().__init__(setup)
            self.lock = threading.RLock()

        def search(self, request):
            with self.lock:
                return super().search(request)

        def publish(self, policy):
            with self.lock:
                super().publish(policy)

    (found,) = testing.findings(Waits, checks=["L10-policy-changes-during-a-search"])
    assert found.ok


def test_without_seals_and_expungement_what_needs_them_is_left_out():
    class Bare:
        def __init__(self, setup):
            made = tiny.TinyEngine(setup)
            self.add_partition, self.enrol = made.add_partition, made.enrol
            self.publish, self.search = made.publish, made.search

    found = testing.assert_masks_respected(Bare)
    left = {f.check.id for f in found if f.ok is None}
    assert left >= {
        "L10-sealed-during-a-search",
        "L17-expunged-never-comes-back",
        "L17-no-bytes-are-left",
    }
    # Nor has it copies, deferred probes and what is handed out later.
    assert {name.split("-")[0] for name in left} <= {"L10", "L12", "L17", "L18", "L19"}


def test_an_engine_that_breaks_down_fails_the_check_and_no_more():
    class Fails(tiny.TinyEngine):
        def search(self, request):
            raise KeyError("no such thing")

    found = failed(Fails, checks=["L1", "L4"])
    assert len(found) >= 4
    assert "raised KeyError" in found["L1-masked-records-change-nothing"]

    class Answers(tiny.TinyEngine):
        def search(self, request):
            return {"candidates": []}

    assert (
        "not a SearchResponse" in failed(Answers, checks=["L1"])["L1-masked-records-change-nothing"]
    )


@pytest.mark.parametrize(
    "act",
    [
        lambda: testing.assert_masks_respected("engine"),
        lambda: testing.assert_masks_respected(lambda setup: object()),
        lambda: testing.assert_masks_respected(tiny.TinyEngine, checks=["L99"]),
        lambda: testing.assert_masks_respected(tiny.TinyEngine, compare=3),
        lambda: testing.assert_agrees_with_reference(tiny.TinyEngine, cases=0),
        lambda: testing.assert_agrees_with_reference(lambda setup: 3),
        lambda: testing.assert_scenario(tiny.TinyEngine, "nowhere"),
        lambda: testing.assert_same_response(1, 2),
        lambda: testing.assert_same_scores("matcher"),
        lambda: testing.assert_mates_first(None),
        lambda: testing.assert_mates_first(testing.score, persons=1),
    ],
)
def test_what_cannot_be_used_is_an_error_of_ours(act):
    with pytest.raises(InputError):
        act()


def test_checks_are_chosen_by_leak_or_by_name():
    assert chosen(None) == testing.CHECKS
    assert {c.leak for c in chosen("L5")} == {"L5"}
    assert [c.id for c in chosen(["L7-opaque-names"])] == ["L7-opaque-names"]
    assert len({c.id for c in testing.CHECKS}) == len(testing.CHECKS)


# -- scenarios ----------------------------------------------------------------------------------


def test_every_scenario_goes_as_it_is_told():
    assert len(testing.scenarios()) == 14
    waiting = {}
    for story in testing.scenarios():
        assert testing.assert_scenario(reference, story) == []
        waiting[story.name] = testing.assert_scenario(tiny.TinyEngine, story)
    assert {n for n, left in waiting.items() if left} == {"ammiano_m6_post_conviction"}


def test_a_scenario_that_goes_otherwise_says_where():
    with pytest.raises(AssertionError) as told_of:
        testing.assert_scenario(tiny.ListsProtected, "victim_protected")
    assert "protected record, ordinary role, criminal" in str(told_of.value)
    assert "the submitter sees C-9, not nobody" in str(told_of.value)
    with pytest.raises(AssertionError, match="outcome"):
        testing.assert_scenario(tiny.AnswersFromTheDenied, "single_jail_off")


# -- responses ----------------------------------------------------------------------------------


@pytest.fixture
def answer():
    engine = testing.reference_engine({"criminal": testing.gallery(4)})
    return engine.search(testing.request(person=2))


def changed(answer, **fields):
    sections = tuple(
        dataclasses.replace(s, **fields) if s.partition == "criminal" else s for s in answer
    )
    return dataclasses.replace(answer, sections=sections)


def test_the_same_answer_is_the_same(answer):
    testing.assert_same_response(answer, dataclasses.replace(answer, tcn="another", audit_seq=7))
    assert told(answer) == told(dataclasses.replace(answer, tcn="another"))


def test_what_is_different_is_shown(answer):
    first, *rest = answer["criminal"].candidates
    for other, text in (
        (changed(answer, candidates=(*rest, first)), ">    1  R-0002"),
        (changed(answer, candidates=None), "4 are told, where none may be"),
        (changed(answer, complete=False), "complete True, not False"),
        (changed(answer, token="T"), "has no token, where there must be one"),
        (changed(answer, reason="NO_GRANT"), "reason GRANTED, not NO_GRANT"),
        (dataclasses.replace(answer, policy_version=9), "policy_version: 1, not 9"),
        (dataclasses.replace(answer, sections=answer.sections[:1]), "sections: criminal, immi"),
        (dataclasses.replace(answer, sections=answer.sections[::-1]), "order of the sections"),
        (
            changed(answer, candidates=(dataclasses.replace(first, fmr=0.5), *rest)),
            "fmr: 1e-05, not 0.5",
        ),
    ):
        with pytest.raises(AssertionError) as told_of:
            testing.assert_same_response(answer, other)
        assert text in str(told_of.value)
    newer = dataclasses.replace(answer, policy_version=9)
    testing.assert_same_response(answer, newer, policy_version=False)


def test_scores_may_lie_apart_as_far_as_is_said(answer):
    first, *rest = answer["criminal"].candidates
    part = (FingerScore(FingerPosition.RIGHT_INDEX, first.score + 0.3),)
    moved = dataclasses.replace(first, score=first.score + 0.3, fingers=part)
    other = changed(answer, candidates=(moved, *rest))
    testing.assert_same_response(answer, other, scores=0.5)
    testing.assert_same_response(answer, other, scores=None)
    for near in (0.0, 0.2):
        with pytest.raises(AssertionError, match=">    1"):
            testing.assert_same_response(answer, other, scores=near)
    # Those as near to each other may change places; a record for another may not.
    swapped = changed(answer, candidates=(first, rest[1], rest[0], *rest[2:]))
    gap = rest[0].score - rest[1].score
    testing.assert_same_response(answer, swapped, scores=gap + 0.01)
    with pytest.raises(AssertionError):
        testing.assert_same_response(answer, swapped, scores=None)
    foreign = dataclasses.replace(rest[0], record="X")
    with pytest.raises(AssertionError):
        testing.assert_same_response(
            answer, changed(answer, candidates=(first, foreign, *rest[1:])), scores=50.0
        )
    with pytest.raises(AssertionError):
        testing.assert_same_response(answer, changed(answer, candidates=(first,)), scores=1.0)


# -- matchers -----------------------------------------------------------------------------------


def test_a_matcher_is_held_against_the_reference():
    testing.assert_same_scores(testing.score)
    threshold = testing.assert_mates_first(testing.score)
    assert 20 < threshold < 120
    testing.assert_mates_first(lambda a, b: -1 / (1 + testing.score(a, b)))
    testing.assert_same_scores(lambda a, b: testing.score(a, b) + 0.25, within=0.26)


def test_a_wrong_matcher_is_told_why():
    def counts(a, b):
        return float(min(len(a), len(b)))

    with pytest.raises(AssertionError, match="52 of 52 scores are not the expected") as told_of:
        testing.assert_same_scores(counts)
    assert "person 7, touches 0 and 2" in str(told_of.value)
    with pytest.raises(AssertionError, match="24 of 24 mated pairs"):
        testing.assert_mates_first(counts)
    with pytest.raises(AssertionError, match="no number"):
        testing.assert_mates_first(lambda a, b: None)
    with pytest.raises(AssertionError, match="no number"):
        testing.assert_same_scores(lambda a, b: float("nan"))
    calls = iter(range(10**6))
    with pytest.raises(AssertionError, match="asked again"):
        testing.assert_mates_first(lambda a, b: testing.score(a, b) + next(calls))
    pair = (testing.print_of(1), testing.print_of(1, 1))
    with pytest.raises(AssertionError, match="1 of 1"):
        testing.assert_same_scores(lambda a, b: 0.0, prints=[pair])
