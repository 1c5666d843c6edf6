"""From words to a written mp4: seconds, memory, and the share of what the processor can do.

    python benchmarks/generate.py                      # the packaged model
    python benchmarks/generate.py --random-weights     # a model of the same shape, untrained
    python benchmarks/generate.py --output-path benchmarks/results/generate.json

*Warm* is from the loaded model to the written file, with a prompt not seen before.
*Cold* is a whole process of `worldreel generate`, from its start to its end. The share is
the transformer's floating-point operations per second of denoising, over those of a large
bf16 matrix product on all cores of the same machine.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROMPT = "a red ball falls and bounces on a wooden floor, then rests beside a blue cube"
GOALS = {"warm_s": 3.0, "cold_s": 12.0, "peak_memory_bytes": 1.5e9}


def main() -> None:
    options = read_options()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model
        if options.random_weights:
            model = str(Path(folder) / "random")
            # in a process of its own: a child's peak memory begins with its parent's
            run([sys.executable, __file__, "--write-random-model", model])
        cold = [measure_cold(model, options, Path(folder)) for _ in range(options.repeats)]
        warm = measure_warm(model, options, Path(folder))
    report = {
        "date": datetime.date.today().isoformat(),
        "random_weights": options.random_weights,
        "cold_s": statistics.median(seconds for seconds, _ in cold),
        "peak_memory_bytes": max(peak for _, peak in cold),
        **warm,
    }
    print_report(report)
    if options.output_path:
        path = Path(options.output_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure_cold(model: str, options: argparse.Namespace, folder: Path) -> tuple[float, int]:
    """Seconds and peak bytes of one whole process of the command line."""
    words = [sys.executable, "-m", "worldreel.app.main", "generate", PROMPT, "--seed", "1"]
    words += ["--model", model, "--output-path", str(folder / "cold.mp4"), "--overwrite"]
    words += ["--seconds", str(options.seconds), "--size", options.size, "--json"]
    if options.num_inference_steps is not None:
        words += ["--num-inference-steps", str(options.num_inference_steps)]
    return run(words)


def run(words: list[str]) -> tuple[float, int]:
    """Seconds and peak bytes of a process; ends this one with its words if it fails."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if process.returncode != 0:
            output.seek(0)
            sys.exit(f"{' '.join(words)} failed:\n{output.read().decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_maxrss * unit


def measure_warm(name: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds from the loaded model to the written file, stage by stage, medians of some runs."""
    began = time.perf_counter()
    from worldreel.generate.engine import generate
    from worldreel.generate.plan import num_tokens, plan_request
    from worldreel.generate.request import Request
    from worldreel.generate.video import settings_of
    from worldreel.provenance.mark import Marker
    from worldreel.weights.load import load_model

    model = load_model(name)
    load_s = time.perf_counter() - began
    marker = Marker.open(folder / "keys", tell=lambda words: None)
    width, height = map(int, options.size.split("x"))
    runs: list[dict[str, float]] = []
    plan = None
    for number in range(options.repeats + 1):
        request = Request(
            prompt=f"{PROMPT} {number}",
            model=name,
            seconds=options.seconds,
            width=width,
            height=height,
            seed=number,
            num_inference_steps=options.num_inference_steps,
        ).validate(model.description)
        plan = plan_request(request, model.description)
        marks: dict[str, float] = {}

        def progress(done: int, total: int, stage: str, marks: dict[str, float] = marks) -> None:
            marks.setdefault(f"{stage} begins", time.perf_counter())
            if done == total:
                marks[f"{stage} ends"] = time.perf_counter()

        assert request.fps
        start = time.perf_counter()
        with marker.writer(
            folder / "warm.mp4",
            size=(height, width),
            fps=request.fps,
            settings=settings_of(model, plan),
        ) as writer:
            for frames in generate(model, plan, progress):
                writer.write(frames)
        end = time.perf_counter()
        runs.append(
            {
                "warm_s": end - start,
                "text_s": marks["denoise begins"] - start,
                "denoise_s": marks["denoise ends"] - marks["denoise begins"],
                "decode_and_write_s": end - marks["denoise ends"],
            }
        )
    assert plan is not None
    first, others = runs[0], runs[1:]
    medians = {key: statistics.median(run[key] for run in others) for key in first}

    from worldreel.app import machine

    peak = machine.measure_bf16_gflops()
    achieved = plan.flops / medians["denoise_s"] / 1e9
    return {
        "model": model.description.name,
        "model_version": model.description.version,
        "dtype": str(model.dtype).removeprefix("torch."),
        "width": width,
        "height": height,
        "fps": plan.canvas.fps,
        "seconds": options.seconds,
        "num_frames": plan.num_frames,
        "num_inference_steps": plan.options.num_inference_steps,
        "num_evaluations": plan.num_evaluations,
        "num_tokens": num_tokens(plan.stretches[0], plan.latent_size[1:], model.description),
        "gflop": plan.flops / 1e9,
        "load_s": load_s,
        "first_warm_s": first["warm_s"],
        **medians,
        "repeats": options.repeats,
        "denoise_gflops": achieved,
        "bf16_gemm_gflops": peak,
        "share_of_gemm": achieved / peak,
        "hardware": machine.describe_machine(),
    }


def print_report(report: dict[str, Any]) -> None:
    hardware = report["hardware"]
    weights = ", random weights" if report["random_weights"] else ""
    print(
        f"{report['model']} {report['model_version']} ({report['dtype']}{weights}) on "
        f"{hardware['cpu']}, {hardware['cores']} cores, torch {hardware['torch']}, "
        f"{report['date']}"
    )
    print(
        f"{report['width']}x{report['height']}, {report['num_frames']} frames at "
        f"{report['fps']:g} per second, {report['num_inference_steps']} steps, "
        f"{report['num_evaluations']} evaluations of {report['num_tokens']} tokens, "
        f"{report['gflop']:.0f} GFLOP\n"
    )
    gigabytes = report["peak_memory_bytes"] / 1e9
    rows = [
        ("warm: loaded model to written mp4", f"{report['warm_s']:.2f} s", "3 s"),
        ("  text", f"{report['text_s']:.2f} s", ""),
        ("  denoise", f"{report['denoise_s']:.2f} s", ""),
        ("  decode, mark, encode, write", f"{report['decode_and_write_s']:.2f} s", ""),
        ("first of this process, warm", f"{report['first_warm_s']:.2f} s", ""),
        ("cold: the whole process", f"{report['cold_s']:.2f} s", "12 s"),
        ("peak memory of that process", f"{gigabytes:.2f} GB", "1.5 GB"),
        ("denoising", f"{report['denoise_gflops']:.0f} GFLOP/s", ""),
        ("bf16 product on all cores", f"{report['bf16_gemm_gflops']:.0f} GFLOP/s", ""),
        ("share of it", f"{100 * report['share_of_gemm']:.0f} %", ""),
    ]
    print(f"{'':36}{'measured':>14}{'goal':>10}")
    for name, measured, goal in rows:
        print(f"{name:36}{measured:>14}{goal:>10}")
    missed = [name for name, goal in GOALS.items() if report[name] > goal]
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall goals met")


def write_random_model(folder: Path) -> None:
    """A model of the default recipe's shape, with the weights of initialisation."""
    import torch

    from worldreel.models.autoencoder import Autoencoder, AutoencoderConfig
    from worldreel.models.transformer import Transformer, TransformerConfig, initialize
    from worldreel.weights.description import (
        Durations,
        ModelDescription,
        Sampling,
        Sizes,
        TextEncoding,
    )
    from worldreel.weights.save import save_model

    recipe = tomllib.loads((ROOT / "recipes" / "toybox.toml").read_text(encoding="utf-8"))
    other = ROOT / "recipes" / recipe["autoencoder"]
    autoencoder_config = tomllib.loads(other.read_text(encoding="utf-8")).get("model", {})
    transformer = Transformer(TransformerConfig(**recipe["model"]))
    initialize(transformer, torch.Generator().manual_seed(0))
    autoencoder = Autoencoder(AutoencoderConfig(**autoencoder_config))
    sample = recipe["sample"]
    description = ModelDescription(
        name="random",
        version="0",
        license="Apache-2.0",
        summary="Untrained, of the default model's shape.",
        prediction=recipe["prediction"],
        level_channel=recipe["level_channel"],
        position_channels=recipe["position_channels"],
        takes=("text",),
        fps=12,
        size=Sizes(default=(128, 128), min=96, max=256, trained=((128, 128),)),
        seconds=Durations(default=4.0, max=60.0),
        sampling=Sampling(
            num_inference_steps=sample["num_inference_steps"],
            guidance_scale=sample["guidance_scale"],
            guidance_interval=tuple(sample.get("guidance_interval", (0.0, 1.0))),
            shift=sample.get("shift", 1.0),
            solver=sample.get("solver", "unipc"),
        ),
        text=TextEncoding(encoder="minilm", num_tokens=64),
        transformer=recipe["model"],
        autoencoder=autoencoder_config,
    )
    states = {"transformer": transformer.state_dict(), "autoencoder": autoencoder.state_dict()}
    save_model(folder, description, states, {"transformer": "fp16", "autoencoder": "fp16"})


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="toybox", help="a name or a folder")
    parser.add_argument("--random-weights", action="store_true", help="no trained model needed")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--size", default="128x128")
    parser.add_argument("--num-inference-steps", type=int, help="default: the model's")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output-path", help="a JSON file for the figures and the hardware")
    parser.add_argument("--write-random-model", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write_random_model:
        write_random_model(Path(options.write_random_model))
        sys.exit(0)
    return options


if __name__ == "__main__":
    main()
