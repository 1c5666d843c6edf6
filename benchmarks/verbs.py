"""What each verb does to clips of the simulated world, measured on the files that it writes.

    python benchmarks/verbs.py --num-scenes 16 --json benchmarks/results/verbs.json

Every scene is simulated, so that the truth is known: the frames between, the picture around, the
object that is erased. Figures are of the files (H.264), read back; positions are the laws'
tracker's. A share is of the scenes that met the bar.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import worldreel
from worldreel.app.machine import describe_machine
from worldreel.evaluate.case import Group, draw_cases
from worldreel.evaluate.observe import observe
from worldreel.evaluate.tracks import Track
from worldreel.generate import verbs
from worldreel.generate.canvas import Canvas
from worldreel.generate.model import Model
from worldreel.media.read import read_video
from worldreel.world.render import render_clip

Frames = NDArray[np.uint8]
FPS = 12.0
GROUPS: tuple[Group, ...] = ("swing", "fall", "roll", "slide")


@dataclass(frozen=True)
class Shown:
    """A simulated clip, and what is asked about it."""

    frames: Frames
    masks: NDArray[np.uint8]
    prompt: str
    color: str
    seed: int


def scenes(count: int) -> list[Shown]:
    """The first scenes of the groups in turn, none of which the model was trained on."""
    found = []
    for number in range(count):
        group = GROUPS[number % len(GROUPS)]
        case = draw_cases(group, "within", count)[number // len(GROUPS)]
        clip = render_clip(case.scene, height=128, width=128)
        color = case.scene.things[0].color
        found.append(Shown(clip.frames, clip.truth["masks"], case.prompt, color, number))
    return found


def psnr(one: Frames, other: Frames, where: NDArray[np.bool_] | None = None) -> float:
    """Decibels; 99 where nothing differs."""
    error = (one.astype(float) - other) ** 2
    mean = float(error.mean() if where is None else error[where].mean())
    return 99.0 if mean == 0 else min(99.0, 10 * np.log10(255**2 / mean))


def luma(frames: Frames) -> NDArray[np.float64]:
    return frames.astype(float) @ np.array([0.2126, 0.7152, 0.0722])


def steps(frames: Frames) -> NDArray[np.float64]:
    """How much the picture changes from each frame to the next: mean difference of luma."""
    return np.abs(np.diff(luma(frames), axis=0)).mean(axis=(1, 2))


def follow(frames: Frames, color: str) -> Track:
    return observe(frames, FPS).tracks[color]


def correlation(one: Track, other: Track) -> float:
    both = one.seen & other.seen
    if both.sum() < 6:
        return 0.0
    values = []
    for a, b in ((one.x, other.x), (one.y, other.y)):
        if a[both].std() > 1:
            values.append(np.corrcoef(a[both], b[both])[0, 1] if b[both].std() > 0 else 0.0)
    if not values:  # it hardly moves: then it must be at the same place
        apart = np.hypot(one.x[both] - other.x[both], one.y[both] - other.y[both]).mean()
        return float(apart < 3)
    return float(np.min(values))


class Bench:
    """Makes canvases into files and reads them back."""

    def __init__(self, model: Model, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.kept: dict[str, Frames] = {}

    def make(self, name: str, canvas: Canvas, seed: int) -> Frames:
        path = self.folder / "made.mp4"
        self.model.generate(canvas, seed=seed).save(path)
        self.kept[name] = read_video(path)
        return self.kept[name]


def image(bench: Bench, shown: Shown) -> dict[str, float]:
    canvas = bench.model.canvas().say(shown.prompt)
    one = bench.make("image", verbs.animate(canvas, first=shown.frames[0]), shown.seed)
    both = verbs.animate(canvas, first=shown.frames[0], last=shown.frames[-1])
    two = bench.make("first and last", both, shown.seed)
    given = min(
        psnr(one[0], shown.frames[0]),
        psnr(two[0], shown.frames[0]),
        psnr(two[-1], shown.frames[-1]),
    )
    moves = float(steps(one)[1:].mean())
    return {
        "given_psnr_db": given,
        "mean_step": moves,
        "bar: given at 30 dB, and it moves": float(given >= 30 and moves > 0.1),
    }


def extend(bench: Bench, shown: Shown) -> dict[str, float]:
    clip = shown.frames[:24]
    canvas = verbs.extend(clip, shown.prompt, seconds=2, fps=FPS)
    made = bench.make("extend", canvas, shown.seed)
    own = steps(made[:24])
    seam = steps(made[23:25])[0]
    brightness = np.abs(np.diff(luma(made).mean(axis=(1, 2))))
    given = psnr(made[:24], clip)
    return {
        "given_psnr_db": given,
        "seam_over_95th_percentile": seam / max(np.percentile(own, 95), 0.05),
        "bar: no jump in the picture": float(seam <= max(np.percentile(own, 95), 0.05)),
        "bar: no jump in brightness": float(
            brightness[23] <= max(np.percentile(brightness[:23], 95), 0.05)
        ),
    }


def connect(bench: Bench, shown: Shown) -> dict[str, float]:
    first, second = shown.frames[:16], shown.frames[-16:]
    canvas = verbs.connect(first, second, shown.prompt, seconds=16 / 12, fps=FPS)
    made = bench.make("connect", canvas, shown.seed)
    given = min(psnr(made[:16], first), psnr(made[-16:], second))
    track, true = follow(made, shown.color), follow(shown.frames, shown.color)
    jumps = np.hypot(np.diff(track.x), np.diff(track.y))
    longest = np.nanmax(np.hypot(np.diff(true.x), np.diff(true.y)), initial=1.0)
    gone = float((true.seen & ~track.seen)[15:33].mean())
    return {
        "given_psnr_db": given,
        "missing_share": gone,
        "longest_jump_over_the_truths": float(np.nanmax(jumps[15:33], initial=0.0) / longest),
        "bar: always seen, no jump over twice the truth's": float(
            gone == 0 and np.nanmax(jumps[15:33], initial=0.0) <= 2 * longest
        ),
    }


def loop(bench: Bench, shown: Shown) -> dict[str, float]:
    canvas = bench.model.canvas().say(shown.prompt).loop()
    made = bench.make("loop", canvas, shown.seed)
    closing = steps(np.stack([made[-1], made[0]]))[0]
    return {
        "closing_step_over_median": closing / max(float(np.median(steps(made))), 0.05),
        "bar: closing step no larger than the median": float(
            closing <= max(float(np.median(steps(made))), 0.05)
        ),
    }


def close(bench: Bench, shown: Shown) -> dict[str, float]:
    clip = shown.frames[:32]
    canvas = verbs.close(clip, shown.prompt, seconds=16 / 12, fps=FPS)
    made = bench.make("close", canvas, shown.seed)
    closing = steps(np.stack([made[-1], made[0]]))[0]
    return {
        "given_psnr_db": psnr(made[:32], clip),
        "closing_step_over_median": closing / max(float(np.median(steps(made))), 0.05),
        "bar: closing step no larger than the median": float(
            closing <= max(float(np.median(steps(made))), 0.05)
        ),
    }


def edit(bench: Bench, shown: Shown) -> dict[str, float]:
    other = "blue" if shown.color != "blue" else "red"
    prompt = shown.prompt.replace(shown.color, other)
    noise = verbs.noise_of(0.5, bench.model.description.sampling.shift)
    made = bench.make("edit", verbs.edit(shown.frames, prompt, noise=noise, fps=FPS), shown.seed)
    true, new, old = (
        follow(shown.frames, shown.color),
        follow(made, other),
        follow(made, shown.color),
    )
    expected = max(int(true.seen.sum()), 1)
    changed = float((new.seen & ~old.seen)[true.seen].sum() / expected)
    best = max((new, old), key=lambda track: int(track.seen.sum()))
    kept = correlation(true, best)
    return {
        "track_correlation": kept,
        "recoloured_share": changed,
        "bar: track kept at 0.9": float(kept >= 0.9),
        "bar: colour changed in half of the frames": float(changed >= 0.5),
    }


def erase(bench: Bench, shown: Shown) -> dict[str, float]:
    thing = shown.masks == 1
    mask = np.stack([ndimage.binary_dilation(frame, iterations=5) for frame in thing]).astype(bool)
    canvas = verbs.erase(shown.frames, mask, "an empty floor", fps=FPS)
    made = bench.make("erase", canvas, shown.seed)
    before, after = follow(shown.frames, shown.color), follow(made, shown.color)
    left = float(after.num_pixels.sum() / max(before.num_pixels.sum(), 1))
    return {
        "outside_psnr_db": psnr(made, shown.frames, ~mask),
        "share_of_the_object_left": left,
        "bar: gone (under 5% of its pixels)": float(left < 0.05),
    }


def expand(bench: Bench, shown: Shown) -> dict[str, float]:
    inner = (slice(None), slice(16, 112), slice(16, 112))
    canvas = verbs.expand(shown.frames[inner], shown.prompt, width=128, height=128, fps=FPS)
    made = bench.make("expand", canvas, shown.seed)
    around = np.ones(shown.frames.shape[:3], bool)
    around[inner] = False
    true, seen = observe(shown.frames, FPS), observe(made, FPS)
    horizon = float(np.abs(true.lens.horizon - seen.lens.horizon).mean())
    inside = psnr(made[inner], shown.frames[inner])
    return {
        "inside_psnr_db": inside,
        "outside_psnr_db": psnr(made, shown.frames, around),
        "horizon_error_px": horizon,
        "bar: inside at 35 dB": float(inside >= 35),
        "bar: same floor, horizon within 2 px": float(seen.floor == true.floor and horizon < 2),
    }


def interpolate(bench: Bench, shown: Shown) -> dict[str, float]:
    canvas = verbs.interpolate(shown.frames[::2], shown.prompt, times=2, fps=FPS)
    made = bench.make("interpolate", canvas, shown.seed)
    truth = shown.frames[: len(made)]
    true, seen = follow(truth, shown.color), follow(made, shown.color)
    between = np.arange(len(made)) % 2 == 1
    radius = np.sqrt(true.num_pixels / np.pi)
    apart = np.hypot(true.x - seen.x, true.y - seen.y) / np.maximum(radius, 1)
    asked = between & true.whole
    apart = np.where(seen.seen, apart, 1.0)[asked]  # one that is not found is a radius away
    error = float(np.median(apart)) if asked.any() else 0.0
    return {
        "given_psnr_db": psnr(made[::2], truth[::2]),
        "between_psnr_db": psnr(made[1::2], truth[1::2]),
        "position_error_radii": error,
        "bar: in-between positions within 10% of a radius": float(error <= 0.1),
    }


VERBS: dict[str, Callable[[Bench, Shown], dict[str, float]]] = {
    function.__name__: function
    for function in (image, extend, connect, loop, close, edit, erase, expand, interpolate)
}


def measure(model: Model, count: int, kept: Path | None = None) -> dict[str, Any]:
    """The figures of every verb, means over the scenes; a sheet of each scene into ``kept``."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in VERBS}
    with tempfile.TemporaryDirectory() as temporary:
        for shown in scenes(count):
            began = time.perf_counter()
            bench = Bench(model, Path(temporary))
            for name, function in VERBS.items():
                found[name].append(function(bench, shown))
            print(f"{shown.prompt}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
            if kept is not None:
                from worldreel.media.sheet import contact_sheet, save_image

                clips = [shown.frames, *bench.kept.values()]
                sheet = contact_sheet(clips, [shown.prompt, *bench.kept], columns=1, num_frames=12)
                kept.mkdir(parents=True, exist_ok=True)
                save_image(kept / f"{shown.seed:02}.png", sheet)
    return {
        name: {key: round(float(np.mean([row[key] for row in rows])), 3) for key in rows[0]}
        for name, rows in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="toybox")
    parser.add_argument("--num-scenes", type=int, default=16)
    parser.add_argument("--sheets", type=Path, help="draw what was made into this folder")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = worldreel.load(options.model)
    figures = measure(model, options.num_scenes, options.sheets)
    machine = describe_machine()
    results = {
        "hardware": {key: machine[key] for key in ("cpu", "cores", "torch", "python")},
        "model": f"{model.description.name} {model.description.version}",
        "num_scenes": options.num_scenes,
        "figures": figures,
    }
    text = json.dumps(results, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
