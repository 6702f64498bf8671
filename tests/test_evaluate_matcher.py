"""Other matchers through the same protocol: a toy whose rates are known by hand, and bad ones."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import toy_matchers
from toy_matchers import SCORES, Toy

from fpmatch.errors import FpmatchError, InputError, MissingExtra, WorkerError
from fpmatch.evaluate import Evaluation, Matcher, evaluate, left_out, verification_metrics
from fpmatch.evaluate.desk import is_plain
from fpmatch.evaluate.matcher import load_matcher

FINGERS = {"a": toy_matchers.A, "b": toy_matchers.B}


def draw(folder: Path, unreadable: tuple[str, ...] = ()) -> Path:
    """Two fingers of three impressions; finger and impression stand in the first two pixels."""
    from PIL import Image

    folder.mkdir(parents=True)
    for finger, code in FINGERS.items():
        for k in (1, 2, 3):
            image = np.full((100, 120), 128, np.uint8)
            image[0, :2] = 255 if f"{finger}_{k}" in unreadable else code, k
            Image.fromarray(image).save(folder / f"{finger}_{k}.png")
    return folder


@pytest.fixture
def prints(tmp_path):
    return draw(tmp_path / "prints")


def run(*folders: Path, matcher: object, **more) -> Evaluation:
    return evaluate(folders, ppi=500, replicates=5, matcher=matcher, **more)


def by_hand(result: Evaluation) -> None:
    """Mated 9 8 7 5 4 2, non-mated 6 3 and seven times 1."""
    m = result.databases[result.names[0]]
    # One of six mated lies under 4 and under 3; one of nine non-mated reaches 4, and two 3. Both
    # thresholds have the rates 1/18 apart: the worse counts.
    assert m.eer == pytest.approx(100 * (1 / 6 + 2 / 9) / 2)
    # No false match asks for a threshold above 6: 5, 4 and 2 are lost.
    assert m.zerofmr == m.fmr1000 == m.fmr100 == 50
    assert (m.mated, m.nonmated) == (6, 9)
    # Probes a2 a3 b2 b3 against a1 and b1: 9 and 1, 7 and 1, 8 and 1, 4 and 1: all of them.
    assert result.rank1 == 100
    assert result.fnir_at_fpir_1pct == 0
    assert result.matcher == "toy 1.0"
    assert result.failures == []


def test_a_toy_whose_rates_are_known_by_hand(prints):
    by_hand(run(prints, matcher=Toy()))
    by_hand(run(prints, matcher=Toy))
    by_hand(run(prints, matcher=toy_matchers.handles))


@pytest.mark.parametrize("name", ["toy", "Toy", "handles"])
@pytest.mark.parametrize("processes", [1, 2])
def test_by_name_and_in_processes_it_is_the_same(prints, name, processes):
    by_hand(run(prints, matcher=f"toy_matchers:{name}", processes=processes, limit_s=30))


def test_from_a_file_and_from_the_current_folder(prints, tmp_path, monkeypatch):
    text = Path(toy_matchers.__file__).read_text()
    (tmp_path / "mine_here.py").write_text(text)
    by_hand(run(prints, matcher=f"{tmp_path}/mine_here.py:Toy"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    sys.modules.pop("mine_here", None)
    by_hand(run(prints, matcher="mine_here:Toy"))
    by_hand(run(prints, matcher="mine_here.py:Toy", limit_s=30))


def test_plain_functions_of_images_and_of_templates(prints, synthetic_data, tmp_path):
    result = run(prints, matcher="toy_matchers:pixels")
    assert result.matcher == "toy_matchers:pixels"
    assert result.extractor == "none"
    folder = tmp_path / "real"
    folder.mkdir()
    for name in ("1_1", "1_2", "2_1"):
        source = synthetic_data / "optical" / f"{name}.png"
        (folder / source.name).write_bytes(source.read_bytes())
    ours = evaluate([folder], ppi=500, replicates=0, extractor="classical")
    theirs = run(folder, matcher=toy_matchers.minutiae, takes="template", extractor="classical")
    assert theirs.extractor == "classical"
    counts = [len(s.template) for s in ours.samples]
    pairs = theirs.pairs
    for p, c, score in zip(pairs.probe, pairs.candidate, pairs.score, strict=True):
        assert score == -abs(counts[p] - counts[c])


def test_native_pixels_are_those_of_the_file(prints):
    for takes, wanted in (("image", (500, (50, 60))), ("native", (1000, (100, 120)))):
        seen = []

        class Looks(Toy):
            def prepare(self, image, ppi, seen=seen):
                seen.append((ppi, image.shape))
                return 1, 1

            def compare(self, a, b):
                return 0.0

        evaluate([prints], ppi=1000, replicates=0, matcher=Looks(), takes=takes)
        assert set(seen) == {wanted}
        assert len(seen) == 6


def test_the_example_of_the_documentation(prints, tmp_path):
    text = (Path(__file__).parent.parent / "docs" / "evaluation.md").read_text("utf-8")
    block = text.split("```python\n", 1)[1].split("```", 1)[0]
    assert len(block.strip().splitlines()) <= 12
    (tmp_path / "documented.py").write_text(block)
    result = run(prints, matcher=f"{tmp_path}/documented.py:Blurred")
    assert result.failures == []
    assert np.isfinite(result.pairs.score).all()
    assert isinstance(load_matcher(f"{tmp_path}/documented.py:Blurred").matcher, Matcher)


def test_what_fails_to_be_prepared_fails_to_enrol(tmp_path):
    folder = draw(tmp_path / "x", unreadable=("a_1", "b_2"))
    (folder / "b_3.png").write_bytes(b"no image at all")
    for more in ({}, {"processes": 2, "limit_s": 30}):
        result = run(folder, matcher="toy_matchers:Toy", **more)
        errors = {s.path.name: s.error for s in result.failures}
        assert set(errors) == {"a_1.png", "b_2.png", "b_3.png"}
        assert errors["a_1.png"] == "ValueError: nothing to see"
        assert "ImageError" in errors["b_3.png"]
        lowest = min(result.pairs.score)
        bad = [i for i, s in enumerate(result.samples) if s.failed]
        touched = np.isin(result.pairs.probe, bad) | np.isin(result.pairs.candidate, bad)
        assert (result.pairs.score[touched] == lowest).all()
        # a_1 is the only enrolled impression of its finger, and b_2 and b_3 are lost probes.
        assert result.rank1 == 0
        assert result.to_dict()["identification"]["failures_to_enrol"] == 1


def test_preparing_none_is_a_failure(prints):
    result = run(prints, matcher="toy_matchers:PreparesNone")
    assert [s.path.name for s in result.failures] == ["a_3.png", "b_3.png"]


def test_all_failing_is_a_result(tmp_path):
    every = tuple(f"{f}_{k}" for f in FINGERS for k in (1, 2, 3))
    out = run(draw(tmp_path / "x", every), matcher=Toy()).to_dict()
    assert out["pooled"]["eer"] == 50
    assert out["rank1"] == 0
    assert out["failures_to_extract"] == 6
    assert out["compare_us_median"] is None
    json.dumps(out, allow_nan=False)


@pytest.mark.parametrize("processes", [1, 2])
def test_one_that_hangs_on_an_image_fails_on_that_one(prints, processes):
    result = run(prints, matcher="toy_matchers:Hangs", processes=processes, limit_s=1.5)
    (failure,) = result.failures
    assert failure.path.name == "a_2.png"
    assert failure.error == "WorkerError: the matcher took over 1.5 seconds"
    lost = [s for pair, s in SCORES.items() if (toy_matchers.A, 2) not in pair]
    kept = ~(np.isin(result.pairs.probe, [1]) | np.isin(result.pairs.candidate, [1]))
    assert sorted(result.pairs.score[kept]) == sorted(lost)


def test_one_that_dies_on_an_image_fails_on_that_one(prints):
    result = run(prints, matcher="toy_matchers:Dies", limit_s=30)
    (failure,) = result.failures
    assert failure.path.name == "a_2.png"
    assert "ended its process with signal 6" in failure.error


def test_one_that_dies_while_it_compares_ends_the_run(prints):
    with pytest.raises(WorkerError, match=r"a_1\.png .* ended its process with status 3"):
        run(prints, matcher="toy_matchers:DiesComparing", limit_s=30)


@pytest.mark.parametrize("more", [{}, {"limit_s": 30}])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Raises", "KeyError: 'no such pair'"),
        ("Nan", "it gave nan; give what cannot be compared the lowest score"),
        ("Inf", "it gave inf"),
        ("Text", "'9.0', which is no number"),
        ("Nothing", "None, which is no number"),
        ("Flag", "True, which is no number"),
    ],
)
def test_a_score_that_cannot_be_counted_names_the_pair(prints, name, why, more):
    with pytest.raises(InputError) as caught:
        run(prints, matcher=f"toy_matchers:{name}", **more)
    assert why in str(caught.value)
    assert "a_1.png with" in str(caught.value)


def test_numbers_of_numpy_are_numbers(prints):
    for name in ("Numpy", "Array0"):
        assert set(run(prints, matcher=f"toy_matchers:{name}").pairs.score) == {3.0}


@pytest.mark.parametrize("more", [{}, {"limit_s": 30}])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such_module:x", "ModuleNotFoundError"),
        ("toy_matchers:absent", "toy_matchers has no 'absent'"),
        ("toy_matchers:number", "is no matcher"),
        ("toy_matchers:three", "is no matcher"),
        ("toy_matchers:CannotBeMade", "RuntimeError: no licence file"),
        ("toy_matchers:Leaves", "SystemExit: 4"),
        ("nowhere/at/all.py:x", "FileNotFoundError"),
        ("bozorth", "none of fpmatch, nbis, sourceafis, and not module:function"),
        (":x", "not module:function"),
    ],
)
def test_what_is_no_matcher_is_said_before_the_work(prints, name, why, more):
    with pytest.raises(InputError, match=why):
        run(prints, matcher=name, **more)


def test_wrong_values_are_refused(prints):
    for matcher in (5, object(), [Toy()], len):
        with pytest.raises(FpmatchError):
            run(prints, matcher=matcher)
    with pytest.raises(InputError, match="image, native or template"):
        run(prints, matcher=Toy(), takes="pictures")
    for limit in (0, -1, float("nan"), "x"):
        with pytest.raises(InputError, match="limit_s"):
            run(prints, matcher=Toy(), limit_s=limit)
    with pytest.raises(InputError, match="extractor"):
        run(prints, matcher=toy_matchers.minutiae, takes="template", extractor="magic")


def test_one_at_hand_that_cannot_be_handed_over_is_said(prints):
    class Local(Toy):
        pass

    by_hand(run(prints, matcher=Local()))
    with pytest.raises(InputError, match="module:function"):
        run(prints, matcher=Local(), limit_s=30)


def test_only_plain_values_cross_processes():
    assert is_plain(b"x")
    assert is_plain([{"a": (1, 2.0, np.zeros(3))}, None, "x", np.float32(1)])
    assert not is_plain(np.array([object()], object))
    assert not is_plain((1, Toy()))
    assert not is_plain(type("Sub", (bytes,), {})(b"x"))
    deep: list = []
    deep.append(deep)
    assert not is_plain(deep)


def test_calibrated_figures_are_only_said_of_our_own_scores(prints, monkeypatch):
    result = run(prints, matcher=Toy())
    assert "at_score" not in result.to_dict()["identification"]
    assert not result.ours
    pytest.importorskip("matplotlib")
    from fpmatch.evaluate.report import render

    page = render(result)
    assert "toy 1.0" in page
    assert result.data in page
    assert result.date in page
    assert "stands for one false match" not in page
    assert "nan" not in page.split("<h2>Conditions")[1]


def test_the_hash_is_of_the_data_and_not_of_where_it_lies(prints, tmp_path):
    one = run(prints, matcher=Toy())
    same = run(draw(tmp_path / "elsewhere"), matcher="toy_matchers:pixels")
    assert len(one.data) == 64
    assert one.data == same.data
    other = run(draw(tmp_path / "changed", ("b_3",)), matcher=Toy())
    assert other.data != one.data
    (tmp_path / "changed" / "b_3.png").rename(tmp_path / "changed" / "b_4.png")
    assert run(tmp_path / "changed", matcher=Toy()).data != other.data


def test_whole_scores_have_whole_bars():
    pytest.importorskip("matplotlib")
    from fpmatch.evaluate.plots import _bins

    scores = np.arange(0.0, 42)
    counts, _ = np.histogram(scores, _bins(scores, 0, 41))
    assert counts[:42].tolist() == [1] * 42
    assert len(_bins(scores + 0.5, 0, 41)) == 61
    scores = np.arange(0.0, 600)
    counts, _ = np.histogram(scores, _bins(scores, 0, 599))
    assert set(counts.tolist()) <= {10, 0}


def test_left_out_by_hand(tmp_path):
    """Each at the other's lowest score without a false match."""
    one, two = draw(tmp_path / "one"), draw(tmp_path / "two", unreadable=("a_1",))
    result = run(one, two, matcher=Toy())
    first, second = left_out(result)
    assert (first.database, second.database) == (str(one), str(two))
    # Without a1 the highest non-mated score is 3, so 4 is asked for: here 6 reaches that, 2 not.
    assert first.threshold == 4
    assert (first.fmr, first.fnmr) == pytest.approx((100 / 9, 100 / 6))
    # With it, it is 6, and 7 is asked for: of 8 5 4 2 and two that failed 8 reaches that.
    assert second.threshold == 7
    assert (second.fmr, second.mated, second.nonmated) == (0, 6, 9)
    assert second.fnmr == pytest.approx(500 / 6)
    assert second.fnmr_interval == pytest.approx((35.8766, 99.5789), abs=1e-3)
    # b1 is enrolled twice, under other names, and ties; a1 of the second could not be enrolled.
    assert (second.rank1, second.searches) == (0, 4)
    assert (first.rank1, first.searches) == (50, 4)
    with pytest.raises(InputError, match="two databases"):
        left_out(run(one, matcher=Toy()))
    out = json.loads(json.dumps(second.to_dict(), allow_nan=False))
    assert (out["threshold"], out["fnmr"], out["searches"]) == (7, 83.333333, 4)


def read(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(path).to_pylist()
    return [
        {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in row.items()}
        for row in rows
    ]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_written_gives_the_figures_again(tmp_path, suffix):
    from fpmatch.evaluate import cmc_table, det_table, score_table, write_table

    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    result = run(draw(tmp_path / "one", ("b_2",)), draw(tmp_path / "two"), matcher=Toy())
    paths = {}
    for made in (score_table, det_table, cmc_table):
        paths[made.__name__] = tmp_path / f"{made.__name__}{suffix}"
        write_table(paths[made.__name__], made(result))
    rows = read(paths["score_table"])
    assert len(rows) == len(result.pairs) + len(result.probes) * len(result.gallery)
    for name in result.names:
        here = [r for r in rows if r["kind"] == "one_to_one" and r["probe_database"] == name]
        mated = [float(r["score"]) for r in here if r["mated"] == "true"]
        nonmated = [float(r["score"]) for r in here if r["mated"] == "false"]
        assert verification_metrics(mated, nonmated) == result.databases[name]
    assert {r["probe_impression"] for r in rows if r["failed"] == "true"} >= {"2"}
    searched: dict[tuple[str, ...], list[tuple[float, bool]]] = {}
    for r in rows:
        if r["kind"] == "one_to_many":
            key = (r["probe_database"], r["probe_finger"], r["probe_impression"])
            # A lost probe is a miss whatever its filler is.
            mate = r["mated"] == "true" and r["failed"] == "false"
            searched.setdefault(key, []).append((float(r["score"]), mate))
    first = [
        max((s for s, m in found if m), default=-math.inf) > max(s for s, m in found if not m)
        for found in searched.values()
    ]
    assert 100 * np.mean(first) == pytest.approx(result.rank1)

    points = [r for r in read(paths["det_table"]) if r["database"] == "pooled"]
    best = min(points, key=lambda r: abs(float(r["fmr_percent"]) - float(r["fnmr_percent"])))
    eer = (float(best["fmr_percent"]) + float(best["fnmr_percent"])) / 2
    assert eer == pytest.approx(result.pooled.eer)
    assert points[-1]["threshold"] == "inf"
    assert (float(points[-1]["fmr_percent"]), float(points[-1]["fnmr_percent"])) == (0, 100)
    ranks = [r for r in read(paths["cmc_table"]) if r["database"] == "pooled"]
    assert float(ranks[0]["percent"]) == pytest.approx(result.rank1)
    assert [int(r["rank"]) for r in ranks] == [1, 2, 3, 4]


def test_tables_are_refused_where_they_cannot_be(tmp_path, monkeypatch):
    from fpmatch.evaluate import write_table

    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        write_table(tmp_path / "x.txt", {"a": [1]})
    with pytest.raises(InputError, match="columns of 1, 2 rows"):
        write_table(tmp_path / "x.csv", {"a": [1], "b": [1, 2]})
    with pytest.raises(FpmatchError):
        write_table(tmp_path / "no" / "x.csv", {"a": [1]})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match=r"fpmatch\[arrow\]"):
        write_table(tmp_path / "x.parquet", {"a": [1]})
    assert not list(tmp_path.glob("x.*"))


def test_nbis_is_another_matcher(synthetic_data, tmp_path):
    nbis = pytest.importorskip("nbis")
    import cv2

    import fpmatch as fp

    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("1_1", "1_2", "2_1", "2_2"):
        source = synthetic_data / "optical" / f"{name}.png"
        (folder / source.name).write_bytes(source.read_bytes())
    result = run(folder, matcher="nbis")
    assert "bozorth3" in result.matcher
    settings = nbis.NbisExtractorSettings(
        min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=500.0
    )
    extractor = nbis.new_nbis_extractor(settings)
    sets = [
        extractor.extract_minutiae(
            bytes(cv2.imencode(".png", fp.read_image(s.path, ppi=500).pixels)[1])
        )
        for s in result.samples
    ]
    pairs = result.pairs
    for p, c, score in zip(pairs.probe, pairs.candidate, pairs.score, strict=True):
        assert score == sets[p].compare(sets[c])
    assert result.pooled.eer == 0
    assert 50 < result.template_bytes_median < 2000


def test_nbis_without_nbis_py(prints, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbis", None)
    with pytest.raises(MissingExtra, match=r"fpmatch\[nfiq\]"):
        run(prints, matcher="nbis")
