"""The walls around a child that opens somebody's media, raised by itself before it opens anything.

Everything here is a raw system call through ctypes: no compiler, no setuid helper, no root needed.
Numbers and layouts are those of Linux's UAPI headers (landlock.h, seccomp.h, prctl.h).
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from tasks.media.limits import Limits

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_THREAD = 0x10000000, 0x40000000, 0x00010000

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _TRUNCATE = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 14
_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE
_ON_FILES = _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE
#: How many file-system rights each ABI version knows (bits from 0 up).
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}

_CHECKOUT = Path(__file__).parents[2]
_SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def _check(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def _prctl(option: int, *arguments: int) -> None:
    words = [ctypes.c_ulong(word) for word in (*arguments, 0, 0, 0, 0)[:4]]
    _check(_libc.prctl(option, *words), "prctl")


def die_with(parent: int) -> None:
    """Has the kernel kill this process when the thread that started it ends; ends now if it has."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:
        os._exit(1)


def confine(limits: Limits, code: Iterable[Path], read: Sequence[Path], write: Path | None) -> list[str]:
    """Raises every wall this kernel has and names them; must run while the process has one thread only.

    `code` may be read and executed, `read` read, and all below `write` changed; nothing else is opened.
    """
    layers = [_resources(limits)]
    layers += _empty_network()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    layers += ["no-new-privileges", _drop_capabilities()]
    layers += _landlock(code, read, write)
    layers += _seccomp()
    return layers


def _resources(limits: Limits) -> str:
    # No RLIMIT_NPROC: it counts every thread of the same user, this system's other processes too.
    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in bounds.items():
        hard = resource.getrlimit(kind)[1]
        ceiling = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (ceiling, ceiling))
    # The kernel says why it kills (SIGXCPU) at the soft limit only.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    return "resource-limits"


def _empty_network() -> list[str]:
    for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET):
        if _libc.unshare(flags) == 0:
            return ["network-namespace"]
    return []


def _drop_capabilities() -> str:
    header = struct.pack("Ii", 0x20080522, 0)
    _check(_libc.capset(header, bytes(24)), "capset")
    return "no-capabilities"


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 where there is none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


def code_paths() -> list[Path]:
    """Where Python, its packages and the system's libraries lie; the checkout itself is not among them."""
    packages = [entry for entry in sys.path if entry and Path(entry) != _CHECKOUT]
    return [Path(p) for p in (*packages, f"{sys.base_prefix}/lib", *_SYSTEM)]


def _landlock(code: Iterable[Path], read: Sequence[Path], write: Path | None) -> list[str]:
    abi = landlock_abi()
    if not abi:
        return []
    handled = (1 << _RIGHTS_BY_ABI.get(abi, 16)) - 1
    attributes = struct.pack("QQQ", handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _check(_libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0), "landlock")
    for path in code:
        _allow(ruleset, path, (_READ | _EXECUTE) & handled)
    for path in (*read, *map(Path, _DEVICES)):
        _allow(ruleset, path, _READ & handled)
    if write is not None:
        _allow(ruleset, write, _WRITE & handled)
    _check(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock")
    os.close(ruleset)
    return ["landlock", *(["landlock-tcp"] if abi >= 4 else []), *(["landlock-scope"] if abi >= 6 else [])]


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with suppress(FileNotFoundError):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            mask = rights if path.is_dir() else rights & _ON_FILES
            rule = struct.pack("=Qi", mask, fd)
            _check(_libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock {path}")
        finally:
            os.close(fd)


# Refused with EPERM: leaving the process group, new programs, sockets, other processes' memory, new
# namespaces, and the kernel's largest attack surfaces. Decoders need none of them.
_REFUSED = {
    "x86_64": {
        "socket": 41, "socketpair": 53, "fork": 57, "vfork": 58, "execve": 59, "ptrace": 101, "setpgid": 109,
        "setsid": 112, "mount": 165, "keyctl": 250, "unshare": 272, "perf_event_open": 298, "setns": 308,
        "process_vm_readv": 310, "process_vm_writev": 311, "bpf": 321, "execveat": 322, "userfaultfd": 323,
        "io_uring_setup": 425,
    },
    "aarch64": {
        "mount": 40, "unshare": 97, "ptrace": 117, "setpgid": 154, "setsid": 157, "socket": 198,
        "socketpair": 199, "keyctl": 219, "execve": 221, "perf_event_open": 241, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "bpf": 280, "execveat": 281, "userfaultfd": 282,
        "io_uring_setup": 425,
    },
}  # fmt: skip
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3, _ENOSYS, _EPERM = 435, 38, 1
_LOAD, _JUMP_EQUAL, _JUMP_FROM, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def _seccomp() -> list[str]:
    machine = platform.machine()
    if machine not in _REFUSED:
        return []
    steps = b"".join(struct.pack("HBBI", *step) for step in _filter(machine))
    program = ctypes.create_string_buffer(steps)
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps) // 8, ctypes.addressof(program)))
    try:
        _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header))
    except OSError:
        return []
    return ["seccomp"]


def _filter(machine: str) -> list[tuple[int, int, int, int]]:
    """The BPF program as (code, jump if true, jump if false, value); jumps count the steps skipped."""
    error = _ERROR | _EPERM
    refused = sorted(_REFUSED[machine].values())
    steps = [
        (_LOAD, 0, 0, 4),
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        # The x32 numbers would be a second name for every call below.
        (_JUMP_FROM, 0, 1, 0x40000000),
        (_RETURN, 0, 0, error),
        # clone3 hides its flags from a filter; libc then falls back to clone.
        (_JUMP_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERROR | _ENOSYS),
        (_JUMP_EQUAL, 0, 4, _CLONE[machine]),
        (_LOAD, 0, 0, 16),
        (_JUMP_SET, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, error),
        (_RETURN, 0, 0, _ALLOW),
    ]
    for number in refused:
        steps += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, error)]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]
