"""What a monitor is told: each call once, with numbers and no name; closing, and limits."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from pathlib import Path

import pytest
from engine_helpers import HELD, ON, POLICY, engine, print_of, record, request
from test_attack_processes import calls as public_calls

from fpmatch.errors import (
    FpmatchError,
    InputError,
    MissingExtra,
    RefusedError,
    SearchCancelled,
    StorageError,
)
from fpmatch.formats.abis import Adapter
from fpmatch.monitoring import LOGGER, CallEvent, OpenTelemetry
from fpmatch.parameters import SEARCH
from fpmatch.policy import Policy
from fpmatch.search import Engine, Limits, calls, crash_points, enrolment
from fpmatch.types import Outcome

PAGE = (Path(__file__).parent.parent / "docs" / "operation.md").read_text("utf-8")
ORDER = {"order": "a secret order", "authority": "the court"}
OPAQUE = POLICY.replace('protected_roles = ["advocate"]', 'status_visibility = "opaque"')
OPAQUE = OPAQUE.replace("expires_days = 30", "").replace("deferred_disposition", "results_withheld")


# -- events ----------------------------------------------------------------------------------------


def test_each_call_is_told_once_as_record_event_and_count(caplog):
    told: list[CallEvent] = []
    caplog.set_level(logging.INFO, LOGGER)
    with engine(monitor=told.append) as e:
        told.clear()
        caplog.clear()
        before = {(c.call, c.result): c.calls for c in e.counters()}
        e.search(request())
        with pytest.raises(RefusedError):
            e.seal("C-none", **ORDER)
        e.search(request())
        assert [(t.call, t.result) for t in told] == [
            ("search", "ok"),
            ("seal", "RefusedError"),
            ("search", "ok"),
        ]
        ours = [r for r in caplog.records if r.name == LOGGER]
        assert [(r.fpm_call, r.fpm_result) for r in ours] == [(t.call, t.result) for t in told]
        assert [r.fpm_seconds for r in ours] == [t.seconds for t in told]
        assert ours[0].fpm_sections_searched_disclosed == 2
        assert ours[0].getMessage().startswith("search ok 0.")
        counts = {(c.call, c.result): c for c in e.counters()}
        assert counts["search", "ok"].calls == before.get(("search", "ok"), 0) + 2
        assert counts["seal", "RefusedError"].calls == 1
        both = [t.seconds for t in told if t.call == "search"]
        assert counts["search", "ok"].seconds == pytest.approx(sum(both))
        assert counts["search", "ok"].longest == max(both)
    assert told[-1].call == "close"
    assert dict(told[-1].fields) == {"cancelled": 0, "left": 0}


def test_every_public_call_is_told(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    with engine() as e:
        every = public_calls(e)
        caplog.clear()
        for act in every.values():
            with contextlib.suppress(FpmatchError):
                act()
        seen = {r.fpm_call for r in caplog.records if r.name == LOGGER}
    assert seen == set(every) - {"partitions", "policy", "audit", "counters"}


def test_no_name_is_told_whatever_is_asked(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    told: list[CallEvent] = []
    names = ("Quillfeather", "C-1", "I-1", ON, HELD, "criminal", "immigration", "secret", "court")
    people = {
        "criminal": [record("C-1", 1, identity="Quillfeather")],
        "immigration": [record("I-1", 1, touch=1)],
    }
    with engine(people, text=OPAQUE, monitor=told.append) as e:
        for ori in (ON, HELD):
            e.search(request(ori))
            e.search_many([request(ori), request(ori)])
        e.verify(request(), "C-1", partition="criminal")
        e.update("criminal", "C-1", protected=True, **ORDER)
        e.enrol("criminal", [record("Quillfeather", 5), "none"])
        for wrong in (lambda: e.seal("Quillfeather 2", **ORDER), lambda: e.enrol("C-1", [])):
            with pytest.raises((RefusedError, InputError)):
                wrong()
        e.expunge("Quillfeather", level="identity", **ORDER)
    text = " ".join(str(r.__dict__) for r in caplog.records if r.name == LOGGER) + str(told)
    assert [name for name in names if name in text] == []
    assert len(told) > 10


def test_of_an_opaque_partition_is_told_what_its_submitter_is_told():
    """Searched with a hit, searched in vain, never searched: the same fields."""
    told: list[CallEvent] = []
    fields = []
    for people, ori in (
        ({"immigration": [record("I-1", 1)]}, HELD),
        ({"immigration": [record("I-2", 2)]}, HELD),
        ({"immigration": [record("I-1", 1)]}, "CA0380101"),
    ):
        with engine({"criminal": [], **people}, text=OPAQUE, monitor=told.append) as e:
            told.clear()
            e.search(request(ori))
            fields.append(dict(told[0].fields))
    assert fields[0] == fields[1] == fields[2]
    assert fields[0]["sections_refused"] == 1


def test_what_is_withheld_is_never_told_to_be_incomplete():
    """A deadline cuts both partitions short; the answer says so of the one that is disclosed."""
    told: list[CallEvent] = []
    with engine(monitor=told.append) as e:
        e.search(request(HELD, deadline_ms=1e-6))
        fields = next(event.fields for event in told if event.call == "search")
        assert (fields["sections_searched_withheld"], fields["incomplete"]) == (1, 1)
        (outcome,) = e.audit.records(kind="OUTCOME")
        assert not any(said["complete"] for said in outcome.partitions.values())


def test_a_monitor_that_fails_breaks_no_call(caplog):
    def broken(event):
        raise ValueError("no")

    with engine(monitor=broken) as e:
        assert e.search(request())["criminal"].outcome is Outcome.SEARCHED_DISCLOSED
    assert "the monitor failed: ValueError" in caplog.text


def test_monitor_and_limits_of_the_wrong_kind_are_refused():
    with engine() as e:
        place = e._state.folder
        e.close()
        for wrong in ({"monitor": 1}, {"limits": None}, {"limits": 3}):
            with pytest.raises(InputError):
                Engine.open(place, "rw", **wrong)


def test_the_page_names_every_event_and_field():
    told: list[CallEvent] = []
    with engine(monitor=told.append) as e:
        for ori in (ON, HELD):
            e.search(request(ori))
        e.update("criminal", "C-1", protected=True, **ORDER)
        e.expunge("C-2", partition="criminal", **ORDER)
    fields = {name for event in told for name in event.fields}
    fields |= {"records"} | {f"sections_{outcome.value.lower()}" for outcome in Outcome}
    assert [name for name in sorted(fields) if f"`{name}`" not in PAGE] == []
    for name in (LOGGER, "fpm_call", "fpm_result", "fpm_seconds", "fpmatch.calls"):
        assert f"`{name}`" in PAGE


def test_spans_and_metrics_are_opentelemetrys():
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    monitor = OpenTelemetry(tracers, MeterProvider(metric_readers=[reader]))
    with engine(monitor=monitor) as e:
        spans.clear()
        with tracers.get_tracer("a service").start_as_current_span("request") as outer:
            e.search(request())
            with pytest.raises(RefusedError):
                e.seal("C-none", **ORDER)
        found, refused, _ = spans.get_finished_spans()
        assert (found.name, refused.name) == ("fpmatch.search", "fpmatch.seal")
        assert found.parent.span_id == outer.get_span_context().span_id
        assert found.attributes["fpmatch.sections_searched_disclosed"] == 2
        assert (found.status.is_ok, refused.status.is_ok) == (True, False)
        took = (found.end_time - found.start_time) / 1e9
        (count,) = [c for c in e.counters() if (c.call, c.result) == ("search", "ok")]
        assert took == pytest.approx(count.seconds, abs=1e-6)
        (metrics,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
        named = {m.name: m.data.data_points for m in metrics.metrics}
        (searches,) = [
            p for p in named["fpmatch.calls"] if p.attributes["fpmatch.call"] == "search"
        ]
        assert searches.value == 1
        assert {p.count for p in named["fpmatch.call.duration"]} >= {1}


def test_without_opentelemetry_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtra, match=r"fpmatch\[otel\]"):
        OpenTelemetry()


# -- closing ---------------------------------------------------------------------------------------


class Stop:
    """Holds calls at a crash point until it is let go."""

    def __init__(self, monkeypatch, step: str) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

        def hook(name):
            if name == step:
                self.reached.set()
                assert self.go.wait(60)

        monkeypatch.setattr(crash_points, "hook", hook)


def in_thread(act) -> tuple[threading.Thread, list]:
    out: list = []

    def run():
        try:
            out.append(act())
        except Exception as error:
            out.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, out


def test_closing_waits_for_a_search_that_runs_and_takes_no_new_call(monkeypatch):
    with engine() as e:
        stop = Stop(monkeypatch, "search.intent")
        search, answer = in_thread(lambda: e.search(request()))
        assert stop.reached.wait(60)
        closing, _ = in_thread(lambda: e.close(wait=60))
        while not e._calls.closing:
            time.sleep(0.01)
        with pytest.raises(StorageError, match="being closed"):
            e.search(request())
        assert closing.is_alive()
        stop.go.set()
        closing.join(60)
        search.join(60)
        assert answer[0]["criminal"].outcome is Outcome.SEARCHED_DISCLOSED
        with pytest.raises(StorageError, match="is closed"):
            e.search(request())


def test_a_search_that_does_not_end_in_time_is_cancelled_and_logged_so(monkeypatch):
    told: list[CallEvent] = []
    with engine(monitor=told.append) as e:
        place = e._state.folder
        stop = Stop(monkeypatch, "search.intent")
        search, answer = in_thread(lambda: e.search(request(tcn="T-late")))
        assert stop.reached.wait(60)
        ending = e._state.ending
        closing, _ = in_thread(lambda: e.close(wait=0.05))
        assert ending.wait(60)
        stop.go.set()
        closing.join(60)
        search.join(60)
        assert isinstance(answer[0], SearchCancelled)
        assert dict(told[-1].fields) == {"cancelled": 1, "left": 0}
        monkeypatch.setattr(crash_points, "hook", None)
        with Engine.open(place, durability="off") as again:
            (outcome,) = again.audit.records(kind="OUTCOME", tcn="T-late")
            assert (outcome.fields["result"], outcome.fields["error"]) == ("error", "cancelled")
            assert again.audit.verify().ok


def test_an_enrolment_ends_after_its_batch(monkeypatch):
    import dataclasses

    monkeypatch.setattr(enrolment, "SEARCH", dataclasses.replace(SEARCH, enrol_batch=2))
    with engine() as e:
        place = e._state.folder
        stop = Stop(monkeypatch, "enrol.committed")
        people = [record(f"N-{n}", 30 + n) for n in range(6)]
        enrol, answer = in_thread(lambda: e.enrol("criminal", people))
        assert stop.reached.wait(60)
        ending = e._state.ending
        closing, _ = in_thread(e.close)
        assert ending.wait(60)
        stop.go.set()
        closing.join(60)
        enrol.join(60)
        assert isinstance(answer[0], StorageError)
        assert answer[0].__notes__ == ["2 records that came before are enrolled, and on disk"]
        monkeypatch.setattr(crash_points, "hook", None)
        with Engine.open(place, "rw", durability="off") as again:
            names = again._state.gallery.database.execute(
                "SELECT record FROM record WHERE record LIKE 'N-%' ORDER BY record"
            ).fetchall()
            assert names == [("N-0",), ("N-1",)]


def test_a_call_within_a_call_is_a_part_of_it_and_may_close():
    with engine() as e:
        seen = []

        def progress(*_):
            seen.append(e.search(request(person=30))["criminal"].candidates[0].record)

        e.enrol("criminal", [record("N-1", 30)], progress=progress)
        assert seen == ["N-1"]
        e.enrol("criminal", [record("N-2", 31)], progress=lambda *_: e.close())
        with pytest.raises(StorageError, match="closed"):
            e.search(request())


@pytest.mark.parametrize("wrong", [-1, "1", None, float("nan")])
def test_a_wait_that_is_none_is_refused_and_closes_nothing(wrong):
    with engine() as e:
        with pytest.raises(InputError):
            e.close(wait=wrong)
        assert e.search(request())


# -- limits ----------------------------------------------------------------------------------------


def test_what_is_beyond_a_limit_is_refused_before_any_of_it_is_done():
    limits = Limits(enrol_records=3, searches=2, fingers=1, message_bytes=10)
    with engine({"criminal": [record("C-1", 1)]}, limits=limits) as e:
        logged = len(list(e.audit.records()))
        several = [print_of(1, 5), print_of(1, 6)]
        for call, words in (
            (lambda: e.search(request(fingers=several)), "1 fingers at most, not 2"),
            (lambda: e.search_many([request(), request(fingers=several)]), "1 fingers at most"),
            (lambda: e.search_many([request()] * 3), "2 submissions at most, not 3"),
            (lambda: e.verify(request(fingers=several), "C-1", partition="criminal"), "1 fingers"),
            (lambda: e.transact(bytes(11)), "10 bytes at most, not 11"),
            (lambda: e.abis(bytes(11), Adapter(ON, "criminal"), fetch=bytes), "10 bytes at most"),
            (
                lambda: e.enrol("criminal", [record(f"N-{n}", n) for n in range(4)]),
                "3 records at most, not 4",
            ),
        ):
            with pytest.raises(InputError, match=words):
                call()
        kinds = {r.kind for r in e.audit.records() if r.seq > logged}
        assert kinds <= {"AUDIT_READ"}
        assert e.enrol("criminal", [record(f"N-{n}", n) for n in range(3)]).ok
        assert len(e.search_many([request(), request()])) == 2


def test_a_source_of_unknown_length_is_read_so_far():
    with engine({"criminal": []}, limits=Limits(enrol_records=3)) as e:
        people = (record(f"N-{n}", 30 + n) for n in range(9))
        with pytest.raises(InputError, match="3 records at most; the source has more") as told:
            e.enrol("criminal", people)
        assert told.value.__notes__ == ["3 records that came before are enrolled, and on disk"]


def test_limits_themselves_are_checked():
    for wrong in (
        {"fingers": 0},
        {"fingers": 101},
        {"searches": 0},
        {"enrol_records": -1},
        {"message_bytes": 2**40},
        {"searches": True},
    ):
        with pytest.raises(InputError):
            Limits(**wrong)


def test_every_public_method_is_counted():
    named = {n for n in dir(Engine) if not n.startswith("_") and callable(getattr(Engine, n))}
    counted = {n for n in named if hasattr(getattr(Engine, n), "__wrapped__")}
    assert named - counted == set(calls.UNCOUNTED)


def test_opaque_policy_of_this_file_is_one():
    assert any(p.opaque for p in Policy.parse(OPAQUE).declared.partitions)
