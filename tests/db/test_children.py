"""Children end with their parent, run as the right user, and can reach their program."""

import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db import children
from db.children import end_all, ends_with_parent, owner_of, runnable
from db.errors import Unavailable
from tests.support.processes import Watch, family

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run a child as somebody else")

PARENT = """
import signal, subprocess, sys
from db.children import ends_with_parent
subprocess.Popen(["sleep", "600"], preexec_fn=ends_with_parent(signal.SIGKILL), **{options})
print("started", flush=True)
signal.pause()
"""


def nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def killed_parent_leaves(options: dict[str, int]) -> list[str]:
    script = PARENT.replace("{options}", repr(options))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        watch = Watch(family(parent.pid)[1:])
        parent.kill()
    return watch.left(5)


def test_a_child_ends_with_its_parent_even_on_kill_9() -> None:
    assert killed_parent_leaves({}) == []


@as_root
def test_a_child_that_runs_as_another_user_ends_with_its_parent_too() -> None:
    assert killed_parent_leaves({"user": nobody().pw_uid, "group": nobody().pw_gid}) == []


def test_a_child_whose_parent_has_already_gone_does_not_start(tmp_path: Path) -> None:
    arm = ends_with_parent(signal.SIGKILL)
    # Two forks on: by then the process that armed it is not the parent of the one that runs it.
    script = "import os; os.write(1, b'ran')"
    middle = os.fork()
    if middle == 0:
        try:
            code = subprocess.run([sys.executable, "-c", script], preexec_fn=arm, check=False).returncode
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(middle, 0)[1]) == 1


@as_root
def test_root_runs_a_service_as_the_owner_of_its_folder_and_a_new_one_as_an_unprivileged_user(
    tmp_path: Path,
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12346)
    assert owner_of(theirs) == {"user": 12345, "group": 12346, "extra_groups": []}
    assert owner_of(tmp_path / "new")["user"] != 0


@pytest.fixture
def closed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with a program, in a folder that only its owner may enter; yields the place for copies."""
    package = tmp_path / "closed"
    package.mkdir()
    (package / "__init__.py").touch()
    program = package / "hello"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o700)
    information = tmp_path / "closed-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: closed\nVersion: 1.0\n")
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(str(tmp_path))
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(children, "CACHE", Path(folder) / "vidura")
        yield Path(folder)


@as_root
def test_a_program_its_user_cannot_reach_is_copied_once_and_its_folder_stays_closed(
    closed_package: Path, tmp_path: Path
) -> None:
    owner: dict[str, Any] = {"user": nobody().pw_uid, "group": nobody().pw_gid, "extra_groups": []}
    program = runnable("closed", "hello", owner)
    assert program.is_relative_to(closed_package)
    assert subprocess.check_output([program], cwd="/", **owner) == b"hello\n"
    made = program.stat().st_mtime_ns
    assert runnable("closed", "hello", owner).stat().st_mtime_ns == made
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_program_that_can_be_reached_is_used_where_it_is(closed_package: Path, tmp_path: Path) -> None:
    assert runnable("closed", "hello", {}) == tmp_path / "closed" / "hello"


def test_a_missing_package_is_named() -> None:
    with pytest.raises(Unavailable, match="no_such_package is not installed"):
        runnable("no_such_package", "program", {})


def test_only_processes_of_the_program_that_carry_the_mark_are_ended() -> None:
    ours = subprocess.Popen(["sleep", "601.25"])
    other = subprocess.Popen(["sleep", "602.25"])
    try:
        assert end_all("sleep", "601.25") == []
        assert ours.wait() == -signal.SIGQUIT
        assert end_all("python", "602.25") == []
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
