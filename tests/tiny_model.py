"""A model of a few thousand random weights, for tests of everything around the networks."""

import torch

from worldreel.models.autoencoder import Autoencoder, AutoencoderConfig
from worldreel.models.transformer import Transformer, TransformerConfig
from worldreel.weights.description import (
    Durations,
    ModelDescription,
    Sampling,
    Sizes,
    TextEncoding,
)
from worldreel.weights.load import LoadedModel

TEXT_DIM = 384

DESCRIPTION = ModelDescription(
    name="tiny",
    version="0",
    license="Apache-2.0",
    summary="Random weights.",
    prediction="x_0",
    level_channel=True,
    position_channels=True,
    takes=("text", "first_frame"),
    fps=12,
    size=Sizes(default=(64, 32), min=32, max=96, trained=((64, 32),)),
    seconds=Durations(default=0.75, max=2.0),
    sampling=Sampling(
        num_inference_steps=3,
        guidance_scale=3.0,
        guidance_interval=(0.0, 0.9),
        shift=2.0,
        context_level=0.1,
    ),
    text=TextEncoding(encoder="minilm", num_tokens=8),
    transformer={
        "patch_size": [4, 2, 2],
        "num_heads": 2,
        "head_dim": 12,
        "in_channels": 8,
        "out_channels": 4,
        "text_dim": TEXT_DIM,
        "freq_dim": 16,
        "ffn_dim": 32,
        "num_layers": 2,
    },
    autoencoder={
        "latent_channels": 4,
        "encoder_channels": [4, 4, 4],
        "encoder_blocks": [1, 1, 1],
        "decoder_channels": [4, 4, 4],
        "decoder_blocks": [1, 1, 1],
    },
)


class StandInText:
    """Token states that are a function of the prompt's letters, in place of an encoder."""

    dim = TEXT_DIM
    num_tokens = DESCRIPTION.text.num_tokens

    def __call__(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        states = torch.zeros(len(prompts), self.num_tokens, self.dim)
        mask = torch.zeros(len(prompts), self.num_tokens, dtype=torch.bool)
        for row, prompt in enumerate(prompts):
            length = 2 + min(len(prompt.split()), self.num_tokens - 2)
            generator = torch.Generator().manual_seed(sum(map(ord, prompt)))
            states[row, :length] = torch.randn(length, self.dim, generator=generator)
            mask[row, :length] = True
        return states, mask


def tiny_networks(description: ModelDescription = DESCRIPTION) -> tuple[Transformer, Autoencoder]:
    generator = torch.Generator().manual_seed(0)
    transformer = Transformer(TransformerConfig(**description.transformer))
    autoencoder = Autoencoder(AutoencoderConfig(**description.autoencoder))
    with torch.no_grad():
        for module in (transformer, autoencoder):
            for parameter in module.parameters():
                parameter.normal_(0, 0.2, generator=generator)
    return transformer.eval(), autoencoder.eval()


def tiny_model(
    description: ModelDescription = DESCRIPTION, dtype: torch.dtype = torch.float32
) -> LoadedModel:
    transformer, autoencoder = tiny_networks(description)
    return LoadedModel(description, transformer, autoencoder, StandInText(), dtype)  # pyright: ignore
