"""The command line on encrypted galleries: one option, or the environment, for every command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from engine_helpers import ON, POLICY, print_of

from fpmatch.cli import app
from fpmatch.cli import keys as cli_keys

pytest.importorskip("cryptography")
FIRST, SECOND = "first " + "1a" * 32, "second " + "2b" * 32


@pytest.fixture
def ours(tmp_path, monkeypatch, capsys):
    """Runs a command line in this process: its status, what it printed, what it said of errors."""
    monkeypatch.chdir(tmp_path)
    for name in (cli_keys.KEY_FILE, cli_keys.KEYS):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "keys").write_text(FIRST + "\n")
    (tmp_path / "keys").chmod(0o600)
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "p1.fpt").write_bytes(print_of(1).to_bytes())

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fpmatch", *words])
        code = 0
        try:
            app.run()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            cli_keys.take(None)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_gallery_lives_under_keys_from_init_to_restore(ours, tmp_path, monkeypatch):
    key = ("--key-file", "keys")
    made = ours(*key, "init", "g.fpm", "--partition", "criminal:1:DOJ-FBI",
                "--partition", "immigration:9:DHS")  # fmt: skip
    assert made[0] == 0, made
    assert (tmp_path / "g.fpm/keys.json").exists()
    for words in (
        ("enrol", "g.fpm", "criminal", "p1.fpt"),
        ("policy", "publish", "g.fpm", "policy.toml"),
        ("search", "g.fpm", "p1.fpt", "--ori", ON),
        ("info", "g.fpm"),
        ("check", "g.fpm"),
        ("removals", "g.fpm", "--out", "gone"),
        ("backup", "g.fpm", "kept", "--item-keys", "items"),
        ("item-keys", "g.fpm", "--out", "items"),
        ("restore", "kept", "again.fpm", "--removals", "gone", "--item-keys", "items"),
        ("check", "again.fpm"),
    ):
        code, _, error = ours(*key, *words)
        assert code == 0, (words, error)
        if words[0] not in ("item-keys", "restore"):
            code, _, error = ours(*words)
            assert code == 2, words
            assert "encrypted" in error or "exists already" in error, error
    content = b"".join(p.read_bytes() for p in (tmp_path / "g.fpm").rglob("*") if p.is_file())
    assert print_of(1).to_bytes()[40:80] not in content
    # Another key: behind the first, then rekey, then the first is of no use.
    (tmp_path / "keys").write_text(f"{FIRST}\n{SECOND}\n")
    code, said, _ = ours(*key, "rekey", "g.fpm", "--renew", "--json", "-")
    assert code == 0
    assert json.loads(said) | {"files": 0} == {
        "under": "second", "generation": 2, "records": 1, "probes": 0, "files": 0
    }  # fmt: skip
    monkeypatch.setenv(cli_keys.KEYS, FIRST)
    assert "second" in ours("info", "g.fpm")[2]
    monkeypatch.setenv(cli_keys.KEYS, SECOND)
    assert ours("info", "g.fpm")[0] == 0
    monkeypatch.delenv(cli_keys.KEYS)
    monkeypatch.setenv(cli_keys.KEY_FILE, str(tmp_path / "keys"))
    assert ours("check", "g.fpm")[0] == 0


def test_the_environment_makes_encrypted_galleries_and_opens_plain_ones(ours, monkeypatch):
    assert ours("init", "plain.fpm", "--partition", "a:1:X")[0] == 0
    monkeypatch.setenv(cli_keys.KEYS, FIRST)
    assert ours("info", "plain.fpm")[0] == 0
    assert ours("init", "new.fpm", "--partition", "a:1:X")[0] == 0
    assert Path("new.fpm/keys.json").exists()
    code, _, error = ours("--key-file", "keys", "info", "plain.fpm")
    assert code == 2
    assert "not encrypted" in error


def test_a_key_file_that_others_may_read_is_one_line_of_error(ours, tmp_path):
    (tmp_path / "keys").chmod(0o644)
    code, _, error = ours("--key-file", "keys", "init", "g.fpm", "--partition", "a:1:X")
    assert code == 2
    assert "chmod 600" in error
    assert "Traceback" not in error
    assert "1a1a" not in error
    assert not (tmp_path / "g.fpm").exists()


def test_the_option_stands_before_the_command_in_a_process_of_its_own(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "fpmatch.cli", "--key-file=nowhere", "info", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "nowhere" in ran.stderr or "no gallery" in ran.stderr or "keys" in ran.stderr
    assert app.first_word(["--key-file", "f", "info"]) == "info"
    assert app.first_word(["--key-file=f", "info"]) == "info"
    assert app.first_word(["info", "--key-file"]) == "info"
    assert app.first_word([]) == ""
