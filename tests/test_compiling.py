"""Compiling is told, done by one process of several, and said once where nobody watches."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from fpmatch import compiling
from fpmatch.jit import Lazy, jit_enabled, kernel
from fpmatch.locking import try_lock

needs_jit = pytest.mark.skipif(not jit_enabled(), reason="kernels run as plain Python")

COUNT = """
import json, sys, time
from pathlib import Path
from fpmatch import compiling
heard = []
with compiling.watched(lambda state, kernel: heard.append(state)):
    import fpmatch
    from fpmatch.descriptor import encode, pack
    from fpmatch.descriptor.sketch import sketch
    from fpmatch.template import Template
    form = Template.from_bytes(Path(sys.argv[1]).read_bytes())
    Path(sys.argv[2]).touch()
    while not all(Path(name).exists() for name in sys.argv[3:]):
        time.sleep(0.01)
    made = encode(form)
    codes = made.codes.tolist(), sketch(pack([made])).tolist()
print(json.dumps({"heard": heard, "codes": codes}))
"""


def double(values):
    """Doubled."""
    for i in range(len(values)):
        values[i] *= 2


def quad(values):
    """Doubled twice."""
    twice(values)
    twice(values)


twice = kernel(double, inner=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    if jit_enabled():
        monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    return tmp_path


def heard_of(made) -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []
    with compiling.watched(lambda *event: heard.append(event)):
        made(np.arange(3))
    return heard


@needs_jit
def test_a_watcher_hears_what_is_compiled_and_what_is_found(folder):
    name = compiling.name_of(double)
    assert heard_of(kernel(double))[-1:] == [(compiling.READY, name)]
    assert heard_of(kernel(double)) == [(compiling.READY, name)]
    assert compiling.is_ready(name)


@needs_jit
def test_of_what_a_kernel_calls_nothing_is_told_and_nothing_kept(folder):
    values = np.arange(3)
    heard: list[str] = []
    with compiling.watched(lambda state, kernel: heard.append(kernel)):
        kernel(quad)(values)
    assert values.tolist() == [0, 4, 8]
    assert set(heard) == {compiling.name_of(quad)}
    assert {p.name.partition("-")[0] for p in folder.rglob("*.nbi")} == {"test_compiling.quad"}


@needs_jit
def test_several_processes_that_start_together_compile_once(tmp_path):
    """Four need the same two kernels: each is compiled by one, and all give the same codes and
    sketches."""
    import naive_descriptor as made

    template = tmp_path / "a.fpt"
    template.write_bytes(made.made_up(3, 30).to_bytes())
    marks = [str(tmp_path / f"here-{k}") for k in range(4)]
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path / "kernels"),
        "NUMBA_DISABLE_JIT": "0",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT, str(template), mark, *marks],
            stdout=subprocess.PIPE,
            env=environment,
        )
        for mark in marks
    ]
    said = [json.loads(process.communicate(timeout=300)[0]) for process in running]
    assert all(one["codes"] == said[0]["codes"] for one in said)
    events = [event for one in said for event in one["heard"]]
    assert events.count(compiling.COMPILES) == 2, events
    assert events.count(compiling.READY) == 8
    assert compiling.WAITS in events


def test_a_turn_ends_with_the_call_that_took_it(tmp_path):
    turn = compiling.Turn()

    def failing():
        with turn.call(), turn.call():
            turn.take(tmp_path, "k")
            with open(tmp_path / "compiling.lock", "a+b") as other:
                assert not try_lock(other)
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    with open(tmp_path / "compiling.lock", "a+b") as other:
        assert try_lock(other)


def test_nobody_waits_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "PATIENCE", 0.2)
    heard: list[str] = []
    with open(tmp_path / "compiling.lock", "a+b") as held:
        assert try_lock(held)
        turn = compiling.Turn()
        with compiling.watched(lambda state, kernel: heard.append(state)), turn.call():
            turn.take(tmp_path, "k")
    assert heard == [compiling.WAITS]


def test_a_folder_that_is_gone_is_no_matter(tmp_path):
    turn = compiling.Turn()
    with turn.call():
        turn.take(tmp_path / "gone", "k")


def test_where_nobody_watches_the_log_is_told_once(caplog):
    compiling._say_once.cache_clear()
    with caplog.at_level(logging.WARNING, "fpmatch.compiling"):
        compiling.tell(compiling.READY, "a")
        assert not caplog.records
        compiling.tell(compiling.COMPILES, "a")
        compiling.tell(compiling.COMPILES, "b")
        with compiling.watched(lambda *_: None):
            compiling.tell(compiling.COMPILES, "c")
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "fpmatch warm" in caplog.text


@needs_jit
def test_a_kernel_first_called_by_several_threads_is_made_once(folder):
    made = []
    lazy = Lazy(lambda: made.append(time.sleep(0.05)) or double, double)
    threads = [threading.Thread(target=lazy, args=(np.arange(2),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import fpmatch", "numba cv2 faiss scipy numpy pydantic"),
        ("from fpmatch import Engine, Policy", "numba cv2 faiss scipy"),
        ("from fpmatch import extract, read_image", "numba faiss scipy"),
        ("import fpmatch.evaluate.conditions as c; c.machine()", "numba cv2 faiss scipy numpy"),
    ],
)
def test_what_needs_no_compiler_loads_none(statement, heavy):
    code = f"{statement}\nimport sys\nprint([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@needs_jit
def test_a_picture_is_extracted_without_the_compiler(synthetic_data):
    path = sorted(synthetic_data.glob("optical/*.png"))[0]
    code = (
        "import fpmatch, sys; from pathlib import Path; "
        f"fpmatch.extract(fpmatch.read_image(Path({str(path)!r}), ppi=500)); "
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_forked_children_hold_no_turn(tmp_path):
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    turn = compiling.Turn()
    with turn.call():
        turn.take(tmp_path, "k")
        child = os.fork()
        if not child:
            os._exit(0 if turn._file is not None and turn._file.closed else 1)
        assert os.waitpid(child, 0)[1] == 0
