"""The demo shows what it says, every time the same, also without the committed prints."""

from __future__ import annotations

import json

import pytest

from fpmatch.cli import demo_data
from fpmatch.cli import demo_play as demo


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return demo.play(tmp_path_factory.mktemp("demo") / "county.fpm")


def test_everything_it_claims_holds(told):
    for what, held in demo.checks(told):
        assert held, what


def test_the_checks_can_fail(told):
    import dataclasses

    def failing(**changes):
        return [held for _, held in demo.checks(dataclasses.replace(told, **changes))]

    tcn = {ori: number for ori, _, number in demo.SUBMITTERS}
    touched = {**told.compared, (tcn[demo.DEACTIVATED], "immigration"): 1}
    assert failing(compared=touched) == [True, False, True, True]
    assert failing(same_bytes=False) == [True, True, False, True]
    assert failing(tampered=told.report) == [True, True, True, False]
    assert failing(messages=[]) == [True, True, False, True]
    same = dict.fromkeys(told.responses, told.responses[demo.ACTIVATED])
    assert failing(responses=same)[0] is False


def test_it_is_the_same_every_time(told, tmp_path):
    again = demo.play(tmp_path / "county.fpm")
    first, second = demo.result(told), demo.result(again)
    for out in (first, second):
        out.pop("proofs")  # they name the time
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def test_prints_made_on_the_spot_equal_the_committed_ones(synthetic_data):
    import numpy as np

    read, made = demo_data.Prints(), demo_data.Prints(bundled=False)
    for sensor, finger, touch in (("optical", 7, 3), ("capacitive", 1, 1)):
        a, b = read.image(sensor, finger, touch), made.image(sensor, finger, touch)
        np.testing.assert_array_equal(a.pixels, b.pixels)
    assert (read.read, read.made, made.read, made.made) == (2, 0, 0, 2)


def test_the_pages_name_what_happened(told, capsys):
    from rich.console import Console

    from fpmatch.cli import demo_page

    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(demo_page.opening())
    for part in demo_page.pages(told, None):
        console.print(part)
    text = console.export_text()
    for words in (
        "C-107", "I-207", "ORI_DEACTIVATED", "result withheld", "Alder field office",
        "not searched: proof made and checked", "DHS is told of 2 of the 3 searches", "✓",
    ):  # fmt: skip
        assert words in text
    assert "DID NOT HOLD" not in text


def test_keep_leaves_a_gallery_and_refuses_a_full_folder(tmp_path, monkeypatch, capsys):
    import sys

    from fpmatch.cli.app import run

    folder = tmp_path / "kept.fpm"
    for expected in (0, 2):
        monkeypatch.setattr(sys, "argv", ["fpmatch", "demo", "--keep", str(folder), "--json", "-"])
        with pytest.raises(SystemExit) as stop:
            run()
        assert (stop.value.code or 0) == expected
        out, err = capsys.readouterr()
        if expected == 0:
            assert all(s["held"] for s in json.loads(out)["shown"])
        else:
            assert "not empty" in err
