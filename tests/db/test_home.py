"""The home folder: one system at a time, and ports that stay."""

import os
import socket
from pathlib import Path

import pytest

from db.errors import Conflict
from db.home import PORTS, locked, settled_port


def test_a_home_is_held_by_one_process_at_a_time_and_the_refusal_names_it(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(Conflict, match=f"in use by process {os.getpid()}"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass


def test_a_new_home_is_closed_to_other_users(tmp_path: Path) -> None:
    with locked(tmp_path / "home"):
        assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def test_a_port_stays_until_something_else_takes_it(tmp_path: Path) -> None:
    first = settled_port(tmp_path / "port")
    assert first in PORTS
    assert settled_port(tmp_path / "port") == first
    with socket.create_server(("127.0.0.1", first)):
        second = settled_port(tmp_path / "port")
    assert second != first
    assert settled_port(tmp_path / "port") == second
