"""Words to token states with UMT5 (arXiv 2304.09151), in the format of ``transformers``."""

import html
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from worldreel.core.errors import WorldreelError
from worldreel.models.text import Forward, TextEncoder

SHARED = ("shared.weight", "encoder.embed_tokens.weight")
"""One table under two names; files hold it under either, or both."""
FLOAT32_NAME = ".wo."
"""The last matrix of each MLP stays in float32: its sums leave the range of 16 bits."""

Tensors = Callable[[], Iterable[tuple[str, Tensor]]]


def load_umt5(
    config: Path,
    tokenizer: Path,
    tensors: Tensors,
    *,
    num_tokens: int,
    dtype: torch.dtype,
    keeps: bool = True,
) -> TextEncoder:
    """A text encoder whose weights are read when the first prompt comes.

    Args:
        config: the ``config.json``.
        tokenizer: the ``tokenizer.json``.
        tensors: gives every weight by its name.
        num_tokens: of every answer.
        dtype: of the weights, but for those that stay in float32 (see `FLOAT32_NAME`).
        keeps: whether the weights stay in memory, or are read anew for prompts not read before.

    Raises:
        WorldreelError: a file is missing or cannot be read.
    """
    from tokenizers import Tokenizer

    try:
        shape = json.loads(config.read_text(encoding="utf-8"))
        words = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # tokenizers raises nothing narrower
        raise WorldreelError(
            f"The text encoder's {config} or {tokenizer} cannot be read: {error}.",
            remedy="Get the model's folder again; the tokenizer must be there as tokenizer.json.",
        ) from error
    words.no_truncation()
    words.no_padding()
    loaded: list[Forward] = []

    def forward(ids: Tensor) -> Tensor:
        network = loaded[0] if loaded else _network(shape, tensors, dtype)
        if keeps and not loaded:
            loaded.append(network)
        return network(ids)

    return TextEncoder(forward, words, num_tokens, dim=shape["d_model"], clean=clean)


def clean(prompt: str) -> str:
    """A prompt as Wan was shown them: broken characters mended, entities read, single spaces."""
    import ftfy

    return " ".join(html.unescape(html.unescape(ftfy.fix_text(prompt))).split())


def _network(shape: dict, tensors: Tensors, dtype: torch.dtype) -> Forward:
    from transformers.models.umt5.configuration_umt5 import UMT5Config
    from transformers.models.umt5.modeling_umt5 import UMT5EncoderModel

    with torch.device("meta"):
        network: nn.Module = UMT5EncoderModel(UMT5Config(**shape))
    missing = dict(network.state_dict())
    for name, tensor in tensors():
        for alias in SHARED if name in SHARED else (name,):
            if alias not in missing:
                continue  # a decoder's, where a file holds the whole translator
            if missing.pop(alias).shape != tensor.shape:
                raise WorldreelError(
                    f"The text encoder's {alias} has the shape {tuple(tensor.shape)}, which does "
                    "not fit its config.json.",
                    remedy="Get the model's folder again.",
                )
            kept = torch.float32 if FLOAT32_NAME in alias else dtype
            _put(network, alias, tensor.to(kept))
        if not missing:
            break
    if missing:
        raise WorldreelError(
            f"The text encoder lacks {sorted(missing)[0]} and {len(missing) - 1} others.",
            remedy="Get the model's folder again.",
        )
    network.eval().requires_grad_(False)

    def forward(ids: Tensor) -> Tensor:
        return network(input_ids=ids).last_hidden_state.float()

    return forward


def _put(network: nn.Module, name: str, tensor: Tensor) -> None:
    module, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(module), leaf, nn.Parameter(tensor, requires_grad=False))
