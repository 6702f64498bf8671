"""The schema that editors use, and the first policy that is written from a few answers."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import subprocess
import sys
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Any

import policy_cases as cases
import pytest
from engine_helpers import POLICY

from fpmatch.cli.questions import CHOICES
from fpmatch.errors import PolicyFileError
from fpmatch.policy import Policy
from fpmatch.policy.schema import MEANING, policy_schema
from fpmatch.policy.starter import NOTHING, Answers, starter

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs" / "policy.schema.json"
SCHEMA = policy_schema()


# -- schema --------------------------------------------------------------------------------------


def fits(schema: dict[str, Any], value: Any, at: str = "") -> str:
    """Where a value departs from a schema; "" if nowhere. The keywords that ours uses."""
    if "$ref" in schema:
        return fits(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, at)
    if "anyOf" in schema:
        found = [fits(one, value, at) for one in schema["anyOf"]]
        return "" if "" in found else f"{at}: none of {len(found)}"
    kinds: dict[str, Any] = {"string": str, "array": list, "object": dict, "integer": int,
                             "boolean": bool}  # fmt: skip
    if not isinstance(value, kinds[schema["type"]]):
        return f"{at}: {value!r} is no {schema['type']}"
    if schema["type"] == "integer" and isinstance(value, bool):
        return f"{at}: {value!r} is no integer"
    if "enum" in schema and value not in schema["enum"]:
        return f"{at}: {value!r} is not listed"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{at}: {value!r} does not match"
    if value < schema.get("minimum", value) if isinstance(value, int) else False:
        return f"{at}: {value} is too small"
    if value > schema.get("maximum", value) if isinstance(value, int) else False:
        return f"{at}: {value} is too large"
    if schema.get("format") == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return f"{at}: {value} is no date"
    if schema.get("format") == "date-time" and not re.match(r"\d{4}-\d\d-\d\dT.*[Z+-]", value):
        return f"{at}: {value} is no time"
    if isinstance(value, str | list) and len(value) < schema.get(
        "minItems", schema.get("minLength", 0)
    ):
        return f"{at}: too short"
    if isinstance(value, list):
        return next(filter(None, (fits(schema["items"], v, f"{at}/{i}")
                                  for i, v in enumerate(value))), "")  # fmt: skip
    if isinstance(value, dict):
        return _object(schema, value, at)
    return ""


def _object(schema: dict[str, Any], value: dict[str, Any], at: str) -> str:
    missing = set(schema.get("required", ())) - set(value)
    if missing:
        return f"{at}: {sorted(missing)} missing"
    known = schema.get("properties", {})
    other = schema.get("additionalProperties", {})
    for key, one in value.items():
        if key not in known and other is False:
            return f"{at}: {key} unknown"
        problem = fits(known.get(key, other), one, f"{at}/{key}")
        if problem:
            return problem
    return ""


def as_editors_see(text: str) -> Any:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list):
            return [plain(v) for v in value]
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        return value.isoformat() if isinstance(value, date) else value

    return plain(tomllib.loads(text))


def test_the_published_schema_is_current():
    said = json.loads(KEPT.read_text("utf-8"))
    assert said == SCHEMA, "fpmatch policy schema --out docs/policy.schema.json"


def test_every_key_has_a_meaning_and_no_other():
    tables = {"PolicyDocument": SCHEMA, **SCHEMA["$defs"]}
    keys = {name: set(t["properties"]) for name, t in tables.items() if "properties" in t}
    assert keys == {name: set(said) for name, said in MEANING.items()}


def policies() -> list[str]:
    page = (ROOT / "docs" / "policy.md").read_text("utf-8")
    first, *parts = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    out = [POLICY, first, *(first + part for part in parts if "transactions" not in part)]
    out.append((ROOT / "fpmatch" / "cli" / "demo_policy.toml").read_text("utf-8"))
    return out + [cases.policy(random.Random(i)).to_toml() for i in range(40)]


@pytest.mark.parametrize("text", policies(), ids=range(len(policies())))
def test_policies_that_load_fit_the_schema(text):
    assert fits(SCHEMA, as_editors_see(text)) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("transactions =", "transaction ="),
        ('effect = "permit"', 'effect = "allow"'),
        ("ndr = 1\n", 'ndr = "1"\n'),
        ("ndr = 1\n", "ndr = 0\n"),
        ("requires_activation = false", "requires_activation = 0"),
        ('ori = "CA0380100"', 'ori = "ca0380100"'),
        ('mode = "interoperable"', 'mode = "open"'),
        ("expires_days = 30", "expires_days = 30.5"),
        ('who = "CA"', "who = []"),
        ('owner = "DHS"', ""),
        ('id = "criminal-for-all"', 'id = "x"\nfrom = "soon"'),
    ],
)
def test_what_does_not_load_does_not_fit_either(old, new):
    text = POLICY.replace(old, new)
    assert text != POLICY
    assert fits(SCHEMA, as_editors_see(text)) != ""
    with pytest.raises(PolicyFileError):
        Policy.parse(text)


# -- a first policy ------------------------------------------------------------------------------


def some(rng: random.Random) -> Answers:
    names = rng.sample(("criminal", "immigration", "latent", 'an "odd" name'), rng.randrange(1, 4))
    return Answers(
        tuple((name, i + 1, f"OWNER-{i}") for i, name in enumerate(names)),
        ("CS", rng.choice(("", "Cascadia"))),
        tuple((f"CS{i:07d}", rng.choice(("", "A jail")), rng.choice(("", "jail")))
              for i in range(rng.randrange(1, 4))),
        rng.choice(("", "CSSIR0000")),
        rng.choice((("CAR",), ("CAR", "CNA"))),
        {name: rng.choice(CHOICES) for name in names if rng.random() < 0.8},
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_first_policies_load_say_what_was_answered_and_explain_themselves(seed):
    answers = some(random.Random(seed))
    text = starter(answers)
    policy = Policy.parse(text)
    assert not [f for f in policy.lint() if f.level == "error"]
    assert fits(SCHEMA, as_editors_see(text)) == ""
    for name, _, owner in answers.partitions:
        mode = answers.modes.get(name, NOTHING)
        agency = answers.agencies[0][0]
        found = policy.explain(ori=agency, partition=name, charge="felony",
                               disposition="convicted")  # fmt: skip
        searched = mode in ("interoperable", "results_withheld", "conditional_charge",
                            "deferred_disposition")  # fmt: skip
        assert found.decision.probe == searched, (mode, found.text)
        assert found.decision.view == (searched and mode != "results_withheld")
        if mode == NOTHING:
            assert found.changeable_by == (owner,)
    blocks = [b for b in text.split("\n\n") if "[[" in b and not b.startswith("#")]
    assert all(b.startswith(("[[partition]]", "[[agency]]")) for b in blocks), "no comment above"


def test_what_is_commented_out_permits_when_it_is_taken_in():
    answers = Answers((("a", 1, "O"),), ("CS", ""), (("CS0010100", "", ""),))
    text = starter(answers)
    assert not Policy.parse(text).explain(ori="CS0010100", partition="a").decision.probe
    opened = re.sub(r"# (\[\[mode\]\]|mode|who|partition|author)", r"\1", text.split("# An ag")[0])
    assert Policy.parse(opened).explain(ori="CS0010100", partition="a").decision.probe


OPTIONS = ("--partition", "a:1:O", "--jurisdiction", "CS:Cascadia", "--agency", "CS0010100")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--partition"),
        (OPTIONS[:2], "--jurisdiction"),
        (OPTIONS[:4], "--agency"),
        ((*OPTIONS, "--mode", "a"), "PARTITION=MODE"),
        ((*OPTIONS, "--mode", "b=interoperable"), "PARTITION=MODE"),
        ((*OPTIONS, "--mode", "a=open"), "interoperable"),
        ((*OPTIONS, "--agency", "nobody"), "no ORI"),
        (("--partition", "a:x:O", *OPTIONS[2:]), "NAME:NUMBER:OWNER"),
        ((*OPTIONS, "--bureau", "x"), "no ORI"),
    ],
)
def test_answers_that_are_missing_or_wrong_are_one_line(fpm, words, said, tmp_path):
    out = tmp_path / "p.toml"
    code, _, error = fpm("policy", "new", out, *words)
    assert code == 2
    assert said in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_a_first_policy_from_options_is_checked_and_not_overwritten(fpm, tmp_path):
    out = tmp_path / "p.toml"
    code, text, error = fpm("policy", "new", out, *OPTIONS, "--mode", "a=conditional_charge")
    assert code == 0, error
    assert "fpmatch policy check" in " ".join(text.split())  # wherever the line is folded
    assert Policy.load(out).explain(ori="CS0010100", partition="a", charge="felony").decision.probe
    assert fpm("policy", "check", out)[0] == 0
    assert fpm("policy", "new", out, *OPTIONS)[0] == 2
    assert fpm("policy", "new", out, *OPTIONS, "--force")[0] == 0
    assert not Policy.load(out).explain(ori="CS0010100", partition="a").decision.probe


def test_on_a_terminal_it_asks(tmp_path):
    out = tmp_path / "p.toml"
    main, side = pty.openpty()
    line = [sys.executable, "-m", "fpmatch.cli", "policy", "new", str(out)]
    done = subprocess.Popen(line, stdin=side, stdout=subprocess.PIPE, stderr=side)
    os.close(side)
    told = ["criminal:1:DOJ-FBI", "", "CS:Cascadia", "CS0010100:County jail:jail", "", "CSSIR0000",
            "CAR,CNA", "interoperable"]  # fmt: skip
    os.write(main, "".join(f"{word}\n" for word in told).encode())
    assert done.wait(timeout=60) == 0
    assert done.stdout is not None
    done.stdout.close()
    os.close(main)
    policy = Policy.load(out)
    assert policy.declared.transactions == ("CAR", "CNA")
    assert policy.explain(ori="CS0010100", partition="criminal").decision.view


def test_the_schema_is_printed_and_written(fpm, tmp_path):
    assert json.loads(fpm("policy", "schema")[1]) == SCHEMA
    assert fpm("policy", "schema", "--out", tmp_path / "s.json")[0] == 0
    assert json.loads((tmp_path / "s.json").read_text()) == SCHEMA
