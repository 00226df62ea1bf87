"""Secrets made once, also when several processes start together."""

import secrets
import stat
import subprocess
import sys
from pathlib import Path

from db.keyfile import master_key, secret_file

RACE = """
import secrets, sys
from pathlib import Path
from db.keyfile import secret_file
sys.stdin.readline()
print(secret_file(Path(sys.argv[1]) / "keys" / "k", lambda: secrets.token_hex(16).encode()).decode())
"""


def test_a_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "k"
    first = secret_file(path, lambda: secrets.token_bytes(32))
    assert secret_file(path, lambda: b"another") == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = {racer.communicate()[0].strip() for racer in racers}
    assert len(answers) == 1
    assert len(answers.pop()) == 32
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["k"]


def test_a_configured_master_key_is_taken_as_it_is_and_nothing_is_written(tmp_path: Path) -> None:
    assert master_key("configured", tmp_path) == b"configured"
    assert list(tmp_path.iterdir()) == []


def test_a_master_key_made_here_may_be_handed_on_as_text(tmp_path: Path) -> None:
    made = master_key("", tmp_path)
    assert len(bytes.fromhex(made.decode())) == 32
    assert master_key(made.decode(), tmp_path / "elsewhere") == made
