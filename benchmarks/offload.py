"""Memory and time of a transformer whose blocks are kept, and of one whose blocks are brought.

    python benchmarks/offload.py --out benchmarks/results/offload.json

Writes random weights of a published width with fewer layers as safetensors in diffusers' layout,
then loads and runs them twice, each in a process of its own: two steps of two branches. Anonymous
memory is what the process needs; pages of a file that is mapped can be taken away at any time and
count in the resident peak as well.
"""

import argparse
import datetime
import hashlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

from benchmarks.shapes import SHAPES, config_of  # noqa: E402

TEXT_TOKENS = 512
STEPS = 2
WATCH_S = 0.005


def main() -> None:
    options = parse_options()
    if options.run is not None:
        run(options)
        return
    with tempfile.TemporaryDirectory(dir=options.scratch) as place:
        folder = Path(place)
        size_bytes = write_weights(folder, options)
        rows = {}
        for name, more in (("kept", []), ("brought", ["--offload"])):
            words = [sys.executable, __file__, "--run", str(folder), *more]
            words += ["--shape", options.shape, "--layers", str(options.layers)]
            words += ["--tokens", str(options.tokens)]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            rows[name] = json.loads(done.stdout)
    from worldreel.app.machine import cpu_name

    is_same = rows["kept"].pop("digest") == rows["brought"].pop("digest")
    report = {
        "date": datetime.date.today().isoformat(),
        "processor": cpu_name(),
        "shape": options.shape,
        "layers": options.layers,
        "tokens": options.tokens,
        "weights_gb": round(size_bytes / 1e9, 3),
        "same_bits": is_same,
        **rows,
    }
    print(json.dumps(report, indent=2))
    if options.out:
        Path(options.out).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def write_weights(folder: Path, options: argparse.Namespace) -> int:
    """A file for each block and one for the rest, bf16; returns their bytes."""
    import torch
    from safetensors.torch import save_file

    from worldreel.models.transformer import Transformer
    from worldreel.models.wan_keys import INNER, OUTER

    config = config_of(options.shape, options.layers)
    with torch.device("meta"):
        network = Transformer(config)
    inner = {ours: theirs for theirs, ours in INNER.items()}
    outer = {ours: theirs for theirs, ours in OUTER.items()}
    generator = torch.Generator().manual_seed(0)
    files: dict[str, dict[str, torch.Tensor]] = {}
    for name, weight in network.state_dict().items():
        module, _, leaf = name.rpartition(".")
        shape, file, key = tuple(weight.shape), "rest", name
        if module.startswith("blocks."):
            _, index, rest = (*module.split(".", 2), "")[:3]
            file = f"block-{index}"
            key = f"blocks.{index}.{inner[rest]}.{leaf}" if rest else name
        elif module:
            key = f"{outer[module]}.{leaf}"
        if name == "patch_in.weight":
            shape = (config.dim, config.in_channels, *config.patch_size)
        elif leaf == "scale_shift_table":
            shape = (1, *shape)
        tensor = torch.randn(shape, generator=generator) * shape[-1] ** -0.5
        files.setdefault(file, {})[key] = tensor.bfloat16()
        is_last = file != "rest" and name.endswith("mlp.down.bias")
        if is_last:
            save_file(files.pop(file), folder / f"{file}.safetensors")
    for file, tensors in files.items():
        save_file(tensors, folder / f"{file}.safetensors")
    return sum(path.stat().st_size for path in folder.iterdir())


def run(options: argparse.Namespace) -> None:
    """Loads and computes in this process, and prints what it took."""
    import torch

    from worldreel.weights.load_pipeline import load_transformer, make_ready
    from worldreel.weights.offload import Offload

    torch.set_num_threads(1)
    before, watch = resident(), Watch()
    config, bf16 = config_of(options.shape, options.layers), torch.bfloat16
    offload = Offload(torch.device("cpu"), bf16) if options.offload else None
    began = time.perf_counter()
    network = load_transformer(sorted(Path(options.run).iterdir()), config, bf16, offload)
    if offload is None:
        make_ready(network)
    loaded_s = time.perf_counter() - began
    generator = torch.Generator().manual_seed(1)
    side = max(1, round((options.tokens / 2) ** 0.5))
    shape = (1, config.in_channels, 2, 2 * side, 2 * side)
    x = torch.randn(shape, generator=generator)
    text = torch.zeros(2, TEXT_TOKENS, config.text_dim)
    text[:, :20] = torch.randn(2, 20, config.text_dim, generator=generator)
    digest = hashlib.sha256()
    with torch.inference_mode(), torch.autocast("cpu", bf16):
        reads = [network.read(text[row : row + 1]) for row in range(2)]
        began, cpu = time.perf_counter(), time.process_time()
        for step in range(STEPS):
            for read in reads:
                out = network(x, torch.tensor([0.9 - 0.2 * step]), read)
                digest.update(out.float().numpy().tobytes())
                x = x - 0.1 * out.float()
        step_s = (time.perf_counter() - began) / STEPS
        step_cpu_s = (time.process_time() - cpu) / STEPS
    watch.stop()
    found = {
        "load_s": round(loaded_s, 1),
        "step_s": round(step_s, 2),
        "step_processor_s": round(step_cpu_s, 2),
        "peak_anonymous_gb": round((watch.anonymous - before["RssAnon"]) / 1e9, 3),
        "peak_resident_gb": round((resident()["VmHWM"] - before["VmRSS"]) / 1e9, 3),
        "digest": digest.hexdigest(),
    }
    print(json.dumps(found))


def resident() -> dict[str, int]:
    """Bytes by the kernel's names: VmRSS, VmHWM, RssAnon."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    pairs = (line.split(":", 1) for line in lines if line.startswith(("Vm", "Rss")))
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


class Watch:
    """The most anonymous memory of this process, looked at all the time."""

    def __init__(self) -> None:
        self.anonymous = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(WATCH_S):
            self.anonymous = max(self.anonymous, resident()["RssAnon"])


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="1.3b")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--scratch", help="a folder for the weights that are written")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--offload", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", help="a JSON file for the result")
    return parser.parse_args()


if __name__ == "__main__":
    main()
