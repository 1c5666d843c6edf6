"""A process that gives up for good what decoding does not need."""

import ctypes
import platform
import resource
import struct
import sys

from worldreel.media.limits import Limits

ALLOWED = {
    "read": 0,
    "write": 1,
    "close": 3,
    "fstat": 5,
    "poll": 7,
    "lseek": 8,
    "mmap": 9,
    "mprotect": 10,
    "munmap": 11,
    "brk": 12,
    "rt_sigaction": 13,
    "rt_sigprocmask": 14,
    "rt_sigreturn": 15,
    "pread64": 17,
    "readv": 19,
    "writev": 20,
    "sched_yield": 24,
    "mremap": 25,
    "madvise": 28,
    "nanosleep": 35,
    "getpid": 39,
    "exit": 60,
    "gettimeofday": 96,
    "getrusage": 98,
    "sysinfo": 99,
    "sigaltstack": 131,
    "gettid": 186,
    "futex": 202,
    "sched_getaffinity": 204,
    "clock_gettime": 228,
    "clock_nanosleep": 230,
    "exit_group": 231,
    "newfstatat": 262,
    "getrandom": 318,
}
"""All that a decoder asks of Linux on x86-64, by number; every other call is answered with
"there is no such call": no file, socket or process, no signal to others, no renaming."""

X86_64 = 0xC000003E
"""Linux's AUDIT_ARCH_X86_64: the numbers above mean something else in 32-bit calls."""
X32_BIT = 0x40000000
LOAD, EQUALS, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, KILL, NO_SUCH_CALL = 0x7FFF0000, 0x80000000, 0x00050000 | 38
NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER_MODE = 38, 22, 2


def lock(limits: Limits) -> None:
    """Limits this process: memory, processor time, and no file, socket or process ever again.

    What is open stays open. Memory and time are the kernel's to enforce, and so is that nothing
    is opened or written to disk; on Linux on x86-64 it refuses everything else too, which holds
    even for a decoder that a file has taken over.
    """
    most = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_AS: limits.memory_bytes,
    }
    for kind, value in most.items():
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard - (kind == resource.RLIMIT_CPU))
        # a second later, so that the signal tells time that is up from memory that ran out
        most_ever = value + 1 if kind == resource.RLIMIT_CPU else value
        resource.setrlimit(kind, (value, most_ever))
    if sys.platform == "linux" and platform.machine() == "x86_64":
        _allow_only(list(ALLOWED.values()))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _allow_only(numbers: list[int]) -> bool:
    """Whether the kernel has taken a filter (seccomp) that allows these calls only."""
    steps = [
        (LOAD, 0, 0, 4),  # the architecture
        (EQUALS, 1, 0, X86_64),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0),  # the call's number
        (AT_LEAST, len(numbers), 0, X32_BIT),
        # each jumps over the rest and over the refusal
        *((EQUALS, len(numbers) - i, 0, number) for i, number in enumerate(numbers)),
        (RETURN, 0, 0, NO_SUCH_CALL),
        (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = _Program(len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return libc.prctl(SET_SECCOMP, FILTER_MODE, ctypes.byref(program), 0, 0) == 0
