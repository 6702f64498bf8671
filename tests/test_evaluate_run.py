"""The whole evaluation on a few synthetic prints: figures, failures, JSON, plots, report."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from fpmatch.errors import InputError, MissingExtra, ResolutionError
from fpmatch.evaluate import Evaluation, evaluate, evaluate_samples, verification_metrics
from fpmatch.evaluate.bootstrap import fnmr_on
from fpmatch.evaluate.metrics import Comparisons

METRICS = {"eer", "fmr100", "fmr1000", "zerofmr", "mated", "nonmated"}
KEYS = {
    "databases", "mean", "pooled", "rank1", "fnir_at_fpir_1pct", "extract_ms_median",
    "compare_us_median", "template_bytes_median", "failures_to_extract",
}  # fmt: skip


@pytest.fixture(scope="module")
def prints(synthetic_data, tmp_path_factory) -> Path:
    """Two folders: four fingers of three impressions, one of them broken; two fingers more."""
    root = tmp_path_factory.mktemp("prints")
    for folder, fingers in (("set/A", (1, 2, 3, 4)), ("set/B", (5, 6))):
        (root / folder).mkdir(parents=True)
        for finger in fingers:
            for k in (1, 2, 3):
                source = synthetic_data / "optical" / f"{finger}_{k}.png"
                shutil.copy(source, root / folder / source.name)
    (root / "set/A/4_3.png").write_bytes(b"no image at all")
    (root / "ppi.json").write_text('{"set/A": 500, "set/B": 500}')
    return root


@pytest.fixture(scope="module")
def result(prints) -> Evaluation:
    return evaluate(
        [prints / "set/A", prints / "set/B"], ppi_map=prints / "ppi.json", replicates=50
    )


def test_counts_and_failures(result):
    assert result.names == ("set/A", "set/B")
    assert (result.databases["set/A"].mated, result.databases["set/A"].nonmated) == (12, 54)
    assert (result.pooled.mated, result.pooled.nonmated) == (18, 63)
    assert [s.path.name for s in result.failures] == ["4_3.png"]
    assert "ImageError" in result.failures[0].error
    assert len(result.probes) == 12
    assert len(result.gallery) == 6


def test_a_failure_takes_part_with_the_lowest_score(result):
    bad = next(i for i, s in enumerate(result.samples) if s.failed)
    here = (result.pairs.probe == bad) | (result.pairs.candidate == bad)
    assert here.sum() == 11
    assert (result.pairs.score[here] == result.pairs.score.min()).all()
    assert not np.isnan(result.pairs.score).any()


def test_a_failed_probe_is_a_miss(result):
    # 11 of 12 probes can be found; the synthetic prints are easy enough that all of them are.
    assert result.rank1 == pytest.approx(100 * 11 / 12)
    assert result.fnir_at_fpir_1pct == pytest.approx(100 / 12)


def test_json_has_the_agreed_keys_and_plain_values(result):
    out = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert set(out) >= KEYS
    assert set(out["databases"]) == {"set/A", "set/B"}
    for part in (out["mean"], out["pooled"], *out["databases"].values()):
        assert set(part) == METRICS
    assert out["failures_to_extract"] == 1
    assert out["failures"][0]["file"] == "4_3.png"
    assert out["mean"]["eer"] == pytest.approx(
        np.mean([m["eer"] for m in out["databases"].values()]), abs=1e-5
    )
    assert 100 < out["template_bytes_median"] < 3000
    assert out["extract_ms_median"] > 0
    assert out["compare_us_median"] > 0
    assert out["undefined"] == {}
    for low, high in out["intervals"]["pooled"].values():
        assert 0 <= low <= high <= 100
    assert {"machine", "versions", "parameters"} <= set(out)


def test_pooled_is_one_threshold_over_all_pairs(result):
    pairs = result.pairs
    by_hand = verification_metrics(pairs.score[pairs.mated], pairs.score[~pairs.mated])
    assert result.pooled == by_hand


def test_scores_equal_single_comparisons(result):
    import fpmatch as fp

    for i in range(0, len(result.pairs), 17):
        a = result.samples[result.pairs.probe[i]].template
        b = result.samples[result.pairs.candidate[i]].template
        if a is not None and b is not None:
            assert result.pairs.score[i] == fp.compare(a, b).value


def test_at_any_scale_scores_are_those_of_single_comparisons(prints, result):
    import fpmatch as fp

    names = ("set/A", "set/B")
    found = evaluate_samples(result.samples, names, scale="any", replicates=0)
    assert (found.scale, found.to_dict()["scale"]) == ("any", "any")
    assert result.to_dict()["scale"] == "stated"
    for i in range(0, len(found.pairs), 17):
        a = found.samples[found.pairs.probe[i]].template
        b = found.samples[found.pairs.candidate[i]].template
        if a is not None and b is not None:
            assert found.pairs.score[i] == fp.compare(a, b, scale="any").value
    with pytest.raises(InputError, match="scale"):
        evaluate([prints / "set/B"], ppi=500, scale="large")
    with pytest.raises(InputError, match="decides by itself"):
        evaluate([prints / "set/B"], ppi=500, scale="any", matcher="nbis")


def test_an_empty_set_is_null_with_a_reason(result):
    one = [s for s in result.samples if s.database == 1 and s.finger == "5"]
    alone = [dataclasses.replace(s, database=0, identity=0) for s in one]
    out = evaluate_samples(alone, ["only"], replicates=5).to_dict()
    assert out["databases"]["only"]["eer"] is None
    assert out["databases"]["only"]["mated"] == 3
    assert "non-mated" in out["undefined"]["databases.only"]
    assert out["compare_us_median"] is None
    assert "compare_us_median" in out["undefined"]
    json.dumps(out, allow_nan=False)


def test_everything_failed_is_a_result_not_a_crash(result):
    lost = [dataclasses.replace(s, template=None, error="x") for s in result.samples]
    out = evaluate_samples(lost, result.names, replicates=5).to_dict()
    assert out["pooled"]["eer"] == 50
    assert out["rank1"] == 0
    assert out["fnir_at_fpir_1pct"] == 100
    assert out["template_bytes_median"] is None
    assert out["failures_to_extract"] == len(lost)


def test_identities_join_fingers_of_two_folders(prints, result, tmp_path):
    # Finger 5's impressions under two folders: without the file its twin is a false hit.
    for name in ("X", "Y"):
        (tmp_path / name).mkdir()
        for finger in (5, 6):
            for k in (1, 2):
                shutil.copy(prints / f"set/B/{finger}_{k}.png", tmp_path / name)
    table = tmp_path / "same.csv"
    table.write_text(
        "folder,finger,same_as_folder,same_as_finger\nY,5,X,5\nY,6,X,6\n", encoding="utf-8"
    )
    folders = [tmp_path / "X", tmp_path / "Y"]
    apart = evaluate(folders, ppi=500, replicates=5)
    joined = evaluate(folders, ppi=500, identities=table, replicates=5)
    assert apart.rank1 == 0.0  # the same image lies under another name: a tie, so a miss
    assert joined.rank1 == 100.0
    assert joined.names == ("X", "Y")
    assert len({s.identity for s in joined.samples}) == 2
    assert joined.to_dict()["identification"]["gallery_identities"] == 2


def test_protocol_and_bootstrap_parameters_change_something(result):
    fvc = evaluate_samples(result.samples, result.names, protocol="fvc", replicates=5)
    assert fvc.pooled.nonmated == 6 + 1
    assert fvc.pooled.mated == result.pooled.mated
    none = evaluate_samples(result.samples, result.names, replicates=0)
    assert none.to_dict()["intervals"]["rank1"] == [None, None]
    other = evaluate_samples(result.samples, result.names, replicates=50, seed=1)
    assert other.rank1 == result.rank1
    with pytest.raises(InputError):
        evaluate_samples(result.samples, result.names, protocol="most")


def test_results_do_not_depend_on_the_number_of_processes(prints, result, monkeypatch):
    monkeypatch.setattr("fpmatch.evaluate.extraction._MIN_PARALLEL", 1)
    again = evaluate(
        [prints / "set/A", prints / "set/B"], ppi_map=prints / "ppi.json", processes=2, replicates=0
    )
    np.testing.assert_array_equal(again.pairs.score, result.pairs.score)
    assert [s.failed for s in again.samples] == [s.failed for s in result.samples]


def test_a_missing_resolution_stops_the_run(tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((300, 300), np.uint8)).save(tmp_path / "1_1.bmp", dpi=(72, 72))
    with pytest.raises(ResolutionError):
        evaluate([tmp_path])


def test_an_unknown_extractor_stops_the_run(prints):
    with pytest.raises(InputError):
        evaluate([prints / "set/B"], ppi=500, extractor="magic")


def test_fnmr_on_a_grid_is_the_lowest_allowed():
    counts = Comparisons([1, 2, 5], [0, 0, 3, 4]).counts()
    np.testing.assert_allclose(
        fnmr_on(counts, np.array([0.0, 0.25, 0.5, 1.0])), [2 / 3] * 2 + [0] * 2
    )


def test_report_is_one_self_contained_page(result):
    pytest.importorskip("matplotlib")
    from fpmatch.evaluate import plots
    from fpmatch.evaluate.report import _image, render

    page = render(result)
    assert _image(plots.score_histograms(result), "Scores") in page.replace(
        "Scores of all comparisons within folders. A score of 40 stands for one false match "
        "in 10 000 comparisons.",
        "Scores",
    )  # drawn again, equal to the last byte
    assert page.count("data:image/svg+xml;base64,") >= 8
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<script" not in page
    for words in ("set/A", "4_3.png", "Detection error trade-off", "FNIR at FPIR 1 %", "alt="):
        assert words in page


def test_plots_say_which_extra_is_missing(result, monkeypatch):
    from fpmatch.evaluate import plots

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"fpmatch\[plot\]"):
        plots.det(result)


@pytest.mark.filterwarnings("error::UserWarning")
def test_report_of_what_is_undefined_is_still_a_page(result):
    pytest.importorskip("matplotlib")
    from fpmatch.evaluate.report import render

    lost = [dataclasses.replace(s, template=None, error="x") for s in result.samples[:4]]
    page = render(evaluate_samples(lost, result.names[:1], replicates=3))
    assert "4 of 4" in page
    one = [s for s in result.samples if s.database == 1 and s.finger == "5"]
    alone = [dataclasses.replace(s, database=0, identity=0) for s in one]
    assert "nan" not in render(evaluate_samples(alone, ["only"], replicates=3)).split("<h2>")[1]
