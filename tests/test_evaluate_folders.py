"""Folders, keys, ppi maps, identities, pair lists and resampling."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fpmatch.errors import InputError, ResolutionError
from fpmatch.evaluate.bootstrap import identity_weights, percentile_interval
from fpmatch.evaluate.extraction import Sample
from fpmatch.evaluate.folders import (
    Identities,
    find_databases,
    join_identities,
    match_key,
    read_identity_rows,
    read_ppi_map,
)
from fpmatch.evaluate.protocol import fill_failures, first_impressions, within_folders


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("y2000/DB1_B", "y2000/DB2_B", "y2002/DB1_B"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("101_1.tif", "101_2.tif", "102_1.png", "102_10.PNG", "notes.txt", "101.tif"):
            (tmp_path / folder / name).write_bytes(b"")
    return tmp_path


def samples(spec: list[tuple[int, str, int, int]]) -> list[Sample]:
    """(database, finger, impression, identity) -> samples without templates."""
    return [Sample(d, f, i, n, Path(), 500.0, None, "", 1.0) for d, f, i, n in spec]


def test_impressions_are_found_and_sorted(tree):
    (database,) = find_databases([tree / "y2000/DB1_B"], ppi=500)
    assert [(f.finger, f.impression) for f in database.impressions] == [
        ("101", 1), ("101", 2), ("102", 1), ("102", 10),
    ]  # fmt: skip
    assert database.ppi == 500


def test_keys_match_by_path_suffix_and_name_the_folder(tree):
    keys = {"y2000/DB1_B": 569.0, "DB1_B": 500.0, "B1_B": 1.0}
    a, b = find_databases([f"{tree}/y2000/DB1_B/", tree / "y2002/DB1_B"], ppi_map=keys)
    assert (a.name, a.ppi) == ("y2000/DB1_B", 569.0)
    assert (b.name, b.ppi) == ("DB1_B", 500.0)


def test_without_a_key_the_path_names_the_folder(tree):
    given = f"{tree}/y2000/DB2_B/"
    (database,) = find_databases([given], ppi=500, ppi_map={"DB1_B": 569.0})
    assert (database.name, database.ppi) == (given.rstrip("/"), 500)


def test_identity_keys_name_folders_too(tree):
    (database,) = find_databases([tree / "y2000/DB2_B"], identity_keys=["y2000/DB2_B"])
    assert database.name == "y2000/DB2_B"


def test_relative_paths_match(tree, monkeypatch):
    monkeypatch.chdir(tree / "y2000" / "DB1_B")
    assert match_key(Path("."), ["y2000/DB1_B"]) == "y2000/DB1_B"
    assert match_key(Path("../DB1_B"), ["x/DB1_B"]) is None


def test_name_clash_absent_folder_and_empty_folder_are_errors(tree):
    with pytest.raises(InputError, match="share the name"):
        find_databases([tree / "y2000/DB1_B", tree / "y2002/DB1_B"], ppi_map={"DB1_B": 500})
    with pytest.raises(InputError, match="no folder"):
        find_databases([tree / "nothing"])
    with pytest.raises(InputError, match="no image named"):
        find_databases([tree])
    with pytest.raises(InputError, match="no folder given"):
        find_databases([])


def test_two_images_of_one_impression_are_an_error(tree):
    (tree / "y2000/DB1_B/101_01.tif").write_bytes(b"")
    with pytest.raises(InputError, match="two images"):
        find_databases([tree / "y2000/DB1_B"])


def test_maps_are_checked(tmp_path):
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"a": 500}))
    assert read_ppi_map(path) == {"a": 500.0}
    for text, error in (("[1]", InputError), ("{", InputError), ('{"a": true}', ResolutionError)):
        path.write_text(text)
        with pytest.raises(error):
            read_ppi_map(path)
    with pytest.raises(InputError):
        read_ppi_map(tmp_path / "absent.json")
    table = tmp_path / "i.csv"
    table.write_text("folder,finger\na,1\n")
    with pytest.raises(InputError, match="columns"):
        read_identity_rows(table)
    table.write_text("folder,finger,same_as_folder,same_as_finger\na,1,,\n")
    with pytest.raises(InputError, match="line 2"):
        read_identity_rows(table)


def test_identities_join_transitively_and_leave_the_rest(tree):
    databases = find_databases(
        [tree / "y2000/DB1_B", tree / "y2000/DB2_B"], ppi_map={"y2000/DB1_B": 1, "y2000/DB2_B": 1}
    )
    rows = [
        ("DB2_B", "101", "y2000/DB1_B", "101"),
        ("y2000/DB2_B", "102", "DB2_B", "101"),
        ("elsewhere", "1", "y2000/DB1_B", "102"),
    ]
    joined = join_identities(databases, rows)
    same = {joined.of("y2000/DB1_B", "101"), joined.of("y2000/DB2_B", "101"),
            joined.of("y2000/DB2_B", "102")}  # fmt: skip
    assert len(same) == 1
    assert joined.of("y2000/DB1_B", "102") not in same
    assert joined.of("y2000/DB1_B", "999") == "y2000/DB1_B:999"


def test_an_ambiguous_identity_key_is_an_error(tree):
    databases = find_databases([tree / "y2000/DB1_B", tree / "y2002/DB1_B"])
    with pytest.raises(InputError, match="fits"):
        join_identities(databases, [("DB1_B", "101", "DB1_B", "102")])


def test_the_real_identities_file(data):
    rows = read_identity_rows(data / "identities.csv")
    ppi = read_ppi_map(data / "fvc.json")
    databases = find_databases(
        [data / "fvc2000/DB1_B", data / "fvc2000/DB2_B", data / "fvc2002/DB2_B"], ppi_map=ppi
    )
    assert [d.ppi for d in databases] == [500, 500, 569]
    joined = join_identities(databases, rows)
    assert joined.of("fvc2000/DB1_B", "103") == joined.of("fvc2000/DB2_B", "103")
    assert joined.of("fvc2000/DB1_B", "103") != joined.of("fvc2002/DB2_B", "103")


def test_protocols_have_the_published_counts():
    spec = [(d, str(f), i, 10 * d + f) for d in range(2) for f in range(10) for i in range(1, 9)]
    for protocol, nonmated in (("all", 2880), ("fvc", 45)):
        pairs = within_folders(samples(spec), protocol)
        for d in range(2):
            here = pairs.database == d
            assert (pairs.mated & here).sum() == 280
            assert (~pairs.mated & here).sum() == nonmated
    with pytest.raises(InputError, match="none of all, fvc"):
        within_folders(samples(spec), "both")


def test_no_pair_is_compared_twice_or_across_folders():
    spec = [(d, str(f), i, 3 * d + f) for d in range(2) for f in range(3) for i in range(1, 4)]
    pairs = within_folders(samples(spec))
    seen = {frozenset(p) for p in zip(pairs.probe.tolist(), pairs.candidate.tolist(), strict=True)}
    assert len(seen) == len(pairs) == 2 * 36
    folder = np.array([s[0] for s in spec])
    assert (folder[pairs.probe] == folder[pairs.candidate]).all()


def test_joined_fingers_of_one_folder_are_never_nonmated():
    spec = [(0, "a", 1, 0), (0, "b", 1, 0), (0, "c", 1, 1)]
    pairs = within_folders(samples(spec))
    assert list(pairs.mated) == [True, False, False]


def test_the_gallery_is_impression_one_or_the_lowest():
    spec = [(0, "a", 1, 0), (0, "a", 2, 0), (0, "b", 3, 1), (0, "b", 2, 1), (1, "a", 1, 0)]
    assert list(first_impressions(samples(spec))) == [0, 3, 4]


def test_failures_get_the_lowest_score_of_all():
    a, b = fill_failures(np.array([3.0, np.nan]), np.array([[np.nan, -2.0]]))
    assert list(a) == [3.0, -2.0]
    assert b.tolist() == [[-2.0, -2.0]]
    (c,) = fill_failures(np.array([np.nan]))
    assert list(c) == [0.0]


def test_resampling_keeps_the_fingers_a_folder_and_joined_identities_together():
    spec = [(0, "a", 1, 0), (1, "a", 1, 0), (0, "b", 1, 1), (1, "b", 1, 1), (2, "c", 1, 2),
            (2, "d", 1, 3), (2, "e", 1, 4)]  # fmt: skip
    weights = identity_weights(samples(spec), 50, seed=1)
    assert weights.shape == (50, 5)
    assert (weights[:, :2].sum(axis=1) == 2).all()
    assert (weights[:, 2:].sum(axis=1) == 3).all()
    assert len(np.unique(weights, axis=0)) > 5
    np.testing.assert_array_equal(weights, identity_weights(samples(spec), 50, seed=1))
    assert (weights != identity_weights(samples(spec), 50, seed=2)).any()


def test_percentile_interval_skips_the_undefined():
    low, high = percentile_interval([float("nan"), *map(float, range(101))], 90)
    assert (low, high) == (5.0, 95.0)
    assert np.isnan(percentile_interval([float("nan")], 95)).all()


def test_identities_default():
    assert Identities({}).of("f", "1") == "f:1"
