"""Labels that are wrong: searches of every position, and a submission's own fingers compared."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from engine_helpers import KEEPS, LATER, OFF, Clock, engine, print_of, record, request

from fpmatch.errors import InputError
from fpmatch.parameters import SEARCH
from fpmatch.reference import ReferenceEngine
from fpmatch.search.probe import Probe
from fpmatch.types import FingerPosition, NoteKind, Record

INDEX, MIDDLE, LEFT = (
    FingerPosition.RIGHT_INDEX,
    FingerPosition.RIGHT_MIDDLE,
    FingerPosition.LEFT_INDEX,
)
UNKNOWN = FingerPosition.UNKNOWN


def hand(person, touch=0, fingers=(INDEX, MIDDLE, LEFT)):
    return [print_of(person, touch, p) for p in fingers]


def labelled(template, position):
    return dataclasses.replace(template, position=position)


def swapped(fingers):
    """Every finger under the next one's label."""
    labels = [f.position for f in fingers]
    return [labelled(f, p) for f, p in zip(fingers, labels[1:] + labels[:1], strict=True)]


def names(section):
    return [c.record for c in section.candidates if c.score >= 50]


PEOPLE = {
    "criminal": [Record(f"C-{i}", hand(i)) for i in range(1, 6)],
    "immigration": [Record(f"I-{i}", hand(i, 1)) for i in (1, 7)],
}


@pytest.mark.parametrize("effort", ["fast", "balanced", "scan", "exhaustive"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_wrong_label_hides_nobody_where_positions_are_disregarded(effort, count):
    with engine(PEOPLE) as e:
        fingers = swapped(hand(1, 5))[:count]
        for positions, found in (("labelled", []), ("any", ["C-1"])):
            asked = request(fingers=fingers, positions=positions, effort=effort)
            assert names(e.search(asked)["criminal"]) == found
        both = [request(fingers=fingers, positions=p) for p in ("labelled", "any")]
        assert [names(r["criminal"]) for r in e.search_many(both)] == [[], ["C-1"]]


def test_right_labels_lose_what_so_many_comparisons_make_by_chance_and_no_more():
    with engine(PEOPLE) as e:

        def score(**how):
            found = e.search(request(fingers=hand(1, 5), **how))
            return found["criminal"].candidates[0].score

        assert score() - 3 * 5 <= score(positions="any") < score()


def test_one_finger_under_two_labels_counts_once_where_positions_are_disregarded():
    with engine(PEOPLE) as e:
        one = print_of(1, 5, INDEX)
        twice = [one, labelled(one, LEFT), labelled(print_of(1, 6, INDEX), UNKNOWN)]
        (alone,) = e.search(request(fingers=[one], positions="any"))["criminal"].candidates[:1]
        (both,) = e.search(request(fingers=twice, positions="any"))["criminal"].candidates[:1]
        assert alone.record == both.record == "C-1"
        assert both.score <= alone.score + 5
        assert [f.position for f in both.fingers] == [INDEX]


def test_labels_of_one_finger_come_together_whatever_their_order():
    prints = [labelled(print_of(1, t, INDEX), p) for t, p in enumerate((UNKNOWN, MIDDLE, LEFT))]
    prints.append(print_of(2, 0, INDEX))
    for order in itertools.permutations(prints):
        groups = Probe.of(order, positions="any").fingers
        assert [(p, len(several)) for p, several in groups] == [(INDEX, 1), (MIDDLE, 3)]


def test_kept_probes_keep_their_positions():
    with engine(PEOPLE) as e:
        fingers = swapped(hand(1, 5))
        first = e.search(request(LATER, fingers=fingers, positions="any"))
        later = e.report_event(first["immigration"].token, "CONVICTION")
        assert names(later["immigration"]) == ["I-1"]
        e.search(request(KEEPS, fingers=swapped(hand(9, 5)), positions="any", retain=True))
        e.enrol("immigration", [Record("I-9", hand(9))])
        (again,) = e.cascade("immigration")
        assert names(again["immigration"]) == ["I-9"]
        intents = [r.fields["positions"] for r in e.audit.records(kind="INTENT")]
        assert intents == ["any"] * 4


@pytest.mark.parametrize("wrong", ["", "ANY", None, 3, ["any"]])
def test_positions_that_are_none_are_refused(wrong):
    with engine(PEOPLE) as e, pytest.raises(InputError, match="positions"):
        e.search(request(positions=wrong))


def kinds(response):
    return [(n.kind, n.positions, n.fingers) for n in response.notes]


def test_the_same_finger_under_two_labels_is_told():
    with engine(PEOPLE) as e:
        good = e.search(request(fingers=hand(1, 5)))
        assert good.notes == ()
        assert "notes" not in good.to_dict()
        twice = [*hand(1, 5), labelled(print_of(1, 6, INDEX), LEFT)]
        response = e.search(request(fingers=twice))
        assert kinds(response) == [
            (NoteKind.SAME_FINGER, (INDEX, LEFT), (0, 3)),
            (NoteKind.OTHER_FINGER, (LEFT, LEFT), (2, 3)),
        ]
        assert response.notes[0].score >= SEARCH.same_finger > SEARCH.other_finger
        assert response.notes[1].score < SEARCH.other_finger
        assert "right index and left index look like one finger" in response.notes[0].text
        assert response.to_dict()["notes"][0]["positions"] == [2, 7]


def test_plain_prints_out_of_sequence_are_told():
    with engine(PEOPLE) as e:
        response = e.search(request(fingers=[*hand(1, 5), *swapped(hand(1, 6))]))
        same = [n.positions for n in response.notes if n.kind is NoteKind.SAME_FINGER]
        other = [n.positions for n in response.notes if n.kind is NoteKind.OTHER_FINGER]
        assert same == [(INDEX, MIDDLE), (INDEX, LEFT), (MIDDLE, LEFT)]
        assert other == [(INDEX, INDEX), (MIDDLE, MIDDLE), (LEFT, LEFT)]


def test_impressions_without_a_label_are_not_judged():
    with engine(PEOPLE) as e:
        prints = [labelled(p, UNKNOWN) for p in (*hand(1, 5), *hand(1, 6), *hand(2, 6))]
        assert e.search(request(fingers=[*prints, print_of(1, 7)])).notes == ()


def test_notes_depend_on_the_submission_alone():
    fingers = [*hand(1, 5), labelled(print_of(1, 6, INDEX), LEFT)]
    told = []
    for people in (PEOPLE, {"criminal": [record("C-8", 8)]}, {}):
        with engine(people) as e:
            asked = [request(ori, fingers=fingers) for ori in (KEEPS, OFF, "ZZ0000000")]
            told += [r.notes for r in (*map(e.search, asked),)]
            many = [request(ori, fingers=fingers) for ori in (KEEPS, OFF, "ZZ0000000")]
            told += [r.notes for r in e.search_many(many)]
    assert len(told) == 18
    assert set(told) == {told[0]}
    assert told[0]


def test_a_copy_has_no_notes():
    fingers = [*hand(1, 5), labelled(print_of(1, 6, INDEX), LEFT)]
    with engine(PEOPLE) as e:
        asked = request(KEEPS, fingers=fingers, copies_to=(OFF,))
        assert e.search(asked).notes
        assert e.copy(asked.tcn, OFF).notes == ()


def poor(template, quality=29, extractor="fpnet-2"):
    return dataclasses.replace(template, image_quality=quality, extractor=extractor)


def test_a_poor_print_is_to_be_taken_again_and_searched_all_the_same():
    with engine(PEOPLE) as e:
        fingers = [poor(print_of(1, 5, INDEX)), poor(print_of(1, 5, MIDDLE), 30)]
        response = e.search(request(fingers=[*fingers, print_of(1, 5, LEFT)]))
        assert names(response["criminal"]) == ["C-1"]
        assert kinds(response) == [(NoteKind.RETAKE, (INDEX,), (0,))]
        assert response.notes[0].score == 29
        assert response.notes[0].text.startswith("retake: the print labelled right index")
        unknown = poor(labelled(print_of(1, 5), UNKNOWN), 0)
        assert kinds(e.search(request(fingers=[unknown]))) == [(NoteKind.RETAKE, (UNKNOWN,), (0,))]
        made = ReferenceEngine(Clock())
        made.add_partition("criminal", 1, "DOJ-FBI")
        asked = request(fingers=[*fingers, unknown])
        assert made.search(asked).notes == e.search(asked).notes


def test_enrolment_reports_what_is_to_be_taken_again():
    with engine({}) as e:
        good, bad = print_of(1, 0, INDEX), poor(print_of(1, 0, LEFT), 7)
        report = e.enrol("criminal", [Record("C-1", [good, bad]), Record("", [bad])])
        assert report.accepted == 1
        (told,) = report.notes
        assert (told.item, told.record) == (0, "C-1")
        assert (told.note.kind, told.note.positions, told.note.score) == (
            NoteKind.RETAKE,
            (LEFT,),
            7,
        )


@pytest.mark.parametrize(
    ("extractor", "quality", "retake"),
    [
        ("fpnet-2", 29, True), ("fpnet-2", 30, False), ("fpnet-3", 0, True),
        ("fpnet-2", 255, False),
        ("classical-1", 44, True), ("classical-1", 45, False), ("vendor", 5, False), ("", 0, False),
    ],
)  # fmt: skip
def test_each_extractor_has_its_own_limit_and_strange_ones_have_none(extractor, quality, retake):
    assert poor(print_of(1), quality, extractor).retake is retake
