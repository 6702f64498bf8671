"""What people see: bars that go when they are done, lines that hang, a report for every width."""

from __future__ import annotations

import re

import pytest

from fpmatch.cli import cold, output
from fpmatch.compiling import COMPILES, READY
from fpmatch.scenario.play import ScenarioReport


@pytest.fixture
def bars(monkeypatch):
    """Bars on a terminal that nobody looks at."""
    import io

    from rich.console import Console

    seen = io.StringIO()
    monkeypatch.setattr(
        output,
        "console",
        lambda *, stderr=False: Console(file=seen, force_terminal=True, width=80),
    )
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    yield output.bars
    output.bars.clear()


def test_a_bar_that_is_done_is_off_the_screen_before_anything_else_is_printed(bars):
    bars.step("one", 1, 2)
    bars.step("two", 1, 2)
    assert bars._shown is not None
    bars.step("two", 2, 2)
    assert [t.description for t in bars._shown.tasks] == ["one"]
    bars.step("one", 2, 2)
    assert bars._shown is None


def test_a_bar_that_is_left_half_way_goes_with_its_command(bars):
    with pytest.raises(KeyError), output.progress_bar() as step:  # noqa: PT012
        step("one", 1, 2)
        raise KeyError
    assert bars._shown is None


def test_a_cold_start_shows_the_kernel_and_takes_the_bar_away(bars):
    watcher = cold.Cold()
    watcher(COMPILES, "matcher: score_rows")
    (task,) = bars._shown.tasks
    assert "matcher: score_rows" in task.description
    watcher(READY, "matcher: score_rows")
    assert bars._shown is None


def test_what_shows_it_itself_is_not_shown_twice(bars):
    watcher = cold.Cold()
    watcher.quiet = True
    watcher(COMPILES, "matcher: score_rows")
    assert bars._shown is None


def test_an_indented_line_hangs_under_its_beginning():
    text = "    the log proves: " + "word " * 30
    lines = output._hung(text.rstrip(), 60).splitlines()
    assert len(lines) > 2
    assert all(len(line) <= 60 for line in lines)
    assert lines[0].startswith("    the log")
    assert all(line.startswith("      word") for line in lines[1:])
    assert output._hung("plain " * 40, 60) == "plain " * 40


def test_a_paragraph_of_a_scenario_is_one_line():
    report = ScenarioReport("a", "A", "one\ntwo\n\nthree\n", (), 1, True, ())
    assert list(report.lines())[1:3] == ["one two", "three"]


def test_every_figure_of_a_table_has_its_heading_beside_it_where_the_page_is_narrow():
    from fpmatch.evaluate.report import _STYLE, _table

    page = _table(("database", "EER"), [["a", "1.00 %"], ["b", "2.00 %"]])
    assert re.findall(r'data-head="([^"]+)"', page) == ["database", "EER"] * 2
    assert "content:attr(data-head)" in _STYLE
    assert "tr,figure,.key div{break-inside:avoid}" in _STYLE
