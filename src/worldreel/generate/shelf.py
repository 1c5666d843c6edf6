"""Finished stretches in a folder, so that a long video that was stopped goes on."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from worldreel.core.errors import UsageError
from worldreel.generate.plan import Plan

CANVAS_FILE = "canvas.json"


class FolderShelf:
    """Keeps the latents of each finished stretch of one plan in a folder, a file for each.

    Args:
        folder: made if it is missing.
        plan: what is made there; another one is refused.
        model_version: of the model that makes it.

    Raises:
        UsageError: the folder holds the stretches of another canvas, seed or model.
    """

    def __init__(self, folder: str | Path, plan: Plan, model_version: str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        told = {"canvas": fingerprint(plan, model_version), "num_stretches": len(plan.stretches)}
        path = self.folder / CANVAS_FILE
        if path.exists():
            if json.loads(path.read_text(encoding="utf-8")) != told:
                raise UsageError(
                    f"{self.folder} holds the stretches of another canvas, seed or model.",
                    remedy="Ask for the same as before, or name another folder.",
                )
        else:
            _write(path, json.dumps(told).encode())

    def load(self, number: int) -> Tensor | None:
        """The latents of a stretch that was finished, exactly as they were."""
        path = self._path(number)
        return torch.from_numpy(np.load(path, allow_pickle=False)) if path.exists() else None

    def save(self, number: int, latents: Tensor) -> None:
        """Keeps the latents of a stretch: all of them on the disk, or none."""
        path = self._path(number)
        part = path.with_suffix(".part")
        with open(part, "wb") as file:
            np.save(file, latents.numpy(), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    @property
    def num_finished(self) -> int:
        """Stretches that need not be made again."""
        return len(list(self.folder.glob("stretch-*.npy")))

    def _path(self, number: int) -> Path:
        return self.folder / f"stretch-{number:06}.npy"


def fingerprint(plan: Plan, model_version: str) -> str:
    """A hash of everything that the latents of a plan depend on."""
    canvas = plan.canvas
    digest = hashlib.sha256(model_version.encode())
    options = dataclasses.asdict(plan.options)
    if options["step_cache"] is None:
        del options["step_cache"]  # folders that are older than the option go on
    facts = {
        "options": options,
        "canvas": [canvas.width, canvas.height, canvas.num_frames, canvas.fps, canvas.is_loop],
        "spans": [dataclasses.asdict(span) for span in canvas.spans],
        "stretches": [dataclasses.asdict(stretch) for stretch in plan.stretches],
    }
    digest.update(json.dumps(facts, sort_keys=True).encode())
    for placement in canvas.placements:
        place = (placement.first, placement.every, placement.left, placement.top, placement.noise)
        digest.update(json.dumps([*place, placement.frames.shape]).encode())
        digest.update(np.ascontiguousarray(placement.frames).data)
        if placement.free is not None:
            digest.update(np.packbits(placement.free).data)
    for reference in canvas.references:
        digest.update(json.dumps([reference.first, reference.stop]).encode())
        digest.update(np.ascontiguousarray(reference.frames).data)
    return digest.hexdigest()


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
