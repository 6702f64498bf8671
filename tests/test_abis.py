"""The ABIS adapter: what each message does, what it cannot do, and what is answered to the rest."""

from __future__ import annotations

import dataclasses
import json
import random
import threading
from pathlib import Path
from typing import Any

import mutate
import numpy as np
import pytest
from abis_cases import (
    TIME,
    Abis,
    gallery,
    image,
    message,
    minutiae,
    other,
    person,
    pictures,
)
from engine_helpers import (
    HELD,
    KEEPS,
    LATER,
    OFF,
    ON,
    OTHER,
    POLICY,
    engine,
    record,
    request,
    world,
)
from test_policy_modes import BUREAU, SITE, policy

from fpmatch import formats
from fpmatch.audit import Kind
from fpmatch.errors import AuditError, InputError, StorageError
from fpmatch.formats import abis, abis_messages
from fpmatch.formats.abis_messages import FailureReason, Operation
from fpmatch.parameters import FORMATS
from fpmatch.policy import MODES
from fpmatch.search import Engine
from fpmatch.types import Record

COUNTS = POLICY.replace('transactions = ["CAR", "CNA"]', 'transactions = ["CAR", "CNA", "COUNT"]')


def kinds(e: Engine, kind: Kind) -> list[dict[str, Any]]:
    return [dict(r.fields) for r in e.audit.records(kind=kind)]


# -- the round ----------------------------------------------------------------------------------


def test_insert_identify_delete_identify() -> None:
    with engine() as e:
        served = Abis(e, authority="Registrar")
        assert served.insert("X-1", person(50)) == {
            "id": "mosip.abis.insert",
            "requestId": "R-1",
            "responsetime": "2011-01-15T00:00:00.000Z",
            "returnValue": "1",
        }
        assert served.found("X-1") == []
        assert served.insert("X-2", person(50, 3))["returnValue"] == "1"
        assert served.insert("X-3", person(51))["returnValue"] == "1"
        assert served.found("X-1") == ["X-2"]
        assert served.found("X-2") == ["X-1"]
        assert served.found("X-3") == []
        assert served.ask("delete", referenceId="X-2")["returnValue"] == "1"
        assert served.found("X-1") == []
        assert served.reason("identify", referenceId="X-2") == "12"
        assert served.reason("delete", referenceId="X-2") == "12"
        (gone,) = kinds(e, Kind.EXPUNGE)
        assert (gone["authority"], gone["order"]) == ("Registrar", "mosip.abis.delete R-1")
        assert served.insert("X-2", person(50, 3))["returnValue"] == "1"
        assert served.found("X-1") == ["X-2"]
        assert e.audit.verify().ok


def test_pictures_of_synthetic_prints_go_the_whole_way() -> None:
    """Finger images in, duplicates out; iris and face are passed over."""
    with engine() as e:
        served = Abis(e, isolated=True)
        iris, face = other("Iris", b"x", "Left"), other("Face")
        one = pictures(image("1_1.png"), iris, face, image("2_1.png", 7))
        assert served.insert("P-1", one)["returnValue"] == "1"
        assert (
            served.insert("P-2", pictures(iris, image("1_2.png", edition="fir2005")))["returnValue"]
            == "1"
        )
        assert served.insert("P-3", pictures(image("3_1.png")))["returnValue"] == "1"
        assert served.found("P-2") == ["P-1"]
        assert served.found("P-3") == []
        # Two impressions of one finger are one finger.
        assert (
            served.insert("P-4", pictures(image("1_1.png"), image("1_2.png")))["returnValue"] == "1"
        )
        assert sorted(served.found("P-1")) == ["P-2", "P-4"]


def test_an_address_is_identified_without_being_enrolled() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        served.files["u"] = minutiae(person(50, 2))
        before = e.audit.verify()
        for reference in ("", None):
            answer = served.ask("identify", referenceId=reference, referenceURL="u")
            listed = answer["candidateList"]["candidates"]
            assert [c["referenceId"] for c in listed] == ["X-1"]
        assert before.ok
        # A reference that is given is preferred to an address.
        served.fetched.clear()
        assert served.found("X-1", referenceURL="u") == []
        assert served.fetched == []


def test_the_answer_has_scores_and_where_they_end() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        served.insert("X-2", person(50, 2))
        (one,) = served.ask("identify", referenceId="X-1")["candidateList"]["candidates"]
        asked = e.search(dataclasses.replace(request(ON, 50, 0), threshold=50.0))
        assert one["referenceId"] == "X-2"
        whole = one["analytics"]
        assert float(whole["internalScore"]) > 60
        assert (whole["fmr"], whole["fmrBelow"], whole["partition"]) == (
            "1.0e-05", "true", "criminal",
        )  # fmt: skip
        (modality,) = one["modalities"]
        assert modality["biometricType"] == "FIR"
        assert modality["analytics"]["fingers"] == {"2": whole["internalScore"]}
        assert {c.record for c in asked["criminal"].candidates} == {"X-1", "X-2"}


# -- limits of identify -------------------------------------------------------------------------


def test_a_gallery_narrows_and_never_widens() -> None:
    with engine() as e:
        served = Abis(e, ori=OFF)
        for i in range(4):
            served.insert(f"X-{i}", person(1, i + 10))
        # Person 1 is C-1 in this partition, and I-1 in one that this agency may not search.
        assert set(served.found("X-0")) == {"C-1", "X-1", "X-2", "X-3"}
        assert set(served.found("X-0", gallery=gallery("X-1", "X-3"))) == {"X-1", "X-3"}
        assert served.found("X-0", gallery=gallery("I-1")) == []
        assert served.found("X-0", gallery=gallery("X-0")) == []
        assert served.found("X-0", gallery=gallery("none", "X-2", "X-2")) == ["X-2"]
        assert served.found("X-0", gallery=gallery("C-2")) == []
    with engine() as e:
        served = Abis(e, ori=ON)
        served.insert("X-0", person(1, 10))
        assert set(served.found("X-0")) == {"C-1", "I-1"}
        assert served.found("X-0", gallery=gallery("I-1")) == ["I-1"]


def test_a_gallery_is_cut_before_the_best_are_taken() -> None:
    with engine() as e:
        served = Abis(e)
        for i in range(6):
            served.insert(f"X-{i}", person(50, i))
        best = served.found("X-0")
        last = best[-1]
        assert len(best) == 5
        flags = {"maxResults": "1"}
        assert served.found("X-0", gallery=gallery(last), flags=flags) == [last]
        assert served.found("X-0", flags=flags) == best[:1]


@pytest.mark.parametrize(
    ("flags", "count"),
    [({"maxResults": "2"}, 2), ({"maxResults": 3}, 3), ({"maxResults": "999999999999"}, 4),
     ({}, 3), (None, 3), ({"maxResults": ""}, 3), ({"flag1": "value1"}, 3)],
)  # fmt: skip
def test_how_many_are_listed(flags: dict[str, Any] | None, count: int) -> None:
    with engine() as e:
        served = Abis(e, max_results=3, most_results=4)
        for i in range(6):
            served.insert(f"X-{i}", person(50, i))
        assert len(served.found("X-0", flags=flags)) == count


def test_a_target_is_brought_to_a_threshold_by_the_number_of_records_seen() -> None:
    """FPIR <= N * FMR: ten times the records ask for ten points more."""

    def threshold(e: Engine) -> float:
        return kinds(e, Kind.INTENT)[-1]["threshold"] / 100

    with engine() as e:
        served = Abis(e, ori=OFF)
        served.insert("X-1", person(50))
        served.found("X-1")
        assert threshold(e) == 50.0  # of the adapter
        answer = served.ask("identify", referenceId="X-1", flags={"targetFPIR": "30"})
        assert threshold(e) == pytest.approx(30 + 10 * np.log10(5), abs=0.01)
        assert answer["candidateList"]["analytics"] == {
            "targetFPIR": "30", "targetFPIREvidenced": "true",
        }  # fmt: skip
        served.found("X-1", flags={"targetFPIR": 30}, gallery=gallery("C-1", "C-2"))
        assert threshold(e) == pytest.approx(30 + 10 * np.log10(2), abs=0.01)
        answer = served.ask("identify", referenceId="X-1", flags={"targetFPIR": "50"})
        assert answer["candidateList"]["analytics"]["targetFPIREvidenced"] == "false"
        e.seal("C-2", order="o", authority="a")
        served.found("X-1", flags={"targetFPIR": "30"})
        assert threshold(e) == pytest.approx(30 + 10 * np.log10(4), abs=0.01)
    for ori in (HELD, LATER):
        with engine() as e:
            # Records that are searched for their owner only do not count, nor those that wait.
            served = Abis(e, ori=ori)
            served.insert("X-1", person(50))
            served.found("X-1", flags={"targetFPIR": "30"})
            assert threshold(e) == pytest.approx(30 + 10 * np.log10(5), abs=0.01)
    with engine() as e:
        served = Abis(e, ori=ON, target_fpir=20.0)
        served.insert("X-1", person(50))
        served.found("X-1")
        assert threshold(e) == pytest.approx(20 + 10 * np.log10(9), abs=0.01)


def test_a_candidate_below_the_target_is_not_listed() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        served.insert("X-2", person(50, 2))
        (one,) = served.ask("identify", referenceId="X-1")["candidateList"]["candidates"]
        score = float(one["analytics"]["internalScore"])
        records = 10  # four and two of the tests' world and of the other partition
        target = score - 10 * np.log10(records)
        assert served.found("X-1", flags={"targetFPIR": f"{target - 0.1:.2f}"}) == ["X-2"]
        assert served.found("X-1", flags={"targetFPIR": f"{target + 0.1:.2f}"}) == []


# -- whose references ---------------------------------------------------------------------------


def test_a_reference_is_one_that_this_agency_inserted() -> None:
    with engine() as e:
        served, neighbour = Abis(e, authority="A"), Abis(e, ori=KEEPS, authority="A")
        served.insert("X-1", person(1, 9))
        for name in ("C-1", "X-1", "I-1", "none"):
            assert neighbour.reason("identify", referenceId=name) == "12"
            assert neighbour.reason("delete", referenceId=name) == "12"
        refused = kinds(e, Kind.AUTH_FAILED)
        assert len(refused) == 8
        assert {r["what"] for r in refused} == {"mosip.abis.identify", "mosip.abis.delete"}
        assert {r["ori"] for r in refused} == {KEEPS}
        assert served.found("X-1") != []
        assert not kinds(e, Kind.EXPUNGE)
        # The name is taken, whoever took it.
        url = {"referenceURL": "https://share.example/X-1"}
        neighbour.files = served.files
        assert neighbour.reason("insert", referenceId="X-1", **url) == "10"


def test_a_sealed_reference_is_not_found() -> None:
    with engine() as e:
        served = Abis(e, authority="A")
        served.insert("X-1", person(50))
        served.insert("X-2", person(50, 2))
        e.seal("X-1", order="o", authority="court")
        assert served.reason("identify", referenceId="X-1") == "12"
        assert served.reason("delete", referenceId="X-1") == "12"
        assert served.found("X-2") == []
        e.unseal("X-1", order="o", authority="court")
        assert served.found("X-2") == ["X-1"]


def test_a_banned_use_is_none_of_a_reference_either() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        ban = Record("X-1", [person(50)], contributor=ON, banned_uses=frozenset({"CAR"}))
        assert e.enrol("criminal", [ban]).ok
        assert served.reason("identify", referenceId="X-1") == "12"
        assert Abis(e, transaction="CNA").found("X-1") == []


def test_a_protected_reference_is_searched_as_one() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        served.found("X-1")
        assert kinds(e, Kind.INTENT)[-1]["protected"] is False
        assert e.enrol("criminal", [Record("X-1", [person(50)], protected=True)]).ok
        served.ask("identify", referenceId="X-1")
        assert kinds(e, Kind.INTENT)[-1]["protected"] is True


def test_a_reference_is_no_candidate_of_its_own_and_no_hit_for_the_owner() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        assert served.found("X-1") == []
        assert e.notifications() == []
        served.insert("X-2", person(50, 2))
        assert served.found("X-1") == ["X-2"]
        assert len(e.notifications()) == 1


def test_the_log_has_whose_probe_it_was_and_what_it_was_compared_with() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        served.found("X-1")
        served.found("X-1", gallery=gallery("C-2", "X-1"))
        served.files["u"] = minutiae(person(50, 2))
        served.ask("identify", referenceURL="u", gallery=gallery("X-1"))
        served.ask("identify", referenceURL="u")
        said = [intent.get("record_digest", "") for intent in kinds(e, Kind.INTENT)]
        digest = e.audit.records_digest
        assert said == [
            digest("criminal", ["X-1"]),
            digest("criminal", ["X-1", "C-2", "X-1"]),
            digest("", ["X-1"]),
            "",
        ]
        seq = next(iter(e.audit.records(kind=Kind.INTENT))).seq
        with pytest.raises(InputError, match="named records"):
            e.replay(seq, request(ON, 50, 0))


# -- authority ----------------------------------------------------------------------------------


def test_a_delete_needs_an_authority() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        assert served.reason("delete", referenceId="X-1") == "2"
        (refused,) = kinds(e, Kind.AUTH_FAILED)
        assert refused["what"] == "mosip.abis.delete"
        assert refused["reason"] == "no authority is configured"
        assert not kinds(e, Kind.EXPUNGE)
        assert e.audit.verify().ok
        assert served.found("X-1") == []


def test_an_insert_comes_before_the_identify_that_names_it() -> None:
    with engine() as e:
        served = Abis(e)
        assert served.reason("identify", referenceId="X-1") == "12"
        served.insert("X-1", person(50))
        assert served.found("X-1") == []


def test_a_second_insert_of_a_reference_changes_nothing() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        served.fetched.clear()
        url = {"referenceURL": "https://share.example/X-1"}
        assert served.reason("insert", referenceId="X-1", requestId="R-2", **url) == "10"
        assert served.fetched == []
        # The same request is a message that the queue has delivered again.
        assert served.ask("insert", referenceId="X-1", **url)["returnValue"] == "1"
        assert served.fetched == []
        assert len(kinds(e, Kind.ENROL)) == 3
        e.seal("X-1", order="o", authority="court")
        assert served.reason("insert", referenceId="X-1", **url) == "10"
        served.insert("X-2", person(51))
        assert served.found("X-2") == []


def test_of_two_inserts_at_once_one_is_taken() -> None:
    with engine() as e:
        served = Abis(e)
        both = threading.Barrier(2)
        file = minutiae(person(50))

        def fetch(url: str) -> bytes:
            both.wait(10)
            return file

        answers: list[str] = []

        def insert() -> None:
            said = message("insert", referenceId="X-1", referenceURL="u")
            answer = abis.handle(said, e, adapter=served.adapter, fetch=fetch)
            answers.append(json.loads(answer).get("failureReason", "-"))

        threads = [threading.Thread(target=insert) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == ["-", "10"]


# -- masks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_of_opting_out_holds(mode: str, tmp_path: Path) -> None:
    """Candidates are those of the partitions that a search by hand discloses, and no others."""
    with Engine.create(tmp_path / "county.fpm", durability="off") as e:
        e.add_partition("criminal", ndr=1, owner="DOJ-FBI")
        e.add_partition("immigration", ndr=9, owner="DHS")
        e.add_partition("town", ndr=901, owner="CA-SF")
        for name in ("criminal", "immigration", "town"):
            e.enrol(name, [Record(f"{name}-17", [person(50, 4)])])
        e.publish(policy(mode))
        served = Abis(e, SITE, partition="town", chain=(BUREAU,))
        served.insert("X-1", person(50))
        found = served.found("X-1")
        assert not kinds(e, Kind.DEFER)
        by_hand = e.search(dataclasses.replace(request(SITE, 50, 0), chain=(BUREAU,)))
        disclosed = {s.partition for s in by_hand if s.candidates is not None}
        assert set(found) == {f"{name}-17" for name in disclosed}
        assert ("immigration-17" in found) is (mode == "interoperable")


@pytest.mark.parametrize("ori", [OFF, HELD, LATER])
def test_what_is_not_granted_leaves_no_trace(ori: str) -> None:
    """The same bytes whether the other partition holds ten mates or nothing."""
    answers = []
    for people in (world(), {"criminal": world()["criminal"], "immigration": []}):
        if people["immigration"]:
            people["immigration"] = [record(f"I-{i}", 50, touch=i + 1) for i in range(10)]
        with engine(people) as e:
            served = Abis(e, ori)
            served.insert("X-1", person(50))
            served.insert("X-2", person(50, 30))
            said = [
                message("identify", referenceId="X-1"),
                message("identify", referenceId="X-1", flags={"targetFPIR": "30"}),
                message("identify", referenceId="X-1", gallery=gallery("X-2", "I-1", "I-2")),
                message("referenceCount"),
                message("pendingJobs"),
            ]
            answers.append([served.say(one) for one in said])
    assert answers[0] == answers[1]
    assert answers[0][0]["candidateList"]["count"] == "1"


def test_where_nothing_may_be_shown_no_empty_list_is_given() -> None:
    """An empty list says that there is no duplicate; nobody has looked for one."""
    with engine() as e:
        for ori, more in ((OTHER, {}), (ON, {"transaction": "XXX"}), ("ZZ0000000", {})):
            served = Abis(e, ori, **more)
            served.insert(f"X-{ori}", person(50))
            reference = {"referenceId": f"X-{ori}"}
            if not more:
                assert served.reason("identify", **reference) == "2"
        served = Abis(e, ON, transaction="XXX")
        assert served.reason("identify", referenceId=f"X-{ON}") == "2"


def test_a_deferred_partition_is_not_searched_later() -> None:
    with engine() as e:
        served = Abis(e, LATER)
        served.insert("X-1", person(1, 9))
        assert served.found("X-1") == ["C-1"]
        assert kinds(e, Kind.DEFER) == []


def test_no_message_chooses_whose_mask_counts() -> None:
    with engine() as e:
        served = Abis(e, OFF)
        served.insert("X-1", person(1, 9))
        more = {
            "booking_ori": ON, "chain": [ON], "partition": "immigration", "authority": "A",
            "role": "advocate", "flags": {"partition": "immigration", "ori": ON},
        }  # fmt: skip
        assert served.found("X-1", **more) == ["C-1"]
        assert served.reason("delete", referenceId="X-1", **more) == "2"


def test_opaque_partitions_stay_opaque() -> None:
    text = POLICY.replace('protected_roles = ["advocate"]', 'status_visibility = "opaque"')
    text = text.replace('roles = ["officer", "advocate"]\n', "")
    with engine(text=text) as e:
        served = Abis(e, ON)
        served.insert("X-1", person(1, 9))
        found = served.found("X-1")
        (hidden,) = set(found) - {"C-1"}
        assert hidden.startswith("H")
        assert served.found("X-1", gallery=gallery(hidden)) == [hidden]
        assert served.found("X-1", gallery=gallery("I-1")) == []
        assert set(served.found("X-1", gallery=gallery("I-1", "C-1", hidden))) == {"C-1", hidden}


# -- the other messages -------------------------------------------------------------------------


def test_ping_pending_jobs_and_reference_count() -> None:
    with engine(text=COUNTS) as e:
        served = Abis(e)
        said = {"requestId": "R-1", "responsetime": "2011-01-15T00:00:00.000Z", "returnValue": "1"}
        assert served.ask("ping") == {"id": "mosip.abis.ping", **said}
        assert served.say(message("pendingJobs"), pending=7) == {
            "id": "mosip.abis.pendingJobs", **said, "jobscount": "7",
        }  # fmt: skip
        assert served.ask("referenceCount") == {
            "id": "mosip.abis.referenceCount", **said, "count": "4",
        }  # fmt: skip
        served.insert("X-1", person(50))
        assert served.ask("referenceCount")["count"] == "5"
    with engine() as e:
        # The policy decides who may count.
        assert Abis(e).reason("referenceCount") == "2"


# -- what is wrong with a message ----------------------------------------------------------------

BAD = [
    (b"", "4"), (b"{", "4"), (b"[]", "4"), (b"null", "4"), (b"\xff\xfe", "4"), (b"[" * 9999, "4"),
    (b'{"id": NaN}', "4"), (b'{"id": 1, "id": 1}', "4"), (b'{"a":' + b"9" * 5000 + b"}", "4"),
    (b" " * (FORMATS.message_bytes + 1), "4"),
    (b'{"id": "mosip.abis.ping", "requesttime": "2020-03-29T07:01:24.692Z",}', "4"),
    ({"id": None}, "14"), ({"id": "mosip.abis.destroy"}, "14"), ({"id": 7}, "14"),
    ({"id": "MOSIP.ABIS.INSERT"}, "14"), ({"id": ["mosip.abis.ping"]}, "14"),
    ({"version": None}, "13"), ({"version": "2.0"}, "13"), ({"version": 1.1}, "13"),
    ({"version": ["1.1"]}, "13"),
    ({"requestId": None}, "6"), ({"requestId": ""}, "6"), ({"requestId": "  "}, "6"),
    ({"requestId": 7}, "4"), ({"requestId": "x" * 300}, "4"), ({"requestId": "a\nb"}, "4"),
    ({"requestId": "\ud800"}, "4"),
    ({"requesttime": None}, "9"), ({"requesttime": ""}, "9"), ({"requesttime": "yesterday"}, "15"),
    ({"requesttime": "2020-02-30T07:01:24.692Z"}, "15"), ({"requesttime": 1539777717}, "15"),
    ({"requesttime": "2020-03-29T07:01:24.692+02:00"}, "15"),
    ({"requesttime": "2020-03-29 07:01:24"}, "15"),
    ({"requesttime": "\u0662020-03-29T07:01:24Z"}, "15"),
    ({"referenceId": None}, "5"), ({"referenceId": ""}, "5"), ({"referenceId": 5}, "4"),
    ({"referenceId": "x" * 256}, "4"), ({"referenceId": {"a": "b"}}, "4"),
    ({"referenceURL": None}, "8"), ({"referenceURL": ""}, "8"), ({"referenceURL": 5}, "4"),
    ({"referenceURL": "u" * 5000}, "4"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BAD)))
def test_what_is_wrong_with_a_message_is_answered(number: int) -> None:
    said, reason = BAD[number]
    if isinstance(said, dict):
        fields = {"referenceId": "X-1", "referenceURL": "u", **said}
        said = message("insert", **fields)
    with engine({}) as e:
        answer = Abis(e).say(said)
        assert answer["returnValue"] == "2"
        assert answer["failureReason"] == reason
        assert isinstance(answer["id"], str)
        assert isinstance(answer["requestId"], str)
        assert kinds(e, Kind.ENROL) == []


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"flags": {"maxResults": "many"}}, "4"), ({"flags": {"maxResults": "-1"}}, "4"),
        ({"flags": {"maxResults": "9" * 19}}, "4"), ({"flags": {"maxResults": 1.5}}, "4"),
        ({"flags": {"maxResults": True}}, "4"), ({"flags": {"maxResults": "0"}}, "4"),
        ({"flags": {"maxResults": "\u0665"}}, "4"), ({"flags": {"maxResults": [1]}}, "4"),
        ({"flags": {"maxResults": 10**400}}, "4"),
        ({"flags": {"targetFPIR": "low"}}, "4"), ({"flags": {"targetFPIR": -1}}, "4"),
        ({"flags": {"targetFPIR": "1e3"}}, "4"), ({"flags": {"targetFPIR": 301}}, "4"),
        ({"flags": {"targetFPIR": {}}}, "4"), ({"flags": {"targetFPIR": 10**400}}, "4"),
        ({"flags": []}, "4"), ({"flags": "maxResults"}, "4"),
        ({"gallery": []}, "4"), ({"gallery": {}}, "4"), ({"gallery": gallery()}, "4"),
        ({"gallery": {"referenceIds": ["X-1"]}}, "4"), ({"gallery": {"referenceIds": "X-1"}}, "4"),
        ({"gallery": gallery("")}, "4"), ({"gallery": gallery("a", "b" * 300)}, "4"),
        ({"gallery": gallery(*map(str, range(10_001)))}, "4"),
        ({"referenceId": None}, "5"), ({"referenceId": "", "referenceURL": ""}, "5"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_identify_is_answered(more: dict[str, Any], reason: str) -> None:
    with engine({}) as e:
        assert Abis(e).reason("identify", **{"referenceId": "X-1", **more}) == reason


def test_a_large_gallery_is_searched() -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        served.insert("X-2", person(50, 2))
        many = [f"N-{i}" for i in range(9_999)]
        assert served.found("X-1", gallery=gallery(*many, "X-2")) == ["X-2"]


# -- what is wrong with the file -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "11"), (b"%PDF", "16"), (b"<BIR>", "16"), (b"<BIR/>", "11"),
        (pictures(other("Iris"), other("Face")), "11"),
        (pictures(other("Finger", b"no record", "Right", "Thumb")), "16"),
        (pictures(other("Finger", b"", "Right", "Thumb")), "11"),
        (b'<!DOCTYPE BIR [<!ENTITY a "b">]><BIR>&a;</BIR>', "16"),
        (b'{"errors": [{"errorCode": "DAT-SER-006", "message": "usage expired"}]}', "17"),
        (b'{"errors": [{"errorCode": "KER-ATH-401", "message": "Authentication Failed"}]}', "7"),
        (b'{"errors": null}', "16"), (b"{", "16"), (b'{"errors": [7]}', "16"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_answered(file: bytes, reason: str) -> None:
    with engine({}) as e:
        served = Abis(e)
        served.files["u"] = file
        for operation in ("insert", "identify"):
            reference = "X-1" if operation == "insert" else ""
            assert served.reason(operation, referenceId=reference, referenceURL="u") == reason


def test_a_picture_without_ridges_and_one_of_low_quality() -> None:
    blank = formats.ImageView(bytes([200]) * 300 * 300, 300, 300, position=2)
    file = formats.convert(formats.FingerImageRecord("fir2011", (blank,)), "cbeff").content
    with engine({}) as e:
        served = Abis(e)
        assert served.insert("X-1", formats.write(file))["failureReason"] == "18"
        poor = Abis(e, least_quality=100)
        assert poor.insert("X-1", pictures(image("1_1.png")))["failureReason"] == "18"
        assert served.insert("X-1", pictures(image("1_1.png")))["returnValue"] == "1"


def test_a_slap_is_passed_over() -> None:
    slap = dataclasses.replace(
        image("1_1.png"), data=formats.write(
            dataclasses.replace(
                whole := formats.read(image("1_1.png").data),
                views=(dataclasses.replace(whole.views[0], position=13),),
            )
        ), about=formats.BdbInfo(types=("Finger",)),
    )  # fmt: skip
    with engine({}) as e:
        served = Abis(e)
        assert served.insert("X-1", pictures(slap))["failureReason"] == "16"
        assert served.insert("X-1", pictures(slap, image("1_1.png")))["returnValue"] == "1"


def test_over_a_hundred_fingers_are_refused() -> None:
    with engine({}) as e:
        many = minutiae(*[person(i) for i in range(101)])
        assert Abis(e).insert("X-1", many)["failureReason"] == "16"


class Broken(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Broken("token"), "7"), (OSError(), "7"), (TimeoutError(), "7"), (abis.Expired(), "17"),
     (InputError("no"), "7"), (SystemError(), "7")],
)  # fmt: skip
def test_what_fetching_raises_is_answered(error: Exception, reason: str) -> None:
    def fetch(url: str) -> bytes:
        raise error

    with engine({}) as e:
        served = Abis(e)
        said = message("insert", referenceId="X-1", referenceURL="u")
        answer = abis.handle(said, e, adapter=served.adapter, fetch=fetch)
        assert json.loads(answer)["failureReason"] == reason
        assert b"token" not in answer


# -- what the engine cannot do -------------------------------------------------------------------


def test_an_engine_that_only_reads_identifies_and_neither_inserts_nor_deletes(
    tmp_path: Path,
) -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))
        served.insert("X-2", person(50, 2))
        folder = e._state.folder
        e.close()
        with Engine.open(folder) as reading:
            again = Abis(reading, authority="A")
            assert again.found("X-1") == ["X-2"]
            assert again.insert("X-3", person(51))["failureReason"] == "1"
            assert again.reason("delete", referenceId="X-1") == "1"
            assert again.found("X-1") == ["X-2"]


def test_where_the_log_fails_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with engine() as e:
        served = Abis(e)
        served.insert("X-1", person(50))

        def fails(*_: object, **__: object) -> int:
            raise AuditError("full")

        monkeypatch.setattr(type(e.audit), "intent", fails)
        assert served.reason("identify", referenceId="X-1") == "1"


def test_what_the_caller_got_wrong_is_raised() -> None:
    with engine() as e:
        served = Abis(e)
        ping = message("ping")
        good: dict[str, Any] = {"adapter": served.adapter, "fetch": served.fetch}
        for wrong in (
            {"adapter": None}, {"fetch": None}, {"pending": -1}, {"pending": "1"},
            {"adapter": abis.Adapter(ON, "elsewhere")},
        ):  # fmt: skip
            with pytest.raises(InputError):
                abis.handle(ping, e, **{**good, **wrong})
        with pytest.raises(InputError):
            abis.handle("{}", e, **good)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="engine"):
            abis.handle(ping, object(), **good)  # type: ignore[arg-type]
        said = message("insert", referenceId="X-1", referenceURL="u")
        with pytest.raises(InputError, match="fetch must give bytes"):
            abis.handle(said, e, adapter=served.adapter, fetch=lambda url: "text")  # type: ignore
    with pytest.raises(StorageError):
        abis.handle(ping, e, **good)


@pytest.mark.parametrize(
    "wrong",
    [{"booking_ori": "jail"}, {"partition": ""}, {"chain": ("x",)}, {"chain": ON},
     {"transaction": "car"}, {"purpose": ""}, {"protected": "no"}, {"authority": 5},
     {"max_results": 0}, {"max_results": 101}, {"most_results": 10**9}, {"target_fpir": -1.0},
     {"target_fpir": float("nan")}, {"threshold": "high"}, {"least_quality": 101},
     {"effort": "some"}, {"isolated": 1}, {"extractor": "magic"}, {"versions": "1.1"},
     {"versions": (1,)},     {"attributes": {"a": 1}}, {"role": None}],
)  # fmt: skip
def test_an_adapter_is_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        abis.Adapter(**{"booking_ori": ON, "partition": "criminal", **wrong})


def test_the_codes_are_those_of_the_specification() -> None:
    assert [int(reason) for reason in FailureReason] == list(range(1, 19))
    parsed = abis_messages.parse(message("identify", referenceId="X-1", flags={"maxResults": "7"}))
    assert isinstance(parsed, abis_messages.Message)
    assert (parsed.operation, parsed.max_results) == (Operation.IDENTIFY, 7)
    assert parsed.time.isoformat() == TIME[:19] + "+00:00"


@pytest.mark.data
def test_real_records_of_two_captures_find_each_other(data: Path) -> None:
    """One hand pair of a national system's simulator, with and without loss of compression."""
    folder = data / "formats" / "fir" / "mockmds"
    with engine({}) as e:
        served = Abis(e)
        for reference, capture in (("A", "Auth"), ("R", "Registration")):
            birs = []
            for side, finger in (("Right", "Index"), ("Left", "Thumb"), ("Left", "Middle")):
                block = (folder / f"Automatic__{capture}__0001{side}_{finger}.iso").read_bytes()
                word = finger if finger == "Thumb" else f"{finger}Finger"
                birs.append(other("Finger", block, side, word))
            assert served.insert(reference, pictures(*birs))["returnValue"] == "1"
        assert served.found("A") == ["R"]


def test_mutated_messages_are_answered_whatever_they_say() -> None:
    """Through the engine: an answer of the specification's form, and nothing raised."""
    rng = random.Random(7)
    named = {"referenceId": "X-1", "referenceURL": "https://share.example/X-1"}
    within = {"flags": {"maxResults": "9", "targetFPIR": "30"}, "gallery": gallery("X-2", "C-1")}
    seeds = [message("insert", **named), message("delete", **named)]
    seeds += [message("identify", **named, **within), message("referenceCount")]
    with engine() as e:
        served = Abis(e, authority="A")
        served.insert("X-1", person(50))
        served.insert("X-2", person(50, 2))
        values = set()
        for _ in range(400):
            change = rng.choice((mutate.values, mutate.values, mutate.mutate))
            answer = served.say(change(seeds, rng))
            values.add((answer["returnValue"], answer.get("failureReason")))
            assert answer["returnValue"] in ("1", "2")
            assert ("failureReason" in answer) is (answer["returnValue"] == "2")
            if "failureReason" in answer:
                assert 1 <= int(answer["failureReason"]) <= 18
        assert len(values) > 6
        assert e.audit.verify().ok
