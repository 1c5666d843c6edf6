"""What the other processes of `benchmarks/devices.py` run."""

import sys

import torch
from torch import nn

from worldreel.core.parse import parse
from worldreel.models.transformer import Transformer, TransformerConfig
from worldreel.parallel.follow import follow
from worldreel.weights.load_pipeline import FLOAT32_MODULES, make_ready
from worldreel.weights.open_models import OPEN_MODELS


def random_transformer() -> Transformer:
    """One layer of the 1.3B shape with the same random weights in every process."""
    values = OPEN_MODELS["wan2.1-t2v-1.3b"].description.transformer
    config = parse(TransformerConfig, {**values, "num_layers": 1})
    torch.manual_seed(0)
    transformer = Transformer(config).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in transformer.named_parameters():
        if name.endswith("scale_shift_table"):  # new ones are zero: gates would be closed
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear) and not name.startswith(FLOAT32_MODULES):
            module.to(torch.bfloat16)
    make_ready(transformer)
    return transformer


if __name__ == "__main__":
    sys.exit(follow(lambda hello: [random_transformer()], {}))
