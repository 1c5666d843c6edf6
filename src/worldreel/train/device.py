"""Where a run computes. What is random is drawn on the CPU, wherever the network stands."""

import torch
from torch import Tensor

from worldreel.core.errors import UsageError


def find_device(name: str) -> torch.device:
    """The device of a recipe's ``run.device``.

    Raises:
        UsageError: it is cuda, and this machine or this torch has none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"run.device is 'cuda', but torch {torch.__version__} finds no such device here.",
            remedy="Install torch for CUDA and its driver, or train with --set run.device=cpu.",
        )
    return torch.device(name)


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor from the CPU on the device, without waiting for the copy; itself on the CPU."""
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
