"""How far `worldreel estimate` is from the truth on this machine, for three shapes.

    python benchmarks/estimate.py

Both are taken in processor seconds of one thread, which a busy machine distorts little. The open
model has random weights, two of its thirty layers and its published autoencoder.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from worldreel.core.parse import parse
from worldreel.generate import estimate as estimating
from worldreel.generate.canvas import Canvas
from worldreel.generate.engine import generate
from worldreel.generate.options import Options
from worldreel.generate.plan import make_plan
from worldreel.models.causal_autoencoder import CausalAutoencoder, CausalAutoencoderConfig
from worldreel.models.transformer import Transformer, TransformerConfig
from worldreel.weights.description import ModelDescription
from worldreel.weights.load import LoadedModel, load_model
from worldreel.weights.load_pipeline import FLOAT32_MODULES, make_ready
from worldreel.weights.open_models import OPEN_MODELS

BF16 = torch.bfloat16


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", help="a JSON file for the result")
    options = parser.parse_args()
    torch.set_num_threads(1)
    estimating.time.perf_counter = time.process_time  # pyright: ignore[reportAttributeAccessIssue]
    toybox = load_model("toybox", BF16)
    wan = random_wan(OPEN_MODELS["wan2.1-t2v-1.3b"].description)
    rows = [
        compare(toybox, (128, 128), 4.0, 24),
        compare(toybox, (192, 192), 2.0, 12),
        compare(wan, (256, 160), 9 / 16, 4),
    ]
    print(json.dumps(rows, indent=2))
    if options.out:
        Path(options.out).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def compare(model: LoadedModel, size: tuple[int, int], seconds: float, steps: int) -> dict:
    """What was reckoned, and what it took."""
    fps = model.description.fps
    canvas = Canvas(width=size[0], height=size[1], seconds=seconds, fps=fps).say("a red ball")
    plan = make_plan(canvas, Options(seed=1, num_inference_steps=steps), model.description)
    reckoned = estimating.estimate(plan, "cpu", BF16)
    for _ in generate(model, dataclasses.replace(plan)):  # warms up
        break
    begin = time.process_time()
    for _ in generate(model, plan):
        pass
    took = time.process_time() - begin
    return {
        "model": model.description.name,
        "size": size,
        "frames": plan.num_frames,
        "steps": steps,
        "reckoned_s": round(reckoned.seconds, 2),
        "took_s": round(took, 2),
        "off_percent": round(100 * (reckoned.seconds / took - 1), 1),
    }


class StandInText:
    """States of a prompt of twenty tokens."""

    def __init__(self, dim: int, num_tokens: int) -> None:
        self.dim, self.num_tokens = dim, num_tokens

    def __call__(self, prompts: list[str]) -> tuple[Tensor, Tensor]:
        states = torch.zeros(len(prompts), self.num_tokens, self.dim)
        states[:, :20] = torch.randn(20, self.dim, generator=torch.Generator().manual_seed(0))
        return states, states.any(dim=2)


def random_wan(description: ModelDescription) -> LoadedModel:
    """An open model's shape with two layers and random weights."""
    description = dataclasses.replace(
        description, transformer={**description.transformer, "num_layers": 2}
    )
    channels = description.autoencoder["latent_channels"]
    values = {"latents_mean": [0.0] * channels, "latents_std": [1.0] * channels}
    torch.manual_seed(0)
    transformer = Transformer(parse(TransformerConfig, description.transformer)).eval()
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear) and not name.startswith(FLOAT32_MODULES):
            module.to(BF16)
    transformer.requires_grad_(False)
    make_ready(transformer)
    config = parse(CausalAutoencoderConfig, {**values, **description.autoencoder})
    autoencoder = CausalAutoencoder(config).to(BF16).eval().requires_grad_(False)
    autoencoder.lay_out_channels_last()
    text = StandInText(description.transformer["text_dim"], description.text.num_tokens)
    return LoadedModel(description, transformer, autoencoder, text, BF16)  # pyright: ignore


if __name__ == "__main__":
    main()
