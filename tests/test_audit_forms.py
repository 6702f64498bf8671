"""Canonical form, commitments, Merkle tree."""

from __future__ import annotations

import hashlib
import json

import pytest
from how_often import often
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fpmatch.audit import Checkpoint, canonical, disclosure, hashing, merkle, store
from fpmatch.errors import InputError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LEAF = st.one_of(
    TEXT,
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.booleans(),
    st.none(),
    st.lists(st.one_of(TEXT, st.integers(-9, 9), st.booleans(), st.none()), max_size=4),
)
NAME = TEXT.filter(bool)
FIELDS = st.recursive(
    st.dictionaries(NAME, LEAF, max_size=5),
    lambda inner: st.dictionaries(NAME, st.one_of(LEAF, inner), max_size=4),
    max_leaves=12,
)


def naive_items(fields, prefix=""):
    """The canonical form by the letter: flatten, sort, one JSON text a leaf."""
    out = {}
    for key, value in fields.items():
        path = prefix + "/" + key.replace("~", "~0").replace("/", "~1")
        if isinstance(value, dict) and value:
            out |= naive_items(value, path)
        else:
            out[path] = value
    return out


@settings(max_examples=often(1000), deadline=None)
@given(FIELDS)
def test_the_body_is_the_canonical_json_of_the_flat_fields(fields):
    body = canonical.body(canonical.items(fields))
    flat = naive_items(fields)
    assert body == json.dumps(flat, sort_keys=True, separators=(",", ":"))
    assert body.isascii()
    assert canonical.nest(canonical.flat_fields(body)) == fields
    assert canonical.body(canonical.parse_body(body)) == body


@settings(max_examples=300, deadline=None)
@given(FIELDS, st.randoms())
def test_the_order_of_fields_does_not_matter(fields, random):
    names = list(fields)
    random.shuffle(names)
    assert canonical.items({n: fields[n] for n in names}) == canonical.items(fields)


@settings(max_examples=300, deadline=None)
@given(FIELDS, FIELDS)
def test_different_fields_have_different_bodies(one, other):
    assume(json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))
    assert canonical.body(canonical.items(one)) != canonical.body(canonical.items(other))


@pytest.mark.parametrize(
    "text",
    [
        '{"/a": 1}',
        '{"/b":1,"/a":2}',
        '{"/a":1,"/a":1}',
        '{"/a":"\u00e9"}',
        '{"/a":1.0}',
        '{"/a":NaN}',
        '{"/a":[[1]]}',
        '{"/a":{"b":1}}',
        '{"/a":1e3}',
        '{"/a":-0}',
        "[]",
        "",
        "nul",
    ],
)
def test_any_other_spelling_is_refused(text):
    with pytest.raises(InputError):
        canonical.parse_body(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"a": 0.5},
        {"a": b""},
        {"": 1},
        {1: 2},
        {"a": object()},
        {"a": {"b": [1.5]}},
        {"a": "\udc00"},
        {"a": 2**53},
        {"a": -(2**53)},
        {f"f{i}": i for i in range(5000)},
        {"k" * 2000: 1},
    ],
)
def test_what_has_no_place_is_refused(fields):
    with pytest.raises(InputError):
        canonical.items(fields)


def test_paths_that_clash_are_refused():
    for flat in ({"/a": 1, "/a/b": 2}, {"/a/b": 2, "/a": 1}, {"a": 1}):
        with pytest.raises(InputError):
            canonical.nest(flat)


def test_the_record_hash_is_as_documented():
    nonce = bytes(range(32))
    items = canonical.items({"b": "x", "a": {"c": 1}})
    salts = hashlib.shake_256(nonce).digest(32)
    first = hashlib.sha256(b"\x02" + salts[:16] + b'"/a/c":1').hexdigest()
    second = hashlib.sha256(b"\x02" + salts[16:] + b'"/b":"x"').hexdigest()
    header = {"fields": {"/a/c": first, "/b": second}, "kind": "K", "prev": "p", "seq": 7}
    text = json.dumps({**header, "time": "t"}, sort_keys=True, separators=(",", ":"))
    expected = hashlib.sha256(b"\x00" + text.encode()).hexdigest()
    committed = hashing.commitments(nonce, items)
    assert hashing.record_hash(committed, "K", "p", 7, "t") == expected


def row_of(fields, nonce=b"\x05" * 32):
    items = canonical.items(fields)
    committed = hashing.commitments(nonce, items)
    digest = hashing.record_hash(committed, "K", "0" * 64, 1, "t")
    return store.Row(1, "0" * 64, "t", "K", "", None, canonical.body(items), nonce, digest)


@settings(max_examples=often(1000), deadline=None)
@given(FIELDS, st.data())
def test_any_redaction_keeps_the_record_hash_and_shows_only_what_it_should(fields, data):
    row = row_of(fields)
    paths = sorted(naive_items(fields))
    shown = set(data.draw(st.lists(st.sampled_from(paths), unique=True))) if paths else set()
    line = json.loads(json.dumps(disclosure.disclose(row, shown.__contains__)))
    found = disclosure.check(line)
    assert found.hash == row.hash
    assert set(found.fields) == shown
    assert list(found.struck) == [p for p in paths if p not in shown]
    for path in found.struck:
        assert set(line["fields"][path]) == {"commitment"}
    assert row.nonce.hex() not in json.dumps(line)


@settings(max_examples=300, deadline=None)
@given(FIELDS.filter(bool), st.data())
def test_any_change_of_a_disclosed_record_changes_its_hash(fields, data):
    row = row_of(fields)
    line = disclosure.disclose(row, lambda path: True)
    path = data.draw(st.sampled_from(sorted(line["fields"])))
    said = line["fields"][path]
    change = data.draw(st.sampled_from(["value", "salt", "drop", "rename"]))
    if change == "value":
        new = data.draw(LEAF)
        assume(canonical.value_text(new) != canonical.value_text(said["value"]))
        said["value"] = new
    elif change == "salt":
        said["salt"] = "00" * 16
    elif change == "drop":
        del line["fields"][path]
    else:
        line["fields"][path + "x"] = line["fields"].pop(path)
    assert disclosure.check(line).hash != row.hash


def test_equal_values_have_different_commitments():
    line = disclosure.disclose(row_of({"a": 1, "b": 1}), lambda path: False)
    again = disclosure.disclose(row_of({"a": 1, "b": 1}, b"\x06" * 32), lambda path: False)
    every = [f["commitment"] for one in (line, again) for f in one["fields"].values()]
    assert len(set(every)) == 4


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["seq", "prev", "time", "kind", "fields", "salt", "value", "/a"]),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_no_other_json_passes_as_a_record_or_a_checkpoint(said):
    for read in (disclosure.check, Checkpoint.from_dict):
        with pytest.raises(InputError):
            read(said)


def naive_root(leaves):
    """RFC 6962 section 2.1, as written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def leaves_of(n):
    return [hashlib.sha256(bytes([i])).digest() for i in range(n)]


@pytest.mark.parametrize("n", range(34))
def test_the_tree_is_that_of_rfc_6962(n):
    leaves = leaves_of(n)
    peaks = merkle.Peaks()
    for leaf in leaves:
        peaks.append(leaf)
    assert peaks.root() == naive_root(leaves).hex()
    assert merkle.Peaks.from_text(n, peaks.to_text()).peaks == peaks.peaks
    for i in range(n):
        path = merkle.path_to(i, n, lambda a, b: naive_root(leaves[a:b]))
        assert merkle.root_from_path(leaves[i].hex(), i, n, path) == peaks.root()
        assert merkle.root_from_path("00" * 32, i, n, path) != peaks.root()


@pytest.mark.parametrize("base", range(20))
def test_pruned_leaves_are_stood_in_for_by_their_peaks(base):
    leaves = leaves_of(20)
    peaks = merkle.Peaks()
    for leaf in leaves[:base]:
        peaks.append(leaf)
    for n in range(max(base, 1), 21):
        got = merkle.subtree(0, n, leaves[base:], base, peaks.peaks)
        assert got == naive_root(leaves[:n])
        for i in range(base, n):
            path = merkle.path_to(
                i, n, lambda a, b: merkle.subtree(a, b, leaves[base:], base, peaks.peaks)
            )
            assert merkle.root_from_path(leaves[i].hex(), i, n, path) == got.hex()


def test_paths_that_do_not_fit_are_refused():
    leaf = "00" * 32
    for index, size, path in ((3, 3, []), (-1, 3, []), (0, 3, [leaf]), (0, 1, [leaf])):
        with pytest.raises(InputError):
            merkle.root_from_path(leaf, index, size, path)
    with pytest.raises(InputError):
        merkle.root_from_path(leaf, 0, 2, ["short"])
    with pytest.raises(InputError):
        merkle.Peaks.from_text(3, [leaf])


def test_a_checkpoint_survives_its_text():
    checkpoint = Checkpoint("ab", 7, "cd", "ef", "t")
    assert Checkpoint.from_json(checkpoint.to_json()) == checkpoint
    for text in ("", "{", "[]", '{"checkpoint":1}', '{"checkpoint":2}', b"\xff", "[" * 9999):
        with pytest.raises(InputError):
            Checkpoint.from_json(text)
