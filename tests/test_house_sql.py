"""SQL takes its values as Python's newer versions want them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "fpmatch"
NUMBERED = re.compile(r"\?\d")


def numbered(source: str) -> list[str]:
    """Statements with numbered placeholders: sqlite3 counts them as named, and since 3.12 warns
    where a sequence fills them; from 3.14 on it refuses."""
    texts = (n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant))
    found = (t for t in texts if isinstance(t, str) and NUMBERED.search(t))
    return [t for t in found if re.search(r"\b(SELECT|INSERT|UPDATE|DELETE)\b", t)]


def test_no_numbered_placeholders():
    assert not [t for p in PACKAGE.rglob("*.py") for t in numbered(p.read_text("utf-8"))]
    assert numbered('QUERY = "SELECT a FROM t WHERE b = ?1"')
