"""After `fpmatch.warm` nothing is left to compile."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fpmatch
from fpmatch.cli.warm import warm_command
from fpmatch.errors import InputError
from fpmatch.jit import jit_enabled

AFTERWARDS = """
import json, sys, tempfile
from pathlib import Path
import numpy as np
import fpmatch
from fpmatch.descriptor import encode, pack
from fpmatch.index import EFFORTS, PartitionIndex
from fpmatch.synthetic import templates

def compiled():
    return {
        (name, kernel): len(value.nopython_signatures)
        for name, module in list(sys.modules.items())
        if name.startswith("fpmatch.") and "_kernels" in name and "synthetic" not in name
        for kernel, value in vars(module).items()
        if hasattr(value, "nopython_signatures")
    }

WARM
before = compiled()
prints = Path("data/synthetic")
for path in sorted(prints.glob("*/*.png"))[:2]:
    for extractor in ("neural", "classical"):
        fpmatch.extract(fpmatch.read_image(path, ppi=500), extractor=extractor)
forms = [encode(t) for t in templates(8, seed=3)]
fpmatch.compare(*templates(2, seed=3))
for rows in (16, 30_000):
    with tempfile.TemporaryDirectory() as folder:
        with PartitionIndex.create(Path(folder) / "i", expected_fingers=rows) as index:
            fingers = (np.arange(rows) % 4).astype(np.uint8)
            index.add(np.arange(rows), pack(forms * (rows // 8)), fingers)
            index.compact()
            for allowed in (None, np.arange(rows) % 2 == 0):
                for effort in EFFORTS[: 4 if rows < 100 else 3]:
                    short = index.shortlist(forms[0], allowed=allowed, effort=effort)
                    index.shortlist(forms[0], position=3, allowed=allowed, effort=effort)
                    index.shortlist_many(forms[:3], allowed=allowed, effort=effort)
                    index.shortlist_subject(
                        forms[:3], np.arange(rows), allowed=allowed, effort=effort
                    )
                    index.verify(forms[0], short.row_ids[:10])
after = compiled()
print(json.dumps(sorted(".".join(k) for k, n in after.items() if n > before.get(k, 0))))
"""


def left_over(warming: str) -> list[str]:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", AFTERWARDS.replace("WARM", warming)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_nothing_is_compiled_after_it():
    assert left_over("fpmatch.warm()") == []


def test_without_it_much_is():
    assert len(left_over("")) > 10


def test_it_says_where_the_cache_is(capsys, monkeypatch):
    warm_command("-")
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"seconds", "compiled", "kernels", "made", "cache"}
    monkeypatch.setattr("fpmatch.warming._everything", lambda: None)
    monkeypatch.setattr("fpmatch.warming.cache_folder", lambda: None)
    assert fpmatch.warm().cache is None
    warm_command(None)
    assert "NUMBA_CACHE_DIR" in capsys.readouterr().out


def test_it_tells_of_every_kernel_until_all_are_ready():
    code = (
        "import fpmatch, json; told = []; "
        "done = fpmatch.warm(lambda *at: told.append(at)); "
        "print(json.dumps([done.kernels, told]))"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    count, told = json.loads(run.stdout.splitlines()[-1])
    assert count > 15
    assert told[-1] == ["kernels", count, count]
    assert len({what for what, _, _ in told}) == count + 1
    done = [at for _, at, _ in told]
    assert done == sorted(done)


def test_what_it_tells_has_to_be_callable():
    with pytest.raises(InputError, match="progress"):
        fpmatch.warm(3)


DEAR = (
    "matcher._kernels.score.score_rows",
    "descriptor._kernels.forms.search_forms",
    "index._kernels.rows.vote_rows",
    "index._kernels.rows.best_distances",
    "index._kernels.sift.sift",
    "index._kernels.lists.nearest_lists",
    "minutiae._kernels.detect",
)
"""Kernels that take longest to compile."""


def have_dear_ones(folder: Path) -> None:
    """Put what is compiled of the dear kernels into an empty cache, as an earlier run leaves it.

    Where numba names its folders otherwise they are compiled once more.
    """
    if not (jit_enabled() and fpmatch.warm().cache):
        return
    for name in DEAR:
        module, _, kernel = f"fpmatch.{name}".rpartition(".")
        made = getattr(importlib.import_module(module), kernel)
        source = Path(made.py_func.__code__.co_filename)
        named = hashlib.sha1(str(source.parent).encode()).hexdigest()
        target = folder / f"{source.parent.name}_{named}"
        target.mkdir(exist_ok=True)
        for file in Path(made.stats.cache_path).glob(f"{source.stem}.{kernel}-*"):
            shutil.copy(file, target)


def test_a_cold_start_is_one_line_and_the_command_names_what_is_left_to_compile(
    tmp_path, synthetic_data
):
    """One cache for both, where no terminal looks on, with what costs half a minute in it."""
    have_dear_ones(tmp_path)
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0", "NUMBA_CACHE_DIR": str(tmp_path)}
    pictures = [str(synthetic_data / "optical" / f"1_{k}.png") for k in (1, 2)]

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fpmatch.cli", *words],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )

    for expected in (1, 0):
        run = command("compare", *pictures, "--ppi", "500")
        assert len([line for line in run.stderr.splitlines() if "compiling" in line]) == expected

    run = command("warm", "--json", "-")
    said = json.loads(run.stdout)
    lines = run.stderr.splitlines()
    assert 10 < said["made"] == len(lines) < said["kernels"]
    assert lines[0].startswith("fpmatch: compiling ")
    assert lines[0].endswith(f" of {said['kernels']})")
    assert len(set(lines)) == len(lines)
    assert str(tmp_path) in said["cache"]
    assert json.loads(command("warm", "--json", "-").stdout)["made"] == 0
