"""Speed of the transformer beside diffusers' on the same weights, in bf16, on this machine.

Forward and training step (forward and backward) alternate between the two, and every figure is
also a share of the bf16 matrix product peak that the same run measures:

    python benchmarks/transformer_step.py --grid 12 4 4 --batch 32 --num-layers 10
"""

import argparse
import json
import math
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import diffusers
import torch
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from torch import Tensor, nn

from worldreel.models.transformer import Transformer, TransformerConfig
from worldreel.models.wan_keys import from_diffusers


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    config = TransformerConfig(
        patch_size=tuple(options.patch_size),
        num_heads=options.num_heads,
        head_dim=options.head_dim,
        in_channels=options.channels,
        out_channels=options.channels,
        text_dim=options.text_dim,
        ffn_dim=options.ffn_dim,
        num_layers=options.num_layers,
    )
    theirs, ours = both_models(config, device)
    if options.compile:
        for block in (*ours.blocks, *theirs.get_submodule("blocks").children()):
            block.compile()
    calls = inputs(config, options, device)
    flops = forward_flops(config, options.batch, math.prod(options.grid), options.text_length)
    peak = gemm_peak(device)

    result: dict[str, object] = {
        "machine": platform.processor() or platform.machine(),
        "device": str(device) if device.type == "cpu" else torch.cuda.get_device_name(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "compiled": options.compile,
        "config": asdict(config),
        "batch": options.batch,
        "tokens": math.prod(options.grid),
        "text_tokens": options.text_length,
        "gemm_peak_gflops": round(peak / 1e9, 1),
    }
    x, level, per_token, text = calls
    runs: dict[str, Callable[[], Tensor]] = {
        "worldreel": lambda: ours(x, level, text),
        "diffusers": lambda: theirs(x, per_token * 1000, text, return_dict=False)[0],
    }
    with torch.no_grad():
        found, expected = (run() for run in runs.values())
    result["largest_difference_fp32"] = (found - expected).abs().max().item()
    for stage, work, factor in (("forward", forward, 1), ("training_step", training_step, 3)):
        works = {name: partial(work, run, device) for name, run in runs.items()}
        seconds = alternate(works, options.repeats)
        ratios = [b / a for a, b in zip(seconds["worldreel"], seconds["diffusers"], strict=True)]
        result[stage] = {
            name: {
                "median_s": round(statistics.median(times), 4),
                "gflops": round(factor * flops / statistics.median(times) / 1e9, 1),
                "share_of_peak": round(factor * flops / statistics.median(times) / peak, 3),
            }
            for name, times in seconds.items()
        } | {"times_as_fast": round(statistics.median(ratios), 3)}
    print(json.dumps(result, indent=2))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--grid", type=int, nargs=3, default=(12, 4, 4), help="tokens: t h w")
    parser.add_argument("--patch-size", type=int, nargs=3, default=(4, 2, 2))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--num-layers", type=int, default=10)
    parser.add_argument("--num-heads", type=int, default=4)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--ffn-dim", type=int, default=1024)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--text-dim", type=int, default=384)
    parser.add_argument("--text-length", type=int, default=64)
    parser.add_argument("--level", choices=("clip", "token"), default="token")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="torch.compile per block, both")
    return parser.parse_args()


def both_models(config: TransformerConfig, device: torch.device) -> tuple[nn.Module, Transformer]:
    """Float32 masters with the same random weights."""
    kwargs = asdict(config)
    kwargs["num_attention_heads"] = kwargs.pop("num_heads")
    kwargs["attention_head_dim"] = kwargs.pop("head_dim")
    torch.manual_seed(0)
    with device:
        theirs = WanTransformer3DModel(**kwargs)
        ours = Transformer(config)
    ours.load_state_dict(from_diffusers(theirs.state_dict(), config))
    return theirs, ours


def inputs(
    config: TransformerConfig, options: argparse.Namespace, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latents, levels as each of the two takes them, and text states."""
    generator = torch.Generator().manual_seed(1)
    sides = [tokens * patch for tokens, patch in zip(options.grid, config.patch_size, strict=True)]
    x = torch.randn(options.batch, config.in_channels, *sides, generator=generator)
    text = torch.randn(options.batch, options.text_length, config.text_dim, generator=generator)
    level = torch.rand(options.batch, options.grid[0], generator=generator)
    per_token = level.repeat_interleave(options.grid[1] * options.grid[2], dim=1)
    if options.level == "clip":
        level = per_token = level[:, 0]
    return x.to(device), level.to(device), per_token.to(device), text.to(device)


def forward(run: Callable[[], Tensor], device: torch.device) -> None:
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        run()


def training_step(run: Callable[[], Tensor], device: torch.device) -> None:
    with torch.autocast(device.type, torch.bfloat16):
        out = run()
    out.float().square().mean().backward()


def alternate(works: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each repeat, taking turns, after one warm-up each."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            elapsed = timed(work)
            if repeat:
                seconds[name].append(elapsed)
    return seconds


def timed(work: Callable[[], object]) -> float:
    synchronise()
    start = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - start


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def gemm_peak(device: torch.device) -> float:
    """Best rate of a large bf16 matrix product, in FLOP/s."""
    side = 2048 if device.type == "cpu" else 8192
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    torch.mm(a, b)
    return 2 * side**3 / min(timed(partial(torch.mm, a, b)) for _ in range(5))


def forward_flops(config: TransformerConfig, batch: int, tokens: int, text: int) -> float:
    """Multiplications and additions of the blocks' products, without embeddings and head."""
    d, f = config.dim, config.ffn_dim
    per_token = 12 * d * d + 4 * d * f + 4 * tokens * d + 4 * text * d
    return batch * config.num_layers * (tokens * per_token + text * 4 * d * d)


if __name__ == "__main__":
    main()
