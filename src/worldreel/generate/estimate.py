"""What a video will cost on this machine, before it is made: time, memory, disk, energy.

The machine's rate is measured on one block of the model's own shape, with random weights, on as
many tokens as take a second or two; what is left is arithmetic (see `evaluation_flops`).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from worldreel.core.parse import parse
from worldreel.generate.plan import Plan, evaluation_flops, num_layers, num_tokens
from worldreel.generate.velocity import BATCHED_TOKENS
from worldreel.models.autoencoder import Autoencoder, AutoencoderConfig
from worldreel.models.causal_autoencoder import (
    PIECE_PIXELS,
    CausalAutoencoder,
    CausalAutoencoderConfig,
)
from worldreel.models.rope import rotary_table
from worldreel.models.transformer import Block, TransformerConfig
from worldreel.models.vace import config_class
from worldreel.weights.description import ModelDescription
from worldreel.weights.fit import brought_weights, weights_bytes
from worldreel.weights.open_models import TEXT_WEIGHTS

PROCESS_BYTES = 0.7e9
"""Memory of the libraries by themselves."""
WATTS_PER_CORE = 7.0
WATTS_PER_GPU = 500.0
TRIAL_FLOPS = {"cpu": 3e11, "cuda": 3e13}
"""So much work is measured at a time."""
TRIAL_LATENT = 16
"""Rows and columns of the latents on which a causal decoder is measured."""
VIDEO_BITS_PER_PIXEL = 0.12
NUM_TRIALS = 2


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one video takes."""

    num_tokens: int
    """Of the largest stretch."""
    num_evaluations: int
    """Passes through the transformer."""
    flops: float
    """Of the transformer."""
    step_s: float
    """Of one inference step."""
    denoise_s: float
    decode_s: float
    memory_bytes: float
    """At the most, with the weights."""
    disk_bytes: float
    """Of the video."""
    energy_wh: float
    is_upper_bound: bool = False
    """Whether a step cache will make it less: by how much depends on the video."""
    brought_bytes: float = 0.0
    """With offload: what every evaluation brings to the device."""

    @property
    def seconds(self) -> float:
        """From the loaded model to the file."""
        return self.denoise_s + self.decode_s


def estimate(
    plan: Plan,
    device: str = "cpu",
    dtype: torch.dtype = torch.bfloat16,
    *,
    offload: bool = False,
) -> Cost:
    """Measures this machine for a plan's model, and reckons.

    Args:
        device: where it will run.
        dtype: in which it will be computed.
        offload: whether blocks will be brought one by one; waiting for them is not reckoned.
    """
    description, size = plan.description, plan.latent_size[1:]
    counts = [num_tokens(stretch, size, description) for stretch in plan.stretches]
    evaluations = plan.num_evaluations
    steps = plan.options.num_inference_steps
    assert steps is not None
    guided = evaluations - steps  # so many steps take two evaluations
    denoise_s = 0.0
    measured: dict[tuple[int, int], float] = {}
    for count in counts:
        together = (2, guided) if count <= BATCHED_TOKENS else (1, 2 * guided)
        for batch, passes in ((1, steps - guided), together):
            if passes and (batch, count) not in measured:
                measured[batch, count] = evaluation_s(description, batch, count, device, dtype)
            denoise_s += passes * measured.get((batch, count), 0.0)
    decode_s = decoding_s(plan, device, dtype)
    canvas = plan.canvas
    pixels = canvas.width * canvas.height * plan.num_frames
    seconds = denoise_s + decode_s
    watts = WATTS_PER_CORE * torch.get_num_threads()
    watts += WATTS_PER_GPU if device != "cpu" else 0.0
    return Cost(
        num_tokens=max(counts, default=0),
        num_evaluations=evaluations * len(counts),
        flops=plan.flops,
        step_s=denoise_s / max(steps * len(counts), 1),
        denoise_s=denoise_s,
        decode_s=decode_s,
        memory_bytes=memory_bytes(plan, dtype, offload=offload),
        brought_bytes=dtype.itemsize * brought_weights(description) if offload else 0,
        disk_bytes=pixels * VIDEO_BITS_PER_PIXEL / 8 + 20_000,
        energy_wh=seconds * watts / 3600,
        is_upper_bound=plan.options.step_cache is not None,
    )


def evaluation_s(
    description: ModelDescription, batch: int, tokens: int, device: str, dtype: torch.dtype
) -> float:
    """Seconds of a batch through the transformer: a block's, times their number, and the ends."""
    values = description.transformer
    config = parse(config_class(values), values)
    layers = num_layers(values)
    flops = evaluation_flops(description, tokens)
    most = TRIAL_FLOPS["cpu" if device == "cpu" else "cuda"]
    block_flops = batch * flops / layers
    with torch.inference_mode():
        trial = _block_trial(config, description.text.num_tokens, device, dtype)
        if block_flops <= most:
            block_s = trial(batch, tokens)
        else:
            # linear and quadratic part from two smaller numbers of tokens
            few = max(64, int(tokens * min(1.0, most / block_flops)) // 2 // 64 * 64)
            one, two = trial(1, few), trial(1, 2 * few)
            quadratic = max(0.0, (two - 2 * one) / (2 * few**2))
            linear = (two - quadratic * 4 * few**2) / (2 * few)
            block_s = batch * (linear * tokens + quadratic * tokens**2)
    ends = flops / (layers * _layer_flops(description, tokens))
    return block_s * layers * ends


def decoding_s(plan: Plan, device: str, dtype: torch.dtype) -> float:
    """Seconds from latents to frames."""
    description = plan.description
    channels, height, width = plan.latent_size
    with torch.inference_mode(), torch.autocast(device, dtype, dtype == torch.bfloat16):
        if description.autoencoder_kind == "light":
            light = Autoencoder(parse(AutoencoderConfig, description.autoencoder)).to(device).eval()
            count = min(8, plan.num_latent_frames)
            latents = torch.randn(1, channels, count, height, width, device=device)
            return _best(lambda: light.decode(latents)) / count * plan.num_latent_frames
        values = dict(description.autoencoder)
        values.setdefault("latents_mean", [0.0] * channels)
        values.setdefault("latents_std", [1.0] * channels)
        causal = CausalAutoencoder(parse(CausalAutoencoderConfig, values)).to(device, dtype).eval()
        causal.lay_out_channels_last()
        side = (min(TRIAL_LATENT, height), min(TRIAL_LATENT, width))
        latents = torch.randn(1, channels, 2, *side, device=device)
        first = _best(lambda: causal.decode(latents[:, :, :1], group=1))
        both = _best(lambda: causal.decode(latents, group=1))
    area = height * width / math.prod(side)
    return area * (first + (both - first) * (plan.num_latent_frames - 1))


def memory_bytes(plan: Plan, dtype: torch.dtype, *, offload: bool = False) -> float:
    """Memory at the most: weights, and the widest tensors of a step or of a decoded piece.

    With ``offload``, two blocks stand for all of the transformers, and the text encoder is there
    only before the first step.
    """
    description = plan.description
    width = 2 if dtype == torch.bfloat16 else 4
    config = description.transformer
    d, f = config["num_heads"] * config["head_dim"], config["ffn_dim"]
    if description.autoencoder_kind == "light":
        return PROCESS_BYTES + 4 * description.size_bytes + _step_bytes(plan, width)
    if offload:
        weights = weights_bytes(description, dtype, offload=True)
        return PROCESS_BYTES + weights + max(width * TEXT_WEIGHTS, working_bytes(plan, dtype))
    layer = 12 * d * d + 2 * d * f  # projections of both attentions, time table and MLP
    experts = 1 if description.sampling.boundary is None else 2
    weights = width * (experts * num_layers(config) * layer + TEXT_WEIGHTS)
    return PROCESS_BYTES + weights + working_bytes(plan, dtype)


def device_bytes(plan: Plan, dtype: torch.dtype, *, offload: bool = False) -> float:
    """Memory of a GPU at the most; the text encoder and the libraries are on the machine's own."""
    weights = weights_bytes(plan.description, dtype, offload=offload)
    return weights + working_bytes(plan, dtype)


def _step_bytes(plan: Plan, width: int) -> float:
    """The widest tensors of a step, whose numbers have so many bytes."""
    config, size = plan.description.transformer, plan.latent_size[1:]
    d, f = config["num_heads"] * config["head_dim"], config["ffn_dim"]
    tokens = max((num_tokens(s, size, plan.description) for s in plan.stretches), default=0)
    return (2 if tokens <= BATCHED_TOKENS else 1) * tokens * width * (10 * d + 2 * f)


def working_bytes(plan: Plan, dtype: torch.dtype) -> float:
    """The widest tensors of a step or of a decoded piece of an open model."""
    description = plan.description
    width = dtype.itemsize
    step = _step_bytes(plan, width)
    base = description.autoencoder.get("decoder_base_dim") or description.autoencoder["base_dim"]
    patch = description.autoencoder.get("patch_size", 1) ** 2
    pixels = min(PIECE_PIXELS, 4 * plan.num_latent_frames * plan.canvas.width * plan.canvas.height)
    decode = 5 * width * base * pixels / patch
    frames = 12 * pixels
    return max(step, decode + frames)


def _layer_flops(description: ModelDescription, tokens: int) -> float:
    config = description.transformer
    d, f = config["num_heads"] * config["head_dim"], config["ffn_dim"]
    m = description.text.num_tokens
    return tokens * (12 * d**2 + 4 * d * f + 4 * (tokens + m) * d) + m * 4 * d**2


def _block_trial(
    config: TransformerConfig, text_tokens: int, device: str, dtype: torch.dtype
) -> Callable[[int, int], float]:
    """A function of batch and tokens to the seconds of one block."""
    block = Block(config).to(device).eval()
    for module in block.modules():
        if isinstance(module, torch.nn.Linear):
            module.to(dtype)

    def seconds(batch: int, tokens: int) -> float:
        x = torch.randn(batch, tokens, config.dim, device=device, dtype=dtype)
        time_6 = torch.randn(batch, 1, 6, config.dim, device=device)
        text = torch.randn(batch, text_tokens, config.dim, device=device, dtype=dtype)
        cos, sin = (part.to(device) for part in rotary_table((tokens, 1, 1), config.head_dim))
        image = None
        if config.image_dim is not None:
            image = torch.randn(batch, 257, config.dim, device=device, dtype=dtype)
        with torch.autocast(device, dtype, dtype == torch.bfloat16):
            return _best(lambda: block(x, time_6, text, image, cos, sin))

    return seconds


def _best(work: Callable[[], object]) -> float:
    """The least seconds of several runs, after one that is not counted."""
    best = math.inf
    for trial in range(NUM_TRIALS + 1):
        begin = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if trial:
            best = min(best, time.perf_counter() - begin)
    return best
