"""EBTS answers: which fields stand in them, where each comes from, and what another reader sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import format_cases as cases
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpmatch import formats
from fpmatch.errors import FormatError, InputError
from fpmatch.formats import ebts_answers
from fpmatch.formats.ebts import KINDS
from fpmatch.formats.ebts_address import MANDATORY, RESPONSES, address_of
from fpmatch.formats.ebts_answering import Adjudication, Answering, Lights, Person
from fpmatch.types import (
    Candidate,
    FingerPosition,
    FingerScore,
    Outcome,
    PartitionResult,
    Reason,
    SearchResponse,
)

DAY = date(2026, 1, 2)
HEADER = {2, 4, 5, 7, 8, 9, 10, 11, 12}
"""Of the Type-1 record, mandatory in an answer (1.001 and 1.003 are written by `write`)."""
TABLE = {
    "SRE": ({2, 18, 59, 73}, {6, 9, 14, 39, 40, 41, 87}),
    "SRT": ({2}, {6, 9, 39, 40, 41, 64, 73}),
    "SRL": ({2, 6, 10, 11, 79}, {12, 13, 64, 73, 74, 89}),
    "RPISR": ({2, 6, 59, 88}, {9, 14, 18, 73}),
    "ERRT": ({2, 60}, {6, 9, 73}),
    "ERRL": ({2, 60}, {6, 10, 11, 12, 13, 61, 73}),
}
"""Mandatory and allowed fields of Type-2 by EBTS 9.1, tables D-1 and E-1, that fpmatch writes.

The tables also mark 2.007 and, in an SRT, 2.009 and 2.039 to 2.041 as mandatory: these repeat what
was submitted, and are left out with it.
"""


def candidates(count: int, best: float = 90.0) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            f"C-{i}",
            best - i,
            0.0,
            (
                FingerScore(FingerPosition.RIGHT_INDEX, 3.0),
                FingerScore(FingerPosition.LEFT_THUMB, 9.0),
            ),
        )
        for i in range(count)
    )


def section(name: str = "criminal", count: int = 3, **fields: object) -> PartitionResult:
    made = PartitionResult(
        name, Outcome.SEARCHED_DISCLOSED, Reason.GRANTED, candidates=candidates(count)
    )
    return replace(made, **fields)


HIDDEN = PartitionResult("immigration", Outcome.SEARCHED_WITHHELD, Reason.RESULTS_WITHHELD)


def response(*sections: PartitionResult) -> SearchResponse:
    return SearchResponse("CTRL-00001", 1, sections or (section(),))


def who(partition: str, candidate: Candidate) -> Person | None:
    """Names those of the tests' galleries; an id of an opaque partition says nothing."""
    if candidate.record.startswith("H"):
        return None
    return Person(f"U{candidate.record[2:]}", "DOE,JANE")


NAMING = Answering(who=who)


def answers(kind: str, *sections: PartitionResult, answering: Answering = NAMING, **more: object):
    address = address_of(cases.submitted(kind, **more))
    address.check()
    found = response(*sections)
    findings = ebts_answers.findings_of(address, found, answering)
    return ebts_answers.results(address, found, answering, DAY, findings)


def fields(answer: ebts_answers.Answer) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Type-1 and Type-2 by number, read strictly."""
    back = formats.read(answer.data, strict=True)
    assert formats.write(back) == answer.data
    assert [record.type for record in back.records] == [1, 2]
    first, second = ({f.number: f.value for f in r.fields[1:]} for r in back.records)
    first.pop(3)
    return first, second


def seen_by_nistitl(data: bytes) -> tuple[dict[int, bytes], dict[int, bytes]]:
    nistitl = pytest.importorskip("nistitl")
    message = nistitl.Message()
    message.parse(data)
    return tuple(
        {f.tag: f.NIST.split(b":", 1)[1] for f in record._fields if f.tag > 1 + (record.type == 2)}
        for record in message
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].answer])
def test_fields_of_each_answer(kind: str) -> None:
    """What is mandatory is there, nothing is that the tables do not know, agencies are swapped."""
    submitted = cases.submitted(kind)
    (answer,) = answers(kind)
    first, second = fields(answer)
    name = KINDS[kind].answer
    mandatory, allowed = TABLE[name]
    assert answer.kind == name
    assert mandatory <= set(second) <= mandatory | allowed
    assert HEADER <= set(first) <= HEADER | {6, 15}
    header = submitted.header
    assert first[4].decode() == name
    assert (first[7], first[8]) == (header.get(8).value, header.get(7).value)
    assert first[10] == header.get(9).value
    assert first[9] != first[10]
    assert first[9].decode() == answer.control
    assert 10 <= len(first[9]) <= 40
    assert (first[2], first[5], first[11], first[12]) == (b"0400", b"20260102", b"00.00", b"00.00")
    for number in (6, 9, 10, 11, 39, 40, 41, 73):
        if number in second:
            assert second[number] == submitted.records[1].get(number).value
    assert not {7, 98, 84} & set(second), "no copies are asked for, no repositories named"


@pytest.mark.parametrize("kind", [*KINDS, "LFS", "FOO"])
def test_errors_of_each_kind(kind: str) -> None:
    address = address_of(cases.submitted(kind))
    answer = ebts_answers.refusal(address, ["byte 7: 2.073\x1c\x1d\x1e é"], NAMING, DAY)
    latent = kind in ("LFIS", "LFS")
    assert answer.kind == ("ERRL" if latent else "ERRT")
    _, second = fields(answer)
    mandatory, allowed = TABLE[answer.kind]
    assert mandatory <= set(second) <= mandatory | allowed
    assert second[60] == b"byte 7: 2.073??? ?"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].answer])
def test_another_reader_sees_the_same(kind: str) -> None:
    for answer in (*answers(kind), *answers(kind, HIDDEN)):
        first, second = fields(answer)
        theirs = seen_by_nistitl(answer.data)
        for number, value in first.items():
            assert theirs[0][number] == value
        second.pop(2)
        assert {n: theirs[1][n] for n in second} == second


def test_nobody_is_identified_without_an_adjudication() -> None:
    for count in (0, 1, 20):
        (answer,) = answers("CAR", section(count=count))
        _, second = fields(answer)
        assert second[59] == b"N"
        assert second[18] == b"SAMPLE,SAM", "the name that was submitted"
        assert 14 not in second
        assert not answer.adjudicated
        assert b"C-0" not in answer.data
        assert b"DOE" not in answer.data


def test_an_adjudication_identifies() -> None:
    asked = []

    def examiner(found: PartitionResult) -> Adjudication | None:
        asked.append(found.partition)
        return {"criminal": Adjudication("C-1"), "town": Adjudication(None)}.get(found.partition)

    answering = replace(NAMING, adjudicate=examiner)
    three = answers(
        "CAR", section(), HIDDEN, section("town"), section("civil"), answering=answering
    )
    assert asked == ["criminal", "town", "civil"], "never of what is not disclosed"
    found = [fields(answer)[1] for answer in three]
    assert [second[59] for second in found] == [b"I", b"N", b"N"]
    assert (found[0][14], found[0][18]) == (b"U1", b"DOE,JANE")
    assert [answer.adjudicated for answer in three] == [True, True, False]
    nameless = Answering(adjudicate=examiner)
    second = fields(answers("CAR", answering=nameless)[0])[1]
    assert (second[59], second[18]) == (b"I", b"SAMPLE,SAM")
    assert 14 not in second


@pytest.mark.parametrize("found", [Adjudication("C-9"), Adjudication("X"), "C-1", True])
def test_only_a_disclosed_candidate_can_be_identified(found: object) -> None:
    with pytest.raises(InputError, match=r"no candidate of criminal|must return an Adjudication"):
        answers("CAR", answering=Answering(adjudicate=lambda section: found))


@pytest.mark.parametrize(("kind", "most"), [("TPIS", 25), ("LFIS", 99)])
def test_lists_end_at_their_limits(kind: str, most: int) -> None:
    for count in (0, 1, most, most + 1, 120):
        (answer,) = answers(kind, section(count=count))
        _, second = fields(answer)
        shown = min(count, most)
        assert second.get(64, b"").count(b"\x1f") == shown
        assert answer.unnamed == ()
        if kind == "LFIS":
            assert second[79] == b"0"
            assert len(second.get(74, b"").split(b"\x1e")) == max(shown, 1)
            assert len(second.get(89, b"").split(b"\x1e")) == max(shown, 1)
        if count == 120:
            rows = second[64].split(b"\x1e")
            assert rows[:2] == [b"U0\x1fDOE,JANE", b"U1\x1fDOE,JANE"]
            if kind == "LFIS":
                assert second[74].startswith(b"06\x1e06")
                assert second[89].startswith(b"9000\x1e8900")


def test_who_is_not_named_is_left_out_and_said() -> None:
    answering = Answering(who=lambda p, c: None if c.record == "C-1" else who(p, c))
    (answer,) = answers("LFIS", answering=answering)
    _, second = fields(answer)
    assert second[64] == b"U0\x1fDOE,JANE\x1eU2\x1fDOE,JANE"
    assert second[89] == b"9000\x1e8800", "scores stay with their candidates"
    assert answer.unnamed == ("C-1",)


@pytest.mark.parametrize(
    ("best", "colour", "numbers"),
    [
        (80.0, b"R", b"U0\x1eU1"),
        (79.99, b"Y", b"U0\x1eU1"),
        (50.5, b"Y", b"U0"),
        (50.0, b"Y", b"U0"),
        (49.99, b"G", None),
    ],
)
def test_lights(best: float, colour: bytes, numbers: bytes | None) -> None:
    (answer,) = answers("RPIS", section(candidates=candidates(3, best)))
    _, second = fields(answer)
    assert second[59] == colour
    assert second.get(14) == numbers
    assert second.get(18) == (b"DOE,JANE" if numbers else None)
    assert second[88].startswith(b"REPOSITORY criminal: ")
    assert (b"NOT AN IDENTIFICATION" in second[88]) is (colour != b"G")
    (nameless,) = answers("RPIS", answering=Answering(lights=Lights(30.0, 20.0)))
    _, second = fields(nameless)
    assert second[59] == b"R"
    assert not {14, 18} & set(second)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_search_cut_short_is_no_answer(kind: str) -> None:
    """Neither green nor N nor an empty list: who was not compared may be there."""
    cut, whole = section("town", complete=False, candidates=()), section()
    made = answers(kind, cut, whole)
    assert made[0].kind in ("ERRT", "ERRL")
    assert made[0].partition == "town"
    assert fields(made[0])[1][60] == b"town: the search was not completed"
    assert [a.kind for a in made[1:]] == ([KINDS[kind].answer] if KINDS[kind].answer else [])


def test_where_nothing_may_be_seen_one_error_says_so() -> None:
    others = [replace(HIDDEN, partition=f"p{i}") for i in range(20)]
    (answer,) = answers("CAR", HIDDEN)
    assert fields(answer)[1][60] == b"immigration: SEARCHED_WITHHELD RESULTS_WITHHELD"
    (answer,) = answers("CNA", HIDDEN, *others)
    lines = fields(answer)[1][60].split(b"\x1e")
    assert len(lines) == 11
    assert lines[-1] == b"and 11 more"


def test_no_answer_is_sent_where_none_is_wanted() -> None:
    assert answers("CNA", section()) == ()


def test_each_partition_is_answered_by_itself() -> None:
    alone = answers("TPIS", section())
    beside = answers("TPIS", section("aliens", 7), section(), HIDDEN)
    assert beside[1] == alone[0]
    assert [answer.partition for answer in beside] == ["aliens", "criminal"]
    numbers = {fields(answer)[0][10] for answer in beside}
    assert numbers == {b"CTRL-00001"}
    assert beside[0].control != beside[1].control
    assert beside[1].control.startswith("criminal-")


def test_the_caller_may_number_the_answers() -> None:
    answering = replace(NAMING, control=lambda kind, partition: f"{kind}/{partition}/1")
    (answer,) = answers("CAR", answering=answering)
    assert fields(answer)[0][9] == b"SRE/criminal/1"
    for bad in ("short", "x" * 41, "line\nbreak..", "naïve-number", 7, None, b"BYTES-00001"):
        with pytest.raises(InputError, match="control number has 10 to 40"):
            answers("CAR", answering=Answering(control=lambda k, p, bad=bad: bad))


def test_numbers_follow_from_the_content() -> None:
    one, again = (answers("CAR")[0] for _ in range(2))
    assert one == again
    changes = [
        answers("CAR", section("town"))[0],
        answers("CAR", control="CTRL-00002")[0],
        answers("CAR", answering=replace(NAMING, adjudicate=lambda s: Adjudication("C-0")))[0],
    ]
    assert len({one.control, *(answer.control for answer in changes)}) == 4


@pytest.mark.parametrize("kind", ["CAR", "AMN", "NFUF", "RPIS", "LFIS"])
def test_what_an_answer_needs_of_the_submission_is_asked_first(kind: str) -> None:
    for number in MANDATORY[KINDS[kind].answer]:
        for value in (None, "", "x" * 200, "a\x07b"):
            with pytest.raises(FormatError, match=rf"2\.{number:03d} is mandatory in its answer"):
                address_of(cases.submitted(kind, {number: value})).check()


def test_malformed_fields_are_not_repeated() -> None:
    """They would make the answer malformed; the optional ones are left out."""
    for number in (6, 9, 39, 40, 41, 87):
        for value in ("", "x" * 301, "a\x07b", "two\x1evalues"):
            (answer,) = answers("CAR", second={number: value})
            assert number not in fields(answer)[1]
    bad = cases.submitted("TPIS", {73: "lower1234"})
    assert 73 not in address_of(bad).repeated
    doubled = cases.submitted("CAR")
    record = doubled.records[1]
    twice = replace(record, fields=(*record.fields, record.get(6)))
    assert 6 not in address_of(replace(doubled, records=(doubled.header, twice))).repeated


def test_text_that_is_not_ascii_comes_back_with_its_character_set() -> None:
    made = cases.submitted("CAR", {9: "Fall-Nr. Ä 7"}, characters="003\x1fUTF-8")
    answer = ebts_answers.results(address_of(made), response(), NAMING, DAY)[0]
    first, second = fields(answer)
    assert first[15] == b"003\x1fUTF-8"
    assert second[9].decode() == "Fall-Nr. Ä 7"


@pytest.mark.parametrize("kind", sorted(RESPONSES))
def test_an_answer_is_never_answered(kind: str) -> None:
    with pytest.raises(FormatError, match="is not answered"):
        address_of(cases.submitted(kind))


def test_an_unknown_kind_that_answers_something_is_not_answered() -> None:
    with pytest.raises(FormatError, match=r"1\.010 makes 'IDR' an answer"):
        address_of(cases.submitted("IDR", answered="CTRL-00000"))
    assert address_of(cases.submitted("CAR", answered="CTRL-00000")).kind == "CAR"


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ({"origin": ""}, r"1\.008 is mandatory"),
        ({"origin": "123456789"}, r"1\.008"),
        ({"destination": ""}, r"1\.007 is mandatory"),
        ({"destination": "SHORT"}, r"1\.007 must be nine"),
        ({"destination": "DAI-00000"}, r"1\.007 must be nine"),
        ({"control": ""}, r"1\.009 is mandatory"),
        ({"control": "x" * 41}, r"1\.009 must be up to 40"),
        ({"kind": ""}, r"1\.004 is mandatory"),
    ],
)
def test_what_cannot_be_addressed(header: dict, what: str) -> None:
    made = cases.submitted(**{"kind": "CAR", **header})
    with pytest.raises(FormatError, match=what):
        address_of(made)
    if "destination" in header:
        assert address_of(made, sender="CASIR0000").sender == "CASIR0000"


@pytest.mark.parametrize("ucn", ["", "a1", "X" * 10, "A-1", "A\x1fB", None, 7])
def test_a_number_that_cannot_be_written(ucn: object) -> None:
    with pytest.raises(InputError, match="ucn must be"):
        Person(ucn, "DOE,JANE")


@pytest.mark.parametrize("name", ["", "AB", "X" * 31, "D0E,J", "DOE\x1eJ", "MÜLLER,A", ",- ", None])
def test_a_name_that_cannot_be_written(name: object) -> None:
    with pytest.raises(InputError, match="a name must be"):
        Person("A1", name)


def test_what_the_caller_gives_is_checked() -> None:
    for made in (
        lambda: Answering(who="me"),
        lambda: Answering(adjudicate=3),
        lambda: Answering(control="x"),
        lambda: Answering(lights=(1, 2)),
        lambda: Answering(sender="me"),
        lambda: Lights(red=10, yellow=20),
        lambda: Lights(red=float("nan")),
        lambda: Adjudication(""),
        lambda: Adjudication(7),
    ):
        with pytest.raises(InputError):
            made()
    with pytest.raises(InputError, match="must return a Person"):
        answers("TPIS", answering=Answering(who=lambda p, c: "DOE,JANE"))
    with pytest.raises(InputError, match="who="):
        ebts_answers.check_names(address_of(cases.submitted("LFIS")), Answering())


@given(
    kind=st.sampled_from([kind for kind in KINDS if KINDS[kind].answer]),
    names=st.lists(
        st.text(st.sampled_from("ABCdef, -"), min_size=3, max_size=30).filter(
            lambda text: any(c.isalpha() for c in text)
        ),
        max_size=30,
    ),
    scores=st.lists(st.floats(0, 12_000), max_size=30),
    attention=st.text(min_size=1, max_size=30),
    control=st.text(min_size=1, max_size=40).filter(str.isprintable),
    partition=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=64),
    message=st.text(max_size=400),
)
def test_whatever_is_written_is_read_back(
    kind: str,
    names: list[str],
    scores: list[float],
    attention: str,
    control: str,
    partition: str,
    message: str,
) -> None:
    """Own writer to own reader, over what submitters and callers may say."""
    try:
        submitted = cases.submitted(kind, {6: attention}, control=control)
        address = address_of(submitted)
        address.check()
    except (FormatError, UnicodeEncodeError):
        return
    people = [Person("A1", name) for name in names]
    found = tuple(Candidate(str(i), score, 0.0) for i, score in enumerate(scores[: len(people)]))
    answering = Answering(who=lambda p, c: people[int(c.record)])
    one = section(partition, candidates=found)
    made = ebts_answers.results(address, response(one), answering, DAY)
    made += (ebts_answers.refusal(address, [message], answering, DAY, partition),)
    for answer in made:
        first, second = fields(answer)
        assert first[10] == control.encode()
        assert len(first[9]) <= 40
        assert first[9].isascii()
        mandatory, allowed = TABLE[answer.kind]
        assert mandatory <= set(second) <= mandatory | allowed
        if 64 in second:
            rows = [row.split(b"\x1f") for row in second[64].split(b"\x1e")]
            assert [row[1].decode() for row in rows] == names[
                : min(len(found), 25 if kind == "TPIS" else 99)
            ]
        if 60 in second:
            assert 1 <= len(second[60]) <= 300
