"""Other matchers, tables and groups on the command line; benchmarks in words."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import toy_matchers

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folders(tmp_path) -> list[Path]:
    from PIL import Image

    out = [tmp_path / "one", tmp_path / "two"]
    for folder in out:
        folder.mkdir()
        for finger, code in (("a", toy_matchers.A), ("b", toy_matchers.B)):
            for k in (1, 2, 3):
                image = np.full((100, 120), 128, np.uint8)
                image[0, :2] = 255 if (folder.name, finger, k) == ("two", "b", 3) else code, k
                Image.fromarray(image).save(folder / f"{finger}_{k}.png")
    return out


def test_another_matcher_with_everything(fpm, folders, tmp_path):
    words = ["evaluate", *folders, "--ppi", 500, "--bootstrap", 5]
    out = tmp_path / "out.json"
    files = {name: tmp_path / f"{name}.csv" for name in ("scores", "det", "cmc")}
    options = [w for name, path in files.items() for w in (f"--{name}", path)]
    code, text, error = fpm(
        *words, "--matcher", "toy_matchers:Prints", "--group-by", "database", *options,
        "--json", out,
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert "One to one: toy 1.0" in text
    assert "left out" in text
    assert "ValueError: nothing to see" in text
    result = json.loads(out.read_text())
    assert result["matcher"] == "toy 1.0"
    assert result["command"].startswith(f"fpmatch evaluate {folders[0]}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result["date"])
    assert set(result["left_out"]) == {str(f) for f in folders}
    rows = list(csv.DictReader(files["scores"].open(encoding="utf-8")))
    assert {r["kind"] for r in rows} == {"one_to_one", "one_to_many"}
    assert next(csv.reader(files["det"].open()))[0] == "database"
    assert next(csv.reader(files["cmc"].open()))[1] == "rank"


def test_what_a_matcher_prints_is_not_in_the_json(folders):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "fpmatch.cli", "evaluate", folders[0], "--ppi", "500"),
            *("--matcher", "toy_matchers:Prints", "--bootstrap", "2", "--json", "-"),
        ],
        cwd=Path(toy_matchers.__file__).parent,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout)["matcher"] == "toy 1.0"
    assert "look, an image" in done.stderr


def test_the_intervals_of_rates_without_an_error_are_not_zero_wide(fpm, prints, tmp_path):
    out = tmp_path / "x"
    code, text, _ = fpm(
        "evaluate", prints, "--ppi", 500, "--bootstrap", 5, "--json", tmp_path / "x"
    )
    assert code == 0
    assert "0.00-0.00" not in text
    result = json.loads(out.read_text())
    assert result["matcher"] == "fpmatch"
    assert result["pooled"]["eer"] == 0
    assert result["intervals"]["pooled"]["eer"][1] > 10
    assert "pooled.eer" in result["intervals"]["exact"]
    assert "at_score" in result["identification"]


@pytest.fixture
def prints(synthetic_data, tmp_path) -> Path:
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("1_1", "1_2", "2_1", "2_2"):
        (folder / f"{name}.png").write_bytes(
            (synthetic_data / "optical" / f"{name}.png").read_bytes()
        )
    return folder


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--matcher", "no_such_module:x"), "ModuleNotFoundError"),
        (("--matcher", "openafis"), "none of fpmatch, nbis, sourceafis, and not module:function"),
        (("--matcher", "toy_matchers:Toy", "--takes", "sound"), "image, native or template"),
        (("--matcher", "toy_matchers:Toy", "--limit-s", 0), "limit_s"),
        (("--matcher", "toy_matchers:Nan"), "it gave nan"),
        (("--scores", "x.txt"), ".csv or .parquet"),
        (("--det", "no/x.csv"), "its folder does not exist"),
        (("--group-by", "finger"), "there is database"),
        (("--protocol", "most", "--matcher", "toy_matchers:Toy"), "none of all, fvc"),
    ],
)
def test_bad_words_are_one_line(fpm, folders, words, why):
    code, text, error = fpm("evaluate", *folders, "--ppi", 500, *words)
    assert (code, text) == (2, "")
    assert why in error
    assert len(error.strip().splitlines()) == 1


def test_one_folder_has_no_others(fpm, folders):
    code, _, error = fpm("evaluate", folders[0], "--ppi", 500, "--group-by", "database")
    assert code == 2
    assert "two folders" in error


def test_bench_says_where_there_was_nothing_to_time(fpm, prints, tmp_path):
    for path in prints.glob("*_2.png"):
        path.unlink()
    (tmp_path / "ppi.json").write_text('{"few": 500}')
    words = ("bench", "compare", "--probes", prints, "--ppi-map", tmp_path / "ppi.json")
    code, text, _ = fpm(*words, "--json", tmp_path / "x.json")
    assert code == 0
    assert "nothing to time: no mated pair of templates" in " ".join(text.split())
    assert "non-mated comparison, packed, median, us" in text
    result = json.loads((tmp_path / "x.json").read_text())
    assert result["mated_us_median"] is None
    assert result["nothing_to_time"] == {"mated_us_median": "no mated pair of templates"}
    (prints / "2_1.png").rename(prints / "1_2.png")
    code, text, _ = fpm(*words)
    assert code == 0
    assert text.count("no non-mated pair of templates") == 2


ENDS_OF = {
    "search_ms_median_": ("alone", "beside"), "search_ms_p95_": ("alone", "beside"),
    "search_ms_longest_": ("alone", "beside"),
    "decide_and_audit_us_median_": ("sync", "no_sync"),
}  # fmt: skip
ENDS = ("2_workers", "alone", "beside", "sync", "no_sync")


def test_every_figure_of_a_benchmark_has_words_with_a_unit():
    from fpmatch.cli.bench.words import _WORDS, worded

    root = Path(__file__).parent.parent / "fpmatch" / "bench"
    names = set()
    for path in sorted(root.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names |= set(re.findall(r"^\w+_(?:ms|us|per_second|seconds)\w*$", node.value))
    # Parts of names that are put together stand for what comes of them.
    for part in [n for n in names if n.endswith("_")]:
        names.remove(part)
        names |= {part + end for end in ENDS if end in ENDS_OF.get(part, ("2_workers",))}
    names -= {n for n in names if n.startswith("_")} | {"deadline_ms"}
    assert len(names) > 25
    for name in names:
        assert name in _WORDS or "_" not in worded(name), name
        assert re.search(r"(, | a |CPU time, )(ms|us|s|second)\b", worded(name)), name
    assert worded("peer compare_us_median") == "peer: non-mated comparison, packed, median, us"
    assert worded("steady_ratio_2_workers") == "2 workers: speed over the plain loop's once started"
    for words in _WORDS.values():
        assert "_" not in words
