"""A process on another device that shares the transformers of a model: it loads the same ones."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from worldreel.models.experts import networks_of
from worldreel.models.transformer import Transformer
from worldreel.parallel.follow import follow
from worldreel.weights.load import load_model
from worldreel.weights.lora import applied
from worldreel.weights.lora_use import LoraUse


def main() -> int:
    """Follows the process that started this one; returns the code to exit with."""
    loaded: list[Any] = []

    def load(hello: Mapping[str, Any]) -> Sequence[Transformer]:
        dtype = getattr(torch, hello["dtype"])
        model = load_model(hello["model"], dtype, hello["device"])
        loaded.append(model.transformer)  # what encodes and decodes is not needed here
        return networks_of(model.transformer)

    def loras(uses: list[str]) -> AbstractContextManager[None]:
        return applied(loaded[0], [LoraUse.parse(use) for use in uses])

    return follow(load, {"loras": loras})


if __name__ == "__main__":
    sys.exit(main())
