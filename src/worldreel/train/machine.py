"""What a run computes on, as its log says it."""

import os
from pathlib import Path
from typing import Any

import torch

CPU_INFO = Path("/proc/cpuinfo")


def describe_machine(device: str) -> dict[str, Any]:
    """Processor, cores, threads of torch, torch itself, and the accelerator where one is used."""
    about: dict[str, Any] = {
        "cpu": cpu_model(),
        "num_cores": os.cpu_count(),
        "num_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": device,
    }
    if device == "cuda":
        about["accelerator"] = torch.cuda.get_device_name()
    return about


def cpu_model() -> str | None:
    """The processor's name as Linux gives it; None where it gives none."""
    if not CPU_INFO.exists():
        return None
    for line in CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return value.strip()
    return None
