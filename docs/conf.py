"""The documentation site: Sphinx reads the pages of this folder and the docstrings of the package.

``make site`` builds it, and runs the notebooks; every warning is an error. Nothing on a page is
loaded from a network.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_site")]

from nbclient import NotebookClient  # noqa: E402

import fpmatch  # noqa: E402

for page in (HERE / "api").glob("*.md"):
    for name in re.findall(r"automodule:: (\S+)", page.read_text("utf-8")):
        room = importlib.import_module(name)  # what it loads late is loaded now, to be seen
        vars(room).update({one: getattr(room, one) for one in getattr(room, "__all__", ())})

project = "fpmatch"
author = "the authors of fpmatch"
project_copyright = "the authors of fpmatch, Apache 2.0"
version = release = fpmatch.__version__
html_title = f"fpmatch {release}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "repository_links"]
exclude_patterns = ["_site", "_build"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = "remove"  # a cold start says there that it compiles
# Outputs are not in the repository: they are made with the site. Kernels are heard on this machine
# alone, and their warning of that is none about a page.
NotebookClient.extra_arguments.default_args = (["--log-level=40"],)
NotebookClient.startup_timeout.default_value = 300

default_role = "py:obj"  # `name` in a docstring is a link where that name is in the reference
suppress_warnings = ["ref.python"]  # rooms may use one word for two things: then no link is made
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # attributes of a class are described once

html_theme = "furo"  # its fonts are the reader's own, its scripts are in the built folder
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "tango"
pygments_dark_style = "monokai"
