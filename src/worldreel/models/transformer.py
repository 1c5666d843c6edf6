"""The diffusion transformer: the architecture of Wan 2.1 and 2.2 (arXiv 2503.20314), any size.

Parameter names are our own; ``wan_keys`` maps the published ones onto them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldreel.core.errors import UsageError
from worldreel.models.attention import CrossAttention, Heard, SelfAttention
from worldreel.models.norm import RMSNorm, add_gated, modulate
from worldreel.models.packed import PackedLinear
from worldreel.models.rope import rotary_table
from worldreel.models.transformer_config import TransformerConfig

TIMESTEPS = 1000.0  # a level of 1 is timestep 1000 inside the network
CACHED_GRIDS = 8


def patchify(x: Tensor, patch_size: tuple[int, int, int]) -> Tensor:
    """Cut ``b c t h w`` into tokens ``b n (c pt ph pw)``, in the order t, h, w."""
    b, c, t, h, w = x.shape
    pt, ph, pw = patch_size
    x = x.reshape(b, c, t // pt, pt, h // ph, ph, w // pw, pw)
    return x.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(b, -1, c * pt * ph * pw)


def unpatchify(
    tokens: Tensor, grid: tuple[int, int, int], patch_size: tuple[int, int, int]
) -> Tensor:
    """Lay tokens ``b n (pt ph pw c)`` back as ``b c t h w``; ``grid`` is tokens along t, h, w.

    The head writes channels last inside a patch, while ``patchify`` reads them first: as in Wan.
    """
    b = tokens.shape[0]
    pt, ph, pw = patch_size
    t, h, w = grid
    x = tokens.reshape(b, t, h, w, pt, ph, pw, -1)
    return x.permute(0, 7, 1, 4, 2, 5, 3, 6).reshape(b, -1, t * pt, h * ph, w * pw)


def sinusoid(timestep: Tensor, dim: int) -> Tensor:
    """Cosines, then sines, of ``timestep`` (any shape) at ``dim / 2`` frequencies: ``... dim``."""
    half = dim // 2
    exponent = torch.arange(half, dtype=torch.float32, device=timestep.device) / half
    angle = timestep.float()[..., None] * torch.exp(-math.log(1e4) * exponent)
    return torch.cat((angle.cos(), angle.sin()), dim=-1)


class MLP(nn.Module):
    """Two linear layers with an activation between."""

    def __init__(self, dim_in: int, dim_hidden: int, dim_out: int, activation: nn.Module) -> None:
        super().__init__()
        self.up = nn.Linear(dim_in, dim_hidden)
        self.activation = activation
        self.down = nn.Linear(dim_hidden, dim_out)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.up, PackedLinear) and self.up.can_fuse(self.activation):
            return self.down(self.up(x, with_gelu=True))
        return self.down(self.activation(self.up(x)))


class ImageEmbedding(nn.Module):
    """Image states ``b m image_dim`` to the model's width, normalised before and after."""

    def __init__(self, image_dim: int, dim: int, num_positions: int | None) -> None:
        super().__init__()
        self.positions = None
        if num_positions is not None:
            self.positions = nn.Parameter(torch.zeros(num_positions, image_dim))
        self.norm_in = nn.LayerNorm(image_dim)
        self.mlp = MLP(image_dim, image_dim, dim, nn.GELU())
        self.norm_out = nn.LayerNorm(dim)

    def forward(self, image: Tensor) -> Tensor:
        if self.positions is not None:
            image = image + self.positions
        return self.norm_out(self.mlp(self.norm_in(image)))


class Block(nn.Module):
    """Self-attention, cross-attention and MLP, the first and last modulated by the noise level."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.eps = config.eps
        self.scale_shift_table = nn.Parameter(torch.zeros(6, config.dim))
        self.self_attention = SelfAttention(
            config.dim, config.num_heads, qk_norm=config.qk_norm is not None, eps=config.eps
        )
        self.cross_norm = (
            nn.LayerNorm(config.dim, eps=config.eps) if config.cross_attn_norm else nn.Identity()
        )
        self.cross_attention = CrossAttention(
            config.dim,
            config.num_heads,
            qk_norm=config.qk_norm is not None,
            eps=config.eps,
            image_dim=config.added_kv_proj_dim,
        )
        self.mlp = MLP(config.dim, config.ffn_dim, config.dim, nn.GELU(approximate="tanh"))

    def forward(
        self,
        x: Tensor,  # b n d
        time: Tensor,  # b g 6 d, float32
        text: Tensor | Heard,  # b m d
        image: Tensor | None,
        cos: Tensor,  # n e/2
        sin: Tensor,
        text_bias: Tensor | None = None,  # b n m
        hint: Tensor | None = None,  # b n d, added to the result
    ) -> Tensor:
        modulation = self.scale_shift_table.float() + time
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = modulation.split(1, dim=2)  # b g 1 d
        attended = self.self_attention(modulate(x, shift_1, scale_1, self.eps), cos, sin)
        x = add_gated(x, attended, gate_1)
        x = x + self.cross_attention(self.cross_norm(x), text, image, text_bias)
        x = add_gated(x, self.mlp(modulate(x, shift_2, scale_2, self.eps)), gate_2)
        return x if hint is None else x + hint


@dataclass(frozen=True, eq=False)
class Read:
    """A text as every block hears it, and for how many clips."""

    heard: tuple[Heard, ...]
    batch: int


class Transformer(nn.Module):
    """Noisy latents, their noise levels and a prompt to the network's prediction."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        patch = math.prod(config.patch_size)
        self.patch_in = nn.Linear(config.in_channels * patch, config.dim)
        self.time_in = MLP(config.freq_dim, config.dim, config.dim, nn.SiLU())
        self.time_projection = nn.Linear(config.dim, 6 * config.dim)
        self.text_in = MLP(config.text_dim, config.dim, config.dim, nn.GELU(approximate="tanh"))
        self.image_in = None
        if config.image_dim is not None:
            self.image_in = ImageEmbedding(config.image_dim, config.dim, config.pos_embed_seq_len)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.scale_shift_table = nn.Parameter(torch.zeros(2, config.dim))
        self.head = nn.Linear(config.dim, config.out_channels * patch)
        self._rotary: dict[tuple, tuple[Tensor, Tensor]] = {}

    def hearing(self) -> list[Block]:
        """All blocks that hear the text, in the order of `Read`."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def read(self, text: Tensor) -> "Read":
        """Reads a prompt's states ``b m text_dim`` for all steps: the same numbers at every one.

        States are zero past a prompt's end, so all those tokens are one and the same: one of them
        stands for all, with the logarithm of their number added to its scores.
        """
        lengths = (text != 0).any(dim=2).flip(1).float().argmax(dim=1)  # zeros at the end
        is_zero = (text == 0).all(dim=2).all(dim=1)
        num_zero = torch.where(is_zero, text.shape[1], lengths)  # b
        kept = text.shape[1] - int(num_zero.min()) + 1
        bias = None
        if kept < text.shape[1]:
            place = torch.arange(kept, device=text.device)
            end = (text.shape[1] - num_zero)[:, None]  # the first zero token
            bias = torch.where(place < end, 0.0, -torch.inf)
            bias = torch.where(place == end, num_zero[:, None].float().log(), bias)[:, None]
            text = text[:, :kept]
        embedded = self.text_in(text)
        heard = []
        for block in self.hearing():
            heard.append(block.cross_attention.hear(embedded, bias))
        return Read(tuple(heard), len(text))

    def forward(
        self,
        x: Tensor,
        level: Tensor,
        text: "Tensor | Read",
        image: Tensor | None = None,
        text_bias: Tensor | None = None,
    ) -> Tensor:
        """Predict, for every latent, what the model was trained to predict.

        Args:
            x: ``b in_channels t h w``, each side a multiple of the patch.
            level: noise level in [0, 1]: ``(b,)``, or one per token ``(b, n)``, or one per
                token in time ``(b, t / pt)``, which costs less than saying it for each token.
            text: states ``b m text_dim``, zero past the prompt's end, or what `read` made of them.
            image: states ``b m image_dim`` for a model with ``image_dim``.
            text_bias: ``b t/pt m``, added to the scores of cross-attention: the logarithm of how
                much each token in time hears of each text token, where there are several prompts.

        Returns:
            ``b out_channels t h w``.

        Raises:
            UsageError: a shape that does not fit, with the one that would.
        """
        grid = self._check(x, level, text, image, text_bias)
        cos, sin = self._rotary_table(grid, x.device)
        time, time_6 = self._embed_time(level)  # b g d, b g 6 d
        heard = text.heard if isinstance(text, Read) else None
        if heard is None:
            heard = (self.text_in(text),) * len(self.hearing())
        if self.image_in is not None and image is not None:
            image = self.image_in(image)

        if text_bias is not None:
            text_bias = text_bias.repeat_interleave(grid[1] * grid[2], dim=1)  # b n m

        patches = patchify(x, self.config.patch_size)
        x = self.run_blocks(patches, time_6, heard, image, cos, sin, text_bias)  # b n d

        shift, scale = (self.scale_shift_table.float() + time[:, :, None]).split(1, dim=2)
        x = self.head(modulate(x, shift, scale, self.config.eps))
        return unpatchify(x, grid, self.config.patch_size)

    def run_blocks(
        self, patches: Tensor, time: Tensor, heard: Sequence[Tensor | Heard], *more: Any
    ) -> Tensor:
        """Tokens ``b n d`` behind the last block; ``more`` is what a block takes after these."""
        x = self.patch_in(patches)
        for block, hears in zip(self.blocks, heard, strict=True):
            x = block(x, time, hears, *more)
        return x

    def _embed_time(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Float32 embeddings ``b g d`` and ``b g 6 d`` of the levels, outside of autocast."""
        if level.ndim == 1:
            level = level[:, None]
        with torch.autocast(level.device.type, enabled=False):
            # a level in float64 stays so until it is a timestep: 0.937 is 937, to the last bit
            level = level.to(torch.promote_types(level.dtype, torch.float32))
            wave = sinusoid(level * TIMESTEPS, self.config.freq_dim)
            time = self.time_in(wave.to(self.time_in.up.weight.dtype))
            time_6 = self.time_projection(F.silu(time).to(self.time_projection.weight.dtype))
        return time.float(), time_6.float().unflatten(-1, (6, -1))

    def _rotary_table(
        self, grid: tuple[int, int, int], device: torch.device
    ) -> tuple[Tensor, Tensor]:
        key = (*grid, device)
        if key not in self._rotary:
            while len(self._rotary) >= CACHED_GRIDS:
                self._rotary.pop(next(iter(self._rotary)))
            cos, sin = rotary_table(grid, self.config.head_dim)
            self._rotary[key] = cos.to(device), sin.to(device)
        return self._rotary[key]

    def _check(
        self,
        x: Tensor,
        level: Tensor,
        text: "Tensor | Read",
        image: Tensor | None,
        text_bias: Tensor | None,
    ) -> tuple[int, int, int]:
        """The grid of tokens along t, h, w, if every shape fits."""
        config = self.config
        if x.ndim != 5 or x.shape[1] != config.all_channels:
            raise UsageError(
                f"The latents have shape {tuple(x.shape)}; this model takes "
                f"(b, {config.all_channels}, t, h, w).",
                remedy="Check that latents and transformer belong to the same model.",
            )
        b, _, t, h, w = x.shape
        if any(side < 1 or side % p for side, p in zip((t, h, w), config.patch_size, strict=True)):
            raise UsageError(
                f"Latents of t, h, w = {t}, {h}, {w} do not divide into patches of "
                f"{config.patch_size}.",
                remedy="Choose a duration and size that are multiples of the model's patch.",
            )
        pt, ph, pw = config.patch_size
        grid = (t // pt, h // ph, w // pw)
        if max(grid) > config.rope_max_seq_len:
            raise UsageError(
                f"The grid of {grid} tokens is longer than rope_max_seq_len = "
                f"{config.rope_max_seq_len} along one side.",
                remedy="Make the video in shorter or smaller stretches.",
            )
        n = math.prod(grid)
        if tuple(level.shape) not in ((b,), (b, grid[0]), (b, n)):
            raise UsageError(
                f"The noise levels have shape {tuple(level.shape)}; allowed are ({b},), "
                f"({b}, {grid[0]}) and ({b}, {n}).",
                remedy="Give one level per clip, per token in time, or per token.",
            )
        if isinstance(text, Read):
            assert text.batch == b and text_bias is None, (text.batch, b)
        elif text.ndim != 3 or text.shape[0] != b or text.shape[2] != config.text_dim:
            raise UsageError(
                f"The text states have shape {tuple(text.shape)}; this model takes "
                f"({b}, m, {config.text_dim}).",
                remedy="Check that text encoder and transformer belong to the same model.",
            )
        elif text_bias is not None and text_bias.shape != (b, grid[0], text.shape[1]):
            raise UsageError(
                f"The bias of the text has shape {tuple(text_bias.shape)}; it must be "
                f"({b}, {grid[0]}, {text.shape[1]}).",
                remedy="Give a row for each token in time and a column for each text token.",
            )
        if (image is None) != (config.image_dim is None):
            raise UsageError(
                "This model needs image states."
                if image is None
                else "This model takes no image states.",
                remedy="Pass image states exactly to models whose image_dim is set.",
            )
        if image is not None:
            m = config.pos_embed_seq_len or image.shape[1]
            if image.ndim != 3 or tuple(image.shape) != (b, m, config.image_dim):
                raise UsageError(
                    f"The image states have shape {tuple(image.shape)}; this model takes "
                    f"({b}, {config.pos_embed_seq_len or 'm'}, {config.image_dim}).",
                    remedy="Check that image encoder and transformer belong to the same model.",
                )
        return grid


@torch.no_grad()
def initialize(transformer: Transformer, generator: torch.Generator) -> None:
    """Fill the weights in place for training from scratch; the same generator, the same weights.

    Linear layers are Xavier-uniform with zero biases, the embeddings of time and text normal
    with a deviation of 0.02, as in Wan's own initialisation. Zero are the head (so the first
    prediction is 0), the time projection and every table (adaLN-Zero of DiT, arXiv 2212.09748:
    gates are closed) and the outputs of cross-attention, which has no gate (PixArt-alpha,
    arXiv 2310.00426): every block starts as the identity.
    """
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear):
            fan_out, fan_in = module.weight.shape
            if name.startswith(("time_in", "text_in")):
                module.weight.normal_(0, 0.02, generator=generator)
            else:
                bound = math.sqrt(6 / (fan_in + fan_out))
                module.weight.uniform_(-bound, bound, generator=generator)
            module.bias.zero_()
        elif isinstance(module, nn.LayerNorm | RMSNorm) and module.weight is not None:
            module.weight.fill_(1)
            if isinstance(module, nn.LayerNorm):
                module.bias.zero_()
    if transformer.image_in is not None and transformer.image_in.positions is not None:
        transformer.image_in.positions.normal_(0, 0.02, generator=generator)
    closed = [transformer.head, transformer.time_projection]
    for block in transformer.blocks:
        assert isinstance(block, Block)
        closed.append(block.cross_attention.out)
        block.scale_shift_table.zero_()
    transformer.scale_shift_table.zero_()
    for linear in closed:
        linear.weight.zero_()
