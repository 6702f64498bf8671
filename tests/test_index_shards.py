"""A partition cut up over several indexes answers as one index does, byte for byte."""

from __future__ import annotations

import dataclasses
import functools
import gc
import itertools
import weakref
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import shard_cases
from how_often import often
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.errors import InputError
from fpmatch.index import REMOVED, PartitionIndex, PartitionSearch, begin_across, contents
from fpmatch.index.build import select_rows
from fpmatch.index.cutting import RANGES, cut_at
from fpmatch.index.finger_shard import FingerShard
from fpmatch.index.groups import GroupsById
from fpmatch.index.rounds import LARGEST, Answer, Cut, Panel, Question, Spread, Step
from fpmatch.index.subject import subject_shard
from fpmatch.search.round_messages import (
    answer_from_bytes,
    answer_to_bytes,
    question_from_bytes,
    question_to_bytes,
)
from fpmatch.types import FingerPosition, SearchCost

SHORT = 60
"""Cases tried here; the script of `shard_cases` tries as many as it is told."""


@pytest.fixture(scope="module")
def pool():
    return shard_cases.pool()


class OverBytes:
    """A shard that hears and answers in bytes, as one on another machine would."""

    def __init__(self, inner, met):
        self._inner, self._met = inner, met
        self._positions = 0

    def ask(self, question):
        sent = question_to_bytes(question)
        read = question_from_bytes(sent)
        assert question_to_bytes(read) == sent
        given = self._inner.ask(read)
        if question.step is Step.COUNT:
            self._positions = len(given.visible)
        answer = answer_to_bytes(given)
        self._met[question.step.value] += 1
        self._met["bytes"] += len(sent) + len(answer)
        back = answer_from_bytes(answer, question, self._positions)
        assert answer_to_bytes(back) == answer
        return back


def test_any_layout_equals_one_index_over_bytes_too(pool):
    """Random galleries, masks, efforts, rotations, scales, positions, limits, several fingers."""
    met: Counter[str] = Counter()
    for number in range(SHORT):
        rng = np.random.default_rng([99, number])
        with pytest.MonkeyPatch.context() as patch:
            shard_cases.low_bounds(patch.setattr, rng)
            met += shard_cases.check(rng, *pool, OverBytes)
    every = {step.value for step in Step}
    assert every <= met.keys(), f"rounds that no case went through: {every - met.keys()}"
    assert {f"{n} shards" for n in range(1, 9)} <= met.keys()
    assert met["empty shards"]


def naive(contexts, probe, place):
    """What shards say that know of nothing but themselves, put together."""
    found = [PartitionSearch(context).shortlist(probe, place) for context in contexts]
    ids = np.concatenate([one.row_ids for one in found])
    votes = np.concatenate([one.votes for one in found])
    return ids[np.lexsort((ids, -votes))]


def test_without_numbers_of_all_shards_the_lists_differ(pool):
    """So that equality above is no accident of the cases."""
    forms, probes = pool
    differ = 0
    for number in range(20):
        rng = np.random.default_rng([5, number])
        with pytest.MonkeyPatch.context() as patch:
            shard_cases.low_bounds(patch.setattr, rng)
            case = shard_cases.Case(rng, forms, probes)
            ((probe, *_), *_), (place, *_) = case.asked()
            one = PartitionSearch(case.context(case.rows)).shortlist(probe, place)
            alone = naive([case.context(piece) for piece in case.pieces()], probe, place)
            differ += one.row_ids.tobytes() != alone.tobytes()
    assert differ >= 5


# -- cuts ----------------------------------------------------------------------------------------


class Lists:
    """A shard that holds nothing but a list, and answers about its ties."""

    def __init__(self, ids, votes, size):
        order = np.lexsort((ids, -votes))[:size]
        self.ids, self.votes = ids[order], votes[order]
        self.rounds = 0

    @property
    def spread(self):
        return Spread.of(self.ids, self.votes)

    def ask(self, question):
        assert question.step is Step.TIES
        self.rounds += 1
        tied = self.ids[(self.votes == question.votes) & (self.ids >= question.low)]
        ranges = (tied - question.low) // question.width
        inside = ranges < RANGES
        return Answer(spreads=(Spread.of(tied[inside], ranges[inside]),))


@settings(max_examples=often(400), deadline=None)
@given(st.data())
def test_a_cut_leaves_the_best_of_all(data):
    """However the list is spread, however many tie, however far apart their ids are."""
    most = data.draw(st.sampled_from([10, 5000, 1 << 40, LARGEST]))
    ids = data.draw(st.lists(st.integers(0, most), unique=True, max_size=60))
    votes = data.draw(
        st.lists(st.sampled_from([0, 1, 2, 700, LARGEST]), min_size=len(ids), max_size=len(ids))
    )
    shards = data.draw(st.integers(1, 8))
    at = data.draw(st.lists(st.integers(0, shards - 1), min_size=len(ids), max_size=len(ids)))
    size = data.draw(st.integers(0, 70))
    every, worth, place = (np.array(column, np.int64) for column in (ids, votes, at))
    lists = [Lists(every[place == n], worth[place == n], size) for n in range(shards)]
    cut = cut_at(Panel(lists), 0, [one.spread for one in lists], size)
    left = [(i, v) for one in lists for i, v in zip(one.ids, one.votes, strict=True)]
    if cut is not None:
        left = [(i, v) for i, v in left if cut.keeps(np.array([i]), np.array([v])).all()]
    expected = np.lexsort((every, -worth))[:size]
    assert sorted(i for i, _ in left) == sorted(every[expected].tolist())
    assert max(one.rounds for one in lists) <= 7


@pytest.mark.parametrize("size", range(1, 12))
def test_ties_near_each_other_and_far_from_others_are_told_apart(size):
    """The range with the end in it is divided, behind others and before others."""
    far = 10**15
    ids = np.array([5, 9, far, far + 1, far + 2, far + 5000, 2 * far, 2 * far + 1, 2 * far + 9, 7])
    votes = np.array([3] * 9 + [4])
    lists = [Lists(ids[n::2], votes[n::2], size) for n in range(2)]
    cut = cut_at(Panel(lists), 0, [one.spread for one in lists], size)
    left = [i for one in lists for i in one.ids[(cut or Cut(0, 0)).keeps(one.ids, one.votes)]]
    assert sorted(left) == sorted(ids[np.lexsort((ids, -votes))[:size]].tolist())


def test_a_list_of_one_shard_is_never_asked_about_again():
    ids = np.arange(50)
    alone = Lists(ids, np.full(50, 3), 10)
    assert cut_at(Panel([alone]), 0, [alone.spread], 10) is None
    assert not alone.rounds


def test_shards_that_count_otherwise_than_they_answer_are_found_out():
    class Fewer(Lists):
        def ask(self, question):
            self.ids = self.ids[:0]
            self.votes = self.votes[:0]
            return super().ask(question)

    lists = [Fewer(np.arange(n, 90, 2), np.full(45, 3), 45) for n in range(2)]
    with pytest.raises(InputError, match="ties"):
        cut_at(Panel(lists), 0, [one.spread for one in lists], 10)


def test_what_travels_does_not_grow_with_the_list():
    """A list a hundred times as long, of the same votes: the same bytes but for the digits."""
    votes = np.arange(1, 200)
    short = Answer(spreads=(Spread.of(np.arange(199), votes),))
    ids = np.arange(19900)
    long = Answer(spreads=(Spread.of(ids, np.tile(votes, 100)),))
    assert len(answer_to_bytes(long)) - len(answer_to_bytes(short)) < 8
    tied = Lists(ids * 977, np.full(len(ids), 9), len(ids))
    (answer,) = (tied.ask(Question(Step.TIES, votes=9, width=977 * 20)),)
    assert len(answer.spreads[0].values) <= RANGES


# -- indexes on disk -----------------------------------------------------------------------------


@pytest.fixture
def indexes(tmp_path, pool):
    """One index with all rows, and three with a part of them, of which one is empty."""
    forms, _ = pool
    rows = np.arange(120)
    whole = [rows, rows[rows // 2 % 2 == 0], rows[rows // 2 % 2 == 1], rows[:0]]
    made = []
    for number, some in enumerate(whole):
        index = PartitionIndex.create(tmp_path / str(number), expected_fingers=1000)
        if len(some):
            index.add(some, select_rows(forms, some), (some % 3).astype(np.uint8))
        if number % 2:
            index.flush()
        made.append(index)
    yield made
    for index in made:
        index.close()


@pytest.mark.parametrize("effort", shard_cases.EFFORTS)
def test_indexes_on_disk_are_searched_as_one(indexes, pool, effort, monkeypatch):
    shard_cases.low_bounds(monkeypatch.setattr, np.random.default_rng(3))
    one, *shards = indexes
    _, probes = pool
    groups = np.arange(120) // 2
    places = [n % 3 for n in range(len(probes))]
    for allowed in (None, np.arange(120) % 7 != 0):
        bounds = {"effort": effort, "allowed": allowed}
        many = begin_across(shards, **bounds).shortlist_many(probes, places)
        for probe, place, found in zip(probes, places, many, strict=True):
            alone = one.begin(**bounds)
            expected = alone.shortlist(probe, place)
            assert shard_cases.answer_bytes(found) == shard_cases.answer_bytes(expected)
            scores = begin_across(shards, **bounds).verify(probe, found.row_ids)
            assert scores.tobytes() == alone.verify(probe, found.row_ids).tobytes()
        person = begin_across(shards, **bounds).shortlist_subject(probes[:3], groups, [0, 1, 2])
        expected = one.begin(**bounds).shortlist_subject(probes[:3], groups, [0, 1, 2])
        assert shard_cases.answer_bytes(person) == shard_cases.answer_bytes(expected)


def test_rows_of_no_shard_and_rows_that_go(indexes, pool):
    one, *shards = indexes
    _, probes = pool
    search = begin_across(shards)
    with pytest.raises(InputError, match="2 of the rows"):
        search.verify(probes[0], np.array([3, 120, 500]))
    shards[0].tombstone(np.array([4]))
    scores = search.verify(probes[0], np.array([3, 4]))
    assert scores[1] == REMOVED
    assert scores[0] == one.verify(probes[0], np.array([3]))[0]
    with pytest.raises(InputError, match="1 of the rows"):
        begin_across(shards).verify(probes[0], np.array([4]))


def test_indexes_that_cannot_be_one_are_refused(indexes, tmp_path):
    with pytest.raises(InputError, match="at least one"):
        begin_across([])
    larger = PartitionIndex.create(tmp_path / "larger", expected_fingers=30_000)
    with larger, pytest.raises(InputError, match="lists"):
        begin_across([indexes[0], larger])


def test_what_a_partition_answers_does_not_depend_on_its_layout(tmp_path, monkeypatch):
    """Records, calibrated and fused scores, and counters, to the byte."""
    from engine_helpers import engine, print_of

    from fpmatch.search.compare import LocalPartition
    from fpmatch.search.partition_request import PartitionRequest
    from fpmatch.search.probe import Probe
    from fpmatch.types import Record

    def fingers(n, touch):
        return [print_of(n, touch, FingerPosition(p)) for p in (1, 2)]

    people = [Record(f"C-{n}", fingers(n, 0), protected=n % 5 == 0) for n in range(24)]
    with engine({"criminal": people}) as e:
        here = e._state.searcher("criminal")
        owner = here.columns.row_record
        shards = []
        for number in range(3):
            rows = np.flatnonzero((owner >= 0) & (owner % 3 == number))
            ids, positions = contents.positions(here.index)
            under = positions[np.argsort(ids)]
            shards.append(PartitionIndex.create(tmp_path / str(number), expected_fingers=100))
            shards[-1].add(rows, contents.forms(here.index, rows), under[rows])
        spread = SimpleNamespace(begin=functools.partial(begin_across, shards))
        there = dataclasses.replace(here, index=spread)
        assert isinstance(there, LocalPartition)
        shard_cases.low_bounds(monkeypatch.setattr, np.random.default_rng(4))
        asked = itertools.product(shard_cases.EFFORTS, (1, 2), (True, False), (None, 3))
        for effort, several, sees, limit in asked:
            request = PartitionRequest(
                "criminal", Probe.of(fingers(7, 5)[:several]), sees, frozenset(), effort,
                limit=limit,
            )  # fmt: skip
            one, cut = (
                dataclasses.replace(s, cost=dataclasses.replace(s.cost, milliseconds={}))
                for s in (here.search(request), there.search(request))
            )
            assert cut.to_bytes() == one.to_bytes()
        for shard in shards:
            shard.close()


# -- questions and answers -----------------------------------------------------------------------


@pytest.fixture
def shard(indexes, pool):
    (context,) = indexes[0].begin(effort="scan").contexts
    return FingerShard(context, context.apply_mask(0), pool[1][0])


def test_a_search_that_has_ended_holds_no_memory(indexes, pool):
    """Without waiting for the collector: its arrays are as large as the gallery."""
    (context,) = indexes[0].begin(effort="scan").contexts
    fingers = [(probe, 0) for probe in pool[1][:2]]
    gc.disable()
    try:
        for make in (
            lambda: FingerShard(context, context.apply_mask(0), pool[1][0]),
            lambda: subject_shard(context, fingers, GroupsById(np.zeros(120, np.int64))),
        ):
            made = make()
            made.ask(Question(Step.COUNT))
            kept = weakref.ref(made)
            del made
            assert kept() is None
    finally:
        gc.enable()


def test_what_is_out_of_turn_is_refused(shard):
    take = Question(Step.TAKE, cuts=(None,))
    scan = Question(Step.SCAN, visible=(120,), sizes=(5,))
    for early in (
        take,
        scan,
        Question(Step.TIES),
        Question(Step.RECOUNT, sizes=(5,), cuts=(None,)),
    ):
        with pytest.raises(InputError, match="turn"):
            shard.ask(early)
    shard.ask(Question(Step.COUNT))
    for strange in (
        Question(Step.NARROW, sizes=(5,), cuts=(None,)),
        Question(Step.SCAN, visible=(120,)),
        Question(Step.SCAN, visible=(120, 7), sizes=(5,)),
        Question(Step.VERIFY),
    ):
        with pytest.raises(InputError):
            shard.ask(strange)
    shard.ask(scan)
    with pytest.raises(InputError, match="no list"):
        shard.ask(Question(Step.TIES, 1))
    assert len(shard.ask(take).ids) == 5


QUESTION = Question(
    Step.NARROW, 3, (7, 9), (5,), (None, Cut(4, LARGEST)), 2, 1, 8, np.array([3, 1], np.int64), 2
)
LISTED = Question(Step.LISTS, visible=(9,), sizes=(6, 6))
TAKE = Question(Step.TAKE, cuts=(None,))
SPREADS = (
    Spread(np.array([2, 5]), np.array([1, 3]), 0, 44),
    Spread(np.zeros(0, np.int64), np.zeros(0, np.int64)),
)
TAKEN = Answer(
    ids=np.array([4, 2, 9]),
    votes=np.array([7, 5, 5]),
    rows=(np.array([2, 4]), np.array([9])),
    cost=SearchCost(0, 5, 6, 0, {"votes": 1.5}, False),
)


def test_questions_and_answers_come_back_as_they_went():
    read = question_from_bytes(question_to_bytes(QUESTION))
    assert repr(dataclasses.replace(read, rows=None)) == repr(
        dataclasses.replace(QUESTION, rows=None)
    )
    assert read.rows.tolist() == [3, 1]
    back = answer_from_bytes(answer_to_bytes(TAKEN), TAKE, 2)
    assert back.cost == TAKEN.cost
    assert [a.tolist() for a in (back.ids, back.votes, *back.rows)] == [
        [4, 2, 9], [7, 5, 5], [2, 4], [9],
    ]  # fmt: skip


def test_bytes_that_were_damaged_or_cut_off_are_refused():
    messages = [
        (question_to_bytes(QUESTION), question_from_bytes),
        (answer_to_bytes(TAKEN), lambda data: answer_from_bytes(data, TAKE, 2)),
    ]
    for (content, read), (other, _) in itertools.permutations(messages):
        for at in range(len(content)):
            with pytest.raises(InputError):
                read(content[:at])
            with pytest.raises(InputError):
                read(content[:at] + bytes([content[at] ^ 0x11]) + content[at + 1 :])
        for strange in (other, content + b"x", b"", None, "text"):
            with pytest.raises(InputError):
                read(strange)


@pytest.mark.parametrize(
    "change",
    [
        {"finger": -1}, {"finger": 101}, {"visible": (-1,)}, {"sizes": (2**63,)}, {"width": 0},
        {"sizes": tuple(range(101))}, {"cuts": (Cut(-1, 0),)}, {"cuts": (Cut(1, -2),)},
        {"votes": 1.5}, {"scale": -1}, {"scale": 101}, {"low": True}, {"rows": np.array([-4])},
    ],
)  # fmt: skip
def test_numbers_that_no_round_has_are_refused(change):
    with pytest.raises(InputError):
        question_from_bytes(question_to_bytes(dataclasses.replace(QUESTION, **change)))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (LISTED, Answer(spreads=SPREADS[:1])),
        (LISTED, Answer(spreads=(*SPREADS, SPREADS[0]))),
        (LISTED, Answer(spreads=SPREADS, visible=(3,))),
        (LISTED, Answer(spreads=SPREADS, groups=3)),
        (LISTED, Answer(spreads=SPREADS, ids=np.array([3]), votes=np.array([3]))),
        (LISTED, Answer(spreads=SPREADS, scores=np.zeros(1, np.int32))),
        (LISTED, Answer(spreads=(Spread(np.array([5, 2]), np.array([1, 1]), 0, 9), SPREADS[1]))),
        (LISTED, Answer(spreads=(Spread(np.array([2, 5]), np.array([1, 0]), 0, 9), SPREADS[1]))),
        (LISTED, Answer(spreads=(Spread(np.array([2, 5]), np.array([4, 3]), 0, 9), SPREADS[1]))),
        (LISTED, Answer(spreads=(Spread(np.array([2]), np.array([LARGEST]), 0, 9), SPREADS[1]))),
        (LISTED, Answer(spreads=(Spread(np.array([2]), np.array([1]), 9, 0), SPREADS[1]))),
        (LISTED, Answer(spreads=(Spread(np.array([-2]), np.array([1]), 0, 9), SPREADS[1]))),
        (Question(Step.TIES), Answer(spreads=(Spread(np.array([RANGES]), np.array([1]), 0, 9),))),
        (Question(Step.COUNT), Answer(visible=(4,))),
        (TAKE, dataclasses.replace(TAKEN, votes=np.array([5, 7, 5]))),
        (TAKE, dataclasses.replace(TAKEN, ids=np.array([4, 9, 2]))),
        (TAKE, dataclasses.replace(TAKEN, ids=np.array([4, 9, 9]))),
        (TAKE, dataclasses.replace(TAKEN, rows=TAKEN.rows[:1])),
        (TAKE, dataclasses.replace(TAKEN, rows=(np.array([4, 2]), np.array([9])))),
        (Question(Step.VERIFY, rows=np.array([1])), Answer()),
        (Question(Step.VERIFY, rows=np.array([1])), Answer(scores=np.array([-4], np.int32))),
    ],
)
def test_answers_that_cannot_be_are_refused(question, answer):
    with pytest.raises(InputError):
        answer_from_bytes(answer_to_bytes(answer), question, 2)
    answer_from_bytes(answer_to_bytes(Answer(spreads=SPREADS)), LISTED, 2)
