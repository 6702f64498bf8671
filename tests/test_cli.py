"""The command line: every command does what the library does, and errors are one line."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMANDS = {
    "demo", "extract", "compare", "init", "enrol", "search", "explain", "policy", "expunge",
    "audit", "scenario", "evaluate", "bench", "synth", "info",
    "records", "record", "count", "verify",
}  # fmt: skip
POLICY = Path(__file__).parents[1] / "fpmatch" / "cli" / "demo_policy.toml"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def prints(synthetic_data) -> Path:
    return synthetic_data / "optical"


@pytest.fixture
def gallery(fpm, prints, tmp_path) -> Path:
    """Two partitions with the demo's policy; finger 7 in both."""
    path = tmp_path / "g.fpm"
    partitions = ("--partition", "criminal:1:DOJ-FBI", "--partition", "immigration:9:DHS")
    assert fpm("init", path, *partitions)[0] == 0
    for partition, names in (("criminal", ("1_1", "7_1")), ("immigration", ("7_2", "8_1"))):
        files = [prints / f"{n}.png" for n in names]
        assert fpm("enrol", path, partition, *files, "--position", "right-index")[0] == 0
    assert fpm("policy", "publish", path, POLICY)[0] == 0
    return path


def as_json(result: tuple[int, str, str]):
    code, out, err = result
    assert code == 0, err
    return json.loads(out)


def test_help_lists_every_command(fpm):
    code, out, _ = fpm("--help")
    assert code == 0
    assert set(re.findall(r"│ (\w+) ", out)) >= COMMANDS


def test_version(fpm):
    import fpmatch

    assert fpm("--version")[1].strip() == f"fpmatch {fpmatch.__version__}"


def test_extract_writes_templates_that_compare_takes(fpm, prints, tmp_path):
    a, b = prints / "1_1.png", prints / "1_2.png"
    rows = as_json(fpm("extract", a, b, "--position", 2, "--out", tmp_path, "--json", "-"))
    assert [r["position"] for r in rows] == ["RIGHT_INDEX"] * 2
    assert (tmp_path / "1_1.fpt").stat().st_size == rows[0]["bytes"]
    stored = as_json(fpm("compare", tmp_path / "1_1.fpt", tmp_path / "1_2.fpt", "--json", "-"))
    direct = as_json(fpm("compare", a, b, "--json", "-"))
    assert stored == direct
    other = as_json(fpm("compare", a, prints / "2_1.png", "--json", "-"))
    assert other["score"] < direct["score"]
    assert len(direct["pairs"]) > 4


def test_a_print_whose_resolution_is_wrong_is_found(fpm, prints, tmp_path, gallery):
    from fpmatch.template import Template
    from fpmatch.template.scaling import scaled

    a, wrong = prints / "1_1.png", tmp_path / "wrong.fpt"
    fpm("extract", prints / "1_2.png", "--out", tmp_path)
    stored = Template.from_bytes((tmp_path / "1_2.fpt").read_bytes())
    wrong.write_bytes(scaled(stored, 1.2).to_bytes())
    stated = as_json(fpm("compare", wrong, a, "--json", "-"))
    found = as_json(fpm("compare", wrong, a, "--scale", "any", "--json", "-"))
    assert found["score"] > stated["score"] + 20
    asked = ("search", gallery, wrong, "--ori", "CS0010100", "--chain", "CSSIR0000")
    answers = [
        as_json(fpm(*asked, "--scale", scale, "--threshold", -100, "--json", "-"))["partitions"]
        for scale in ("stated", "any")
    ]
    listed = [[c for p in said for c in p.get("candidates") or ()] for said in answers]
    mine = [next(c["score"] for c in each if c["record"] == "1_1") for each in listed]
    assert mine == [stated["score"], found["score"]]
    code, _, said = fpm(*asked, "--scale", "1.2")
    assert code == 2
    assert "scale must be one of stated, any" in said
    code, _, said = fpm("compare", wrong, a, "--scale", "1.2")
    assert code == 2
    assert "scale must be one of stated, any" in said


def test_a_poor_print_is_to_be_taken_again(fpm, prints, tmp_path, gallery):
    from dataclasses import replace

    from fpmatch.cli.inputs import load_template

    good = load_template(prints / "1_1.png")
    (tmp_path / "poor.fpt").write_bytes(replace(good, image_quality=12).to_bytes())
    (row,) = as_json(fpm("extract", tmp_path / "poor.fpt", "--json", "-"))
    assert (row["quality"], row["retake"]) == (12, True)
    assert "retake" in fpm("extract", tmp_path / "poor.fpt")[1]
    assert "retake" not in fpm("extract", prints / "1_1.png")[1]
    _, said, _ = fpm("compare", tmp_path / "poor.fpt", prints / "1_2.png")
    assert "Retake: the probe has a quality of 12 only." in " ".join(said.split())
    where = ("enrol", gallery, "criminal", tmp_path / "poor.fpt")
    (again,) = as_json(fpm(*where, "--json", "-"))["notes"]
    assert (again["record"], again["kind"], again["score"]) == ("poor", "retake", 12)
    assert "retake" in fpm(*where)[1]


def test_a_bad_image_does_not_stop_the_others(fpm, prints, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    code, out, _ = fpm("extract", tmp_path / "bad.png", prints / "1_1.png", "--json", "-")
    assert code == 2
    rows = json.loads(out)
    assert "error" in rows[0]
    assert rows[1]["minutiae"] > 10


def test_search_gives_each_agency_what_the_policy_says(fpm, prints, gallery):
    def search(ori: str) -> dict:
        words = ("--chain", "CSSIR0000", "--position", "2", "--threshold", "40", "--json", "-")
        return as_json(fpm("search", gallery, prints / "7_3.png", "--ori", ori, *words))

    def section(answer: dict, name: str) -> dict:
        return next(p for p in answer["partitions"] if p["partition"] == name)

    jail, police, sheriff = (search(o) for o in ("CS0010100", "CS0010200", "CS0020100"))
    for answer in (jail, police, sheriff):
        assert [c["record"] for c in section(answer, "criminal")["candidates"]] == ["7_1"]
    assert [c["record"] for c in section(jail, "immigration")["candidates"]] == ["7_2"]
    assert section(police, "immigration")["outcome"] == "NOT_SEARCHED"
    assert "candidates" not in section(police, "immigration")
    assert section(sheriff, "immigration")["outcome"] == "SEARCHED_WITHHELD"
    assert "candidates" not in section(sheriff, "immigration")


def test_search_options_change_the_answer(fpm, prints, gallery):
    base = ("search", gallery, prints / "7_3.png", "--ori", "CS0010100", "--position", "2")
    chain = ("--chain", "CSSIR0000")
    wide = as_json(fpm(*base, *chain, "--threshold", 0, "--json", "-"))
    plain = as_json(fpm(*base, *chain, "--json", "-"))
    assert [c["record"] for c in plain["partitions"][0]["candidates"]] == ["7_1"]
    one = as_json(fpm(*base, *chain, "--max-candidates", 1, "--json", "-"))
    assert len(wide["partitions"][0]["candidates"]) == 2
    assert len(one["partitions"][0]["candidates"]) == 1
    some = as_json(fpm(*base, *chain, "--partition", "1", "--json", "-"))
    assert some["partitions"][1]["reason"] == "NOT_REQUESTED"
    alone = as_json(fpm(*base, "--json", "-"))
    assert alone["partitions"][1]["outcome"] != "SEARCHED_DISCLOSED"
    odd = as_json(fpm(*base, *chain, "--transaction", "XYZ", "--json", "-"))
    assert odd["partitions"][0]["outcome"] == "REFUSED"


def test_records_are_listed_counted_shown_and_verified(fpm, gallery, prints, tmp_path):
    jail = ("--ori", "CS0010100", "--chain", "CSSIR0000")
    code, _, err = fpm("records", gallery, "criminal", *jail)
    assert (code, err.count("\n")) == (2, 1)
    assert "UNKNOWN_TRANSACTION" in err
    looks = POLICY.read_text().replace('["CAR"]', '["CAR", "RECORDS", "RECORD", "COUNT"]')
    (tmp_path / "looks.toml").write_text(looks)
    assert fpm("policy", "publish", gallery, tmp_path / "looks.toml")[0] == 0

    page = as_json(fpm("records", gallery, "criminal", *jail, "--json", "-"))
    assert page["records"] == [{"record": n, "positions": [2]} for n in ("1_1", "7_1")]
    first = as_json(fpm("records", gallery, "criminal", *jail, "--limit", 1, "--json", "-"))
    assert first["after"] == "1_1"
    rest = as_json(fpm("records", gallery, "criminal", *jail, "--after", "1_1", "--json", "-"))
    assert [*first["records"], *rest["records"]] == page["records"]
    assert "--after 1_1" in fpm("records", gallery, "criminal", *jail, "--limit", 1)[1]

    own = as_json(fpm("record", gallery, "criminal", "1_1", "--owner", "DOJ-FBI", "--json", "-"))
    assert (own["identity"], own["sealed"]) == ("1_1", False)
    assert "sealed" in fpm("record", gallery, "criminal", "1_1", "--owner", "DOJ-FBI")[1]
    assert fpm("record", gallery, "criminal", "1_1", "--owner", "DHS")[0] == 2
    found = as_json(fpm("count", gallery, "criminal", *jail, "--json", "-"))
    assert found == {"partition": "criminal", "records": 2, "fingers": 2}

    probe = ("--partition", "criminal", *jail, "--position", "right-index")
    mate = as_json(fpm("verify", gallery, "7_1", prints / "7_2.png", *probe, "--json", "-"))
    other = as_json(fpm("verify", gallery, "1_1", prints / "7_2.png", *probe, "--json", "-"))
    absent = as_json(fpm("verify", gallery, "x", prints / "7_2.png", *probe, "--json", "-"))
    assert mate["score"] > 50 > other["score"]
    assert absent["score"] is None
    code, out, _ = fpm("verify", gallery, "7_1", prints / "7_2.png", *probe)
    assert code == 0
    assert f"{mate['score']:.2f}" in out


def test_another_persons_finger_in_a_record_is_listed(fpm, gallery, prints):
    add = ("enrol", gallery, "criminal", "--record", "7_1", "--position", "right-index")
    assert as_json(fpm(*add, prints / "7_3.png", "--json", "-"))["flagged"] == []
    (flag,) = as_json(fpm(*add, prints / "2_1.png", "--json", "-"))["flagged"]
    assert (flag["record"], flag["event"]) == ("7_1", "")
    assert flag["score"] < 25
    code, out, _ = fpm(*add, prints / "4_1.png")
    assert code == 0
    assert "like none of the prints" in " ".join(out.split())


def test_explain_works_on_a_gallery_and_on_a_policy_file(fpm, gallery):
    words = ("--ori", "CS0010200", "--partition", "immigration", "--json", "-")
    now = as_json(fpm("explain", gallery, *words))
    before = as_json(fpm("explain", POLICY, "--at", "2010-06-01", *words))
    assert (now["reason"], before["reason"]) == ("ORI_DEACTIVATED", "GRANTED")
    assert now["author"] == "alder"


def test_many_are_expunged_together_from_the_line_and_a_list(fpm, gallery, tmp_path, monkeypatch):
    words = ("--order", "o", "--authority", "a", "--partition", "criminal", "--json", "-")
    listed = tmp_path / "ids.txt"
    listed.write_text("7_1\n\n 1_1 \nnobody\n", "utf-8")
    code, _, error = fpm("expunge", gallery, "--list", listed, *words)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "number 3 of 3" in error
    listed.write_text("7_1\n\n 1_1 \n", "utf-8")
    asked = ("expunge", gallery, "1_1", "--list", listed, *words, "--key", "k")
    # A list of any length goes in parts.
    from fpmatch.cli import expunging

    few = dataclasses.replace(expunging.SEARCH, most_expunged=1)
    monkeypatch.setattr(expunging, "SEARCH", few)
    answers = [as_json(fpm(*asked)) for _ in range(2)]
    assert answers[0] == answers[1]
    found = answers[0]["expunged"]
    assert [(one["name"], one["records"], len(one["removed"])) for one in found] == [
        ("1_1", 1, 1),
        ("7_1", 1, 1),
    ]
    assert found[0]["roots"][0]["after"] == found[1]["roots"][0]["before"]
    kinds = [r["kind"] for r in as_json(fpm("audit", "records", gallery, "--json", "-"))]
    assert kinds.count("EXPUNGE") == 2
    assert fpm("expunge", gallery, *words)[0] == 2
    (tmp_path / "wrong").write_bytes(b"\xff\xfe")
    for wrong in (("--list", tmp_path / "wrong"), ("--list", tmp_path / "none"), ("a", "b")):
        event = ("--level", "event") if wrong == ("a", "b") else ()
        code, _, error = fpm("expunge", gallery, *wrong, *event, *words)
        assert (code, len(error.splitlines())) == (2, 1), wrong


def test_a_list_that_is_cut_off_says_how_far_it_came(fpm, gallery, tmp_path, monkeypatch):
    from fpmatch.cli import expunging

    few = dataclasses.replace(expunging.SEARCH, most_expunged=1)
    monkeypatch.setattr(expunging, "SEARCH", few)
    words = ("--order", "o", "--authority", "a", "--partition", "criminal")
    code, _, error = fpm("expunge", gallery, "1_1", "nobody", "7_1", *words)
    assert code == 2
    assert "the first 1 of 3 names are expunged" in error
    assert as_json(fpm("expunge", gallery, "7_1", *words, "--json", "-"))["records"] == 1


def test_expunge_removes_and_the_log_verifies(fpm, prints, gallery):
    words = ("--order", "order 7", "--authority", "CS0010100", "--json", "-")
    receipt = as_json(fpm("expunge", gallery, "7_1", *words))
    assert (receipt["records"], receipt["fingers"]) == (1, 1)
    found = as_json(
        fpm("search", gallery, prints / "7_3.png", "--ori", "CS0010100", "--chain", "CSSIR0000",
            "--json", "-")
    )  # fmt: skip
    assert "7_1" not in [c["record"] for c in found["partitions"][0]["candidates"]]
    report = as_json(fpm("audit", "verify", gallery, "--json", "-"))
    assert report["ok"]
    assert not report["dangling"]


def test_audit_verify_against_a_checkpoint_and_on_a_damaged_log(fpm, gallery, tmp_path):
    import sqlite3
    from contextlib import closing

    kept = tmp_path / "checkpoint.json"
    assert fpm("audit", "checkpoint", gallery, "--out", kept)[0] == 0
    report = as_json(fpm("audit", "verify", gallery, "--checkpoint", kept, "--json", "-"))
    assert report["ok"]
    assert report["checkpoint_checked"]
    with closing(sqlite3.connect(gallery / "audit.sqlite")) as log:
        log.execute("DROP TRIGGER records_no_update")
        log.execute("UPDATE records SET time = '2001' || substr(time, 5) WHERE seq = 2")
        log.commit()
    code, out, _ = fpm("audit", "verify", gallery)
    assert code == 1
    assert "first bad record" in out


def test_info_names_partitions_and_policy(fpm, gallery):
    info = as_json(fpm("info", gallery, "--json", "-"))
    assert [p["name"] for p in info["gallery"]["partitions"]] == ["criminal", "immigration"]
    assert info["gallery"]["policy"]["version"] == 1
    assert len(info["parameters"]) == 16
    assert [p["records"] for p in info["gallery"]["partitions"]] == [None, None]
    own = as_json(fpm("info", gallery, "--owner", "DOJ-FBI", "--json", "-"))
    assert [p["records"] for p in own["gallery"]["partitions"]] == [2, None]
    assert "--owner" in fpm("info", gallery)[1]
    assert fpm("info", gallery, "--owner", "DOJ-FBI", "--ori", "CS0010100")[0] == 2


def test_enrol_from_a_table_of_files_and_from_parquet(fpm, prints, gallery, tmp_path):
    table = tmp_path / "list.csv"
    rows = [("P-1", "right-index", prints / "3_1.png"), ("P-1", "2", prints / "3_2.png")]
    rows.append(("P-2", "7", tmp_path / "absent.png"))
    table.write_text("record,position,file\n" + "\n".join(f"{a},{b},{c}" for a, b, c in rows))
    code, out, _ = fpm("enrol", gallery, "criminal", table, "--json", "-")
    assert code == 2  # one of the files is absent
    result = json.loads(out)
    assert (result["accepted"], result["fingers"]) == (1, 2)
    assert [e["record"] for e in result["errors"]] == ["P-2"]
    pytest.importorskip("pyarrow")
    made = tmp_path / "s.parquet"
    assert fpm("synth", "gallery", made, "--fingers", 20, "--position", "2")[0] == 0
    assert as_json(fpm("enrol", gallery, "criminal", made, "--json", "-"))["fingers"] == 20


def test_enrol_one_record_of_several_images(fpm, prints, gallery):
    files = [prints / "4_1.png", prints / "4_2.png"]
    words = ("--record", "P-4", "--position", "2", "--json", "-")
    assert as_json(fpm("enrol", gallery, "criminal", *files, *words))["accepted"] == 1


def test_policy_check_and_diff(fpm, tmp_path):
    assert as_json(fpm("policy", "check", POLICY, "--json", "-"))["findings"] == []
    changed = tmp_path / "other.toml"
    changed.write_text(
        POLICY.read_text().replace('mode = "ori_deactivated"', 'mode = "not_activated"')
    )
    rows = as_json(fpm("policy", "diff", POLICY, changed, "--json", "-"))
    assert [(r["ori"], r["declared"], r["effective"]) for r in rows] == [
        ("CS0010200", "ORI_DEACTIVATED", "NOT_ACTIVATED")
    ]


def test_evaluate_equals_the_library(fpm, prints, tmp_path):
    from fpmatch.evaluate import evaluate

    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("1_1", "1_2", "2_1", "2_2"):
        (folder / f"{name}.png").write_bytes((prints / f"{name}.png").read_bytes())
    out = tmp_path / "out.json"
    words = ("--ppi", 500, "--bootstrap", 10, "--json", out)
    code, text, _ = fpm("evaluate", f"{folder}/", *words)
    assert code == 0
    assert "rank-1 %" in text
    mine = json.loads(out.read_text())
    theirs = evaluate([folder], ppi=500, replicates=10).to_dict()
    for key in ("databases", "mean", "pooled", "rank1", "fnir_at_fpir_1pct", "failures_to_extract"):
        assert mine[key] == theirs[key]
    assert list(mine["databases"]) == [str(folder)]


def test_synth_prints_are_found_by_evaluate(fpm, tmp_path):
    made = as_json(
        fpm("synth", "prints", tmp_path / "s", "--fingers", 1, "--impressions", 2, "--json", "-")
    )
    assert made["impressions"] == 2
    assert sorted(p.name for p in (tmp_path / "s").glob("*.png")) == ["1_1.png", "1_2.png"]


def test_bench_prints_its_conditions(fpm, monkeypatch):
    result = as_json(fpm("bench", "audit", "--searches", 40, "--agencies", 12, "--json", "-"))
    assert result["bench"] == "audit"
    assert result["decide_and_audit_us_median_no_sync"] > 0
    assert {"machine", "threads", "state", "versions"} <= set(result["conditions"])


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "nowhere"),
        ("extract", "nowhere.png"),
        ("compare", "nowhere.png", "nowhere.png"),
        ("search", "nowhere.fpm", "nowhere.png", "--ori", "CS0010100"),
        ("audit", "verify", "nowhere.fpm"),
        ("info", "nowhere.fpm"),
        ("policy", "check", "nowhere.toml"),
        ("explain", "nowhere.toml", "--ori", "CS0010100", "--partition", "x"),
        ("init", "x.fpm", "--partition", "criminal"),
        ("synth", "prints", "x", "--fingers", "0"),
        ("extract", "x.png", "--position", "thumbish"),
        ("scenario", "no-such-story"),
    ],
)
def test_errors_are_one_line_and_status_two(fpm, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = fpm(*words)
    assert code == 2
    assert err.startswith("fpmatch: error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert not out


def test_bench_bulk(fpm):
    result = as_json(fpm("bench", "bulk", "--pictures", 4, "--stored", 20, "--json", "-"))
    assert result["bench"] == "bulk"
    assert result["whole_ratio_2_workers"] > 0
    assert fpm("bench", "bulk", "--pictures", 1)[0] == 2


def test_bench_enrolment(fpm):
    words = ("--fingers", 20, "--more", 20, "--deadline-ms", 10000, "--json", "-")
    result = as_json(fpm("bench", "enrolment", *words))
    assert (result["bench"], result["incomplete_beside"]) == ("enrolment", 0)
    assert result["searches_beside"] > 0
    assert result["conditions"]["more"] == 20
    code, _, err = fpm("bench", "enrolment", "--more", 3)
    assert code == 2
    assert "at least 20 fingers" in err


def test_bench_leakage(fpm):
    words = ("--fingers", 20, "--pairs", 10, "--withheld-ms", 2, "--json", "-")
    result = as_json(fpm("bench", "leakage", *words))
    assert (result["bench"], result["fingers"], result["pairs"]) == ("leakage", 20, 10)
    asked = {name.removesuffix("_guessed") for name in result if name.endswith("_guessed")}
    assert asked == {
        "withheld_hit",
        "denied_large",
        "opaque_withheld_hit",
        "opaque_denied_large",
        "opaque_searched",
        "opaque_unheld_searched",
    }
    assert result["withheld_bytes_equal"] is result["opaque_withheld_bytes_equal"] is True
    assert result["withheld_ms"] == 2


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, tuple, dict]]:
    """Calls of the 1:N benchmarks, which are tested by themselves."""
    from fpmatch.bench import fnir, index, search
    from fpmatch.bench.measure import Bench

    calls: list[tuple[str, tuple, dict]] = []

    def fake(kind: str):
        def call(fingers, *rest, **named):
            calls.append((kind, (fingers, *rest), named))
            return Bench(kind, {"fingers": fingers, "x_ms_median": 1.5})

        return call

    monkeypatch.setattr(search, "bench_search", fake("search"))
    monkeypatch.setattr(fnir, "bench_fnir", fake("fnir"))
    for kind in ("mask", "batch", "build", "open"):
        monkeypatch.setattr(index, f"bench_{kind}", fake(kind))
    return calls


def test_bench_search_hands_its_options_on(fpm, asked, tmp_path):
    words = ("--probes", "a", "b", "--ppi-map", "p.json", "--identities", "i.csv")
    words += ("--effort", "scan", "--threads", 2, "--cache", tmp_path)
    words += ("--extractor", "neural", "--scan-probes", 7, "--peer", "none")
    as_json(fpm("bench", "search", "--fingers", "200,100", *words, "--json", "-"))
    ((kind, (fingers, probes), named),) = asked
    assert (kind, fingers, [str(p) for p in probes]) == ("search", [100, 200], ["a", "b"])
    assert (str(named["ppi_map"]), str(named["identities"])) == ("p.json", "i.csv")
    assert (named["effort"], named["threads"], named["cache"]) == ("scan", 2, tmp_path)
    assert (named["extractor"], named["scan_probes"], named["peer"]) == ("neural", 7, "none")


def test_bench_fnir_hands_its_options_on(fpm, asked, tmp_path):
    words = ("--probes", "a", "b", "--ppi-map", "p.json", "--identities", "i.csv", "--mated", 5)
    words += ("--nonmated", 2000, "--efforts", "fast,scan", "--threads", 2, "--cache", tmp_path)
    as_json(fpm("bench", "fnir", "--fingers", 300, *words, "--extractor", "neural", "--json", "-"))
    ((kind, (fingers, probes), named),) = asked
    assert (kind, fingers, [str(p) for p in probes]) == ("fnir", 300, ["a", "b"])
    assert (str(named["ppi_map"]), str(named["identities"])) == ("p.json", "i.csv")
    assert (named["nonmated"], named["mated"], named["threads"]) == (2000, 5, 2)
    assert (named["efforts"], named["extractor"]) == (("fast", "scan"), "neural")
    assert named["cache"] == tmp_path


@pytest.mark.parametrize("kind", ["mask", "batch", "build", "open"])
def test_bench_of_several_sizes_lists_them(fpm, asked, kind):
    result = as_json(fpm("bench", kind, "--fingers", "200,100", "--json", "-"))
    assert [call[:2] for call in asked] == [(kind, (100,)), (kind, (200,))]
    assert result["fingers"] == 200
    assert [r["fingers"] for r in result["by_fingers"]] == [100, 200]
    single = as_json(fpm("bench", kind, "--fingers", "7", "--json", "-"))
    assert "by_fingers" not in single
    assert "by size of the gallery" in fpm("bench", kind, "--fingers", "1,2")[1]


def test_bench_sizes_are_checked(fpm, asked):
    for text in ("many", "0", ""):
        assert fpm("bench", "search", "--fingers", text)[0] == 2
    assert not asked


def test_probes_take_several_folders():
    from fpmatch.cli.app import spread

    words = [
        "bench",
        "search",
        "--probes",
        "a",
        "b",
        "c",
        "--fingers",
        "10",
        "--probes",
        "d",
        "--json",
        "-",
    ]
    wanted = "bench search --probes a --probes b --probes c --fingers 10 --probes d --json -"
    assert spread(words) == wanted.split()
    assert spread(["evaluate", "a", "b"]) == ["evaluate", "a", "b"]


def test_a_usage_error_has_status_two(fpm):
    assert fpm("search")[0] == 2
    assert fpm("no-such-command")[0] == 2


def test_an_output_that_cannot_be_written_is_an_error(fpm, prints, tmp_path):
    code, _, err = fpm("compare", prints / "1_1.png", prints / "1_2.png", "--json", tmp_path)
    assert code == 2
    assert "cannot write" in err


def test_an_output_without_a_folder_is_refused_before_the_work(fpm, prints, tmp_path):
    for option in ("--json", "--report"):
        code, _, err = fpm("evaluate", prints, "--ppi", 500, option, tmp_path / "no" / "out")
        assert code == 2
        assert "its folder does not exist" in err


def test_the_command_line_loads_nothing_heavy():
    code = (
        "import sys, fpmatch.cli.app; "
        "print([m for m in ('numba', 'cv2', 'faiss', 'matplotlib', 'scipy', 'numpy', 'pydantic') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_policy_matrix_in_every_form(fpm, gallery, tmp_path):
    feather = pytest.importorskip("pyarrow.feather")
    parquet = pytest.importorskip("pyarrow.parquet")
    page = fpm("policy", "matrix", POLICY, "--ori", "CS0010200", "--rows", 1)
    assert page[0] == 0
    assert "1 more rows" in page[1]
    files = ("--csv", tmp_path / "m.csv", "--arrow", tmp_path / "m.arrow")
    told = as_json(fpm("policy", "matrix", gallery, *files, "--json", "-"))
    fpm("policy", "matrix", POLICY, "--arrow", tmp_path / "m.parquet")
    assert told["agencies"]["CS0010200"]["immigration"]["may"] == ["accept"]
    table = feather.read_table(tmp_path / "m.arrow")
    assert table.num_rows == 2 * len(told["agencies"])
    assert parquet.read_table(tmp_path / "m.parquet").to_pylist() == table.to_pylist()
    plain = fpm("policy", "matrix", gallery, "--csv", "-")[1]
    assert plain == (tmp_path / "m.csv").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("--csv", "no/such/folder/m.csv"),
        ("--arrow", "no/such/folder/m.arrow"),
        ("--csv", "-", "--json", "-"),
        ("--role", "astrologer"),
        ("--ori", "XX0000000"),
        ("--partition", "nowhere"),
        ("--at", "yesterday"),
    ],
)
def test_policy_matrix_refuses_in_one_line(fpm, words):
    code, out, err = fpm("policy", "matrix", POLICY, *words)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
