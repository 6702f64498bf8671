"""Messages and CBEFF files for the tests of the ABIS adapter, and a share that serves the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from engine_helpers import ON, print_of
from PIL import Image

from fpmatch import formats
from fpmatch.formats import abis
from fpmatch.search import Engine
from fpmatch.template import Template
from fpmatch.types import FingerPosition

PRINTS = Path(__file__).parents[1] / "data" / "synthetic" / "optical"
TIME = "2026-03-29T07:01:24.692Z"
INDEX = FingerPosition.RIGHT_INDEX


def minutiae(*templates: Template) -> bytes:
    """A CBEFF file with a BIR of ISO minutiae for each template."""
    birs = []
    for template in templates:
        record = formats.from_templates([template], "iso2011")
        birs += formats.convert(record, "cbeff").content.bir.records
    return formats.write(formats.BiometricRecord(formats.Bir(records=tuple(birs))))


def image(name: str, position: int = int(INDEX), edition: str = "fir2011") -> formats.Bir:
    """A BIR with a synthetic print as a finger image record."""
    pixels = np.asarray(Image.open(PRINTS / name).convert("L"))
    view = formats.ImageView(pixels.tobytes(), pixels.shape[1], pixels.shape[0], position=position)
    record = formats.FingerImageRecord(edition, (view,))
    (bir,) = formats.convert(record, "cbeff").content.bir.records
    return bir


def pictures(*birs: formats.Bir) -> bytes:
    return formats.write(formats.BiometricRecord(formats.Bir(records=birs)))


def other(kind: str, data: bytes = b"some block", *subtypes: str) -> formats.Bir:
    """A BIR of another modality."""
    about = formats.BdbInfo(types=(kind,), subtypes=subtypes)
    return formats.Bir(data, about=about)


def message(operation: str, **fields: Any) -> bytes:
    """A message; a field that is None is left out."""
    said = {
        "id": f"mosip.abis.{operation}", "version": "1.1", "requestId": "R-1",
        "requesttime": TIME, **fields,
    }  # fmt: skip
    return json.dumps({k: v for k, v in said.items() if v is not None}).encode()


class Abis:
    """An adapter on an engine, with a share of files."""

    def __init__(self, engine: Engine, ori: str = ON, **options: Any) -> None:
        self.engine = engine
        self.adapter = abis.Adapter(ori, options.pop("partition", "criminal"), **options)
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        return self.files[url]

    def say(self, data: bytes, **more: Any) -> dict[str, Any]:
        answer = abis.handle(data, self.engine, adapter=self.adapter, fetch=self.fetch, **more)
        assert isinstance(answer, bytes)
        return json.loads(answer)

    def ask(self, operation: str, **fields: Any) -> dict[str, Any]:
        return self.say(message(operation, **fields))

    def insert(self, reference: str, file: bytes | Template) -> dict[str, Any]:
        url = f"https://share.example/{reference}"
        self.files[url] = file if isinstance(file, bytes) else minutiae(file)
        return self.ask("insert", referenceId=reference, referenceURL=url)

    def found(self, reference: str, **fields: Any) -> list[str]:
        """The references that identify lists."""
        answer = self.ask("identify", referenceId=reference, **fields)
        assert answer["returnValue"] == "1", answer
        listed = answer["candidateList"]
        assert listed["count"] == str(len(listed["candidates"]))
        return [candidate["referenceId"] for candidate in listed["candidates"]]

    def reason(self, operation: str, **fields: Any) -> str:
        """Why a message is not served."""
        answer = self.ask(operation, **fields)
        assert answer["returnValue"] == "2", answer
        assert set(answer) == {"id", "requestId", "responsetime", "returnValue", "failureReason"}
        return answer["failureReason"]


def person(number: int, touch: int = 0, position: FingerPosition = INDEX) -> Template:
    return print_of(number, touch, position)


def gallery(*references: str) -> dict[str, Any]:
    return {"referenceIds": [{"referenceId": name} for name in references]}
