"""After `fpmatch.warm` nothing is left to compile."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import fpmatch
from fpmatch.cli.warm import warm_command

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
            index.add(np.arange(rows), pack(forms * (rows // 8)), np.zeros(rows, np.uint8))
            index.compact()
            for allowed in (None, np.arange(rows) % 2 == 0):
                for effort in EFFORTS[: 4 if rows < 100 else 3]:
                    short = index.shortlist(forms[0], allowed=allowed, effort=effort)
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
    assert set(said) == {"seconds", "compiled", "cache"}
    monkeypatch.setattr("fpmatch.warming.cache_folder", lambda: None)
    assert fpmatch.warm().cache is None
    warm_command(None)
    assert "NUMBA_CACHE_DIR" in capsys.readouterr().out
