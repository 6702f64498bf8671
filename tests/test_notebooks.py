"""The notebooks of the documentation: each runs, and is kept without outputs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
SAID = {
    "first_search": ("NO_POLICY", "C-7", "True"),
    "evaluation": ("60 mated and 720 non-mated comparisons", "interval 0.00 to 5.96 %"),
    "policy_and_receipt": ("ORI_DEACTIVATED", "SEARCHED_WITHHELD", "True False", "AuditError"),
}
"""What has to be among the text that each prints."""
DRAWN = {"first_search": 2, "evaluation": 2, "policy_and_receipt": 0}
"""Pictures that each shows."""


def test_each_is_spoken_of_here() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SAID) == set(DRAWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path: Path) -> None:
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        assert not cell.get("outputs"), "clear the outputs: they are made anew"
        assert cell.get("execution_count") is None, "clear the outputs: they are made anew"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    why = "notebooks need the extra: pip install 'fpmatch[docs]'"
    nbclient = pytest.importorskip("nbclient", reason=why)
    nbformat = pytest.importorskip("nbformat", reason=why)
    for needed in ("ipykernel", "matplotlib"):
        pytest.importorskip(needed, reason=why)
    known = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), known))))
    notebook: Any = nbformat.read(path, 4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        startup_timeout=300,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    said = "".join(out.text for out in outputs if out.get("name") == "stdout")
    for words in SAID[path.stem]:
        assert words in said, said
    drawn = sum("image/png" in out.get("data", {}) for out in outputs)
    assert drawn == DRAWN[path.stem]
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


@pytest.mark.slow
def test_a_notebook_is_run_and_shown_with_what_it_says(tmp_path: Path) -> None:
    site = pytest.importorskip("test_site", reason="it takes what the site takes")
    site.configured(tmp_path / "docs")
    shutil.copy(
        site.DOCS / "notebooks" / "policy_and_receipt.ipynb", tmp_path / "docs" / "run.ipynb"
    )
    (tmp_path / "docs" / "index.md").write_text("# A page\n\n```{toctree}\nrun\n```\n")
    done = site.build(tmp_path / "docs", tmp_path, "force")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    shown = (tmp_path / "html" / "run.html").read_text("utf-8")
    assert "was not searched (ORI_DEACTIVATED)" in shown
    assert "compiling kernels" not in shown
    assert not [
        loaded for loaded in site.Page(tmp_path / "html" / "run.html").loads if "//" in loaded
    ]
