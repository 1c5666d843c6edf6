"""Checkpoints: everything that a run needs to go on with the same numbers.

A checkpoint is a folder ``step-00001000`` with ``tensors.safetensors`` (weights, averages,
optimizer, generator) and ``state.json`` (step, counters, resolved recipe). It is written
under another name, synced and renamed, so a folder of that name is always whole.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worldreel.core.errors import WorldreelError
from worldreel.data.files import write_json


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a checkpoint holds; ``step`` steps are done.

    ``tensors`` are named ``model.*`` (fp32 masters and buffers), ``ema.*``, ``optim.*`` and
    ``rng``. ``counters`` are JSON scalars. ``recipe`` is the resolved recipe's values.
    """

    step: int
    tensors: dict[str, Tensor]
    counters: dict[str, Any]
    recipe: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with ``prefix.``, without it."""
        at = len(prefix) + 1
        return {n[at:]: t for n, t in self.tensors.items() if n.startswith(f"{prefix}.")}


def save_checkpoint(checkpoint: Checkpoint, folder: Path, *, keep: int = 2) -> Path:
    """Writes ``folder/step-NNNNNNNN`` atomically and keeps the last ``keep`` of them.

    Raises:
        WorldreelError: the disk is full or not writable; older checkpoints stay.
    """
    from safetensors.torch import save_file

    path = Path(folder) / f"step-{checkpoint.step:08d}"
    temporary = path.with_name(f".{path.name}.partial")
    try:
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir(parents=True)
        tensors = {n: t.detach().cpu().contiguous() for n, t in checkpoint.tensors.items()}
        save_file(tensors, temporary / "tensors.safetensors")
        state = {
            "step": checkpoint.step,
            "counters": checkpoint.counters,
            "recipe": checkpoint.recipe,
        }
        write_json(temporary / "state.json", state)
        for name in ("tensors.safetensors", "."):
            _sync(temporary / name)
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise WorldreelError(
            f"cannot write the checkpoint {path}: {error}",
            remedy="Free some space and run the same command: it goes on from the last one.",
        ) from error
    for old in list_checkpoints(folder)[:-keep]:
        doomed = old.with_name(f".{old.name}.partial")
        os.replace(old, doomed)
        shutil.rmtree(doomed)
    return path


def list_checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a run, the oldest first; half-written ones are not among them."""
    return sorted(p for p in Path(folder).glob("step-*") if (p / "state.json").exists())


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads one checkpoint.

    Raises:
        WorldreelError: it is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = json.loads((Path(path) / "state.json").read_text(encoding="utf-8"))
        tensors = load_file(Path(path) / "tensors.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise WorldreelError(
            f"cannot read the checkpoint {path}: {error}",
            remedy="Delete this folder: the run goes on from the one before.",
        ) from error
    return Checkpoint(
        step=state["step"], tensors=tensors, counters=state["counters"], recipe=state["recipe"]
    )


def load_latest(folder: Path) -> Checkpoint | None:
    """The last whole checkpoint of a run, or None where there is none."""
    paths = list_checkpoints(folder)
    return load_checkpoint(paths[-1]) if paths else None


def generator_state() -> Tensor:
    """State of torch's own CPU generator, for modules that draw from it."""
    return torch.get_rng_state()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
