"""What a search asks of a partition and gets from it are plain values, also as bytes."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import shutil
import struct
import zlib

import numpy as np
import pytest
from engine_helpers import HELD, LATER, ON, POLICY, engine, folder, print_of, record, request
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.errors import FpmatchError, InputError, SearchCancelled
from fpmatch.gallery.names import Names
from fpmatch.search import Engine
from fpmatch.search.candidates import best_candidates
from fpmatch.search.frame import LONGEST_HEADER
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.partition_scores import PartitionScores
from fpmatch.search.probe import Probe
from fpmatch.search.state import State
from fpmatch.types import FingerPosition, Record, SearchCost

EFFORTS = ("fast", "balanced", "scan", "exhaustive")
TURNED = ("upright", "any")
PREFIX = struct.Struct("<4sBBII")


class OverBytes:
    """A searcher that hears and answers in bytes, as one on another machine would."""

    def __init__(self, inner, seen):
        self._inner = inner
        self._seen = seen
        self.partition = inner.partition

    def search(self, request, cancel=None):
        sent = request.to_bytes()
        scores = self._inner.search(PartitionRequest.from_bytes(sent), cancel)
        answer = scores.to_bytes()
        self._seen.append((sent, answer))
        return PartitionScores.from_bytes(answer, request)

    def search_many(self, requests):
        sent = [r.to_bytes() for r in requests]
        found = self._inner.search_many([PartitionRequest.from_bytes(s) for s in sent])
        answers = [scores.to_bytes() for scores in found]
        self._seen.extend(zip(sent, answers, strict=True))
        pairs = zip(answers, requests, strict=True)
        return [PartitionScores.from_bytes(answer, r) for answer, r in pairs]


def fingers(person: int, touch: int, several: int):
    if several == 1:
        return [print_of(person, touch)]
    positions = [FingerPosition(1 + n % 4) for n in range(several - 1)]
    return [print_of(person, touch, p) for p in positions] + [
        print_of(person, touch, FingerPosition.UNKNOWN)
    ]


def crowd(name: str):
    return [
        Record(f"{name}-{n}", fingers(n, 0, 4), protected=n % 5 == 0) for n in range(12)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def world():
    with engine({"criminal": crowd("C"), "immigration": crowd("I")}, POLICY) as e:
        yield e


def over_bytes(patch):
    seen: list = []
    made = State.searcher
    patch.setattr(State, "searcher", lambda state, name: OverBytes(made(state, name), seen))
    return seen


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("several", [1, 2, 6])
def test_a_whole_search_over_bytes_gives_the_same_answer(world, effort, several, monkeypatch):
    """Byte for byte: alone, in a list, and as a verification."""
    from test_engine_properties import approximate

    approximate(monkeypatch)
    turns = itertools.cycle(itertools.product((None, 1e8), TURNED, ("labelled", "any")))
    asked = []
    for n, ori in enumerate((ON, HELD, LATER)):
        for role in ("", "advocate"):
            deadline, rotation, positions = next(turns)
            asked.append(
                request(
                    ori, n, tcn="", fingers=fingers(n, 5, several), effort=effort, role=role,
                    deadline_ms=deadline, rotation=rotation, positions=positions,
                )
            )  # fmt: skip

    def answers():
        return [
            *(plain(world.search(a)) for a in asked),
            *(plain(r) for r in world.search_many(asked)),
            *(verified(world, a, f"C-{n % 4}") for n, a in enumerate(asked)),
        ]

    here = answers()
    with pytest.MonkeyPatch.context() as patch:
        seen = over_bytes(patch)
        assert answers() == here
    assert len(seen) >= 3 * len(asked)
    assert any(b'"record":"C-' in answer for answer in here[: len(asked)])
    assert any(answer[0] is not None for answer in here[2 * len(asked) :])


def plain(response) -> bytes:
    """A response's bytes, but for what is drawn: control number and token."""
    sections = tuple(dataclasses.replace(s, token="") for s in response.sections)
    return dataclasses.replace(response, tcn="", sections=sections).to_bytes()


def verified(engine, request_, name):
    found = engine.verify(request_, name, partition="criminal")
    return found.score, found.fmr, found.fingers, found.outcome, found.complete


def test_another_opening_of_the_gallery_answers_for_this_one():
    """Places of records in memory differ between the two, keys do not."""
    place = folder()
    try:
        with engine({"criminal": crowd("C"), "immigration": []}) as here:
            here.enrol("criminal", [record("N-1", 40)])
            here.expunge("C-0", order="o", authority="DOJ-FBI", partition="criminal")
            shutil.copytree(here._state.folder, place / "copy")
            asked = [request(ON, n, tcn="", fingers=fingers(n, 5, 3)) for n in (0, 3, 7, 40)]
            alone = [plain(here.search(a)) for a in asked]
            with Engine.open(place / "copy") as there, pytest.MonkeyPatch.context() as patch:
                mine, other = (e._state.gallery.columns("criminal").names for e in (here, there))
                kept, keys, _, _ = mine.pack()
                assert (other.ordinals_of(keys) != kept).all()
                seen: list = []
                made = there._state.searcher
                patch.setattr(State, "searcher", lambda _, name: OverBytes(made(name), seen))
                assert [plain(here.search(a)) for a in asked] == alone
                assert len(seen) == 2 * len(asked)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_who_was_not_granted_has_no_searcher(world):
    with pytest.MonkeyPatch.context() as patch:
        made = []
        searcher = State.searcher
        patch.setattr(State, "searcher", lambda s, n: (made.append(n), searcher(s, n))[1])
        world.search(request(LATER))
    assert made == ["criminal"]


def test_a_request_for_another_partition_is_refused(world):
    searcher = world._state.searcher("criminal")
    asked = PartitionRequest("immigration", Probe.of(fingers(1, 1, 1)), False, frozenset())
    with pytest.raises(InputError, match="immigration"):
        searcher.search(asked)
    with pytest.raises(InputError, match="immigration"):
        searcher.search_many([dataclasses.replace(asked, partition="criminal"), asked])


def asked_of(seed: int, several: int = 3) -> PartitionRequest:
    rng = random.Random(seed)
    probe = Probe.of(fingers(seed % 12, 5, several))
    return PartitionRequest(
        "criminal",
        dataclasses.replace(probe, anywhere=rng.random() < 0.5),
        rng.random() < 0.5,
        frozenset(rng.sample(["CAR", "CNA", "purpose:C", "role:officer"], 2)),
        rng.choice(EFFORTS),
        rng.choice(TURNED),
        rng.choice([None, -1.5, 0.25, 1e6]),
        rng.choice([None, 0, 3]),
        rng.choice([None, None, (), (2, 7)]),
    )


def test_notes_on_the_fingers_stay_with_the_submitter(world):
    """Two labels on one print: the submitter is told, whoever searches is not."""
    one = print_of(3, 5, FingerPosition.RIGHT_INDEX)
    twice = [one, dataclasses.replace(one, position=FingerPosition.LEFT_INDEX)]
    with pytest.MonkeyPatch.context() as patch:
        seen = over_bytes(patch)
        answer = world.search(request(ON, tcn="", fingers=twice))
    assert answer.notes
    assert all(PartitionRequest.from_bytes(sent).probe.notes == () for sent, _ in seen)
    asked = PartitionRequest("criminal", Probe.of(twice), False, frozenset())
    assert asked.probe.notes
    plain = dataclasses.replace(asked, probe=dataclasses.replace(asked.probe, notes=()))
    assert asked.to_bytes() == plain.to_bytes()


@pytest.mark.parametrize("seed", range(20))
def test_requests_come_back_as_they_were(seed):
    asked = asked_of(seed, 1 + seed % 6)
    assert PartitionRequest.from_bytes(asked.to_bytes()) == asked
    assert PartitionRequest.from_bytes(asked.to_bytes()).to_bytes() == asked.to_bytes()


def test_scores_come_back_as_they_were(world):
    for seed in range(6):
        asked = dataclasses.replace(asked_of(seed), seconds_left=None)
        scores = world._state.searcher("criminal").search(asked)
        again = PartitionScores.from_bytes(scores.to_bytes(), asked)
        assert again.to_bytes() == scores.to_bytes()
        assert (again.records == scores.records).all()
        assert (again.scores == scores.scores).all()
        for (p, mine), (q, other) in zip(scores.fingers, again.fingers, strict=True):
            assert p is q
            assert np.array_equal(mine, other, equal_nan=True)
        assert (again.cost, again.root) == (scores.cost, scores.root)


def test_every_field_of_a_request_changes_the_search_or_its_bytes(world):
    """Of those that a search depends on, the search; and none is lost on the way."""
    asked = PartitionRequest("criminal", Probe.of(fingers(5, 5, 2)), True, frozenset({"CAR"}))
    searcher = world._state.searcher("criminal")

    def found(**more):
        got = searcher.search(dataclasses.replace(asked, **more))
        return got.records.tolist(), got.scores.tolist(), got.cost.complete

    usual = found()
    assert found(sees_protected=False) != usual
    assert found(only=(3, 10**6))[0] == [3]
    assert found(only=())[0] == []
    assert found(rotation="any") != usual
    assert found(probe=dataclasses.replace(asked.probe, anywhere=True)) != usual
    assert found(seconds_left=-1.0) == ([], [], False)
    assert found(probe=Probe.of(fingers(5, 5, 1))) != usual
    whole = {f.name: getattr(asked, f.name) for f in dataclasses.fields(asked)}
    changed = {
        "partition": "other", "probe": Probe.of(fingers(6, 5, 2)), "sees_protected": False,
        "uses": frozenset({"CNA"}), "effort": "scan", "rotation": "any", "only": (3,),
        "seconds_left": 2.0, "limit": 7,
    }  # fmt: skip
    assert changed.keys() == whole.keys()
    made = {PartitionRequest(**{**whole, k: v}).to_bytes() for k, v in changed.items()}
    assert len(made | {asked.to_bytes()}) == 1 + len(whole)


def test_the_wanted_length_bounds_the_shortlist(world, monkeypatch):
    from test_engine_properties import approximate

    approximate(monkeypatch)
    searcher = world._state.searcher("criminal")
    for several in (1, 3):
        asked = PartitionRequest("criminal", Probe.of(fingers(5, 5, several)), True, frozenset())
        lengths = [
            len(searcher.search(dataclasses.replace(asked, limit=n)).records) for n in (1, 4)
        ]
        assert lengths[0] == 1 < lengths[1] <= 4
        (many,) = searcher.search_many([dataclasses.replace(asked, limit=1)])
        assert len(many.records) == 1


def test_many_requests_at_once_are_answered_as_each_alone(world, monkeypatch):
    """Whatever they share: what they may see, how they search and what they look for differ."""
    from test_engine_properties import approximate

    approximate(monkeypatch)
    searcher = world._state.searcher("criminal")
    rng = random.Random(4)
    asked = [
        dataclasses.replace(asked_of(n, rng.choice((1, 1, 1, 2))), seconds_left=None)
        for n in range(60)
    ]
    asked += [dataclasses.replace(asked[0], rotation=r, limit=n) for r in TURNED for n in (1, 2)]
    together = searcher.search_many(asked)
    for request_, found in zip(asked, together, strict=True):
        alone = searcher.search(request_)
        assert found.records.tolist() == alone.records.tolist()
        assert found.scores.tolist() == alone.scores.tolist()
        assert dataclasses.replace(found.cost, milliseconds={}) == dataclasses.replace(
            alone.cost, milliseconds={}
        )


def test_a_cancel_reaches_whoever_searches(world, monkeypatch):
    class Late:
        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 2

    over_bytes(monkeypatch)
    with pytest.raises(SearchCancelled):
        world.search(request(ON), cancel=Late())


# -- foreign bytes -----------------------------------------------------------------------------


def framed(data: bytes, change=None, tail=None) -> bytes:
    """The same message with other fields or columns and a checksum that fits."""
    magic, kind, version, length, _ = PREFIX.unpack_from(data)
    body = data[PREFIX.size :]
    header, columns = json.loads(body[:length]), body[length:]
    if change is not None:
        header.update(change)
    head = json.dumps(header).encode()
    body = head + (columns if tail is None else tail(columns))
    return PREFIX.pack(magic, kind, version, len(head), zlib.crc32(body)) + body


REQUEST = asked_of(2)
WRONG_REQUEST = [
    {"partition": ""}, {"partition": 5}, {"partition": "x" * 129}, {"sees_protected": "yes"},
    {"sees_protected": 1}, {"uses": "CAR"}, {"uses": [1]}, {"uses": ["x"] * 65}, {"uses": None},
    {"effort": "most"}, {"effort": ["scan"]}, {"seconds_left": "soon"}, {"seconds_left": 1e300},
    {"seconds_left": True}, {"rotation": "some"}, {"anywhere": 1},
    {"only": [-1]}, {"only": ["a"]}, {"only": 5},
    {"limit": -1}, {"limit": 2.5}, {"limit": 2**40}, {"fingers": []},
    {"fingers": [[11, [[16]]]]}, {"fingers": [[1, []]]}, {"fingers": [[1, [[]]]]},
    {"fingers": [[1, [16]]]},
    {"fingers": [[1, [[1] * 6]]]}, {"fingers": [[1]]}, {"fingers": 7},
    {"fingers": [[1, [[16]]], [1, [[16]]]]}, {"fingers": [[2, [[16]]], [1, [[16]]]]},
    {"fingers": [[1, [[65]]]]}, {"fingers": [[1, [[-1]]]]}, {"fingers": [[1, [[0]] * 101]]},
    {"fingers": [[1, [[0]] * 60], [2, [[0]] * 60]]}, {"fingers": [[True, [[1]]]]}, {"more": 1},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG_REQUEST, ids=str)
def test_a_request_with_a_wrong_field_is_refused(change):
    with pytest.raises(InputError):
        PartitionRequest.from_bytes(framed(REQUEST.to_bytes(), change))


def answer_of(**more) -> PartitionScores:
    k = 4
    values = {
        "partition": "criminal",
        "records": np.arange(1, k + 1),
        "scores": np.array([60.0, 20.5, 0.0, 3.25]),
        "fingers": tuple((p, np.array([1.0, np.nan, 2.0, 0.5])) for p, _ in REQUEST.probe.fingers),
        "cost": SearchCost(7, 6, 5, 4, {"mask": 0.5}, True),
        "root": "ab" * 32,
    }
    return PartitionScores(**{**values, **more})


WRONG_ANSWER = [
    {"partition": "immigration"}, {"partition": None}, {"records": -1}, {"records": 5},
    {"records": 3}, {"records": 2**40}, {"records": "4"}, {"fingers": [0]}, {"fingers": []},
    {"fingers": "abc"}, {"root": 5}, {"root": "x" * 129}, {"milliseconds": []},
    {"milliseconds": {"a": "b"}}, {"milliseconds": {"a": -1}}, {"complete": 1},
    {"milliseconds": {str(n): 0 for n in range(65)}}, {"live_fingers": -1},
    {"codes_scanned": 1.5}, {"fingers_verified": 2**70}, {"more": 1},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG_ANSWER, ids=lambda c: str(c)[:40])
def test_an_answer_with_a_wrong_field_is_refused(change):
    data = answer_of().to_bytes()
    assert PartitionScores.from_bytes(data, REQUEST).to_bytes() == data
    with pytest.raises(InputError):
        PartitionScores.from_bytes(framed(data, change), REQUEST)


@pytest.mark.parametrize(
    "more",
    [
        {"records": np.array([1, 2, 2, 3])},
        {"scores": np.array([1.0, np.nan, 2.0, 3.0])},
        {"scores": np.array([1.0, np.inf, 2.0, 3.0])},
        {"fingers": tuple((p, np.full(4, np.inf)) for p, _ in REQUEST.probe.fingers)},
    ],
)
def test_an_answer_with_wrong_columns_is_refused(more):
    with pytest.raises(InputError):
        PartitionScores.from_bytes(answer_of(**more).to_bytes(), REQUEST)


def test_forms_that_no_encoder_makes_are_refused():
    """The kernels index tables by them and check nothing."""
    form = REQUEST.probe.fingers[0][1][0][0]
    m = len(form)
    turned = form.angle[::-1].copy()
    wrong = {
        "codes": [form.codes | np.uint64(1 << 63), np.zeros((m, 5), np.uint64)],
        "texture": [form.texture | np.uint64(1 << 52)],
        "angle": [turned],
        "quality": [np.full(m, 101, np.uint8)],
    }
    far = form.codes.copy()
    far[0, 4] |= np.uint64(1 << 57)
    word = np.flatnonzero(far[0, :4])[0]
    far[0, word] &= far[0, word] - np.uint64(1)
    wrong["codes"].append(far)
    for name, values in wrong.items():
        for value in values:
            broken = dataclasses.replace(form, **{name: value})
            probe = Probe(((FingerPosition.RIGHT_INDEX, ((broken,),)),))
            with pytest.raises(InputError):
                PartitionRequest.from_bytes(
                    dataclasses.replace(REQUEST, probe=probe).to_bytes()
                )  # fmt: skip


@pytest.mark.parametrize("what", ["request", "scores"])
def test_cut_lengthened_and_changed_messages_are_refused(what):
    data = (REQUEST if what == "request" else answer_of()).to_bytes()

    def read(content):
        if what == "request":
            return PartitionRequest.from_bytes(content)
        return PartitionScores.from_bytes(content, REQUEST)

    for content in (None, "text", 5, [], b"", data + b"\0"):
        with pytest.raises(InputError):
            read(content)
    for end in range(0, len(data), 7):
        with pytest.raises(InputError):
            read(data[:end])
    for at in range(0, len(data), 5):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        with pytest.raises(InputError):
            read(bytes(changed))
    for tail in (lambda c: c + b"\0", lambda c: c[:-1], lambda c: b""):
        with pytest.raises(InputError):
            read(framed(data, tail=tail))
    deep = b"[" * 100_000
    huge = b"{" + b" " * LONGEST_HEADER + b"}"
    magic, kind, version, _, _ = PREFIX.unpack_from(data)
    for header in (
        deep,
        huge,
        b"\xff",
        b"null",
        b"[]",
        b'{"records": NaN}',
        b'{"a":' + b"9" * 9999,
    ):
        sent = PREFIX.pack(magic, kind, version, len(header), zlib.crc32(header)) + header
        with pytest.raises(InputError):
            read(sent)
    later = version + 1
    with pytest.raises(InputError, match=f"version {later}"):
        read(PREFIX.pack(magic, kind, later, *PREFIX.unpack_from(data)[3:]) + data[PREFIX.size :])
    with pytest.raises(InputError, match="kind"):
        read(PREFIX.pack(magic, 3 - kind, version, *PREFIX.unpack_from(data)[3:]) + data[14:])


@settings(max_examples=300, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_foreign_bytes_give_an_error_of_ours_or_a_value_that_can_be_searched(world, data, seed):
    """Bytes changed anywhere, with a checksum that fits."""
    rng = random.Random(seed)
    which = data.draw(st.booleans())
    content = bytearray((REQUEST if which else answer_of()).to_bytes())
    magic, kind, version, length, _ = PREFIX.unpack_from(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        low, high = (
            (PREFIX.size, PREFIX.size + length) if rng.random() < 0.5 else (14, len(content))
        )
        content[rng.randrange(low, high)] = rng.choice((0, 255, rng.randrange(256), 0x39))
    if rng.random() < 0.3:
        at = rng.randrange(PREFIX.size, len(content))
        content[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
    body = bytes(content[PREFIX.size :])
    sent = PREFIX.pack(magic, kind, version, length, zlib.crc32(body)) + body
    try:
        if which:
            asked = PartitionRequest.from_bytes(sent)
            asked = dataclasses.replace(asked, partition="criminal", seconds_left=None)
            world._state.searcher("criminal").search(asked)
        else:
            scores = PartitionScores.from_bytes(sent, REQUEST)
            best_candidates(scores, world._state.gallery.columns("criminal"), 5, 0.0)
    except FpmatchError:
        pass


# -- keys and ordinals -------------------------------------------------------------------------


def test_keys_and_ordinals_of_records():
    names = Names.of([(3, "a"), (5, "b"), (9, "c")])
    names.add(12, "d")
    names.add(15, "e")
    every = np.arange(5)
    assert names.keys_of(every[::-1]).tolist() == [15, 12, 9, 5, 3]
    assert names.ordinals_of(np.array([15, 3, 4, 12, 99, -1, 9])).tolist() == [
        4,
        0,
        -1,
        3,
        -1,
        -1,
        2,
    ]
    names.drop(5)
    names.drop(12)
    assert names.ordinals_of(np.array([3, 5, 9, 12, 15])).tolist() == [0, -1, 2, -1, 4]
    assert names.ordinals_of(names.keys_of(np.array([0, 2, 4]))).tolist() == [0, 2, 4]
    assert Names().ordinals_of(np.array([1])).tolist() == [-1]
    assert Names().keys_of(np.zeros(0, np.int64)).tolist() == []


def test_records_that_have_gone_are_no_candidates(world):
    columns = world._state.gallery.columns("criminal")
    searcher = world._state.searcher("criminal")
    asked = PartitionRequest("criminal", Probe.of(fingers(3, 5, 2)), True, frozenset())
    scores = searcher.search(asked)
    strange = dataclasses.replace(scores, records=scores.records + 10**6)
    assert best_candidates(scores, columns, 5, 0.0)
    assert best_candidates(strange, columns, 5, 0.0) == ()
    assert best_candidates(strange, columns, 5, 0.0, np.zeros(0, np.bool_)) == ()


def test_an_empty_partition_answers(world):
    with engine({"criminal": [record("C-1", 1)], "immigration": []}) as e:
        asked = PartitionRequest("immigration", Probe.of(fingers(1, 1, 3)), True, frozenset())
        scores = e._state.searcher("immigration").search(asked)
        assert PartitionScores.from_bytes(scores.to_bytes(), asked).to_bytes() == scores.to_bytes()


def test_a_row_removed_in_the_middle_of_a_search_is_no_candidate(monkeypatch):
    from fpmatch.index import PartitionSearch

    with engine({"criminal": [Record(f"C-{n}", fingers(n, 0, 1)) for n in range(3)]}, POLICY) as e:
        index = e._state.indexes["criminal"]
        asked = PartitionRequest("criminal", Probe.of(fingers(1, 5, 1)), True, frozenset())
        before = e._state.searcher("criminal").search(asked)
        listing = PartitionSearch.shortlist

        def then_removed(search, probe, position=0):
            found = listing(search, probe, position)
            index.tombstone(np.array([1]))
            return found

        monkeypatch.setattr(PartitionSearch, "shortlist", then_removed)
        scores = e._state.searcher("criminal").search(asked)
        assert scores.records.tolist() == [before.records[0], before.records[2]]
        assert scores.scores.tolist() == [before.scores[0], before.scores[2]]
        assert scores.cost.complete
        assert scores.cost.fingers_verified == 2
