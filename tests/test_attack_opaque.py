"""What an opaque partition must not tell: whether it was searched, by time or by anything else.

Time is a fake that moves when somebody sleeps or when a test says that work took so long, so no
test depends on the machine's clock.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from engine_helpers import HELD, LATER, OFF, ON, POLICY, again, engine, request, told

import fpmatch.search.batch as batch
import fpmatch.search.decision as decision
import fpmatch.search.run as run
from fpmatch.errors import InputError, RefusedError, SearchCancelled
from fpmatch.ledger import Ledger
from fpmatch.policy import Policy
from fpmatch.search import Engine, timer
from fpmatch.search.compare import LocalPartition
from fpmatch.search.state import State
from fpmatch.search.timer import Timer
from fpmatch.types import Outcome, Reason

KEPT = ('mode = "results_withheld"', 'retain = true\nmode = "results_withheld"')
OPAQUE = POLICY.replace('protected_roles = ["advocate"]', 'status_visibility = "opaque"').replace(
    *KEPT
)
SET = 0.4
ALIKE = (HELD, OFF, LATER)
"""Searched and withheld, denied, waiting: told apart by nobody but the owner."""


def reordered(text: str) -> str:
    """The same policy with the opaque partition first."""
    head, criminal, immigration = text.split("[[partition]]")
    immigration, rest = immigration.split("[[jurisdiction]]")
    return "[[partition]]".join((head, immigration, criminal)) + "[[jurisdiction]]" + rest


class Time:
    """Seconds that pass when someone sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.during: list[object] = []

    def timer(self) -> Timer:
        return Timer(lambda: self.now, self.wait_until)

    def wait_until(self, until: float) -> None:
        while (rest := until - self.now) > 0:
            for act in self.during:
                act()
            self.slept.append(rest)
            self.now += rest


@contextmanager
def held(text: str = OPAQUE, people=None, **options) -> Iterator[tuple[Engine, Time]]:
    time = Time()
    with engine(people, text, withheld_ms=1000 * SET, **options) as e:
        e._state.timer = time.timer()
        yield e, time


@contextmanager
def taking(time: Time, monkeypatch, seconds: dict[str, float]) -> Iterator[list[str]]:
    """Let the search of a partition take so long, and say which were searched, in order."""
    order: list[str] = []

    def slow(original):
        def wrapped(searcher, *args, **more):
            order.append(searcher.partition)
            time.now += seconds.get(searcher.partition, 0.0)
            return original(searcher, *args, **more)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(LocalPartition, "search", slow(LocalPartition.search))
        patch.setattr(LocalPartition, "search_many", slow(LocalPartition.search_many))
        yield order


def left(time: Time, call) -> tuple[float, object]:
    """How long after the call something left, and what."""
    start = time.now
    try:
        out = call()
    except Exception as error:
        out = (type(error), str(error))
    return round(time.now - start, 6), out


def section(e: Engine, ori: str, **more):
    return e.search(request(ori, tcn="", **more))["immigration"]


# -- time --------------------------------------------------------------------------------------


def test_all_that_looks_alike_leaves_at_the_same_time(monkeypatch):
    for cost in (0.0, 0.1, 0.399):
        with held() as (e, time), taking(time, monkeypatch, {"immigration": cost}) as order:
            for ori in (*ALIKE, "ZZ0000000"):
                for person in (7, 55):
                    took, answer = left(time, lambda o=ori, p=person: e.search(request(o, p)))
                    assert took == SET
                    if ori in ALIKE:
                        assert answer["immigration"].reason is Reason.NOT_DISCLOSED
            assert order.count("immigration") == 2


def test_what_takes_longer_leaves_at_the_next_multiple(monkeypatch):
    with held() as (e, time):
        for cost, leaves in ((0.401, 2 * SET), (0.9, 3 * SET), (SET, SET)):
            with taking(time, monkeypatch, {"immigration": cost}):
                assert left(time, lambda: section(e, HELD))[0] == pytest.approx(leaves)


def test_the_time_starts_at_the_call_before_the_decision(monkeypatch):
    with held() as (e, time):
        decide = decision.decide

        def slow(*args, **more):
            time.now += 0.15
            return decide(*args, **more)

        monkeypatch.setattr(decision, "decide", slow)
        store = lambda *a: setattr(time, "now", time.now)  # noqa: E731
        monkeypatch.setattr("fpmatch.search.kept_probes.store", store)
        assert {left(time, lambda o=o: section(e, o))[0] for o in ALIKE} == {SET}


def test_failures_and_cancels_wait_too(monkeypatch):
    stop = threading.Event()
    stop.set()
    with held() as (e, time):
        for ori in ALIKE:
            took, error = left(time, lambda o=ori: e.search(request(o), cancel=stop))
            assert (took, error[0]) == (SET, SearchCancelled)
        monkeypatch.setattr(run.copies, "prepare", lambda *a: 1 / 0)
        for ori in ALIKE:
            took, error = left(time, lambda o=ori: e.search(request(o)))
            assert (took, error[0]) == (SET, ZeroDivisionError)


def test_answers_that_hide_nothing_are_not_held():
    with held() as (e, time):
        e.search(request(ON))
        assert time.slept == []
        with pytest.raises(InputError):
            e.search(request(HELD, effort="x"))
        assert time.slept == []
    with held(POLICY) as (e, time):
        e.search(request(OFF))
        e.search(request(LATER))
        assert time.slept == []
        e.search(request(HELD))
        assert time.slept == pytest.approx([SET])


def test_a_policy_that_turns_opaque_during_the_search_counts(monkeypatch):
    from fpmatch.search import crash_points

    for ori in ALIKE:
        with held(POLICY) as (e, time):

            def hook(name, e=e):
                if name == "search.compared":
                    crash_points.hook = None
                    e.publish(Policy.parse(OPAQUE))

            monkeypatch.setattr(crash_points, "hook", hook)
            took, answer = left(time, lambda o=ori, e=e: e.search(request(o)))
            assert took == SET
            assert answer["immigration"].reason is Reason.NOT_DISCLOSED


def test_a_list_is_held_once_for_each_opaque_submission(monkeypatch):
    with held() as (e, time), taking(time, monkeypatch, {"immigration": 0.3}):
        for oris in ([HELD] * 3, [OFF] * 3, [HELD, OFF, LATER]):
            asked = [request(o, i + 1) for i, o in enumerate(oris)]
            assert left(time, lambda a=asked: e.search_many(a))[0] == pytest.approx(3 * SET)
        mixed = [request(ON, tcn="a"), request(HELD, tcn="b"), request(ON, tcn="c")]
        assert left(time, lambda: e.search_many(mixed))[0] == pytest.approx(SET)
        assert left(time, lambda: e.search_many([request(OFF, partitions=[])]))[0] == SET
        slept = len(time.slept)
        e.search_many([again(mixed[0])])
        assert len(time.slept) == slept


def test_copies_can_be_fetched_no_earlier_than_the_answer_leaves():
    with held() as (e, time):
        seen = []
        time.during.append(lambda: seen.append(e._state.ledger.copies.unsettled()[0]))
        for ori in ALIKE:
            e.search(request(ori, copies_to=[ON], tcn=f"T-{ori}"))
            assert e.copy(f"T-{ori}", ON)["immigration"].reason is Reason.NOT_DISCLOSED
        assert [[c.tcn for c in held] for held in seen] == [[f"T-{ori}"] for ori in ALIKE]


def test_an_opaque_policy_without_a_set_time_is_warned_of(caplog):
    with engine(text=POLICY) as e:
        assert "withheld_ms" not in caplog.text
        e.publish(Policy.parse(OPAQUE))
        assert "withheld_ms" in caplog.text
        place = e._state.folder
        e.close()
        caplog.clear()
        with Engine.open(place, "r", durability="off"):
            assert "withheld_ms" in caplog.text
        caplog.clear()
        with Engine.open(place, "r", durability="off", withheld_ms=1.0):
            assert "withheld_ms" not in caplog.text


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "400", None, True, 10**9])
def test_a_set_time_that_is_none_is_refused(wrong, tmp_path):
    with pytest.raises(InputError, match="withheld_ms"):
        Engine.create(tmp_path / "g", withheld_ms=wrong)


# -- deadline and cancel -----------------------------------------------------------------------


@pytest.mark.parametrize("text", [OPAQUE, POLICY])
def test_partitions_that_the_submitter_sees_are_searched_first(text, monkeypatch):
    with held(reordered(text)) as (e, time), taking(time, monkeypatch, {}) as order:
        e.search(request(HELD))
        assert order == ["criminal", "immigration"]


def test_a_deadline_tells_nothing_of_a_hidden_partition(monkeypatch):
    limits = []
    search = LocalPartition.search

    def noted(searcher, asked, *args):
        limits.append((searcher.partition, asked.seconds_left))
        return search(searcher, asked, *args)

    monkeypatch.setattr(LocalPartition, "search", noted)
    for deadline in (1e-6, 100.0, 1e6):
        answers = []
        with held(reordered(OPAQUE)) as (e, time):
            for ori in ALIKE:
                asked = request(ori, deadline_ms=deadline, tcn="T")
                answers.append(left(time, lambda a=asked, e=e: e.search(a).to_bytes()))
        assert len(set(answers)) == 1
        assert answers[0][0] == SET


def test_a_deadline_in_a_list_starts_with_its_own_search(monkeypatch):
    started = {}
    finish = batch.finish
    clock = Time()
    monkeypatch.setattr(batch.time, "monotonic", lambda: clock.now)

    def noted(state, running, hold, cancel=None):
        started[running.submission.tcn] = clock.now - running.started
        out = finish(state, running, hold, cancel)
        clock.now += 0.3
        return out

    monkeypatch.setattr(batch, "finish", noted)
    with engine(text=OPAQUE) as e:
        e.search_many([request(HELD, tcn="a"), request(ON, tcn="b", deadline_ms=100)])
    assert started == {"a": 0, "b": 0}


class Counting:
    """A cancel that counts how often it was asked, and comes true at a time."""

    def __init__(self, after: int = 10**9) -> None:
        self.asked = 0
        self.after = after

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > self.after


@pytest.mark.parametrize("asked_for", [None, ["immigration"], ["criminal"]])
def test_a_cancel_is_asked_as_often_whether_or_not_a_hidden_partition_is_searched(asked_for):
    with held(reordered(OPAQUE)) as (e, _):
        counts = []
        for ori in ALIKE:
            cancel = Counting()
            e.search(request(ori, partitions=asked_for), cancel=cancel)
            counts.append(cancel.asked)
        assert len(set(counts)) == 1
        for after in range(counts[0] + 2):
            ends = set()
            for ori in ALIKE:
                try:
                    answer = e.search(request(ori, partitions=asked_for), cancel=Counting(after))
                    ends.add(answer["immigration"])
                except SearchCancelled:
                    ends.add("cancelled")
            assert len(ends) == 1
            assert (ends == {"cancelled"}) is (after < counts[0])


@pytest.mark.parametrize("text", [OPAQUE, POLICY])
def test_a_cancel_during_a_withheld_partition_changes_nothing(text, monkeypatch):
    stop = threading.Event()
    with held(text) as (e, _):
        search = LocalPartition.search

        def stopped(searcher, *args):
            if searcher.partition == "immigration":
                stop.set()
            return search(searcher, *args)

        monkeypatch.setattr(LocalPartition, "search", stopped)
        answer = e.search(request(HELD, tcn="T"), cancel=stop)
        assert stop.is_set()
        assert answer["criminal"].candidates
        assert {m.partition for m in e.notifications()} == {"criminal", "immigration"}


# -- errors ------------------------------------------------------------------------------------


def breaks_compare(patch):
    search = LocalPartition.search
    patch.setattr(
        LocalPartition,
        "search",
        lambda s, *a: 1 / 0 if s.partition == "immigration" else search(s, *a),
    )


def breaks_searcher(patch):
    made = State.searcher
    patch.setattr(State, "searcher", lambda s, p: 1 / 0 if p == "immigration" else made(s, p))


def breaks_release(patch):
    searched = run.release._searched
    patch.setattr(
        run.release,
        "_searched",
        lambda s, r, x, *more: 1 / 0 if x.partition == "immigration" else searched(s, r, x, *more),
    )


def breaks_retaining(patch):
    patch.setattr(Ledger, "keep", lambda *a: 1 / 0)


def breaks_sharing(patch):
    patch.setattr(LocalPartition, "search_many", lambda *a: 1 / 0)
    breaks_compare(patch)


BREAKS = (breaks_compare, breaks_searcher, breaks_release, breaks_retaining, breaks_sharing)


@pytest.mark.parametrize("breaks", BREAKS)
@pytest.mark.parametrize("many", [False, True])
def test_an_error_in_a_hidden_partition_is_not_told(breaks, many, monkeypatch):
    ask = (lambda e, r: e.search_many([again(r), r])[1]) if many else (lambda e, r: e.search(r))
    with held() as (e, time):
        whole = ask(e, request(HELD, retain=True))
        with monkeypatch.context() as patch:
            breaks(patch)
            answers = [left(time, lambda o=o: told(ask(e, request(o, retain=True)))) for o in ALIKE]
        assert len(set(answers)) == 1
        assert answers[0] == (SET * (1 + many), told(whole))
        assert whole["criminal"].candidates
        assert e.audit.verify().ok


def test_an_error_in_a_hidden_partition_is_in_the_log(monkeypatch):
    with held() as (e, _):
        for breaks in (breaks_compare, breaks_searcher, breaks_release):
            with monkeypatch.context() as patch:
                breaks(patch)
                e.search(request(HELD, tcn=breaks.__name__))
            said = next(iter(e.audit.records(kind="OUTCOME", tcn=breaks.__name__)))
            assert said.partitions["immigration"]["outcome"] == "FAILED"
            assert said.partitions["criminal"]["outcome"] == "SEARCHED_DISCLOSED"
            assert said.fields["error"] == "ZeroDivisionError"
        assert {m.partition for m in e.notifications()} == {"criminal"}


@pytest.mark.parametrize("breaks", BREAKS[:3])
def test_an_error_in_a_withheld_partition_looks_like_any_withheld_result(breaks, monkeypatch):
    with held(POLICY) as (e, time):
        whole = left(time, lambda: told(e.search(request(HELD))))
        breaks(monkeypatch)
        assert left(time, lambda: told(e.search(request(HELD)))) == whole


@pytest.mark.parametrize("breaks", BREAKS[:4])
def test_an_error_in_a_withheld_partition_counts_for_as_many_records(breaks, monkeypatch):
    """A probe that was to be retained there leaves its record in the log all the same."""
    with held(POLICY.replace(*KEPT)) as (e, _):
        first = e.search(request(HELD, retain=True)).audit_seq
        second = e.search(request(HELD, retain=True)).audit_seq
        with monkeypatch.context() as patch:
            breaks(patch)
            third = e.search(request(HELD, retain=True)).audit_seq
        assert second - first == e.search(request(HELD)).audit_seq - third
        kinds = [r.kind for r in e.audit.records(first=first, last=third)]
        assert kinds.count("RETAIN") == 2


def test_an_error_in_a_partition_that_the_submitter_sees_is_its_own(monkeypatch):
    for breaks in (breaks_compare, breaks_searcher, breaks_release):
        with held() as (e, _), monkeypatch.context() as patch:
            breaks(patch)
            with pytest.raises(ZeroDivisionError):
                e.search(request(ON))


def test_a_probe_that_cannot_be_encoded_does_not_tell(monkeypatch):
    def fails(*_):
        raise ZeroDivisionError

    with held() as (e, time):
        monkeypatch.setattr("fpmatch.search.probe.Probe.of_request", fails)
        answers = {left(time, lambda o=o, e=e: e.search(request(o, tcn="T"))) for o in ALIKE}
        assert len(answers) == 1
        assert next(iter(answers))[1][0] is ZeroDivisionError


def test_a_ledger_that_cannot_be_written_does_not_tell(monkeypatch):
    for name in ("prepare", "release"):
        with held() as (e, time), monkeypatch.context() as patch:
            patch.setattr(Ledger, name, lambda *a: 1 / 0)
            answers = {
                left(time, lambda o=o, e=e: e.search(request(o, 55, tcn="T"))) for o in ALIKE
            }
            assert len(answers) == 1
            assert next(iter(answers))[1][0] is ZeroDivisionError


# -- side effects ------------------------------------------------------------------------------


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("person", [7, 55])
def test_hidden_partitions_count_for_the_same_number_of_records_in_the_log(retain, person):
    with held() as (e, _):
        gaps, before = [], e.search(request(ON, person)).audit_seq
        for ori in (*ALIKE, ON):
            seq = e.search(request(ori, person, retain=retain)).audit_seq
            gaps.append(seq - before)
            before = seq
        # The first gap is that of the search before.
        assert len(set(gaps[1:])) == 1
        assert len(e._state.ledger.kept("retained")) == retain


def test_hidden_partitions_write_to_the_ledger_as_often(monkeypatch):
    wrote = []
    original = Ledger._transaction
    monkeypatch.setattr(Ledger, "_transaction", lambda s: (wrote.append(1), original(s))[1])
    counts = []
    with held() as (e, _):
        for ori in ALIKE:
            for person in (7, 55):
                wrote.clear()
                e.search(request(ori, person, partitions=["immigration"]))
                counts.append(len(wrote))
        assert set(counts) == {2}
        assert [m.partition for m in e.notifications()] == ["immigration"]
        assert e._state.ledger.pending() == []


def test_a_hidden_partition_that_the_gallery_lacks_looks_like_the_others():
    more = '[[partition]]\nname = "town"\nndr = 7\nowner = "Town"\nstatus_visibility = "opaque"\n'
    text = OPAQUE.replace("[[jurisdiction]]", more + "[[jurisdiction]]", 1)
    with held(text) as (e, time):
        for ori in (*ALIKE, ON):
            took, answer = left(time, lambda o=ori: e.search(request(o)))
            assert took == SET
            assert answer["town"].reason is Reason.NOT_DISCLOSED


EVENTS = {
    "searched": OPAQUE.replace("deferred_disposition", "results_withheld").replace(
        "expires_days = 30", ""
    ),
    "denied": OPAQUE.replace("deferred_disposition", "ori_deactivated").replace(
        "expires_days = 30", ""
    ),
    "waiting": OPAQUE,
}


def test_an_event_tells_nothing_of_what_came_of_it(monkeypatch):
    seen = set()
    for text in EVENTS.values():
        with held(POLICY) as (e, time), taking(time, monkeypatch, {"immigration": 0.2}):
            token = e.search(request(LATER))["immigration"].token
            e.publish(Policy.parse(text))
            before = e.search(request(ON)).audit_seq
            event = ("CHARGED", "pending") if text == OPAQUE else ("CONVICTION", None)
            took, answer = left(
                time, lambda e=e, t=token, v=event: e.report_event(t, v[0], disposition=v[1])
            )
            again = left(time, lambda e=e, t=token: e.report_event(t, "CONVICTION"))
            after = e.search(request(ON)).audit_seq
            assert e._state.ledger.kept("deferred") == []
            plain = dataclasses.replace(answer, tcn="", policy_version=0).to_bytes()
            seen.add((took, plain, answer.audit_seq - before, after - before, again))
    assert len(seen) == 1
    (took, _, _, _, again) = next(iter(seen))
    assert took == SET
    assert again[1][0] is RefusedError


def test_a_wait_that_ends_in_an_opaque_partition_is_cancelled_in_the_log():
    with held(POLICY) as (e, _):
        token = e.search(request(LATER))["immigration"].token
        e.publish(Policy.parse(EVENTS["denied"]))
        e.report_event(token, "CONVICTION")
        said = [r.fields["why"] for r in e.audit.records(kind="DEFER_CANCELLED")]
        assert said == ["CONVICTION"]


def test_a_cascade_is_held_like_a_list(monkeypatch):
    with held() as (e, time):
        for person in (7, 8):
            e.search(request(HELD, person, retain=True))
        took, answers = left(time, lambda: e.cascade("immigration"))
        assert took == pytest.approx(2 * SET)
        assert {s["immigration"].outcome for s in answers} == {Outcome.REFUSED}


def test_the_end_of_the_wait_is_awake_however_long_it_was(monkeypatch):
    """A sleep is the later the longer it was: none goes to the end, and none is skipped."""
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds * 1.05 + 1e-6  # late by a twentieth

    monkeypatch.setattr(timer.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(timer.time, "sleep", sleep)
    late = []
    for length in (0.001, 0.01, 0.04, 0.07):
        begin = now[0]
        timer.wait_until(begin + length)
        late.append(now[0] - begin - length)
    assert all(0 <= seconds < 1e-5 for seconds in late)
    assert max(slept) < 0.07
