"""The whole round of a transaction: from the bytes of a submission to the bytes of its answers."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path

import format_cases as cases
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ebts_answers import TABLE, fields, seen_by_nistitl, who
from test_formats_modes import OUTCOMES, type_9
from test_policy_modes import BASE, BUREAU, NEIGHBOUR, SITE

import fpmatch as fp
from fpmatch import formats
from fpmatch.audit.records import Kind
from fpmatch.errors import AuditError, FormatError, FpmatchError, InputError
from fpmatch.formats.ebts_answering import Adjudication, Answering, Lights
from fpmatch.policy import MODES, Policy
from fpmatch.search import Transacted

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
NAMING = Answering(who=who)
NINES = [type_9(cases.template(seed, turn=180, step=8)) for seed in (0, 5)]
MATE, OTHER = (
    formats.read_templates(formats.write(cases.booking(records=(nine,))))[0] for nine in NINES
)


def policy(mode: str = "", extra: str = "", base: str = BASE) -> Policy:
    """The world of the seven modes, for every kind of transaction."""
    text = base.replace('["CAR"]', '["CAR", "CNA", "NFUF", "AMN", "RPIS", "TPIS", "LFIS"]')
    if mode:
        where = "" if mode == "no_federal_submission" else 'partition = "immigration"'
        text += f'\n[[mode]]\nmode = "{mode}"\nwho = "{SITE}"\nauthor = "{SITE}"\n{where}\n'
    return Policy.parse(f"{text}\n{extra}")


def world(folder: Path, made: Policy | None, *, immigration: int = 1) -> fp.Engine:
    """A gallery in which the prints are known in every partition; ``immigration`` counts records.

    With 0 that partition is empty.
    """
    engine = fp.Engine.create(folder, clock=lambda: NOW, durability="off")
    engine.add_partition("criminal", ndr=1, owner="DOJ-FBI")
    engine.add_partition("immigration", ndr=9, owner="DHS")
    engine.add_partition("town", ndr=901, owner="CA-SF")
    for partition in ("criminal", "town"):
        engine.enrol(partition, [fp.Record("C-17", [MATE]), fp.Record("C-18", [OTHER])])
    if immigration:
        more = [fp.Record(f"A-{i}", [OTHER if i % 2 else MATE]) for i in range(immigration)]
        engine.enrol("immigration", more)
    if made is not None:
        engine.publish(made)
    return engine


def file(kind: str = "CAR", second: dict | None = None, **header: str) -> bytes:
    """A submission of the site whose finger is in every partition."""
    nines = NINES[:1]
    if kind == "RPIS":
        second_finger = {f.number: f.value for f in NINES[1].fields[1:]} | {2: b"02", 134: b"08"}
        nines = [*nines, formats.tagged(9, second_finger)]
    made = cases.submitted(
        kind,
        {73: SITE} | (second or {}),
        records=tuple(nines),
        **({"origin": BUREAU} | header),
    )
    return formats.write(made)


def by_partition(done: Transacted) -> dict[str, bytes]:
    return {answer.partition: answer.data for answer in done.answers}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["CAR", "RPIS", "TPIS", "LFIS"])
def test_each_mode(mode: str, kind: str, tmp_path: Path) -> None:
    """Who may see what decides which answers there are, and nothing of one is in another."""
    asked = {"RPIS": {98: "1\x1e9"}}.get(kind)
    federal = mode != "no_federal_submission"
    with world(tmp_path / "g.fpm", policy(mode)) as engine:
        done = engine.transact(file(kind, asked), answering=NAMING)
        section = done.response["immigration"]
        assert section.outcome.value == OUTCOMES[mode]
        found = by_partition(done)
        expected = {"criminal"} if federal else set()
        expected |= {"immigration"} if mode == "interoperable" else set()
        if kind != "RPIS":
            expected.add("town")
        assert set(found) == (expected or {""})
        for answer in done.answers:
            first, second = fields(answer)
            theirs = seen_by_nistitl(answer.data)
            assert theirs[0][4] == first[4]
            assert theirs[0][10] == first[10] == b"CTRL-00001"
            assert (theirs[0][7], theirs[0][8]) == (BUREAU.encode(), b"DAI000000")
            assert theirs[1][73] == SITE.encode()
            for number in set(second) - {2}:
                assert theirs[1][number] == second[number]
            mandatory, allowed = TABLE[answer.kind]
            assert mandatory <= set(second) <= mandatory | allowed
            if not expected:
                assert answer.kind == "ERRT"
                assert b"immigration: NOT_SEARCHED NO_FEDERAL_SUBMISSION" in theirs[1][60]
            elif kind == "CAR":
                assert theirs[1][59] == b"N"
            elif kind == "RPIS":
                assert theirs[1][59] == b"R"
                assert answer.partition.encode() in theirs[1][88]
            else:
                assert theirs[1][64].startswith(b"U")
            if answer.partition != "immigration":
                assert b"U0\x1f" not in answer.data, "the name of the immigration record"
        owed = {message.partition for message in engine.notifications()}
        assert ("immigration" in owed) is (mode in ("interoperable", "results_withheld"))
        engine.audit.verify()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["CAR", "TPIS"])
def test_the_criminal_answer_is_the_same_bytes_under_every_mode(
    mode: str, kind: str, tmp_path: Path
) -> None:
    """Property L2, in bytes of answers: an engine without the denied data answers the same."""
    made = {}
    for count in (0, 1, 6):
        with world(tmp_path / f"{count}.fpm", policy(mode), immigration=count) as engine:
            made[count] = by_partition(engine.transact(file(kind), answering=NAMING))
    with world(tmp_path / "open.fpm", policy("interoperable"), immigration=3) as engine:
        open_to_all = by_partition(engine.transact(file(kind), answering=NAMING))
    for partition in {*made[0], *made[1], *made[6]} - {"immigration"}:
        assert made[0][partition] == made[1][partition] == made[6][partition]
        assert made[0][partition] == open_to_all[partition]
    if mode != "interoperable":
        assert set(made[0]) == set(made[6])
    else:
        assert made[0]["immigration"] != made[6]["immigration"] or kind == "CAR"


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    mode=st.sampled_from([mode for mode in MODES if mode != "interoperable"]),
    kind=st.sampled_from(["CAR", "AMN", "NFUF", "RPIS", "TPIS", "LFIS"]),
    count=st.integers(1, 8),
    charge=st.sampled_from([None, "misdemeanor", "traffic"]),
    opaque=st.booleans(),
    repositories=st.sampled_from(["1\x1e9", "9", "1"]),
)
def test_answers_do_not_depend_on_denied_data(
    mode: str, kind: str, count: int, charge: str | None, opaque: bool, repositories: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """All bytes that leave, also of errors, with and without what the submitter may not see."""
    base = BASE
    if opaque:
        base = base.replace('["CAR"]', '["CAR"]\nstatus_visibility = "opaque"')
    out = []
    for immigration in (0, count):
        folder = tmp_path_factory.mktemp("gallery") / "g.fpm"
        made = policy(mode, base=base)
        with world(folder, made, immigration=immigration) as engine:
            asked = {98: repositories} if kind == "RPIS" else None
            data = file(kind, asked)
            answers = engine.transact(data, answering=NAMING, charge=charge).answers
            out.append([(answer.kind, answer.partition, answer.data) for answer in answers])
    assert out[0] == out[1]
    assert out[0]


def test_a_result_holds_nothing_that_was_withheld(tmp_path: Path) -> None:
    with world(tmp_path / "g.fpm", policy("results_withheld")) as engine:
        done = engine.transact(file(), answering=NAMING)
        assert [m.partition for m in engine.notifications()].count("immigration") == 1
        assert b"A-0" not in pickle.dumps((done.answers, done.response, done.copied))
        assert "Template" not in repr(done)
        assert "SAMPLE" not in repr(done)


def test_an_examiner_may_look_later(tmp_path: Path) -> None:
    with world(tmp_path / "g.fpm", policy("results_withheld")) as engine:
        done = engine.transact(file(), answering=NAMING)
        before = len(list(engine.audit.records(kind=Kind.INTENT)))
        examined = Answering(who=who, adjudicate=lambda s: Adjudication(s.candidates[0].record))
        later = done.answer(examined)
        assert len(list(engine.audit.records(kind=Kind.INTENT))) == before, (
            "nothing is searched again"
        )
    for first, second in zip(done.answers, later.answers, strict=True):
        assert fields(first)[1][59] == b"N"
        assert fields(second)[1][59] == b"I"
        assert fields(second)[1][14] == b"U17"
        assert first.control != second.control
    assert later.response is done.response


def test_what_the_callers_own_functions_raise_loses_nothing(tmp_path: Path) -> None:
    def broken(partition: str, candidate: fp.Candidate) -> None:
        raise ZeroDivisionError("a registry of the caller's")

    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        done = engine.transact(file("TPIS"), answering=Answering(who=broken))
        assert isinstance(done.error, ZeroDivisionError)
        assert done.answers == ()
        assert done.response is not None
        mended = done.answer(NAMING)
        assert mended.error is None
        assert [answer.kind for answer in mended.answers] == ["SRT"] * 3


def test_copies_are_answers_under_a_mask_of_their_own(tmp_path: Path) -> None:
    """A neighbour that may not see the town's results has no answer of the town's."""
    second = {7: f"{NEIGHBOUR}/ROUTE\x1eXX0000000"}
    extra = f'\n[[mode]]\nmode = "ori_deactivated"\nwho = "{NEIGHBOUR}"\nauthor = "{NEIGHBOUR}"\n'
    extra += 'partition = "immigration"\n'
    with world(tmp_path / "g.fpm", policy("interoperable", extra)) as engine:
        done = engine.transact(file("TPIS", second), answering=NAMING)
        assert set(by_partition(done)) == {"criminal", "immigration", "town"}
        (recipient,) = done.copies
        assert recipient == NEIGHBOUR, "who may see nothing gets nothing"
        copies = {answer.partition: fields(answer) for answer in done.copies[NEIGHBOUR]}
        assert set(copies) == {"criminal", "town"}
        own = {answer.partition: fields(answer) for answer in done.answers}
        for partition, (first, second_record) in copies.items():
            assert first[7] == NEIGHBOUR.encode()
            assert first[10] == b"CTRL-00001"
            assert second_record == own[partition][1]
            assert first[9] != own[partition][0][9]
        with pytest.raises(fp.PolicyError):
            engine.copy("CTRL-00001", NEIGHBOUR)


REFUSED = [
    ({73: None}, {}, "2.073 names no booking station"),
    ({73: "123456789"}, {}, "2.073"),
    ({73: f"\x1e{SITE}"}, {}, "2.073"),
    ({18: None}, {}, "2.018 is mandatory in its answer"),
    ({5: "maybe"}, {}, "2.005 must be Y or N"),
    ({84: "3"}, {}, "2.084"),
    ({}, {"priority": "0"}, "1.006"),
    ({}, {"kind": "DEK"}, "'DEK' asks for no search"),
    ({}, {"kind": "NONE"}, "'NONE' asks for no search"),
]


@pytest.mark.parametrize(("second", "header", "what"), REFUSED)
def test_what_is_refused_is_answered_and_logged(
    second: dict, header: dict, what: str, tmp_path: Path
) -> None:
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        done = engine.transact(file(second=second, **header), answering=NAMING)
        (answer,) = done.answers
        assert answer.kind == "ERRT"
        first, record = fields(answer)
        assert what.encode() in record[60]
        assert first[10] == b"CTRL-00001"
        assert (first[7], first[8]) == (BUREAU.encode(), b"DAI000000")
        assert done.response is None
        assert isinstance(done.error, FpmatchError)
        (logged,) = engine.audit.records(kind=Kind.AUTH_FAILED)
        assert logged.fields["tcn"] == "CTRL-00001"
        assert what in logged.fields["reason"]
        assert not list(engine.audit.records(kind=Kind.INTENT)), "nothing was searched"
        with pytest.raises(InputError, match="nothing was searched"):
            done.answer(NAMING)


def test_a_latent_submission_is_refused_with_its_own_error(tmp_path: Path) -> None:
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        for second in ({73: None}, {10: None}, {11: ""}, {6: None}):
            (answer,) = engine.transact(file("LFIS", second), answering=NAMING).answers
            assert answer.kind == "ERRL"
            assert fields(answer)[1][60].startswith((b"byte ", b"2.0"))
        stood_in = engine.transact(file("LFIS", {73: None}), answering=NAMING, stand_in=SITE)
        assert {answer.kind for answer in stood_in.answers} == {"SRL"}
        assert all(73 not in fields(answer)[1] for answer in stood_in.answers)


def test_an_agency_without_standing_is_refused(tmp_path: Path) -> None:
    """The policy's refusal, and a gallery without any policy, are answered too."""
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        (answer,) = engine.transact(file(second={73: "XX0000000"}), answering=NAMING).answers
        assert answer.kind == "ERRT"
        assert b"criminal: REFUSED" in fields(answer)[1][60]
    with world(tmp_path / "none.fpm", None) as engine:
        (answer,) = engine.transact(file(), answering=NAMING).answers
        assert answer.kind == "ERRT"


def test_a_control_number_is_answered_once(tmp_path: Path) -> None:
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        first = engine.transact(file(), answering=NAMING)
        again = engine.transact(file(), answering=NAMING)
        assert [answer.kind for answer in first.answers] == ["SRE"] * 3
        assert [answer.kind for answer in again.answers] == ["ERRT"]
        assert again.response is None
        assert len(list(engine.audit.records(kind=Kind.INTENT))) == 1


def test_a_cut_file_is_answered_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    whole = formats.write(cases.submitted("CAR", records=cases.transaction().records[2:]))
    start = whole.index(b"\x1c", whole.index(b"\x1c") + 1) + 1
    answered = 0
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        for end in (*range(0, start + 8), *range(start + 8, len(whole), 997)):
            try:
                done = engine.transact(whole[:end], answering=NAMING)
            except FormatError:
                assert end <= whole.index(b"\x1c"), end
                continue
            answered += 1
            assert [answer.kind for answer in done.answers] == ["ERRT"]
            assert b"byte " in fields(done.answers[0])[1][60]
        assert answered > 20
        assert not list(engine.audit.records(kind=Kind.INTENT))


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"1.001:", bytes(100), cases.template().to_bytes(), "CAR", None, 7],
)
def test_what_is_no_transaction_is_an_error_of_ours(data: object, tmp_path: Path) -> None:
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        with pytest.raises(InputError):
            engine.transact(data, answering=NAMING)
        assert not list(engine.audit.records(kind=Kind.INTENT))


def test_answers_are_not_answered(tmp_path: Path) -> None:
    """Two engines that answer each other would do so for ever."""
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        for answer in (
            *engine.transact(file("TPIS"), answering=NAMING).answers,
            *engine.transact(file(second={73: None}), answering=NAMING).answers,
        ):
            with pytest.raises(FormatError, match="is not answered"):
                engine.transact(answer.data, answering=NAMING)


def test_what_the_caller_gets_wrong_is_no_answer(tmp_path: Path) -> None:
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        for more in (
            {"answering": "me"},
            {"stand_in": "state"},
            {"extractor": "magic"},
            {"booking_ori": SITE},
            {"partitions": (1,)},
            {"tcn": "other"},
            {"charge": 7},
            {"attributes": "x"},
            {"effort": "most"},
            {"protected": "no"},
        ):
            with pytest.raises(InputError):
                engine.transact(file(), **more)
        with pytest.raises(InputError, match="who="):
            engine.transact(file("LFIS"))
        assert not list(engine.audit.records(kind=Kind.INTENT))
        assert not list(engine.audit.records(kind=Kind.AUTH_FAILED))
        nobody = engine.transact(file())
        assert [answer.kind for answer in nobody.answers] == ["SRE"] * 3


def test_no_log_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of ours is an error, never a transaction that blames the submission."""
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:

        def full(*args: object, **options: object) -> int:
            raise AuditError("no space")

        monkeypatch.setattr(type(engine.audit), "intents", full)
        with pytest.raises(AuditError):
            engine.transact(file(), answering=NAMING)
        monkeypatch.setattr(type(engine.audit), "events", full)
        with pytest.raises(AuditError):
            engine.transact(file(second={73: None}), answering=NAMING)


def test_what_no_transaction_says_comes_from_the_caller(tmp_path: Path) -> None:
    with world(tmp_path / "g.fpm", policy("conditional_charge")) as engine:
        less = engine.transact(file(), answering=NAMING, charge="misdemeanor")
        more = engine.transact(file(control="CTRL-00002"), answering=NAMING, charge="felony")
        assert "immigration" not in by_partition(less)
        assert "immigration" in by_partition(more)


def test_lights_and_sender_are_the_callers(tmp_path: Path) -> None:
    answering = Answering(lights=Lights(1e5, 1e4), sender="CASIR0000")
    with world(tmp_path / "g.fpm", policy("interoperable")) as engine:
        (answer,) = engine.transact(file("RPIS", {98: "1"}), answering=answering).answers
        first, second = fields(answer)
        assert second[59] == b"G"
        assert first[8] == b"CASIR0000"


def test_every_sample_is_answered_or_refused(data: Path, tmp_path: Path) -> None:
    """Of the 29 real files two name a station: these are searched, all others answered with why."""
    agencies = "".join(
        f'[[agency]]\nori = "{ori}"\nparent = "{parent}"\n'
        for ori, parent in (("DDNMI0039", "CA-SF"), ("TEST00001", "CA"))
    )
    seen: dict[str, int] = {}
    with world(tmp_path / "g.fpm", policy("", agencies)) as engine:
        for number, path in enumerate(sorted((data / "formats" / "nist_itl").iterdir())):
            raw = path.read_bytes()
            try:
                done = engine.transact(
                    raw, answering=NAMING, extractor="classical", stand_in="CA0380100"
                )
            except FormatError as error:
                why = str(error).split(": ")[1]
                seen[why] = seen.get(why, 0) + 1
                continue
            for answer in done.answers:
                first, second = fields(answer)
                sent = formats.read(raw).header
                assert first[10] == sent.get(9).value
                assert (first[7], first[8]) == (sent.get(8).value, sent.get(7).value)
                assert seen_by_nistitl(answer.data)[0][10] == first[10]
                kind = answer.kind
                if kind == "SRE":
                    assert second[18] == b"LISA, MONA J"
                    assert second[73] == b"DDNMI0039"
            seen[kind] = seen.get(kind, 0) + 1
            assert number < 2 or done.response is None
    # The two bookings have one control number: the second is refused as a repetition.
    assert seen == {"SRE": 1, "ERRT": 27, "1.008": 1}
