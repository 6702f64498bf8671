"""Prints, records and policies of `fpmatch.testing`: always the same, and what they claim to be."""

from __future__ import annotations

import hashlib

import pytest

from fpmatch import testing
from fpmatch.errors import InputError, PolicyFileError
from fpmatch.finger import FingerPosition
from fpmatch.testing.prints import Numbers, bytes_of
from fpmatch.types import Outcome


def test_the_same_bytes_for_ever():
    whole = hashlib.sha256()
    for person in (0, 1, "A"):
        for touch in (0, 1, 7):
            whole.update(testing.print_of(person, touch).to_bytes())
    whole.update(testing.print_of(3, 2, FingerPosition.LEFT_THUMB, minutiae=40).to_bytes())
    assert whole.hexdigest() == DIGEST


DIGEST = "294a59181b88a3e496a45923de021fe1de7dc9e6650609800ae86e1b86eb7749"


def test_touches_of_one_finger_are_found_and_others_are_not():
    of_one, of_two = [], []
    for person, touches in enumerate(testing.mates(20, 4)):
        of_one += [testing.score(a, b) for a in touches for b in touches if a is not b]
        of_two += [testing.score(touches[1], testing.print_of(other, 2)) for other in range(person)]
        left = testing.print_of(person, 1, FingerPosition.LEFT_INDEX)
        of_two.append(testing.score(touches[1], left))
    assert min(of_one) > 60
    assert max(of_two) < 40


def test_numbers_are_spread_and_belong_to_their_name():
    numbers, others = Numbers("a", 1), Numbers("a", 2)
    drawn = [numbers.below(10) for _ in range(5000)]
    assert {drawn.count(i) > 400 for i in range(10)} == {True}
    assert drawn[:20] != [others.below(10) for _ in range(20)]
    again = Numbers("a", 1)
    assert drawn == [again.below(10) for _ in range(5000)]
    assert {Numbers("b").within(1) for _ in range(1)} <= {-1, 0, 1}


def test_a_gallery_finds_its_mates_by_name():
    for fingers, position in ((1, FingerPosition.RIGHT_INDEX), (3, FingerPosition.RIGHT_THUMB)):
        engine = testing.reference_engine({"criminal": testing.gallery(6, fingers)})
        for person in range(6):
            probe = testing.print_of(person, 1, position)
            answer = engine.search(testing.request(fingers=[probe]))
            assert answer["criminal"].candidates[0].record == f"R-{person:04d}"
    assert testing.gallery(0) == []


def test_the_open_policy_opens_everything_and_what_is_named():
    engine = testing.reference_engine({"criminal": testing.gallery(2)})
    for ori in ("CA0380100", "CA0380104"):
        for more in ({}, {"protected": True}, {"purpose": "F"}, {"transaction": "CNA"}):
            outcomes = {s.outcome for s in engine.search(testing.request(ori, **more))}
            assert outcomes == {Outcome.SEARCHED_DISCLOSED}
    one = testing.open_policy({"a": (1, "X"), "b": (2, "Y")}, ["WA0010000"], searched=["b"])
    engine = testing.reference_engine(policy=one, partitions={"a": (1, "X"), "b": (2, "Y")})
    answer = engine.search(testing.request("WA0010000"))
    assert [s.outcome for s in answer] == [Outcome.NOT_SEARCHED, Outcome.SEARCHED_DISCLOSED]


@pytest.mark.parametrize(
    "act",
    [
        lambda: testing.print_of(True),
        lambda: testing.print_of(1.5),
        lambda: testing.print_of(1, -1),
        lambda: testing.print_of(1, 0, 2),
        lambda: testing.print_of(1, minutiae=3),
        lambda: testing.print_of("\ud800"),
        lambda: testing.mates(0),
        lambda: testing.mates("2"),
        lambda: testing.score("a", "b"),
        lambda: testing.gallery(2, 11),
        lambda: testing.request(7),
        lambda: testing.request(colour="red"),
        lambda: testing.open_policy(["criminal"]),
        lambda: testing.open_policy({"criminal": 1}),
        lambda: testing.open_policy({'a"b': (1, "X")}),
        lambda: testing.open_policy(agencies="CA0380100"),
        lambda: testing.reference_engine(["C-1"]),
        lambda: testing.reference_engine({"nowhere": testing.gallery(1)}),
        lambda: testing.reference_engine(policy=7),
        lambda: testing.reference_engine(clock=7),
        lambda: testing.scenario("nowhere"),
        lambda: testing.scenario(None),
    ],
)
def test_what_cannot_be_used_is_an_error_of_ours(act):
    with pytest.raises(InputError):
        act()


def test_two_partitions_of_one_number_are_refused():
    with pytest.raises(PolicyFileError):
        testing.open_policy({"a": (1, "X"), "b": (1, "Y")})


def test_pieces_of_a_print_are_in_its_stored_form():
    one, other = testing.print_of(1), testing.print_of(2)
    assert len(bytes_of(one)) > 5
    assert sum(piece in one.to_bytes() for piece in bytes_of(one)) >= len(bytes_of(one)) - 2
    assert not any(piece in other.to_bytes() for piece in bytes_of(one))
