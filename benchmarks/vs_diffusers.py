"""Wan here and in diffusers: the same weights, precision, machine and run, taking turns.

    python benchmarks/vs_diffusers.py step --tokens 2080 --layers 2
    python benchmarks/vs_diffusers.py step --tokens 8320 --layers 1
    python benchmarks/vs_diffusers.py decode --latents 3 --rows 30 --columns 52

Every figure also is a share of the bf16 matrix product peak that the same run measures, and comes
with the PSNR against diffusers in float32. Seconds are of the processor where that is all there is,
so that a busy machine distorts them little, and of the clock on a GPU. diffusers runs as its
documentation recommends: in bf16, eager and with its repeated blocks compiled.
"""

import argparse
import copy
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).parent.parent)]

from benchmarks.shapes import SHAPES, config_of  # noqa: E402

from worldreel.models import attention  # noqa: E402
from worldreel.models.causal_autoencoder import CausalAutoencoder, CausalAutoencoderConfig  # noqa: E402
from worldreel.models.int8 import can_round_to_int8, round_to_int8  # noqa: E402
from worldreel.models.transformer import Transformer, TransformerConfig  # noqa: E402
from worldreel.models.wan_autoencoder_keys import from_diffusers as autoencoder_from_diffusers  # noqa: E402
from worldreel.models.wan_keys import from_diffusers  # noqa: E402
from worldreel.weights.load_pipeline import FLOAT32_MODULES, make_ready  # noqa: E402

PROMPT_TOKENS = 60
TEXT_TOKENS = 512

Run = Callable[[], Tensor]


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    peak = gemm_peak(device)
    result: dict[str, Any] = {
        "part": options.part,
        "machine": cpu_name() if device.type == "cpu" else torch.cuda.get_device_name(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "gemm_peak_gflops": round(peak / 1e9, 1),
    }
    with torch.inference_mode():
        measure = {"step": step, "decode": decode}[options.part]
        runs, exact, flops, facts = measure(options, device)
        result |= facts
        seconds = alternate(runs, options.repeats, device)
        theirs = min(
            statistics.median(times) for name, times in seconds.items() if "diffusers" in name
        )
        for name, times in seconds.items():
            median = statistics.median(times)
            result[name] = {
                "median_s": round(median, 4),
                "gflops": round(flops / median / 1e9, 1),
                "share_of_peak": round(flops / median / peak, 3),
                "psnr_db": round(psnr(runs[name](), exact), 1),
                "times_as_fast": round(theirs / median, 3),
            }
    print(json.dumps(result, indent=2))
    if options.out:
        Path(options.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def step(options: argparse.Namespace, device: torch.device) -> tuple[Any, Tensor, float, Any]:
    """One evaluation of a transformer of a published width with fewer layers."""
    config = config_of(options.shape, options.layers)
    theirs, ours = both_transformers(config)
    grid = grid_of(options.tokens)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, config.in_channels, grid[0], 2 * grid[1], 2 * grid[2], generator=generator)
    text = torch.zeros(1, TEXT_TOKENS, 4096)
    text[:, :PROMPT_TOKENS] = torch.randn(1, PROMPT_TOKENS, 4096, generator=generator)
    timestep = torch.tensor([700])
    exact = theirs.float()(x, timestep, text, return_dict=False)[0]
    theirs = theirs.to(device, torch.bfloat16)
    for module in (theirs.condition_embedder.time_embedder,):  # as diffusers itself keeps it
        module.float()
    for name, module in ours.named_modules():
        if isinstance(module, nn.Linear) and not name.startswith(FLOAT32_MODULES):
            module.to(torch.bfloat16)
    ours.to(device)
    eight = copy.deepcopy(ours) if device.type == "cpu" and can_round_to_int8() else None
    make_ready(ours)
    x, text, timestep = x.to(device), text.to(device), timestep.to(device)
    level = timestep / 1000
    half, half_text = x.bfloat16(), text.bfloat16()
    read = under_autocast(device, lambda: ours.read(text))()

    def run_theirs() -> Tensor:
        return theirs(half, timestep, half_text, return_dict=False)[0]

    def run_ours(scores: torch.dtype) -> Tensor:
        kept, attention.SCORES_IN = attention.SCORES_IN, scores
        try:
            return ours(x, level, read)
        finally:
            attention.SCORES_IN = kept

    runs: dict[str, Run] = {"diffusers": run_theirs}
    if options.compile:
        compiled = clone_compiled(theirs)
        runs["diffusers compiled"] = lambda: compiled(half, timestep, half_text, return_dict=False)[
            0
        ]
    runs["worldreel"] = under_autocast(device, partial(run_ours, torch.float32))
    runs["worldreel, scores in bf16 (lossy)"] = under_autocast(
        device, partial(run_ours, torch.bfloat16)
    )
    if eight is not None:
        round_to_int8(eight.blocks)
        make_ready(eight)
        read_by_eight = under_autocast(device, lambda: eight.read(text))()
        runs["worldreel, products in 8 bits (lossy)"] = under_autocast(
            device, lambda: eight(x, level, read_by_eight)
        )
    n, d, ffn = math.prod(grid), config.dim, config.ffn_dim
    layer = n * (12 * d * d + 4 * d * ffn + 4 * (n + TEXT_TOKENS) * d) + TEXT_TOKENS * 4 * d * d
    facts = {"shape": options.shape, "layers": options.layers, "tokens": n}
    facts["prompt_tokens"] = PROMPT_TOKENS
    return runs, exact, options.layers * layer, facts


def decode(options: argparse.Namespace, device: torch.device) -> tuple[Any, Tensor, float, Any]:
    """The decoder of Wan 2.1's autoencoder at its published width."""
    channels = 16
    zero, one = (0.0,) * channels, (1.0,) * channels
    config = CausalAutoencoderConfig(latents_mean=zero, latents_std=one)
    torch.manual_seed(0)
    theirs: Any = AutoencoderKLWan(latents_mean=list(zero), latents_std=list(one)).eval()
    ours = CausalAutoencoder(config).eval()
    ours.load_state_dict(autoencoder_from_diffusers(theirs.state_dict(), config))
    generator = torch.Generator().manual_seed(1)
    shape = (1, channels, options.latents, options.rows, options.columns)
    latents = torch.randn(shape, generator=generator)
    exact = theirs.decode(latents, return_dict=False)[0]
    theirs, ours = theirs.to(device, torch.bfloat16), ours.to(device, torch.bfloat16)
    ours.lay_out_channels_last()
    latents = latents.to(device)
    half = latents.bfloat16()
    runs: dict[str, Run] = {"diffusers": lambda: theirs.decode(half, return_dict=False)[0]}
    if options.compile:
        compiled: Any = AutoencoderKLWan(**dict(theirs.config))
        compiled = compiled.to(device, torch.bfloat16).eval()
        compiled.load_state_dict(theirs.state_dict())
        compiled.decoder.compile()
        runs["diffusers compiled"] = lambda: compiled.decode(half, return_dict=False)[0]
    runs["worldreel"] = lambda: ours.decode(latents)
    flops = decoder_flops(ours, latents)
    facts = {"latents": list(shape), "gflop": round(flops / 1e9, 1)}
    return runs, exact, flops, facts


def both_transformers(config: TransformerConfig) -> tuple[Any, Transformer]:
    """The same random weights in both, float32; gains of norms as trained ones have them."""
    torch.manual_seed(0)
    theirs = WanTransformer3DModel(
        num_attention_heads=config.num_heads,
        attention_head_dim=config.head_dim,
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        text_dim=config.text_dim,
        ffn_dim=config.ffn_dim,
        num_layers=config.num_layers,
    ).eval()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in theirs.named_parameters():
        if parameter.ndim == 1 and "norm" in name and name.endswith("weight"):
            parameter.data.copy_(1 + 0.3 * torch.rand(parameter.shape, generator=generator))
    ours = Transformer(config).eval().requires_grad_(False)
    ours.load_state_dict(from_diffusers(theirs.state_dict(), config))
    return theirs, ours


def clone_compiled(theirs: Any) -> Any:
    """The same network with its blocks compiled, as diffusers' documentation recommends."""
    clone = WanTransformer3DModel(**dict(theirs.config)).to(next(theirs.blocks.parameters()))
    clone.load_state_dict(theirs.state_dict())
    clone.condition_embedder.time_embedder.float()
    clone.eval().compile_repeated_blocks(fullgraph=True)
    return clone


def decoder_flops(ours: CausalAutoencoder, latents: Tensor) -> float:
    """Multiplications and additions of all convolutions and of the attention, by hooks."""
    total = 0

    def count(module: Any, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += 2 * output.numel() * module.weight[0].numel()

    convolutions = [m for m in ours.modules() if isinstance(m, nn.Conv2d | nn.Conv3d | nn.Linear)]
    hooks = [module.register_forward_hook(count) for module in convolutions]
    ours.decode(latents)
    for hook in hooks:
        hook.remove()
    return float(total)


def grid_of(tokens: int) -> tuple[int, int, int]:
    """Tokens along t, h, w: 40 by 26 in each frame, as in a video of 640 by 416 pixels."""
    frames = max(1, round(tokens / 1040))
    return frames, 40, 26


def under_autocast(device: torch.device, run: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        with torch.autocast(device.type, torch.bfloat16):
            return run()

    return call


def alternate(runs: dict[str, Run], repeats: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each repeat, taking turns, after one warm-up each."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            elapsed = timed(run, device)
            if repeat:
                seconds[name].append(elapsed)
    return seconds


def timed(run: Callable[[], object], device: torch.device) -> float:
    """Processor seconds per thread on a CPU, which others cannot take; else the clock."""
    if device.type == "cpu":
        start = time.process_time()
        run()
        return (time.process_time() - start) / torch.get_num_threads()
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def gemm_peak(device: torch.device) -> float:
    """Best rate of a large bf16 matrix product, in FLOP/s."""
    side = 2048 if device.type == "cpu" else 8192
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    torch.mm(a, b)
    return 2 * side**3 / min(timed(partial(torch.mm, a, b), device) for _ in range(5))


def psnr(found: Tensor, exact: Tensor) -> float:
    """Against the range of what is exact, in dB."""
    exact = exact.float().cpu()
    error = (found.float().cpu() - exact).square().mean().item()
    return 10 * math.log10((exact.max() - exact.min()).item() ** 2 / max(error, 1e-20))


def cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("step", "decode"))
    parser.add_argument("--shape", choices=SHAPES, default="1.3b")
    parser.add_argument("--tokens", type=int, default=2080)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--latents", type=int, default=3)
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--columns", type=int, default=52)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="a column with diffusers compiled")
    parser.add_argument("--out", help="a JSON file for the result")
    return parser.parse_args()


if __name__ == "__main__":
    main()
