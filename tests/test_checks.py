"""Every field of every public call, with every kind of wrong value: our errors and no others."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from engine_helpers import POLICY, engine, print_of, record, request

import fpmatch as fp
from fpmatch import checks
from fpmatch.errors import FpmatchError, InputError
from fpmatch.formats.abis import Adapter
from fpmatch.policy import Policy
from fpmatch.types import Facts, Record, RecordsRequest, SearchCost, SearchRequest


class Odd:
    """Looks like many things and is none."""

    def __len__(self) -> int:
        return 3

    def __repr__(self) -> str:
        return f"<Odd at {id(self):#x}>"


ADAPTER = Adapter("CA0380100", "criminal")


def deep(levels: int = 500) -> list[Any]:
    out: list[Any] = []
    for _ in range(levels):
        out = [out]
    return out


WRONG: dict[str, Any] = {
    "None": None,
    "True": True,
    "zero": 0,
    "minus": -1,
    "huge": 10**40,
    "beyond SQLite": 2**63,
    "float": 1.5,
    "nan": math.nan,
    "infinite": math.inf,
    "empty": "",
    "text": "x",
    "number as text": "1",
    "surrogate": "\ud800",
    "NUL": "a\x00b",
    "long text": "x" * 100_000,
    "bytes": b"x",
    "list": [],
    "list of None": [None],
    "long list": ["CASIR0000"] * 100_000,
    "dict": {},
    "dict of wrong": {1: object()},
    "name too long": "x" * 300,
    "set": {1},
    "object": Odd(),
    "type": int,
    "numpy scalar": np.float64(1.0),
    "numpy array": np.zeros((3, 3)),
    "complex": 1j,
    "deep": deep(),
}


def tried(call: Callable[[Any], Any], what: str) -> None:
    """Success or an error of ours, short and the same in every run."""
    for name, value in WRONG.items():
        try:
            call(value)
        except FpmatchError as error:
            said = str(error)
            assert len(said) < 1000, f"{what}({name}): {said[:200]}"
            assert "0x" not in said, f"{what}({name}): {said[:200]}"
        except BaseException as error:
            raise AssertionError(f"{what}({name}): {type(error).__name__}: {error}") from error


def calls(e: fp.Engine) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Each parameter of each method, the others good."""
    order = {"order": "o", "authority": "a"}
    asks = RecordsRequest(owner="DOJ-FBI")
    good: dict[str, dict[str, Any]] = {
        "search": {"request": request()},
        "search_many": {"requests": [request()]},
        "transact": {"data": b"", "answering": None, "stand_in": None, "extractor": None,
                     "isolated": False},
        "abis": {"message": b"", "adapter": ADAPTER, "fetch": bytes, "pending": 0},
        "report_event": {
            "token": "D", "event": "CONVICTION", "disposition": None, "everywhere": False,
        },
        "cancel": {"token": "D", "why": "w"},
        "cascade": {"partition": "criminal"},
        "copy": {"tcn": "T", "ori": "CA0380100", "booking_ori": None},
        "replay": {"seq": 1, "request": request()},
        "explain": {"ori": "CA0380100", "partition": "criminal", "at": None},
        "notifications": {"delivered": False},
        "deliver": {"notification": "N"},
        "envelope": {"notification": "N", "owner": "DHS"},
        "add_partition": {"name": "x", "ndr": 7, "owner": "y", "expected_fingers": 10},
        "enrol": {
            "partition": "criminal", "records": [], "progress": None, "on_error": None, "key": "",
        },
        "publish": {"policy": Policy.parse(POLICY), "key": ""},
        "update": {
            "partition": "criminal", "record": "C-1", **order, "version": None, "identity": None,
            "contributor": None, "protected": True, "banned_uses": None, "fingers": None,
            "event": None, "key": "",
        },
        "expunge": {
            "record": "C-1", **order, "level": "record", "event": "", "partition": None,
            "key": "",
        },
        "expunge_many": {
            "records": ["C-1", "C-2"], **order, "level": "record", "partition": None,
            "progress": None, "key": "",
        },
        "seal": {"record": "C-1", **order, "partition": None, "key": ""},
        "unseal": {"record": "C-1", **order, "partition": None, "key": ""},
        "records": {"partition": "criminal", "request": asks, "after": "", "limit": 10},
        "record": {"partition": "criminal", "record": "C-1", "request": asks},
        "templates": {"partition": "criminal", "request": asks, "after": "", "limit": 10},
        "taken": {"partition": "criminal", "record": "C-1", "event": ""},
        "count": {"partition": "criminal", "request": asks},
        "info": {"request": asks},
        "verify": {"request": request(), "record": "C-1", "partition": "criminal"},
        "request_opt_out": {
            "who": "CA0380100", "partition": "criminal", "reason": "", "request": "",
        },
        "answer_opt_out": {"request": "r", "status": "refused", "authority": "a", "answer": ""},
        "opt_outs": {"status": None},
    }  # fmt: skip
    for name, arguments in good.items():
        method = getattr(e, name)
        known = [p for p in inspect.signature(method).parameters if p not in ("cancel", "facts")]
        assert set(known) == set(arguments), name
        for parameter in arguments:
            if (name, parameter) == ("enrol", "progress"):
                continue
            yield (
                f"{name}.{parameter}",
                lambda value, m=method, a=arguments, p=parameter: m(**{**a, p: value}),
            )


def test_every_parameter_of_every_method_of_an_engine():
    with engine() as e:
        for what, call in calls(e):
            tried(call, what)
        assert e.audit.verify().ok


def test_every_field_of_a_request():
    with engine() as e:
        for field in dataclasses.fields(SearchRequest):
            tried(
                lambda v, n=field.name: e.search(dataclasses.replace(request(), **{n: v})),
                f"SearchRequest.{field.name}",
            )
            tried(
                lambda v, n=field.name: e.verify(
                    dataclasses.replace(request(), **{n: v}), "C-1", partition="criminal"
                ),
                f"SearchRequest.{field.name}, verified",
            )


def test_every_field_of_a_question_about_records():
    with engine() as e:
        for field in dataclasses.fields(RecordsRequest):
            asks = RecordsRequest(booking_ori="CA0380100")
            tried(
                lambda v, n=field.name, a=asks: e.count(
                    "criminal", dataclasses.replace(a, **{n: v})
                ),
                f"RecordsRequest.{field.name}",
            )


def test_every_field_of_a_record():
    with engine() as e:
        for field in dataclasses.fields(Record):

            def call(value: Any, name: str = field.name) -> None:
                one = dataclasses.replace(record("X-1", 30), **{name: value})
                report = e.enrol("criminal", [one])
                for error in report.errors:
                    raise InputError(error.message)

            tried(call, f"Record.{field.name}")
        tried(lambda v: e.enrol("criminal", [v]), "enrol([...])")
        assert e.search(request())["criminal"].candidates
        assert e.audit.verify().ok


def test_facts_of_an_explanation():
    with engine() as e:
        for name in ("chain", "transaction", "purpose", "role", "charge", "disposition",
                     "protected", "attributes", "requested"):  # fmt: skip
            tried(
                lambda v, n=name: e.explain(ori="CA0380100", partition="immigration", **{n: v}),
                f"explain(**{name})",
            )
        with pytest.raises(InputError):
            e.explain(ori="CA0380100", partition="immigration", nothing=1)


@pytest.mark.parametrize(
    "option", ["mode", "clock", "threads", "durability", "hit_score", "withheld_ms", "routes"]
)
def test_options_of_an_opening(tmp_path, option):
    fp.Engine.create(tmp_path / "g", durability="off").close()

    def call(value: Any) -> None:
        if option == "clock" and callable(value):
            return
        fp.Engine.open(tmp_path / "g", **{"durability": "off", option: value}).close()

    tried(call, f"open({option})")


def test_paths(tmp_path):
    tried(lambda v: fp.Engine.open(v), "open(path)")
    tried(lambda v: Policy.load(v), "Policy.load")


def test_policies_and_comparisons():
    good = print_of(1)
    tried(Policy.parse, "Policy.parse")
    tried(lambda v: fp.compare(v, good), "compare(probe)")
    tried(lambda v: fp.compare(good, v), "compare(candidate)")
    tried(fp.Template.from_bytes, "Template.from_bytes")


def test_values_of_a_template():
    good = print_of(1)
    for field in dataclasses.fields(fp.Template):
        if field.name.startswith("_"):
            continue
        tried(lambda v, n=field.name: dataclasses.replace(good, **{n: v}), f"Template.{field.name}")


def test_the_log():
    with engine() as e:
        e.search(request(tcn="T"))
        audit = e.audit
        tried(lambda v: audit.prove_not_searched(v, "criminal"), "prove(tcn)")
        tried(lambda v: audit.prove_not_searched("T", v), "prove(partition)")
        tried(lambda v: audit.prove_not_searched("T", "criminal", cri=v), "prove(cri)")
        tried(lambda v: list(audit.records(kind=v)), "records(kind)")
        tried(lambda v: list(audit.records(tcn=v)), "records(tcn)")
        tried(lambda v: list(audit.records(first=v)), "records(first)")
        tried(lambda v: audit.event(v, {}), "event(kind)")
        tried(lambda v: audit.event("OTHER", v), "event(fields)")


@pytest.mark.parametrize("make", [lambda: SearchRequest([], "CA0380100"), SearchCost,
                                  lambda: Facts((), "CAR"), lambda: record("C-1", 1)])  # fmt: skip
def test_public_values_can_be_copied_and_sent_to_another_process(make):
    import copy
    import pickle

    value = make()
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value


def test_limits_come_first():
    """A chain of 10^5 agencies, or as many partitions, costs no more than a short one."""

    class Counted(list):  # type: ignore[type-arg]
        looked = 0

        def __iter__(self) -> Iterator[Any]:
            for one in super().__iter__():
                Counted.looked += 1
                yield one

    with engine() as e:
        for field in ("chain", "partitions", "copies_to", "fingers"):
            with pytest.raises(InputError, match="at most"):
                e.search(dataclasses.replace(request(), **{field: Counted(["x"] * 100_000)}))
    assert Counted.looked == 0


def test_quoted_texts_do_not_grow():
    assert len(checks.quoted("x" * 10**6)) < 80
