"""What each of several devices has to do for one step of the 1.3B shape.

    python -m benchmarks.devices --out benchmarks/results/devices.json

One layer of random weights, bf16, processes on the CPU. What is compared is processor seconds of
the first process, in which exchanges and the ends of the network count too: on a machine with
fewer cores than processes the wall clock would say nothing.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import torch
from benchmarks.devices_follower import random_transformer
from torch import Tensor

from worldreel.models.transformer import Transformer
from worldreel.parallel.crew import Crew

FOLLOWER = "benchmarks.devices_follower"
SHAPES = {2080: (2, 52, 80), 8320: (8, 52, 80)}  # latent frames, rows and columns by tokens
TEXT_TOKENS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", help="a JSON file for the result")
    parser.add_argument("--tokens", type=int, nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict] = []
    alone: dict[tuple[int, int], tuple[float, Tensor]] = {}
    shape: dict = {}
    for num_devices in options.devices:
        transformer, crew = random_transformer(), None
        shape = dataclasses.asdict(transformer.config)
        if num_devices > 1:
            crew = Crew(num_devices, FOLLOWER, torch.device("cpu"), {})
            crew.lead([transformer])
        try:
            for num_tokens in options.tokens:
                for batch in (2, 1):
                    seconds, output = measure(transformer, num_tokens, batch)
                    if num_devices == 1:
                        alone[num_tokens, batch] = seconds, output
                    row = {"devices": num_devices, "tokens": num_tokens, "guided": batch == 2}
                    row["processor_s"] = round(seconds, 2)
                    if (num_tokens, batch) in alone:
                        before, expected = alone[num_tokens, batch]
                        error = (output - expected).square().mean() / expected.square().mean()
                        row["share_of_alone"] = round(seconds / before, 3)
                        row["relative_error"] = float(error.sqrt())
                    rows.append(row)
                    print(json.dumps(row), flush=True)
        finally:
            if crew is not None:
                crew.close()
    if options.out:
        shape = {name: value for name, value in shape.items() if value is not None}
        result = {"shape": shape, "torch": torch.__version__, "rows": rows}
        Path(options.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def measure(transformer: Transformer, num_tokens: int, batch: int) -> tuple[float, Tensor]:
    """The least processor seconds of a call, and its result; a prompt is read before."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 16, *SHAPES[num_tokens], generator=generator)
    text = torch.randn(batch, TEXT_TOKENS, transformer.config.text_dim, generator=generator)
    level = torch.full((batch,), 0.7)
    best, output = float("inf"), x
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        read = transformer.read(text)
        for _ in range(3 if num_tokens <= 4096 else 2):
            begin = time.process_time()
            output = transformer(x, level, read)
            best = min(best, time.process_time() - begin)
    return best, output.float()


if __name__ == "__main__":
    main()
