"""docs/formats.md against the code."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import format_cases as cases
import fuzz_pictures
import pytest

from fpmatch import formats

PAGE = (Path(__file__).parents[1] / "docs" / "formats.md").read_text("utf-8")


def test_the_page_names_every_format_and_no_other() -> None:
    table = PAGE.split("| name | standard |")[1].split("\n\n")[0]
    named = [
        name
        for line in table.splitlines()[2:]
        for name in re.findall(r"`([\w-]+)`", line.split("|")[1])
    ]
    assert sorted(named) == sorted(formats.NAMES)


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "agency.bin").write_bytes(formats.write(cases.record("incits2004")))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    (tmp_path / "booking.an2").write_bytes(formats.write(cases.booking()))
    record = formats.write(cases.image_record("fir2011"))
    (tmp_path / "fingers.fir").write_bytes(record)
    (tmp_path / "upload.wsq").write_bytes(fuzz_pictures.seeds("WSQ")[0])
    names["engine"] = SimpleNamespace(
        search=lambda request: request, transact=lambda data, isolated: formats.read(data)
    )
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "formats.md", "exec"), names)
    assert len(names["templates"]) == 2
    assert names["result"].content.format == "iso2011"
    assert formats.recognise(names["data"]) == "itl"
    assert names["transaction"].header.text(8) == "XX0010200"
    assert names["transaction"].records[1].get(73).items == ((b"XX0010200",),)
    assert names["response"].booking_ori == "CS0010200"
    assert names["image"].source_format == "WSQ"
    assert names["done"].header.text(8) == "XX0010200"
    assert names["response"].charge == "misdemeanor"
    assert formats.recognise(names["data_of_birs"]) == "cbeff"
