"""Muon for hidden matrices, AdamW for the rest, and the schedule of their learning rates.

Muon (Keller Jordan, https://kellerjordan.github.io/posts/muon) makes the momentum of a
matrix nearly orthogonal before it is applied.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

from worldreel.core.errors import WorldreelError
from worldreel.train.recipe import OptimConfig, ScheduleConfig

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def schedule_factor(step: int, config: ScheduleConfig) -> float:
    """Factor on the learning rates at ``step``, 0 <= step < total_steps.

    Up linearly over the warm-up, 1, then down linearly to ``final_factor`` at the end (WSD,
    Hu et al. 2404.06395).
    """
    warm = min(1.0, (step + 1) / (config.warmup_steps + 1))
    left = config.total_steps - step
    if config.cooldown_steps == 0 or left > config.cooldown_steps:
        return warm
    share = max(left, 0) / config.cooldown_steps
    return min(warm, config.final_factor + (1 - config.final_factor) * share)


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    """Nearly the closest (semi-)orthogonal matrices: singular values end in about [0.7, 1.2].

    Args:
        matrices: ``n rows cols``; worked on in bf16, all of them at once.
        steps: Newton-Schulz iterations of the quintic in ``NEWTON_SCHULZ``.

    Returns:
        bf16 of the same shape.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def hidden_matrices(module: nn.Module, within: str) -> set[str]:
    """Names of the weights of linear layers whose name holds ``within``: Muon's share."""
    return {
        f"{name}.weight"
        for name, child in module.named_modules()
        if isinstance(child, nn.Linear) and within in f"{name}."
    }


def _layer_weights(module: nn.Module) -> set[str]:
    """Names of the weights of linear and convolutional layers: what weight decay is for."""
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return {f"{name}.weight" for name, child in module.named_modules() if isinstance(child, kinds)}


class Optimizer:
    """Both optimizers over a module's parameters as one thing with one state."""

    def __init__(self, module: nn.Module, config: OptimConfig) -> None:
        self.config = config
        self.params = {n: p for n, p in module.named_parameters() if p.requires_grad}
        hidden = hidden_matrices(module, config.muon_modules)
        if not config.muon_learning_rate:
            hidden = set()
        shapes: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for name, param in self.params.items():
            if name in hidden:
                shapes[tuple(param.shape)].append(name)
        self.muon_groups = list(shapes.values())
        self.momentum = {n: torch.zeros_like(self.params[n]) for g in self.muon_groups for n in g}
        rest = {n: p for n, p in self.params.items() if n not in self.momentum}
        layers = _layer_weights(module)
        decayed = [name for name in rest if name in layers]
        others = [name for name in rest if name not in layers]
        self.adamw_names = decayed + others
        groups = [
            {"params": [rest[n] for n in decayed], "weight_decay": config.weight_decay},
            {"params": [rest[n] for n in others], "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=config.learning_rate,
            betas=config.betas,
            fused=True,
        )

    def zero_grad(self) -> None:
        """Forgets the gradients."""
        for param in self.params.values():
            param.grad = None

    def grad_norm(self) -> Tensor:
        """L2 norm of the whole gradient, a scalar; not finite where any part is not."""
        grads = [p.grad for p in self.params.values() if p.grad is not None]
        return torch.nn.utils.get_total_norm(grads)

    def clip(self, norm: Tensor) -> None:
        """Scales the gradients down to a norm of ``grad_clip`` where ``norm`` is above."""
        factor = self.config.grad_clip / (float(norm) + 1e-6)
        if factor < 1:
            for param in self.params.values():
                if param.grad is not None:
                    param.grad.mul_(factor)

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One update with all learning rates multiplied by ``factor``."""
        for group in self.adamw.param_groups:
            group["lr"] = self.config.learning_rate * factor
        self.adamw.step()
        rate = self.config.muon_learning_rate * factor
        mu = self.config.muon_momentum
        for names in self.muon_groups:
            nesterov: list[Tensor] = []
            for name in names:
                grad, momentum = self.params[name].grad, self.momentum[name]
                grad = torch.zeros_like(momentum) if grad is None else grad
                momentum.lerp_(grad, 1 - mu)
                nesterov.append(grad.lerp(momentum, mu))
            updates = orthogonalize(torch.stack(nesterov)).float()
            rows, cols = updates.shape[-2:]
            scale = max(1.0, rows / cols) ** 0.5
            for name, update in zip(names, updates, strict=True):
                param = self.params[name]
                param.mul_(1 - rate * self.config.weight_decay).sub_(update, alpha=rate * scale)

    def state(self) -> dict[str, Tensor]:
        """All of the state as named tensors."""
        out = {f"muon.momentum.{name}": tensor for name, tensor in self.momentum.items()}
        for name in self.adamw_names:
            for key, tensor in self.adamw.state.get(self.params[name], {}).items():
                out[f"adamw.{key}.{name}"] = tensor
        return out

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes over what ``state`` gave; the same parameters must be optimized.

        Raises:
            WorldreelError: the state is of another set of parameters.
        """
        momentum = {f"muon.momentum.{name}" for name in self.momentum}
        known = {n.split(".", 2)[2] for n in state if n.startswith("adamw.")}
        stored = {n for n in state if n.startswith("muon.")}
        if momentum != stored or not known <= set(self.adamw_names):
            raise WorldreelError(
                "the optimizer's state in the checkpoint belongs to other parameters.",
                remedy="Start a run of another name, or undo the change to [model] and [optim].",
            )
        for name, tensor in self.momentum.items():
            tensor.copy_(state[f"muon.momentum.{name}"])
        for name in known:
            param = self.params[name]
            averages = {  # laid out in memory like the parameter: the fused kernel counts on it
                key: torch.zeros_like(param).copy_(state[f"adamw.{key}.{name}"])
                for key in ("exp_avg", "exp_avg_sq")
            }
            step = state[f"adamw.step.{name}"].to(param.device, copy=True)
            self.adamw.state[param] = {"step": step, **averages}
