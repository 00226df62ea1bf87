"""Which devices models run on, found out without loading torch; and how much memory this process holds."""

import ctypes
import os
import re
import sys
from importlib import metadata

DEVICE = re.compile(r"cpu|mps|cuda:\d+")


def devices(wanted: str) -> list[str]:
    """The devices of `wanted` ("cuda:0,cuda:1"); if empty every CUDA device, else the CPU."""
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    names = ["cuda:0" if name == "cuda" else name for name in names]
    wrong = [name for name in names if not DEVICE.fullmatch(name)]
    if wrong:
        raise ValueError(f"INFERENCE_DEVICES: '{wrong[0]}' is not a device; use cpu, mps or cuda:<number>")
    return names or [f"cuda:{n}" for n in range(_cuda_count())] or ["cpu"]


def missing_packages(*names: str) -> str | None:
    """Why models that need these packages cannot run; None if all are installed."""
    missing = [name for name in names if not _installed(name)]
    return f"{' and '.join(missing)} not installed (the ml extra is left out)" if missing else None


def memory_bytes(device: str) -> int:
    """The memory this process holds on `device`: on CUDA what torch allocated, else resident memory."""
    # torch is asked only where a model has loaded it already: nothing is on the device before.
    torch = sys.modules.get("torch")
    if device.startswith("cuda"):
        return int(torch.cuda.memory_allocated(device)) if torch else 0
    return resident_bytes(os.getpid())


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def _cuda_count() -> int:
    if not _installed("torch") or metadata.version("torch").endswith("+cpu"):
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value
