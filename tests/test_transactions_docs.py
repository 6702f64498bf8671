"""docs/transactions.md against the code."""

from __future__ import annotations

import re
from pathlib import Path

from test_ebts_answers import HEADER, TABLE
from test_transact import file, policy, world

from fpmatch.formats.ebts import KINDS
from fpmatch.formats.ebts_address import MANDATORY, REPEATED

PAGE = (Path(__file__).parents[1] / "docs" / "transactions.md").read_text("utf-8")


def rows() -> dict[str, tuple[str, str]]:
    """Of the table of fields: in which answers each is, and where it comes from."""
    out = {}
    for line in PAGE.split("| field | in | from |")[1].split("\n\n")[0].splitlines()[2:]:
        names, where, source = (cell.strip() for cell in line.strip("|").split("|"))
        for number in re.findall(r"\d\.\d{3}", names):
            out[number] = (where, source)
    return out


def answers(where: str) -> set[str]:
    if where.startswith("all"):
        return set(TABLE) - set(re.findall(r"[A-Z]{3,}", where))
    return set(re.findall(r"[A-Z]{3,}", where))


def test_the_table_has_every_field_of_every_answer() -> None:
    found = rows()
    for name, (mandatory, allowed) in TABLE.items():
        listed = {
            int(n[2:]) for n, (where, _) in found.items() if n[0] == "2" and name in answers(where)
        }
        assert listed == mandatory | allowed, name
    assert {int(n[2:]) for n in found if n[0] == "1"} == HEADER | {3, 6, 15}


def test_the_table_says_what_is_repeated() -> None:
    found = rows()
    for name, numbers in REPEATED.items():
        for number in numbers:
            where, source = found[f"2.{number:03d}"]
            assert name in answers(where)
            assert "as submitted" in source
    for name, numbers in MANDATORY.items():
        sentence = PAGE.split("What an answer must have and only")[1].split("asked for")[0]
        assert all(f"2.{number:03d}" in sentence for number in numbers), name


def test_the_table_of_answers_is_that_of_the_code() -> None:
    table = PAGE.split("| submission | answer |")[1].split("\n\n")[0].splitlines()[2:]
    seen = {}
    for line in table:
        kinds, answer = (cell.strip() for cell in line.strip("|").split("|")[:2])
        for kind in re.findall(r"\b[A-Z]{3,4}\b", kinds):
            seen[kind] = "" if answer == "none" else answer.split(",")[0]
            most = re.search(r"at most (\d+)", answer)
            assert most is None or int(most[1]) == KINDS[kind].candidates
    assert seen == {kind: rule.answer for kind, rule in KINDS.items()}


def test_the_example_runs(tmp_path: Path) -> None:
    sent: list[bytes] = []
    with world(tmp_path / "g.fpm", policy("results_withheld")) as engine:
        names = {"engine": engine, "data": file(), "send": sent.append}
        for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
            exec(compile(code, "transactions.md", "exec"), names)
    final = names["final"]
    assert len(sent) == 2
    assert all(b"\x1d2.059:N" in data for data in sent)
    assert [b"\x1d2.059:I" in answer.data for answer in final.answers] == [True, True]
