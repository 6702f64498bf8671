"""Names in the text become links on the site: of pages, and of what the reference describes.

The pages are read in the repository as well, where ``docs/audit.md`` is a path from its root. Here
such a path, set as code, links to the page; ``fpmatch.upkeep.check`` and ``Engine.search`` link to
their entry in the reference, if there is exactly one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PAGES = {"CHANGELOG.md": "changes", "CONTRIBUTING.md": "contributing"}
"""Files of the root that a page of the site includes."""
PAGE = re.compile(r"(?:docs/)?([\w/-]+)\.md")
NAME = re.compile(r"(?:fp\.)?([A-Za-z_][\w.]*)(?:\(.*\))?")


def page_of(text: str, known: set[str]) -> str | None:
    """The page that a path from the repository's root stands for, or None."""
    if text in PAGES:
        return PAGES[text]
    if text == "docs/decisions/":
        return "decisions/README"
    found = PAGE.fullmatch(text)
    return found[1] if found and found[1] in known else None


def names_of(objects: Any) -> dict[str, str]:
    """What the reference describes: each whole name, and its end where only one thing has it."""
    out: dict[str, str] = {}
    doubtful = set()
    for full in objects:
        out[full] = full
        parts = full.split(".")
        for end in (".".join(parts[-2:]), parts[-1]):
            # A single word in lower case may be anything: an argument, a command, a file.
            if end != full and ("." in end or end[0].isupper()):
                doubtful |= {end} if out.setdefault(end, full) != full else set()
    return {end: full for end, full in out.items() if end not in doubtful}


class RepositoryLinks(SphinxPostTransform):
    """Turns code that names a page or a public name into a link."""

    default_priority = 700  # behind the resolution of Sphinx's own references

    def run(self, **kwargs: Any) -> None:
        """Go through one page."""
        env, here = self.env, self.env.docname
        builder = self.app.builder
        known = env.found_docs
        objects = env.get_domain("py").objects  # type: ignore[attr-defined]
        names = names_of(objects)
        for node in list(self.document.findall(nodes.literal)):
            if isinstance(node.parent, nodes.reference | nodes.title):
                continue
            text = node.astext()
            page = page_of(text, known)
            name = NAME.fullmatch(text)
            full = names.get(name[1]) if name else None
            if page is not None and page != here:
                link = make_refnode(
                    builder, here, page, None, node.deepcopy(), env.titles[page].astext()
                )
            elif full is not None:
                entry = objects[full]
                link = make_refnode(
                    builder, here, entry.docname, entry.node_id, node.deepcopy(), full
                )
            else:
                continue
            node.replace_self(link)


def whole_words_only(app: Sphinx, tree: nodes.document) -> None:
    """Have a word such as "path" in a docstring mean no attribute of that name somewhere else."""
    for node in tree.findall(pending_xref):
        word = node.get("reftarget", "")
        if node.get("refdomain") == "py" and word.islower() and "." not in word:
            node["refspecific"] = False


def list_decisions(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the decisions below their page, which is read in the repository as well."""
    if page == "decisions/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("source-read", list_decisions)
    app.connect("doctree-read", whole_words_only)
    app.add_post_transform(RepositoryLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
