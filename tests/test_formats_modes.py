"""A transaction under each of the seven modes of opting out, as the search by hand is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import format_cases as cases
import pytest
from test_policy_modes import BUREAU, SITE, policy

import fpmatch as fp
from fpmatch import formats
from fpmatch.formats import ebts
from fpmatch.policy import MODES

OUTCOMES = {
    "interoperable": "SEARCHED_DISCLOSED",
    "results_withheld": "SEARCHED_WITHHELD",
    "ori_deactivated": "NOT_SEARCHED",
    "no_federal_submission": "NOT_SEARCHED",
    "conditional_charge": "NOT_SEARCHED",
    "deferred_disposition": "DEFERRED",
    "not_activated": "NOT_SEARCHED",
}


def type_9(template: fp.Template) -> formats.TaggedRecord:
    """The template in the fields of INCITS 378."""
    (view,) = formats.from_templates([template], "incits2004").views
    assert view.quality is not None
    rows = zip(view.xy.tolist(), view.angle, view.kind, view.quality, strict=True)
    minutiae = "\x1e".join(
        f"{i:03d}\x1f{x}\x1f{y}\x1f{angle}\x1f{kind}\x1f{quality}"
        for i, ((x, y), angle, kind, quality) in enumerate(rows, 1)
    )
    sizes = {128: str(view.width), 129: str(view.height), 130: "2", 131: "197", 132: "197"}
    return formats.tagged(9, {2: "01", 3: "1", 4: "U"} | sizes | {134: "07", 137: minutiae})


@pytest.fixture(scope="module")
def raw() -> bytes:
    nine = type_9(cases.template(turn=180, step=8))
    made = cases.booking({73: SITE}, origin=BUREAU, records=(nine,))
    return formats.write(made)


@pytest.mark.parametrize("mode", MODES)
def test_each_mode(mode: str, raw: bytes, tmp_path: Path) -> None:
    asked = ebts.submission(formats.read(raw, strict=True)).request
    assert asked.booking_ori == SITE
    with fp.Engine.create(tmp_path / "county.fpm") as engine:
        engine.add_partition("criminal", ndr=1, owner="DOJ-FBI")
        engine.add_partition("immigration", ndr=9, owner="DHS")
        engine.add_partition("town", ndr=901, owner="CA-SF")
        for partition in ("criminal", "immigration", "town"):
            engine.enrol(partition, [fp.Record("C-17", asked.fingers)])
        engine.publish(policy(mode))
        response = engine.search(asked)
        by_hand = engine.search(
            fp.SearchRequest(
                fingers=asked.fingers, booking_ori=SITE, chain=[BUREAU], tcn="CTRL-00002"
            )
        )
        section = response["immigration"]
        assert section.outcome.value == OUTCOMES[mode]
        assert (section.candidates is None) is (mode != "interoperable")
        federal = mode != "no_federal_submission"
        found = response["criminal"].candidates
        assert bool(found) is federal
        assert response["town"].candidates[0].record == "C-17"
        ours, theirs = (one.to_dict()["partitions"] for one in (response, by_hand))
        for one in (*ours, *theirs):
            one.pop("token", None)  # a deferred search has a token of its own
        assert ours == theirs
        # 2.098 narrows and grants nothing.
        only = replace(asked, partitions=(9,), tcn="CTRL-00003")
        assert engine.search(only)["immigration"].outcome.value == OUTCOMES[mode]
