"""The documentation site is built without a warning, holds what is public, and needs no network."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import fpmatch as fp

pytest.importorskip("sphinx", reason="the site needs the extra: pip install 'fpmatch[docs]'")
pytest.importorskip("furo", reason="the site needs the extra: pip install 'fpmatch[docs]'")
pytest.importorskip("myst_nb", reason="the site needs the extra: pip install 'fpmatch[docs]'")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
ROOMS = {
    "audit", "bulk", "cluster", "drawing", "evaluate", "examiner", "formats", "image", "matcher",
    "policy", "reference", "search", "synthetic", "template", "testing", "types", "upkeep",
}  # fmt: skip
"""Rooms that say in ``__all__`` what is public, and have a page."""


def build(source: Path, target: Path, notebooks: str = "off") -> subprocess.CompletedProcess[str]:
    """Notebooks are run where they alone are looked at; `test_notebooks` runs each of them."""
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going",
         "-D", f"nb_execution_mode={notebooks}",
         "-d", target / "trees", source, target / "html"],
        capture_output=True, text=True, timeout=600,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make site`` builds it, without the outputs of the notebooks."""
    target = tmp_path_factory.mktemp("site")
    done = build(DOCS, target)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return target / "html"


class Page(HTMLParser):
    """What a page loads, where it links to, and what can be linked to on it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("index", "search", "next", "prev"):
            self.loads.append(given.get("href", ""))
        elif "src" in given:
            self.loads.append(given["src"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_each_page_of_the_repository_is_there(site: Path, pages: dict[Path, Page]) -> None:
    for source in DOCS.rglob("*.md"):
        assert (site / source.relative_to(DOCS)).with_suffix(".html") in pages, source
    assert len(pages) > 60


def test_nothing_is_loaded_from_a_network(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for loaded in page.loads:
            parts = urlsplit(loaded)
            assert not parts.scheme or parts.scheme == "data", f"{path.name}: {loaded}"
            assert not parts.netloc, f"{path.name}: {loaded}"
            if not parts.scheme:
                assert (path.parent / unquote(parts.path)).is_file(), f"{path.name}: {loaded}"
    for style in site.rglob("*.css"):
        for loaded in re.findall(
            r"(?:@import|url\()\s*['\"]?([^'\")\s]+)", style.read_text("utf-8")
        ):
            assert not re.match(r"(?:https?:)?//", loaded), f"{style.name}: {loaded}"


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    checked = 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{path.name}: {link}"
            checked += 1
    assert checked > 1000


def test_every_public_name_is_in_the_reference(pages: dict[Path, Page]) -> None:
    described = set().union(*(page.ids for page in pages.values()))
    first = set(fp.__all__) - {"__version__"}
    errors = {name for name in first if name.endswith("Error")}
    for name in vars(importlib.import_module("fpmatch.errors")):
        if name[0].isupper():
            assert f"fpmatch.errors.{name}" in described, name
    rooms = [fp, *(importlib.import_module(f"fpmatch.{room}") for room in sorted(ROOMS))]
    for room in rooms:
        for name in set(room.__all__) - errors - {"__version__"}:
            it = getattr(room, name)
            same = {f"{r.__name__}.{name}" for r in rooms if getattr(r, name, None) is it}
            assert same & described, f"{room.__name__}.{name}"
    for method in ("search", "enrol", "open", "explain", "expunge", "records"):
        assert f"fpmatch.Engine.{method}" in described


def test_names_of_pages_and_of_the_library_are_links(site: Path, pages: dict[Path, Page]) -> None:
    engine = pages[site / "engine.html"].links
    assert "audit.html" in engine
    assert "api/fpmatch.html#fpmatch.SearchResponse.to_bytes" in engine
    assert "../audit.html" in pages[site / "howto" / "records_request.html"].links


def test_no_page_tells_where_it_was_built(site: Path) -> None:
    for path in site.rglob("*"):
        if path.suffix in (".html", ".js", ".css"):
            text = path.read_text("utf-8")
            for secret in (str(ROOT), sys.prefix, str(Path.home()) + os.sep, str(site)):
                assert secret in ("/", "//") or secret not in text, f"{path.name}: {secret}"


def test_it_is_searched_from_disk(site: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no chromium to look with")
    found = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000",
         "--dump-dom", f"{(site / 'search.html').as_uri()}?q=homomorphic"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    results = re.search(r'id="search-results".*', found.stdout, re.DOTALL)
    assert results, found.stderr[-2000:]
    assert 'href="engine.html' in results[0]


def configured(docs: Path) -> None:
    """The site's own configuration, for other pages."""
    docs.mkdir()
    (docs / "conf.py").write_text(
        (DOCS / "conf.py").read_text().replace(
            "HERE = Path(__file__).resolve().parent", f"HERE = Path({str(DOCS)!r})"
        ).replace('"_site/static"', f'"{DOCS}/_site/static"')
    )  # fmt: skip


def test_a_page_that_is_nowhere_listed_fails_the_build(tmp_path: Path) -> None:
    configured(tmp_path / "docs")
    (tmp_path / "docs" / "index.md").write_text("# A page\n\n`docs/second.md`\n")
    (tmp_path / "docs" / "second.md").write_text("# Another, which no contents list\n")
    done = build(tmp_path / "docs", tmp_path)
    assert done.returncode != 0
    assert "second.md: WARNING: document isn't included in any toctree" in done.stderr
