"""What this machine is: cores, memory, disk, and how fast it multiplies matrices."""

import os
import platform
import shutil
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "bf16")
"""The instructions that decide how fast a bf16 product is (the last one is Arm's)."""

GEMM_SIZE = 1024
GEMM_SECONDS = 0.4


def describe_machine() -> dict[str, Any]:
    """Everything that is known without importing torch; sizes in bytes."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": num_cores(),
        "cpu_flags": cpu_flags(),
        "memory_size_bytes": memory_size_bytes(),
        "memory_free_bytes": memory_free_bytes(),
        "disk_free_bytes": shutil.disk_usage(Path.cwd()).free,
        "torch": version_of("torch"),
        "compiler": shutil.which(os.environ.get("CXX", "g++")),
    }


def version_of(distribution: str) -> str | None:
    """The installed version, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def num_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's name as its maker writes it, or the architecture."""
    return _cpuinfo().get("model name", platform.processor() or platform.machine())


def cpu_flags() -> list[str]:
    """Those of ``CPU_FLAGS`` that this processor has; empty where the system does not say."""
    cpuinfo = _cpuinfo()
    flags = set((cpuinfo.get("flags") or cpuinfo.get("Features") or "").split())
    return [flag for flag in CPU_FLAGS if flag in flags]


def memory_size_bytes() -> int:
    """The memory of the machine, or of the container where that is less."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _container_limit_bytes()
    return size if limit is None else min(size, limit)


def memory_free_bytes() -> int:
    """The memory that a new process can get without swapping."""
    free = memory_size_bytes()
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    limit = _container_limit_bytes()
    if limit is not None:
        used = int(next(iter(_lines("/sys/fs/cgroup/memory.current")), "0"))
        free = min(free, max(limit - used, 0))
    return free


def measure_bf16_gflops() -> float:
    """GFLOP/s of a bf16 matrix product on all cores, the best of about half a second."""
    import torch

    generator = torch.Generator().manual_seed(0)
    shape = (GEMM_SIZE, GEMM_SIZE)
    a, b = (torch.randn(shape, generator=generator).to(torch.bfloat16) for _ in range(2))
    best = float("inf")
    end = time.perf_counter() + GEMM_SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        torch.matmul(a, b)
        best = min(best, time.perf_counter() - start)
    return 2 * GEMM_SIZE**3 / best / 1e9


def accelerators() -> list[dict[str, Any]]:
    """Name and memory of every GPU that torch sees."""
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append({"name": properties.name, "memory_size_bytes": properties.total_memory})
    return found


def _container_limit_bytes() -> int | None:
    limit = next(iter(_lines("/sys/fs/cgroup/memory.max")), "max")
    return int(limit) if limit.isdigit() else None


def _cpuinfo() -> dict[str, str]:
    """The first processor's entries of /proc/cpuinfo."""
    entries: dict[str, str] = {}
    for line in _lines("/proc/cpuinfo"):
        if not line.strip():
            break
        key, _, value = line.partition(":")
        entries[key.strip()] = value.strip()
    return entries


def _lines(path: str) -> list[str]:
    if not sys.platform.startswith("linux"):
        return []
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
