"""The policy file: what is read, and that every complaint names file, line and fix."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fpmatch.errors import FpmatchError, InputError, PolicyError, PolicyFileError
from fpmatch.policy import Policy

GOOD = """transactions = ["CAR"]
roles = ["officer"]

[[partition]]
name = "criminal"
ndr = 1
owner = "DOJ-FBI"
requires_activation = false

[[partition]]
name = "immigration"
ndr = 9
owner = "DHS"

[[jurisdiction]]
id = "CA"
kind = "state"

[[agency]]
ori = "CA0380100"
name = 'The "old" jail — Ω'
parent = "CA"

[[rule]]
id = "criminal"
effect = "permit"
who = "*"
partitions = "criminal"
author = "DOJ-FBI"
when = { role = ["officer"] }
"""

CASES = [
    ("transactions = [", "transactions = [", 1, "not valid TOML"),
    ('transactions = ["CAR"]\n', "", 1, "'transactions' is missing"),
    ("ndr = 9", 'ndr = "nine"', 12, "integer"),
    ("ndr = 9", "ndr = 1", 12, "taken by 'criminal'"),
    ('owner = "DHS"', 'ownr = "DHS"', 13, "did you mean 'owner'"),
    ('name = "immigration"', 'name = "criminal"', 10, "there twice"),
    ('name = "immigration"', 'name = "*"', 11, "rename"),
    ('id = "CA"', 'id = "*"', 16, "stands for everyone"),
    ('kind = "state"', 'kind = "state"\nparent = "CA"', 18, "lies above itself"),
    ('kind = "state"', 'kind = "state"\nparent = "US"', 18, "no [[jurisdiction]]"),
    ('kind = "state"', 'kind = "state"\nvia = "CASIR0000"', 18, "no [[agency]]"),
    ('kind = "state"', 'kind = "state"\nrequire_consent = "mars"', 18, "no [[partition]]"),
    ('ori = "CA0380100"', 'ori = "ca0380100"', 20, "is no ORI"),
    ('ori = "CA0380100"', 'ori = "CA038010"', 20, "is no ORI"),
    ('parent = "CA"', 'parent = "CA-SF"', 22, "no [[jurisdiction]]"),
    ('parent = "CA"', 'acknowledges = "mars"', 22, "no [[partition]]"),
    ('parent = "CA"', "from = 2011-01-02\nto = 2011-01-01", 23, "before it begins"),
    ('parent = "CA"', "from = 2011-01-02T10:00:00", 22, "no UTC offset"),
    ('parent = "CA"', 'from = "2011-01-02"', 22, "without quotes"),
    ('effect = "permit"', 'effect = "allow"', 26, "'permit', 'forbid' or 'mandate'"),
    ('who = "*"', "who = []", 27, "at least 1 item"),
    ('partitions = "criminal"', "partitions = []", 28, "at least 1 item"),
    ('["CAR"]', "[]", 1, "at least 1 item"),
    ('who = "*"', 'who = "CA0389999"', 27, "no registered agency"),
    ('partitions = "criminal"', 'partitions = "mars"', 28, "no [[partition]]"),
    ('author = "DOJ-FBI"\nwhen', 'author = "Nobody"\nwhen', 29, "not the partition's owner"),
    ('{ role = ["officer"] }', '{ rle = ["officer"] }', 30, "did you mean 'role'"),
    ('{ role = ["officer"] }', '{ role = ["chief"] }', 30, "no known role"),
    ('{ role = ["officer"] }', '{ charge = ["0399"] }', 30, "no known charge"),
    ('{ role = ["officer"] }', '{ disposition = ["pending"] }', 30, "no known disposition"),
    ('{ role = ["officer"] }', '{ attributes = { age = "9" } }', 30, "not declared"),
    ('{ role = ["officer"] }', "{ }", 30, "is empty"),
    ('id = "criminal"\neffect', 'id = "mode:x"\neffect', 25, "made by [[mode]]"),
    ('effect = "permit"', 'effect = "permit"\nagreement = "moa"', 27, "no [[agreement]]"),
    ('effect = "permit"', 'effect = "mandate"', 24, "signer, legal_basis, from"),
    ('roles = ["officer"]', 'charges = ["felony", "0399"]', 2, "generic code"),
    ('owner = "DHS"', 'owner = "DHS"\nprotected_roles = "chief"', 14, "list 'roles'"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), CASES, ids=[c[3] for c in CASES])
def test_complaints_name_file_line_and_fix(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    text = "transactions = [" if old == new else GOOD.replace(old, new, 1)
    with pytest.raises(PolicyFileError) as caught:
        Policy.parse(text, name="county.toml")
    assert words in str(caught.value)
    if text.startswith(('transactions = ["', "roles")):
        assert str(caught.value).startswith(f"county.toml:{line}: ")
    assert isinstance(caught.value, ValueError)


TABLES = [
    ('[[activation]]\nwho = "CA"\npartition = "mars"\nauthor = "DHS"', 2, "no [[partition]]"),
    ('[[activation]]\nwho = "NV"\npartition = "immigration"\nauthor = "DHS"', 1, "register it"),
    (
        '[[consent]]\nwho = "CA0380100"\npartition = "immigration"\nstate = "MAYBE"\nauthor = "CA"',
        3,
        "NOT_ASKED",
    ),
    (
        '[[agreement]]\nid = "m"\nparties = ["DHS", "Mars"]\npartitions = ["immigration"]',
        2,
        "'Mars' is no partition owner",
    ),
    (
        '[[agreement]]\nid = "m"\nparties = ["DHS", "CA"]\npartitions = ["immigration"]\n'
        'terminated = { by = "NV", on = 2011-01-01 }',
        4,
        "no party",
    ),
    (
        '[[agreement]]\nid = "m"\nparties = "DHS"\npartitions = "immigration"\nnotice_days = -1',
        4,
        "greater than or equal to 0",
    ),
    ('[[mode]]\nmode = "off"\nwho = "CA"\nauthor = "CA"', 1, "'ori_deactivated'"),
    (
        '[[mode]]\nmode = "no_federal_submission"\nwho = "CA"\npartition = "criminal"\nauthor = "CA"',  # noqa: E501
        3,
        "covers all federal",
    ),
    ('[[mode]]\nmode = "interoperable"\nwho = "CA"\nauthor = "CA"', 0, "no [[partition]]"),
    (
        '[[mode]]\nmode = "conditional_charge"\nwho = "CA"\npartition = "immigration"\nauthor = "CA"\n'  # noqa: E501
        'charges = ["murder"]',
        0,
        "no known charge",
    ),
    (
        '[[mode]]\nmode = "interoperable"\nwho = "CA"\npartition = "immigration"\nauthor = "CA"\n'
        'authority = "mandate"',
        5,
        "is no mandate",
    ),
    (
        '[[mode]]\nmode = "interoperable"\nwho = ["CA", "CA"]\npartition = "immigration"\n'
        'author = "DHS"',
        0,
        "there twice",
    ),
    (
        '[[optout]]\nid = "o"\nwho = "CA"\npartition = "immigration"\nrequested = 2011-01-01\n'
        'status = "accepted"',
        0,
        "decided",
    ),
    (
        '[[rule]]\nid = "criminal"\neffect = "forbid"\nwho = "CA"\npartitions = "*"\nauthor = "CA"',
        0,
        "there twice",
    ),
]


@pytest.mark.parametrize(("table", "offset", "words"), TABLES, ids=[t[2] for t in TABLES])
def test_complaints_about_tables(table: str, offset: int, words: str) -> None:
    start = len(GOOD.splitlines()) + 1
    with pytest.raises(PolicyFileError) as caught:
        Policy.parse(GOOD + table)
    assert words in str(caught.value)
    number = int(str(caught.value).split(":")[1])
    assert number == start + offset


def test_an_agency_needs_its_own_header() -> None:
    with pytest.raises(PolicyFileError, match=r"policy\.toml:2: .*header"):
        Policy.parse('transactions = ["CAR"]\nagency = "CA0380100"\n')


def test_a_line_is_found_where_one_table_stands_for_several() -> None:
    table = (
        '[[activation]]\nwho = ["CA", "CA0380100"]\npartition = "immigration"\nauthor = "DHS"\n'
        '[[activation]]\nwho = "CA"\npartition = "immigration"\nauthor = "CA0380100"\n'
    )
    with pytest.raises(PolicyError, match=r"policy\.toml:35: activation of 'CA'"):
        Policy.parse(GOOD + table)


def test_more_than_64_partitions_are_refused() -> None:
    many = "".join(
        f'[[partition]]\nname = "p{i}"\nndr = {i + 100}\nowner = "O"\n' for i in range(63)
    )
    with pytest.raises(PolicyFileError, match="65 partitions"):
        Policy.parse(GOOD + many)
    assert (
        len(
            Policy.parse(
                GOOD + many.replace('[[partition]]\nname = "p0"\nndr = 100\nowner = "O"\n', "")
            ).partitions
        )
        == 64
    )


@pytest.mark.parametrize(
    "text", ["\x00", "[[rule]]", "a = 1", "]", "[[partition]]\n" * 3, "é" * 99]
)
def test_garbage_gives_errors_of_our_own(text: str) -> None:
    with pytest.raises(FpmatchError):
        Policy.parse(text)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match="cannot be read"):
        Policy.load(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b"x = '\xff'")
    with pytest.raises(PolicyFileError, match="UTF-8"):
        Policy.load(tmp_path / "latin.toml")


OUTSIDE = [
    ('author = "DOJ-FBI"\nwhen', 'author = "DHS"\nauthority = "partition-owner"\nwhen', "own"),
    ('author = "DOJ-FBI"\nwhen', 'author = "CA0380100"\nwhen', "does not lie within"),
    ('author = "DOJ-FBI"\nwhen', 'author = "CA"\nauthority = "sib"\nwhen', "kind 'sib'"),
    ('author = "DOJ-FBI"\nwhen', 'author = "X"\nauthority = "local"\nwhen', "no registered"),
    ('author = "DOJ-FBI"\nwhen', 'author = "X"\nauthority = "mandate"\nwhen', "not permit"),
]


@pytest.mark.parametrize(("old", "new", "words"), OUTSIDE, ids=[o[2] for o in OUTSIDE])
def test_rules_outside_their_authors_authority(old: str, new: str, words: str) -> None:
    text = GOOD.replace(old, new)
    with pytest.raises(PolicyError, match=words) as caught:
        Policy.parse(text)
    assert "policy.toml:24: rule 'criminal'" in str(caught.value)
    lenient = Policy.parse(text, lenient=True)
    entry = lenient.explain(ori="CA0380100", partition="criminal", at="2011-01-01", role="officer")
    assert entry.reason == "NO_GRANT", "what is outside authority has no effect"
    assert any(f.code == "outside-authority" for f in lenient.lint())


def test_a_site_cannot_open_anothers_partition() -> None:
    local = (
        '[[rule]]\nid = "x"\neffect = "permit"\nwho = "CA0380100"\npartitions = "immigration"\n'
        'author = "CA0380100"\n'
    )
    with pytest.raises(PolicyError, match="only by agreement"):
        Policy.parse(GOOD + local)
    foreign = '[[agreement]]\nid = "m"\nparties = ["DOJ-FBI", "CA"]\npartitions = ["immigration"]\n'
    with pytest.raises(PolicyError, match="no party to agreement"):
        Policy.parse(GOOD + foreign + local + 'agreement = "m"\n')


@pytest.mark.parametrize(
    "table",
    [
        '[[activation]]\nwho = "CA"\npartition = "immigration"\nauthor = "CA0380100"',
        '[[activation]]\nwho = "CA"\npartition = "immigration"\nauthor = "CA"\nauthority = "mandate"',  # noqa: E501
        '[[consent]]\nwho = "CA0380100"\npartition = "immigration"\nstate = "ASKED_YES"\nauthor = "DHS"',  # noqa: E501
        '[[mode]]\nmode = "ori_deactivated"\nwho = "CA"\npartition = "immigration"\nauthor = "CA0380100"',  # noqa: E501
        '[[mode]]\nmode = "no_federal_submission"\nwho = "CA"\nauthor = "CA0380100"',
    ],
)
def test_settings_outside_their_authors_authority(table: str) -> None:
    with pytest.raises(PolicyError, match="outside its author's authority"):
        Policy.parse(GOOD + table + "\n")


def test_a_bureau_speaks_for_its_state_and_no_other() -> None:
    text = GOOD + (
        '[[jurisdiction]]\nid = "NV"\nkind = "state"\n'
        '[[agency]]\nori = "NVSIR0000"\nkind = "sib"\nparent = "NV"\n'
        '[[agency]]\nori = "XXSIR0000"\nkind = "sib"\n'
    )
    rule = '[[rule]]\nid = "x"\neffect = "forbid"\nwho = "{}"\npartitions = "*"\nauthor = "{}"\n'
    Policy.parse(text + rule.format("NV", "NVSIR0000"))
    answer = (
        '[[consent]]\nwho = "CA0380100"\npartition = "immigration"\nstate = "ASKED_YES"\n'
        'author = "{}"\n'
    )
    Policy.parse(text + answer.format("CA0380100"))
    with pytest.raises(PolicyError, match="may not answer for CA0380100"):
        Policy.parse(text + answer.format("NVSIR0000"))
    claim = rule.format("CA0380100", "CA0380100") + 'authority = "sib"\n'
    with pytest.raises(PolicyError, match="kind 'sib'"):
        Policy.parse(text + claim)
    local = 'authority = "local"\n'
    Policy.parse(text + rule.format("NVSIR0000", "NVSIR0000") + local)
    with pytest.raises(PolicyError, match="does not lie within NVSIR0000"):
        Policy.parse(text + rule.format("NV", "NVSIR0000") + local)
    for who, author in (("CA", "NVSIR0000"), ("*", "NVSIR0000"), ("CA", "XXSIR0000")):
        with pytest.raises(PolicyError, match="does not lie within"):
            Policy.parse(text + rule.format(who, author))


def test_nothing_is_inferred_from_the_characters_of_an_ori() -> None:
    orphan = GOOD.replace('parent = "CA"\n', "")
    policy = Policy.parse(
        orphan
        + '[[rule]]\nid = "x"\neffect = "forbid"\nwho = "CA"\npartitions = "*"\nauthor = "CA"\n'
    )
    assert (
        policy.explain(
            ori="CA0380100", partition="criminal", at="2011-01-01", role="officer"
        ).reason
        == "GRANTED"
    )


def test_load_equals_parse(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(GOOD, encoding="utf-8")
    policy = Policy.load(tmp_path / "p.toml")
    assert policy == Policy.parse(GOOD)
    assert policy.declared.agencies[0].name == 'The "old" jail — Ω'
    assert [p.ndr for p in policy.partitions] == [1, 9]


def test_digest_sees_content_and_not_layout() -> None:
    policy = Policy.parse(GOOD)
    assert policy.digest == Policy.parse("# a comment\nversion = 4\n" + GOOD).digest
    assert policy.with_version(9).digest == policy.digest
    assert policy != policy.with_version(9)
    assert hash(policy) == hash(Policy.parse(GOOD))
    assert policy != "policy"
    for old, new in (("officer", "clerk"), ("ndr = 9", "ndr = 8"), ('"CAR"', '"CAR", "CNA"')):
        assert Policy.parse(GOOD.replace(old, new)).digest != policy.digest


def test_registry_file(tmp_path: Path) -> None:
    (tmp_path / "agencies.csv").write_text(
        "ori,name,kind,parent\nCA0000001,One,jail,CA\nCA0000002,Two,,CA\n", encoding="utf-8"
    )
    path = tmp_path / "p.toml"
    path.write_text('registry = "agencies.csv"\n' + GOOD, encoding="utf-8")
    calls: list[tuple[str, int, int]] = []
    policy = Policy.load(path, progress=lambda *step: calls.append(step))
    assert {"CA0380100", "CA0000001", "CA0000002"} == set(policy.registry.agencies)
    assert policy.registry.agencies["CA0000002"].kind == "police"
    assert calls[0] == ("parse", 0, 1)
    assert calls[-1] == ("agencies", 2, 2)
    with pytest.raises(PolicyFileError, match=r"needs Policy\.load"):
        Policy.parse('registry = "agencies.csv"\n' + GOOD)
    for text, words in (
        ("ori,name\n", "first line must be"),
        ("ori,name,kind,parent\nCA0000001,One\n", "agencies.csv:2: 2 columns"),
        ("ori,name,kind,parent\nca,One,,CA\n", "agencies.csv:2: .*no ORI"),
        ("ori,name,kind,parent\nCA0380100,One,,CA\n", "registered twice"),
    ):
        (tmp_path / "agencies.csv").write_text(text, encoding="utf-8")
        with pytest.raises(PolicyFileError, match=words):
            Policy.load(path)
    (tmp_path / "agencies.csv").unlink()
    with pytest.raises(PolicyFileError, match="cannot read"):
        Policy.load(path)


def test_policy_is_light_to_import() -> None:
    code = (
        "import sys, fpmatch.policy\n"
        "heavy = {'cv2', 'faiss', 'numba', 'pydantic', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_explain_of_an_unknown_partition() -> None:
    with pytest.raises(InputError, match="known: criminal, immigration"):
        Policy.parse(GOOD).explain(ori="CA0380100", partition="mars")
