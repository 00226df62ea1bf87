"""Which devices models run on."""

import os
import subprocess
import sys

import pytest

from inference.devices import devices, memory_bytes, missing_packages, resident_bytes


def test_the_setting_decides() -> None:
    assert devices("cuda:0, cuda:1") == ["cuda:0", "cuda:1"]
    assert devices("cuda") == ["cuda:0"]
    assert devices("cpu") == ["cpu"]


def test_a_device_that_cannot_be_stops_the_start_and_says_what_can() -> None:
    with pytest.raises(ValueError, match="'gpu7' is not a device; use cpu, mps or cuda:<number>"):
        devices("gpu7")


def test_without_a_setting_there_is_at_least_the_cpu_and_torch_is_not_loaded_to_find_out() -> None:
    code = "import sys; from inference.devices import devices; print(devices(''), 'torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout

    assert found.startswith(("['cpu']", "['cuda:0'"))
    assert found.strip().endswith("False")


def test_packages_that_are_not_installed_are_named() -> None:
    assert missing_packages("numpy") is None
    told = missing_packages("numpy", "no-such-package", "nor-this")
    assert told == "no-such-package and nor-this not installed (the ml extra is left out)"


def test_memory_is_that_of_this_process() -> None:
    assert memory_bytes("cpu") > 1_000_000
    assert memory_bytes("cuda:0") == 0
    assert resident_bytes(os.getpid()) > 1_000_000
    assert resident_bytes(2**22 + 1) == 0
