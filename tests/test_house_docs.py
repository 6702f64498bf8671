"""Docstrings name what goes in and what goes wrong.

A public function of three or more parameters, or with an array among them, has a Parameters section
that names each; one that raises an error of ours names it. A command of the command line is left
out: its docstring is its help, and each option says what it is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fpmatch.errors as errors

PACKAGE = Path(__file__).resolve().parent.parent / "fpmatch"
OURS = {
    name for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.FpmatchError)
}  # fmt: skip
ARRAYS = ("NDArray", "np.ndarray")
MANY = 3
COMMAND = "json_file"
"""Every command has this parameter, and nothing else has."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not any(part.startswith("_") and part != "__init__.py" for part in path.parts)
    ]


def functions(node: ast.AST) -> Iterator[tuple[Function, str]]:
    """Public functions and methods, and the docstring that speaks for each."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            about = ast.get_docstring(child) or ""
            for function, text in functions(child):
                yield function, about + text if function.name == "__init__" else text
        elif isinstance(child, Function) and (
            not child.name.startswith("_") or child.name == "__init__"
        ):
            yield child, ast.get_docstring(child) or ""


def arguments(function: Function) -> list[ast.arg]:
    a = function.args
    return [p for p in (*a.posonlyargs, *a.args, *a.kwonlyargs) if p.arg not in ("self", "cls")]


def raised(function: Function) -> set[str]:
    """Errors of ours that the function itself raises, by name."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = made.id if isinstance(made, ast.Name) else getattr(made, "attr", "")
            found |= {name} & OURS
    return found


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^(\w+)\n-{3,}$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def faults(source: str) -> list[str]:
    """What the functions of a module keep to themselves."""
    out = []
    for function, text in functions(ast.parse(source)):
        given = arguments(function)
        if COMMAND in {p.arg for p in given}:
            continue
        told = sections(text).get("Parameters", "")
        array = any(
            p.annotation is not None and any(a in ast.unparse(p.annotation) for a in ARRAYS)
            for p in given
        )
        if len(given) >= MANY or array:
            named = set(re.findall(r"\w+", "\n".join(re.findall(r"^[\w*].*$", told, re.MULTILINE))))
            missing = [p.arg for p in given if p.arg not in named]
            if missing:
                out.append(f"{function.name}: parameters {', '.join(missing)}")
        unsaid = [name for name in sorted(raised(function)) if not re.search(rf"\b{name}\b", text)]
        if unsaid:
            out.append(f"{function.name}: raises {', '.join(unsaid)}")
    return out


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_docstrings_name_parameters_and_errors(path):
    found = faults(path.read_text("utf-8"))
    assert not found, "\n".join(found)


GOOD = '''
def f(a: NDArray, b, c):
    """Say it.

    Parameters
    ----------
    a : (N,) uint8
    b, c : int

    Raises
    ------
    InputError
        If not.
    """
    raise InputError("no")
'''


def test_the_check_can_fail():
    assert faults(GOOD) == []
    assert faults(GOOD.replace("b, c : int", "b : int")) == ["f: parameters c"]
    assert faults(GOOD.replace("    a : (N,) uint8\n", "")) == ["f: parameters a"]
    assert faults(GOOD.replace("    InputError\n", "")) == ["f: raises InputError"]
    assert faults("def f(a: NDArray):\n    'No.'") == ["f: parameters a"]
    assert faults("def f(a, b):\n    'Yes.'") == []


def test_every_page_is_listed_on_the_site():
    docs = PACKAGE.parent / "docs"
    listed = set((docs / "index.md").read_text("utf-8").split())
    pages = {path.relative_to(docs).with_suffix("").as_posix() for path in docs.rglob("*.md")}
    below = {page for page in pages if page.startswith(("api/", "decisions/"))}
    assert pages - below - listed == {"index"}, "docs/index.md lists the pages"
