"""The watermark: how often it is found after what happens to videos, and how often where it is not.

    python -m benchmarks.watermark worn --size 256 --num-clips 100 --folder runs/watermark
    python -m benchmarks.watermark worn --size 128 --num-clips 100 --folder runs/watermark
    python -m benchmarks.watermark worn --clips FOLDER --num-clips 100 --folder runs/watermark
    python -m benchmarks.watermark clean --clips FOLDER FOLDER --folder runs/watermark
    python -m benchmarks.watermark cost --folder runs/watermark
    python -m benchmarks.watermark report --folder runs/watermark --json FILE

*Worn*: clips of the simulated world (4 s, 12 frames per second; events, floors and cameras as they
come, seeds that no training run has seen), or video files, are marked, each with a payload and a
key of its own, and then encoded, cut, resized and so on. *Clean*: clips that nobody marked are
searched for the mark, each with a key of its own, in every second frame; FOLDER holds video files
or shards.
Every clip's figures go into a file at once, so that the same command goes on where it was stopped.
"""

import argparse
import datetime
import hashlib
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.app.machine import describe_machine
from worldreel.media.read import read_video
from worldreel.media.write import VideoWriter
from worldreel.provenance.watermark import FALSE_ALARM, PSNR_DB, Watermark

Frames = NDArray[np.uint8]
FPS = 12
FIRST_SEED = 7_000_000
GENERATION_S = 1.309
"""Four seconds at 128x128 with the default model, benchmarks/results/generate-2026-11-22.json."""


# what happens to videos


def encoded(frames: Frames, codec: str, fps: int = FPS, **options: str) -> Frames:
    """The frames after an encoder has had them, on one thread."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_type = "NONE"
        stream.thread_count = 1
        stream.options = options
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as read:
        shown = [frame.to_ndarray(format="rgb24") for frame in read.decode(video=0)]
    return np.stack(shown).astype(np.uint8, copy=False)


def h264(frames: Frames, crf: int = 23, fps: int = FPS) -> Frames:
    return encoded(frames, "libx264", fps, crf=str(crf), preset="medium")


def published(frames: Frames, ending: str) -> Frames:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip{ending}"
        with VideoWriter(path, size=frames.shape[1:3], fps=FPS, settings={}) as writer:
            writer.write(frames)
        return read_video(path)


def cut(frames: Frames, share: float, random: np.random.Generator) -> Frames:
    height, width = (round(size * share / 2) * 2 for size in frames.shape[1:3])
    top = random.integers(0, frames.shape[1] - height + 1)
    left = random.integers(0, frames.shape[2] - width + 1)
    return frames[:, top : top + height, left : left + width]


def resized(frames: Frames, share: float) -> Frames:
    height, width = (round(size * share / 2) * 2 for size in frames.shape[1:3])
    how = Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(f).resize((width, height), how)) for f in frames])


def dropped(frames: Frames, share: float, random: np.random.Generator) -> Frames:
    kept = random.permutation(len(frames))[: round(len(frames) * (1 - share))]
    return frames[np.sort(kept)]


def at_rate(frames: Frames, fps: int) -> Frames:
    count = len(frames) * fps // FPS
    return frames[np.arange(count) * FPS // fps]


def scaled(frames: Frames, brightness: float) -> Frames:
    return np.rint(frames * brightness).astype(np.uint8)


X265 = {"x265-params": "log-level=none:pools=none:frame-threads=1"}
SVT = {"preset": "8", "svtav1-params": "lp=1"}

WEAR: dict[str, Callable[[Frames, np.random.Generator], Frames]] = {
    "published as mp4": lambda f, r: published(f, ".mp4"),
    "published as webp": lambda f, r: published(f, ".webp"),
    "published as gif": lambda f, r: published(f, ".gif"),
    "one frame as png": lambda f, r: published(f[:1], ".png"),
    "H.264 crf 23": lambda f, r: h264(f),
    "H.264 crf 30": lambda f, r: h264(f, 30),
    "H.264 crf 40": lambda f, r: h264(f, 40),
    "H.265 crf 28": lambda f, r: encoded(f, "libx265", FPS, crf="28", preset="medium", **X265),
    "AV1 crf 35": lambda f, r: encoded(f, "libsvtav1", FPS, crf="35", **SVT),
    "cut to 0.71": lambda f, r: h264(cut(f, 0.71, r)),
    "resized to 0.55": lambda f, r: h264(resized(f, 0.55)),
    "cut to 0.71, resized to 0.55": lambda f, r: h264(resized(cut(f, 0.71, r), 0.55)),
    "enlarged to 1.5": lambda f, r: h264(resized(f, 1.5)),
    "20% of frames dropped": lambda f, r: h264(dropped(f, 0.2, r)),
    "at 8 frames per second": lambda f, r: h264(at_rate(f, 8), fps=8),
    "at 24 frames per second": lambda f, r: h264(at_rate(f, 24), fps=24),
    "brightness 0.5": lambda f, r: h264(scaled(f, 0.5)),
    "one second cut out": lambda f, r: h264(f[18:30]),
    "mirrored": lambda f, r: h264(f[:, :, ::-1]),
    "in grey": lambda f, r: h264(f[..., 1:2].repeat(3, axis=3)),
}
"""Each ends in an encoder: H.264 at crf 23, medium, where none is named."""

BARS = {
    "H.264 crf 23": 0.99,
    "H.264 crf 30": 0.97,
    "H.264 crf 40": 0.85,
    "H.265 crf 28": 0.95,
    "AV1 crf 35": 0.95,
    "cut to 0.71": 0.95,
    "resized to 0.55": 0.95,
    "cut to 0.71, resized to 0.55": 0.95,
    "20% of frames dropped": 0.95,
    "at 8 frames per second": 0.95,
    "at 24 frames per second": 0.95,
    "brightness 0.5": 0.95,
}


def key_of(name: str) -> bytes:
    return hashlib.sha256(b"benchmark " + name.encode()).digest()


# measuring


def measure_worn(
    log: "Log",
    clips: Iterator[tuple[int, Callable[[], Frames]]],
    only: list[str],
    strength_db: float,
) -> None:
    for seed, load in clips:
        todo = [name for name in only or WEAR if not log.has(f"{seed} {name}")]
        if not todo:
            continue
        frames = load()
        payload = int(np.random.default_rng(seed).integers(2**32))
        watermark = Watermark(key_of(str(seed)), psnr_db=strength_db)
        marked = watermark.embed(frames, payload)
        for name in todo:
            worn = WEAR[name](marked, np.random.default_rng(seed))
            reading = watermark.detect(worn)
            log.add(
                key=f"{seed} {name}",
                name=name,
                psnr_db=psnr_db(frames, marked),
                found=reading.found,
                read=reading.payload == payload,
                misread=reading.payload not in (None, payload),
                log10_false_alarm=math.log10(max(reading.false_alarm, 1e-300)),
            )


def simulated(size: int, num_clips: int) -> Iterator[tuple[int, Callable[[], Frames]]]:
    """Seeds and clips of the world, drawn when asked for."""
    from worldreel.world.render import render_clip
    from worldreel.world.sampling import sample_scene

    for seed in range(FIRST_SEED, FIRST_SEED + num_clips):
        yield (
            seed,
            lambda seed=seed: render_clip(sample_scene(seed), height=size, width=size).frames,
        )


def from_files(folders: list[Path], num_clips: int) -> Iterator[tuple[int, Callable[[], Frames]]]:
    """Video files, drawn by lot but always the same."""
    paths = sorted(path for folder in folders for path in folder.glob("*.mp4"))
    lots = np.random.default_rng(FIRST_SEED).permutation(len(paths))[:num_clips]
    for number in lots.tolist():
        yield FIRST_SEED + number, lambda path=paths[number]: read_video(path)


def measure_clean(folder: Path, clips: list[Path], num_clips: int, flips: bool) -> None:
    log = Log(folder / "clean.jsonl")
    for count, (name, load) in enumerate(clean_clips(clips, flips)):
        if count >= num_clips:
            return
        if log.has(name):
            continue
        reading = Watermark(key_of(name)).detect(load()[::2])
        log.add(
            key=name,
            found=reading.found,
            log10_false_alarm=math.log10(max(reading.false_alarm, 1e-300)),
        )


def clean_clips(folders: list[Path], flips: bool) -> Iterator[tuple[str, Callable[[], Frames]]]:
    """Names and loaders; with ``flips``, every clip upside down too, after all others."""
    for upside_down in (False, True) if flips else (False,):
        for folder in folders:
            if (folder / "manifest.parquet").exists():
                loaders = shard_clips(folder)
            else:
                files = sorted(folder.glob("*.mp4"))
                loaders = ((path.stem, lambda path=path: read_video(path)) for path in files)
            for name, load in loaders:
                if upside_down:
                    yield f"{folder.name}/{name}/flip", lambda load=load: load()[:, ::-1]
                else:
                    yield f"{folder.name}/{name}", load


def shard_clips(folder: Path) -> Iterator[tuple[str, Callable[[], Frames]]]:
    """Decoded one by one, only when asked for."""
    import tarfile

    from worldreel.media.lossless import decode_lossless

    for path in sorted(folder.glob("shard-*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".mp4"):
                    yield (
                        member.name.removesuffix(".mp4"),
                        lambda tar=tar, member=member: decode_lossless(
                            tar.extractfile(member).read()  # pyright: ignore
                        ),
                    )


def measure_cost(folder: Path) -> None:
    log = Log(folder / "cost.jsonl")
    watermark = Watermark(key_of("cost"))
    for size in (128, 256, 512):
        frames = np.random.default_rng(0).integers(0, 256, (48, size, size, 3), np.uint8)
        embed_s, detect_s, marked = [], [], frames
        for _ in range(7):
            start = time.process_time()
            embed = watermark.embedder(size, size, 1)
            marked = np.concatenate([embed(frames[i : i + 8]) for i in range(0, 48, 8)])
            embed_s.append(time.process_time() - start)
        for search in (frames, marked):
            start = time.process_time()
            watermark.detect(search)
            detect_s.append(time.process_time() - start)
        log.add(
            key=f"{size} {datetime.datetime.now(datetime.UTC).isoformat()}",
            size=size,
            embed_ms_per_frame=1000 * statistics.median(embed_s) / len(frames),
            detect_clean_s=detect_s[0],
            detect_marked_s=detect_s[1],
        )


def psnr_db(before: Frames, after: Frames) -> float:
    difference = before.astype(np.int32) - after
    return 10 * math.log10(255**2 / max(float(np.mean(difference**2)), 1e-9))


class Log:
    """Lines of JSON, one a measurement, each written at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.lines = []
        if path.exists():
            self.lines = [json.loads(line) for line in path.read_text().splitlines()]
        self._keys = {line["key"] for line in self.lines}

    def has(self, key: str) -> bool:
        return key in self._keys

    def add(self, **line: Any) -> None:
        self._keys.add(line["key"])
        self.lines.append(line)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


# reporting


def report(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "false_alarm_rate": FALSE_ALARM,
        "hardware": describe_machine(),
    }
    for size in (256, 128, "files"):
        lines = Log(folder / f"worn-{size}.jsonl").lines
        if lines:
            psnrs = [line["psnr_db"] for line in lines]
            result[f"worn_{size}"] = {
                "psnr_db": {"mean": round(statistics.mean(psnrs), 2), "min": round(min(psnrs), 2)},
                "wear": {name: wear(lines, name) for name in WEAR},
            }
    clean = Log(folder / "clean.jsonl").lines
    if clean:
        tails = [line["log10_false_alarm"] for line in clean]
        result["clean"] = {
            "of": len(clean),
            "alarms": sum(line["found"] for line in clean),
            "rarest_false_alarm_bound": 10 ** min(tails),
            "bound_below": {
                f"1e-{k}": [sum(tail < -k for tail in tails), len(clean) * 10**-k]
                for k in (1, 2, 3, 4)
            },
        }
    cost = Log(folder / "cost.jsonl").lines[-3:]
    if cost:
        result["cost"] = [
            {name: round(value, 4) for name, value in line.items() if name != "key"}
            for line in cost
        ]
        small = next(line for line in cost if line["size"] == 128)
        result["share_of_generation"] = round(
            small["embed_ms_per_frame"] * 48 / 1000 / GENERATION_S, 4
        )
    return result


def wear(lines: list[dict[str, Any]], name: str) -> dict[str, Any]:
    chosen = [line for line in lines if line["name"] == name]
    counts = {what: sum(line[what] for line in chosen) for what in ("found", "read", "misread")}
    met = None
    if name in BARS and chosen:
        met = counts["found"] >= BARS[name] * len(chosen)
    return {"of": len(chosen), **counts, "bar": BARS.get(name), "met": met}


def show(result: dict[str, Any]) -> None:
    for size in (256, 128, "files"):
        if worn := result.get(f"worn_{size}"):
            print(f"{size}: PSNR {worn['psnr_db']}")
            for name, row in worn["wear"].items():
                bar = f"bar {row['bar']:.0%}: {row['met']}" if row["bar"] else ""
                counts = f"found {row['found']}, read {row['read']}, misread {row['misread']}"
                print(f"  {name:30} {counts} of {row['of']}  {bar}")
    for name in ("clean", "cost", "share_of_generation"):
        if name in result:
            print(name, json.dumps(result[name]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["worn", "clean", "cost", "report"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--num-clips", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=[], choices=list(WEAR))
    parser.add_argument("--clips", type=Path, nargs="*", default=[])
    parser.add_argument("--psnr-db", type=float, default=PSNR_DB)
    parser.add_argument("--flips", action="store_true", help="clean clips upside down too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ["SVT_LOG"] = "1"  # errors only
    if options.what == "worn":
        name = "files" if options.clips else options.size
        clips = simulated(options.size, options.num_clips)
        if options.clips:
            clips = from_files(options.clips, options.num_clips)
        log = Log(options.folder / f"worn-{name}.jsonl")
        measure_worn(log, clips, options.only, options.psnr_db)
    elif options.what == "clean":
        measure_clean(options.folder, options.clips, options.num_clips, options.flips)
    elif options.what == "cost":
        measure_cost(options.folder)
    result = report(options.folder)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
