"""The house stays simple: no import circles, short modules, few positional parameters."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fpmatch"
MODULES = {
    ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
    for p in sorted(PACKAGE.rglob("*.py"))
}
LONGEST = 400
LONG = {"fpmatch.parameters"}
"""All parameters stand in one file, each with its unit and its reason."""
MOST_POSITIONAL = 6
ROOMS = ("search", "index")


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, anywhere in it: also in functions, also lazily.

    A name taken from a room's ``__init__`` is an import of that file.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name in MODULES}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fpmatch"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    # The top names its public face for type checkers only, and imports it when it is asked for.
    return {name for name in found if name in MODULES and name != "fpmatch"}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules each of which imports itself by way of the others (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            group = []
            while not group or group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in number:
            visit(name)
    return found


def test_no_circle_of_imports():
    graph = {name: imported(path) - {name} for name, path in MODULES.items() if name != "fpmatch"}
    assert len(graph) > 200
    assert circles(graph) == []


def test_a_circle_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_modules_are_short():
    lines = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name for name, count in lines.items() if count > LONGEST} <= LONG


def positional(function: ast.FunctionDef | ast.AsyncFunctionDef, method: bool) -> int:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (method and names[:1] in (["self"], ["cls"]))


def functions(tree: ast.Module, prefix: str) -> dict[str, int]:
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[f"{prefix}.{node.name}"] = positional(node, method=False)
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    found[f"{prefix}.{node.name}.{inner.name}"] = positional(inner, method=True)
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_few_positional_parameters(room):
    counted = {}
    for name, path in MODULES.items():
        if name.startswith(f"fpmatch.{room}") and "_kernels" not in name:
            counted |= functions(ast.parse(path.read_text()), name)
    assert counted
    assert {name for name, count in counted.items() if count > MOST_POSITIONAL} == set()
