"""A user's program, as a type checker reads it; never run."""

from __future__ import annotations

from typing import assert_type

import fpmatch as fp
from fpmatch import Engine

with Engine.create("county.fpm") as engine:
    assert_type(engine, Engine)
    finger = fp.extract(fp.read_image("arrest.png", ppi=500), position=fp.FingerPosition.LEFT_INDEX)
    assert_type(finger, fp.Template)
    engine.publish(fp.Policy.load("policy.toml"))
    response = engine.search(
        fp.SearchRequest(
            fingers=[finger], booking_ori="CA0380100", chain=["CASIR0000"], transaction="CAR"
        )
    )
    assert_type(response, fp.SearchResponse)
    assert_type(response["criminal"], fp.PartitionResult)
    assert_type(response["criminal"].outcome, fp.Outcome)
    for candidate in response["criminal"].candidates or ():
        assert_type(candidate, fp.Candidate)
    assert_type(fp.compare(finger, finger).value, float)
    assert_type(fp.draw(None, finger), fp.Drawing)
    assert_type(fp.draw_pairs(None, finger, None, finger, fp.compare(finger, finger)), fp.Drawing)
    assert_type(fp.draw(None, finger).png(), bytes)
