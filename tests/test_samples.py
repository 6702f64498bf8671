"""The samples that come with the library, and that the wheel brings them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import fpmatch as fp
from fpmatch import samples
from fpmatch.scenario.format import load_all
from fpmatch.scenario.pack import scenario_folder
from fpmatch.synthetic.bundled import bundled_prints

ROOT = Path(__file__).resolve().parent.parent


def test_prints_scenarios_and_policy_are_found():
    assert fp.sample("optical/1_1.png").is_file()
    assert fp.sample("capacitive/10_4.png").is_file()
    assert fp.Policy.load(fp.sample("demo_policy.toml")).registry.partitions
    assert len(load_all(fp.sample("scenarios"))) == 14
    assert scenario_folder() == fp.sample("scenarios")


@pytest.mark.parametrize("name", ["optical/99_1.png", "../../README.md", "/etc/hostname", "a\0b"])
def test_what_is_no_sample_is_refused(name):
    with pytest.raises(fp.InputError, match="no sample"):
        fp.sample(name)


def test_a_sample_has_a_name():
    with pytest.raises(fp.InputError):
        fp.sample(3)


def test_an_installation_without_them_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(samples, "_FOLDERS", (tmp_path,))
    with pytest.raises(fp.InputError, match="missing"):
        fp.sample("optical/1_1.png")
    assert bundled_prints() is None


def test_an_installed_copy_wins(monkeypatch, tmp_path):
    (tmp_path / "ppi.json").touch()
    monkeypatch.setattr(samples, "_FOLDERS", (tmp_path, *samples._FOLDERS))
    assert fp.sample() == tmp_path


def test_the_wheel_takes_them_from_the_one_copy_in_the_source():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    copied = build["targets"]["wheel"]["force-include"]
    (source, target), *others = copied.items()
    assert not others
    assert ROOT / source == fp.sample()
    assert ROOT / target == samples._FOLDERS[0]
