"""The three walks, and the how-tos: what their pages tell a reader to do is done, and works."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from page_runner import ROOT, blocks, command, follow, own_lines, text_of

from fpmatch.testing import CHECKS

sys.path.insert(0, str(Path(__file__).parent / "kit_project"))
from as_installed import path_with
from test_testing_docs import THEIRS

pytest_plugins = ("pytester",)
pytestmark = pytest.mark.slow
MOST = 15
"""A walk is shorter, in lines of the reader's own."""


def done(page: str, folder: Path, **options: str) -> dict[str, str]:
    """What each command of a page said; all of them have to have worked."""
    ran = follow(page, folder, **options)
    for one in ran:
        assert one.status == 0, f"{one.line}\n{one.said}"
    return {one.line: one.said for one in ran}


@pytest.mark.parametrize("page", ["search", "measure", "test"])
def test_a_walk_is_a_short_one(page: str) -> None:
    assert 0 < len(own_lines(f"tutorials/{page}")) < MOST


def test_from_nothing_to_a_searched_gallery(tmp_path: Path) -> None:
    said = done("tutorials/search", tmp_path)["python first_search.py"]
    (told,) = (body for kind, body in blocks("tutorials/search") if kind == "text")
    assert told in said


def test_to_a_measured_matcher_beside_nbis(tmp_path: Path) -> None:
    pytest.importorskip("nbis", reason="the peer needs nbis-py: pip install nbis-py")
    pytest.importorskip("matplotlib", reason="the report needs matplotlib")
    said = "".join(done("tutorials/measure", tmp_path).values())
    row = r"^One to one: (.*?) *$\n\s*?^ database .*\n.*\n prints +(\S+) +(\S+)-(\S+) "
    version = r"(?<=nbis-py )\S+"
    said = re.sub(version, "", said)
    measured = {name: figures for name, *figures in re.findall(row, said, re.MULTILINE)}
    told = re.findall(
        r"^\| (\S.*) \| ([\d.]+) \| ([\d.]+)-([\d.]+) \|$", text_of("tutorials/measure"), re.M
    )
    assert len(told) == len(measured) == 3
    for name, *figures in told:
        # Another version of a dependency may turn a comparison or two.
        expected = [pytest.approx(float(f), abs=1.0) for f in figures]
        assert [float(f) for f in measured[re.sub(version, "", name)]] == expected, name
    for name in ("mine", "nbis", "fpmatch"):
        assert "<html" in (tmp_path / f"{name}.html").read_text()[:200]


def test_to_a_green_suite_against_the_reference(pytester, tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", path_with(tmp_path_factory.mktemp("installed")))
    (pytester.path / "ours.py").write_text(THEIRS)
    for kind, body in blocks("tutorials/test"):
        if kind == "python":
            (pytester.path / re.match(r"# (\w+\.py)\n", body)[1]).write_text(body)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q", "test_our_engine.py")
    result.assert_outcomes(passed=len(CHECKS) + 14 - 7, skipped=8)


def test_a_first_policy(tmp_path: Path) -> None:
    said = done("howto/policy", tmp_path, append="policy.toml")
    explained = said["fpmatch explain policy.toml --ori CS0010200 --partition immigration"]
    assert "ORI_DEACTIVATED" in explained
    assert "Who could change this: CS0010200" in explained
    assert "No difference" in said["fpmatch policy diff policy.toml county.fpm"]


def test_enrolling_from_a_spreadsheet(tmp_path: Path, synthetic_data: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="an Excel file needs openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["record", "file", "position", "protected"])
    for name in ("3_1", "4_1"):
        shutil.copy(synthetic_data / f"optical/{name}.png", tmp_path)
        book.active.append([f"00{name[0]}", f"{name}.png", 2, "no"])
    book.active.append(["005", "absent.png", 2, "no"])
    book.active.append([None, None, None, None])
    book.save(tmp_path / "records.xlsx")
    ran = follow("howto/spreadsheet", tmp_path)
    # The row without a print is reported, and stops nothing else.
    assert {one.line.split()[1]: one.status for one in ran if one.status} == {"enrol": 2}
    assert "absent.png" in (tmp_path / "rejects.csv").read_text()
    assert re.findall(r"00\d", ran[-1].said) == ["003", "003", "004", "004"]  # record, identity


def test_a_records_request(tmp_path: Path) -> None:
    assert command("fpmatch demo --keep county.fpm", tmp_path).status == 0
    said = done("howto/records_request", tmp_path)
    assert "holds" in next(v for k, v in said.items() if "verify-proof" in k)
    assert "CS0020100" in said["fpmatch audit unknowing county.fpm immigration"]
    gone = command("fpmatch record county.fpm criminal C-107 --owner DOJ-FBI", tmp_path)
    assert gone.status == 2


def test_the_service_page_is_that_of_the_programs() -> None:
    page = text_of("howto/service")
    programs = {p.name: p.read_text() for p in (ROOT / "examples").glob("*.py")}
    for name in re.findall(r"examples/(\w+\.py)", page):
        assert name in programs
    for kind, path in re.findall(r"^\| `(GET|POST|PUT) (\S+)`", page, re.MULTILINE):
        assert f'@app.{kind.lower()}("{path}")' in programs["web_service.py"]
    for line in re.findall(r"^python examples/(.*)$", page, re.MULTILINE):
        name, *options = line.split()
        for option in options:
            if option.startswith("--"):
                assert f'"{option}"' in programs[name]


def test_the_pictures_are_those_that_the_page_draws(tmp_path: Path, monkeypatch) -> None:
    import numpy as np
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    code = "".join(body for kind, body in blocks("pictures") if kind == "python")
    exec(compile(code, "pictures.md", "exec"), {})
    kept = ROOT / "docs" / "images" / "pictures"
    drawn = sorted(path.name for path in tmp_path.glob("*.png"))
    assert drawn == sorted(path.name for path in kept.glob("*.png"))
    for name in drawn:
        assert f"images/pictures/{name}" in text_of("pictures")
        ours, theirs = (Image.open(f / name).convert("L") for f in (tmp_path, kept))
        assert ours.size == theirs.size, name
        # Fonts are rendered a little differently by other releases of Pillow.
        apart = np.abs(np.asarray(ours, float) - np.asarray(theirs, float))
        assert (apart > 64).mean() < 0.01, name
