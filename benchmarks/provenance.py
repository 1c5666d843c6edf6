"""Marks at scale: every verb and format, killed markers, flipped bytes, races, cost, evasions.

    python benchmarks/provenance.py --outputs 1000 --out benchmarks/results/provenance.json

The outputs are made by the command line with a model of random weights, so that a thousand take
minutes; credentials, labels and watermark of each are then read back, and the labels by exiftool
too where it is installed. With ``--c2pa-ts FOLDER``, where that npm package was installed (see
``c2pa_ts.mjs``), the last file of each verb and format that it can read is read by it as well, as
made and with a byte changed. Cost is measured with the default model, in processor time.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests import plain_c2pa  # noqa: E402
from tests.job_bench import Bench  # noqa: E402
from tests.policy_cases import BEYOND, evasions, harmless  # noqa: E402
from tests.test_consent import race  # noqa: E402
from tests.tiny_model import DESCRIPTION, tiny_networks  # noqa: E402

from worldreel.app.jobs import audit  # noqa: E402
from worldreel.app.jobs.consents import ConsentStore  # noqa: E402
from worldreel.app.machine import describe_machine  # noqa: E402
from worldreel.app.main import main as worldreel  # noqa: E402
from worldreel.app.policy.policy import SAMPLE, load_policy  # noqa: E402
from worldreel.core.errors import WorldreelError  # noqa: E402
from worldreel.media.footage import read_footage  # noqa: E402
from worldreel.media.sheet import save_image  # noqa: E402
from worldreel.media.write import VideoWriter  # noqa: E402
from worldreel.provenance import carriers, credentials  # noqa: E402
from worldreel.provenance.authority import HOME_VARIABLE  # noqa: E402
from worldreel.provenance.config import PUBLIC_KEY  # noqa: E402
from worldreel.provenance.mark import Marker  # noqa: E402
from worldreel.provenance.watermark import Watermark  # noqa: E402
from worldreel.weights.save import save_model  # noqa: E402

SIDE = 128
FORMATS = (".mp4", ".webp", ".gif")
READ_BY_OTHERS = {".mp4", ".png"}
"""What c2pa-ts can read of our formats, beside jpeg, which no command line writes."""
LARGE = dataclasses.replace(
    DESCRIPTION,
    takes=("text", "first_frame", "last_frame", "clip", "mask"),
    size=dataclasses.replace(DESCRIPTION.size, default=(SIDE, SIDE), max=256),
    seconds=dataclasses.replace(DESCRIPTION.seconds, default=1.0, max=60.0),
)
CLIP = ["clip.mp4", "--prompt", "a red ball"]
VERBS: dict[str, list[str]] = {
    "generate": ["a red ball"],
    "generate from a picture": ["a red ball", "--image", "picture.png"],
    "image": ["a red ball"],
    "extend": [*CLIP, "--seconds", "0.5"],
    "connect": ["clip.mp4", "other.mp4", "--prompt", "a ball", "--seconds", "0.5"],
    "loop": ["clip.mp4", "--prompt", "a ball", "--seconds", "0.5"],
    "edit": ["clip.mp4", "a blue ball"],
    "erase": [*CLIP, "--mask", "mask.png"],
    "replace": ["clip.mp4", "a blue cube", "--mask", "mask.png"],
    "expand": [*CLIP, "--to", "160x160"],
    "interpolate": [*CLIP, "--fps", "24"],
    "recut": [*CLIP, "--from-s", "0.25", "--after", "0.25"],
    "upscale": [*CLIP, "--size", "160x160"],
    "storyboard": ["board.toml"],
    "play": ["a red ball", "--seconds", "1", "--context", "8"],
}


def scene(count: int, seed: int) -> np.ndarray:
    """A smooth picture with a ball that moves: uint8 ``t h w 3``."""
    t, y, x = np.meshgrid(np.arange(count), np.arange(SIDE), np.arange(SIDE), indexing="ij")
    ball = (x - 30 - 4 * t - seed % 20) ** 2 + (y - 64) ** 2 < 400
    pixels = np.stack((60 + x // 2, 150 - y // 3, np.full_like(x, 120)), axis=-1)
    pixels[ball] = (200, 40, 40)
    return pixels.astype(np.uint8)


def prepare(folder: Path) -> str:
    """What the verbs begin from, and a model; returns the model's folder."""
    os.chdir(folder)
    for name, seed in (("clip.mp4", 0), ("other.mp4", 7)):
        with VideoWriter(name, size=(SIDE, SIDE), fps=12, settings={"prompt": "a ball"}) as file:
            file.write(scene(12, seed))
    save_image("picture.png", scene(1, 3)[0])
    mask = np.zeros((SIDE, SIDE, 3), np.uint8)
    mask[32:96, 32:96] = 255
    save_image("mask.png", mask)
    Path("board.toml").write_text(
        f"size = [{SIDE}, {SIDE}]\n"
        '[[shot]]\nprompt = "a ball"\nseconds = 1\nimage = "picture.png"\n'
    )
    transformer, autoencoder = tiny_networks(LARGE)
    states = {"transformer": transformer.state_dict(), "autoencoder": autoencoder.state_dict()}
    save_model(Path("tiny"), LARGE, states, {"transformer": "fp32", "autoencoder": "fp32"})
    return str(folder / "tiny")


def outputs(count: int, model: str, marker: Marker, c2pa_ts: Path | None) -> dict[str, Any]:
    """Makes files by every verb in every format and reads their marks."""
    counts: dict[str, Counter[str]] = {}
    wrong: list[str] = []
    made: dict[tuple[str, str], Path] = {}
    exiftool = shutil.which("exiftool")
    for number in range(count):
        name = list(VERBS)[number % len(VERBS)]
        ending = ".png" if name == "image" else FORMATS[number // len(VERBS) % len(FORMATS)]
        path = Path(f"{name.replace(' ', '-')}{ending}")
        path.unlink(missing_ok=True)
        made[name, ending] = path
        where = "--record" if name == "play" else "--output-path"
        words = [name.split()[0], "--model", model, "--seed", str(number), where, str(path)]
        told = io.StringIO()
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
            code = worldreel([*words, "--num-inference-steps", "1", "--json", *VERBS[name]])
        found = counts.setdefault(f"{name} {ending}", Counter())
        found["asked"] += 1
        if code != 0:
            found["refused"] += 1
            wrong.append(f"{name} {ending}: {told.getvalue().strip().splitlines()[-1][:200]}")
            continue
        found["made"] += 1
        found.update(read_marks(path, marker))
        found["plain reader agrees"] += reads_plainly(path)
        if exiftool:
            found["exiftool agrees"] += asks_exiftool(exiftool, path)
    total = sum(counts.values(), Counter())
    each = {
        name: f"{one['watermark read right']} of {one['asked']} with all marks read"
        if len(set(one.values())) == 1
        else dict(one)
        for name, one in counts.items()
    }
    result: dict[str, Any] = {"total": dict(total), "each": each, "refused": sorted(set(wrong))}
    if c2pa_ts is not None:
        readable = [
            path for path in made.values() if path.exists() and path.suffix in READ_BY_OTHERS
        ]
        result["c2pa-ts"] = asks_c2pa_ts(c2pa_ts, readable)
    return result


def read_marks(path: Path, marker: Marker) -> Counter[str]:
    """Which marks are found in a file, each 0 or 1."""
    with open(path, "rb") as file:
        mime = carriers.mime_of(path)
        read = credentials.read(file, mime, marker.signing.root_pem)
        labels = carriers.read_labels(file, mime)
    reading = Watermark(PUBLIC_KEY).detect(read_footage(path).frames)
    is_right = reading.payload == marker.payload(read.content_id or "")
    return Counter(
        {
            "credentials trusted": int(read.state == "trusted"),
            "labels present": int(labels.aigc is not None and labels.source_type is not None),
            "watermark found": int(reading.found),
            "watermark read right": int(reading.found and is_right),
        }
    )


def reads_plainly(path: Path) -> int:
    """Whether a reader that shares no code with the signer finds signature and hashes right."""
    try:
        return int("worldreel local signer" in plain_c2pa.check(path))
    except Exception:
        return 0


def asks_exiftool(tool: str, path: Path) -> int:
    """Whether an independent reader finds both labels."""
    words = [tool, "-j", "-AIGC", "-XMP-TC260:all", "-DigitalSourceType", str(path)]
    told = json.loads(subprocess.run(words, capture_output=True, check=False).stdout or "[{}]")[0]
    label = told.get("Aigc") or told.get("AIGC")
    return int(bool(label) and "rainedAlgorithmicMedia" in str(told.get("DigitalSourceType")))


def asks_c2pa_ts(folder: Path, paths: list[Path]) -> dict[str, str]:
    """What an implementation by others says of the files, and of each with a byte changed."""
    changed = []
    for path in paths:
        data = bytearray(path.read_bytes())
        data[-64] ^= 1
        changed.append(path.with_stem(f"{path.stem}-changed"))
        changed[-1].write_bytes(data)
    words = ["node", ROOT / "benchmarks/c2pa_ts.mjs", folder.absolute()]
    told = subprocess.run([*words, *paths, *changed], capture_output=True, check=True, text=True)
    valid = {line["name"]: line["valid"] for line in map(json.loads, told.stdout.splitlines())}
    found = {}
    for ending in sorted(READ_BY_OTHERS):
        pairs = [pair for pair in zip(paths, changed, strict=True) if pair[0].suffix == ending]
        found[ending] = f"{sum(valid[str(p)] for p, _ in pairs)} of {len(pairs)} valid"
        found[f"{ending} changed"] = f"{sum(valid[str(c)] for _, c in pairs)} of {len(pairs)} valid"
    return found


def moments(count: int, folder: Path, marker: Marker, seed: int) -> dict[str, Any]:
    """Kills markers, and takes their disk away, at random moments; counts what has a name."""
    random_ = random.Random(seed)
    found: Counter[str] = Counter()
    frames = scene(12, 0)
    for number in range(count):
        place = folder / f"moment-{number}"
        place.mkdir()
        is_full = number % 2 == 1
        process = os.fork()
        if process == 0:
            mark_for_ever(
                place, frames, marker, random_.randrange(200, 60_000) if is_full else None
            )
        if is_full:
            os.waitpid(process, 0)
        else:
            time.sleep(random_.uniform(0.0, 0.25))
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        found["disk full" if is_full else "killed"] += 1
        for path in place.iterdir():
            if path.suffix == ".part":
                found["unfinished without a name"] += 1
                continue
            with open(path, "rb") as file:
                mime = carriers.mime_of(path)
                state = credentials.read(file, mime, marker.signing.root_pem).state
                labels = carriers.read_labels(file, mime)
            is_marked = state == "trusted" and labels.say_generated
            found["published marked" if is_marked else "published unmarked"] += 1
        shutil.rmtree(place)
    return dict(found)


def mark_for_ever(place: Path, frames: np.ndarray, marker: Marker, most_bytes: int | None) -> None:
    """Writes one file after the other, in a process that will be killed, or has a small disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    for number in range(4 if most_bytes is not None else 1000):
        path = place / f"clip-{number}{FORMATS[number % len(FORMATS)]}"
        size = frames.shape[1:3]
        settings = {"model": "toybox", "number": number}
        with (
            contextlib.suppress(WorldreelError, OSError),
            marker.writer(path, size=size, fps=12, settings=settings) as file,
        ):
            file.write(frames)
    os._exit(0)


def flips(folder: Path, marker: Marker, step: int) -> dict[str, Any]:
    """Flips one bit after the other of a file of each format; counts what stays valid."""
    found: dict[str, Any] = {}
    for ending in (*FORMATS, ".png", ".jpg"):
        path = folder / f"flip{ending}"
        settings = {"model": "toybox", "model_version": "1"}
        if ending in (".png", ".jpg"):
            save_image(folder / f"plain{ending}", scene(1, 0)[0, :64, :64], settings)
            marker.mark(folder / f"plain{ending}", path, marker.claim(settings))
        else:
            with marker.writer(path, size=(64, 64), fps=12, settings=settings) as file:
                file.write(scene(3, 0)[:, :64, :64])
        data, mime = path.read_bytes(), carriers.mime_of(path)
        valid = tried = 0
        with open(path, "r+b", buffering=0) as file:
            for place in range(0, len(data), step):
                file.seek(place)
                file.write(bytes([data[place] ^ 1 << place % 8]))
                state = credentials.read(file, mime, marker.signing.root_pem).state
                valid += state in ("trusted", "valid")
                tried += 1
                file.seek(place)
                file.write(data[place : place + 1])
        found[ending] = {"bytes": len(data), "flipped": tried, "still valid": valid}
    return found


def races(count: int, folder: Path) -> dict[str, Any]:
    """Revokes consents while videos that rest on them are made."""
    bench = Bench(folder)
    bench.consents = ConsentStore(bench.database)  # pyright: ignore[reportAttributeAccessIssue]
    published, used = 0, 0
    for number in range(count):
        was_published, after = race(bench, moment=number % 25)
        published += was_published
        used += len(after)
    log = list(audit.entries(bench.database))
    bench.database.close()
    return {
        "races": count,
        "uses after the revocation was answered": used,
        "published before it": published,
        "audit log": audit.find_break(log) or f"whole, {len(log)} entries",
    }


def cost(folder: Path) -> dict[str, Any]:
    """Processor time of marking, beside that of making with the default model."""
    from worldreel.generate.model import load

    model = load("toybox")
    model.generate("a red ball", seconds=0.5, seed=1)  # what is done once is not counted
    marker = Marker.open()
    began = time.process_time()
    video = model.generate("a red ball rolls on grass", seconds=4, seed=1)
    frames = video.frames
    made_s = time.process_time() - began
    size, settings = frames.shape[1:3], video.settings
    spent: dict[str, list[float]] = {"plain": [], "marked": []}
    for number in range(6):
        for kind in spent:
            writer = VideoWriter if kind == "plain" else marker.writer
            path = folder / f"{kind}-{number}.mp4"
            began = time.process_time()
            with writer(path, size=size, fps=video.fps, settings=settings) as file:
                file.write(frames)
            spent[kind].append(time.process_time() - began)
    plain_s, marked_s = (float(np.median(times[1:])) for times in spent.values())
    embed = marker.frames(size, video.fps, "cost")(frames)
    error = np.mean((embed.astype(float) - frames) ** 2)
    return {
        "video": f"{len(frames)} frames of {size[1]}x{size[0]}",
        "making_cpu_s": round(made_s, 3),
        "writing_cpu_s": round(plain_s, 3),
        "marking_cpu_s": round(marked_s - plain_s, 4),
        "share_of_making": round((marked_s - plain_s) / (made_s + plain_s), 4),
        "psnr_db": round(10 * np.log10(255**2 / error), 2),
    }


def policy() -> dict[str, Any]:
    """The sample policy against texts that hide, and harmless ones."""
    rules = load_policy(SAMPLE)
    by_way: dict[str, Counter[str]] = {}
    for way, text in evasions():
        one = by_way.setdefault(way, Counter())
        one["tried"] += 1
        one["held"] += rules.judge(text) is not None
    total = sum(by_way.values(), Counter())
    peaceful = harmless()
    refused = [text for text in peaceful if rules.judge(text)]
    return {
        "evasions": total["tried"],
        "held": total["held"],
        "by_way": {way: f"{one['held']} of {one['tried']}" for way, one in by_way.items()},
        "harmless": len(peaceful),
        "refused": refused,
        "beyond rules on words": f"{sum(rules.judge(t) is not None for t in BEYOND)} of "
        f"{len(BEYOND)} held",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--outputs", type=int, default=60)
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--races", type=int, default=200)
    parser.add_argument("--flip-step", type=int, default=1)
    parser.add_argument("--parts", nargs="*", default=PARTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--c2pa-ts", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    out = None if asked.out is None else asked.out.absolute()
    c2pa_ts = None if asked.c2pa_ts is None else asked.c2pa_ts.absolute()
    found: dict[str, Any] = {"machine": describe_machine()}
    if out is not None and out.is_file():  # parts that were measured before stay
        found |= json.loads(out.read_text())
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        os.environ[HOME_VARIABLE] = str(folder / "keys")
        marker = Marker.open(tell=lambda told: None)
        acts = {
            "outputs": lambda: outputs(asked.outputs, prepare(folder), marker, c2pa_ts),
            "moments": lambda: moments(asked.moments, folder, marker, asked.seed),
            "flips": lambda: flips(folder, marker, asked.flip_step),
            "races": lambda: races(asked.races, folder / "races"),
            "cost": lambda: cost(folder),
            "policy": policy,
        }
        for part in asked.parts:
            began = time.perf_counter()
            found[part] = acts[part]()
            found[part]["took_s"] = round(time.perf_counter() - began, 1)
            print(json.dumps({part: found[part]}, indent=2), flush=True)
            if out is not None:
                out.write_text(json.dumps(found, indent=2) + "\n")


PARTS = ("outputs", "moments", "flips", "races", "cost", "policy")

if __name__ == "__main__":
    main()
