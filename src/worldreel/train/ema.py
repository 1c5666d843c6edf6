"""An exponential moving average of the weights."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Ema:
    """Keeps fp32 averages of a module's parameters, beside them.

    Update ``k`` (from 0) has the decay ``min(decay, (1 + k) / (10 + k))``, so that the
    random first weights are soon forgotten.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.num_updates = 0
        self.params = dict(module.named_parameters())
        self.averages = {n: p.detach().float().clone() for n, p in self.params.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Moves the averages towards the weights as they are now."""
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        for name, param in self.params.items():
            self.averages[name].lerp_(param.float(), 1 - decay)
        self.num_updates += 1

    @contextlib.contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Within the block the module has the averages as its weights."""
        kept = {n: p.detach().clone() for n, p in self.params.items()}
        try:
            self._write(self.averages)
            yield
        finally:
            self._write(kept)

    @torch.no_grad()
    def _write(self, values: dict[str, Tensor]) -> None:
        for name, param in self.params.items():
            param.copy_(values[name])
