"""The clips that are measured: the simulator's, their round trips, the model's, and nonsense.

Each column is a folder of ``<key>.mp4``, lossless; what is there is not made again.
"""

import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.progress import Progress
from worldreel.core.randomness import derive_seed, numpy_generator
from worldreel.data.files import write_atomically
from worldreel.evaluate.autoencoder import round_trip
from worldreel.evaluate.case import Case
from worldreel.evaluate.law import Floor
from worldreel.evaluate.predict import predict
from worldreel.generate.engine import generate
from worldreel.generate.plan import plan_request
from worldreel.generate.request import Request
from worldreel.media.lossless import decode_lossless, encode_lossless
from worldreel.media.read import probe, read_video
from worldreel.weights.load import LoadedModel, load_model
from worldreel.world.counterfactual import constant_velocity
from worldreel.world.render import render_clip
from worldreel.world.scene import FPS, NUM_FRAMES

Frames = NDArray[np.uint8]
SIDE = 128
"""Pixels of a side of every clip that is measured."""


def path_in(folder: Path, key: str) -> Path:
    """Where the clip of a case is in its column's folder."""
    return folder / f"{key}.mp4"


def read_clip(folder: Path, key: str) -> Frames:
    """A clip of a column, uint8 ``t h w 3``."""
    return decode_lossless(path_in(folder, key).read_bytes())


def write_clip(folder: Path, key: str, frames: Frames) -> None:
    """Writes a clip; a half-written one never has its name."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path_in(folder, key), encode_lossless(frames, FPS, preset="ultrafast"))


def simulate_column(
    cases: Sequence[Case], folder: Path, num_workers: int, progress: Progress
) -> None:
    """The simulator's clips of the cases."""
    calls = [(case, folder) for case in _missing(cases, folder)]
    in_processes(_simulate, calls, num_workers, progress, "simulating")


def constant_velocity_column(
    cases: Sequence[Case], folder: Path, num_workers: int, progress: Progress
) -> None:
    """The same objects at constant velocity, through everything."""
    calls = [(case, folder) for case in _missing(cases, folder)]
    in_processes(_go_straight, calls, num_workers, progress, "simulating without physics")


def round_trip_column(
    model: str,
    cases: Sequence[Case],
    source: Path,
    folder: Path,
    num_workers: int,
    progress: Progress,
) -> None:
    """The clips of ``source`` through the autoencoder of the model of this name and back."""
    calls = [(model, case.key, source, folder) for case in _missing(cases, folder)]
    in_processes(_round_trip, calls, num_workers, progress, "autoencoding")


def generate_column(
    model: str, cases: Sequence[Case], folder: Path, num_workers: int, progress: Progress
) -> None:
    """What the model of this name makes of the prompts, with its usual settings."""
    calls = [(model, case, folder) for case in _missing(cases, folder)]
    in_processes(_generate, calls, num_workers, progress, "generating")


def given_column(
    model: str,
    cases: Sequence[Case],
    source: Path,
    folder: Path,
    num_given: int,
    number: int,
    num_workers: int,
    progress: Progress,
) -> None:
    """What the model makes of the prompts and the first ``num_given`` frames of ``source``.

    Args:
        number: which of several tries; each has a noise of its own.
    """
    calls = [(model, case, source, folder, num_given, number) for case in _missing(cases, folder)]
    in_processes(_go_on, calls, num_workers, progress, f"going on from {num_given}")


def check_clips(cases: Sequence[Case], source: Path) -> None:
    """Looks at somebody's videos, ``<key>.mp4`` for each case, without decoding them.

    Raises:
        UsageError: a clip is missing, not square, smaller than 128 pixels, shorter than 4 s or
            of a rate that is no multiple of 12 frames a second.
    """
    missing = [case.key for case in cases if not path_in(source, case.key).exists()]
    if missing:
        raise UsageError(
            f"{source} lacks {len(missing)} of {len(cases)} clips, first {missing[0]}.mp4.",
            remedy="Write the list of prompts with --prompts-to FILE and name each clip by "
            "its key.",
        )
    for case in cases:
        _check(path_in(source, case.key))


def import_column(cases: Sequence[Case], source: Path, folder: Path, progress: Progress) -> None:
    """Somebody's videos brought to 128x128 at 12 frames a second, anew at every call: they may
    have changed since the last one.

    Raises:
        UsageError: as `check_clips`.
    """
    check_clips(cases, source)
    for done, case in enumerate(cases):
        progress(done, len(cases), "reading clips")
        write_clip(folder, case.key, _fit(path_in(source, case.key)))
    progress(len(cases), len(cases), "reading clips")


def _check(path: Path) -> None:
    info = probe(path)
    rate = info.fps / FPS
    if abs(rate - round(rate)) > 0.01 or round(rate) < 1:
        raise UsageError(
            f"{path} has {info.fps:g} frames per second; it must be a multiple of {FPS}.",
            remedy=f"Convert it: ffmpeg -i IN -r {FPS} OUT",
        )
    height, width = info.size
    if width != height or width < SIDE:
        raise UsageError(
            f"{path} is {width}x{height}; it must be square, {SIDE} pixels or more.",
            remedy="Crop it to the square that shows the scene.",
        )
    if info.num_frames < NUM_FRAMES * round(rate):
        raise UsageError(
            f"{path} lasts {info.duration_s:.2f} s; it must last {NUM_FRAMES / FPS:g} s or more.",
            remedy="Make a longer clip; what is beyond 4 s is not looked at.",
        )


def _fit(path: Path) -> Frames:
    from PIL import Image

    info = probe(path)
    frames = read_video(path)[:: round(info.fps / FPS)][:NUM_FRAMES]
    if info.size == (SIDE, SIDE):
        return frames
    box = Image.Resampling.BOX
    return np.stack([np.asarray(Image.fromarray(f).resize((SIDE, SIDE), box)) for f in frames])


def nonsense(frames: Frames, kind: Floor, seed: int) -> Frames:
    """The clip frozen, in a random order or reversed."""
    match kind:
        case "frozen":
            return np.repeat(frames[:1], len(frames), axis=0)
        case "reversed":
            return np.ascontiguousarray(frames[::-1])
        case "shuffled_frames":
            return frames[numpy_generator(seed, "shuffled frames").permutation(len(frames))]
    raise ValueError(f"{kind} is not made from the clip itself")


def shuffled_pairs(cases: Sequence[Case], seed: int) -> dict[str, str]:
    """For each key that of another case of its group and split, each taken once.

    It is never the mirrored twin, whose clip is the truth but for the sides. A group that leaves
    no such choice, as one case or one mirrored pair, is paired with itself, which makes its floor
    its ceiling.
    """
    pairs: dict[str, str] = {}
    kinds = sorted({(case.group, case.split) for case in cases})
    for group, split in kinds:
        members = sorted(
            (case for case in cases if (case.group, case.split) == (group, split)),
            key=lambda case: case.key,
        )
        twins = Counter(case.noise_seed for case in members)  # they share their noise
        if 2 * max(twins.values()) > len(members):
            pairs |= {case.key: case.key for case in members}
            continue
        rng = numpy_generator(seed, "shuffled pairs", group, split)
        # a cycle through all of them in a random order leaves none in its place
        while True:
            ring = [members[place] for place in rng.permutation(len(members))]
            steps = list(zip(ring, ring[1:] + ring[:1], strict=True))
            if all(case.noise_seed != other.noise_seed for case, other in steps):
                break
        pairs |= {case.key: other.key for case, other in steps}
    return pairs


def in_processes(
    function: Callable[..., object],
    calls: Sequence[tuple[object, ...]],
    num_workers: int,
    progress: Progress,
    stage: str,
) -> list[object]:
    """The results of ``function(*call)``, in the order of ``calls``, from several processes.

    What ends the calling process, an error or a signal, ends the others too.

    Raises:
        WorldreelError: a process died.
    """
    progress(0, len(calls), stage)
    results: list[object] = [None] * len(calls)
    if num_workers == 1 or len(calls) < 2:
        for done, call in enumerate(calls):
            results[done] = function(*call)
            progress(done + 1, len(calls), stage)
        return results
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=_begin) as pool:
        places = {pool.submit(function, *call): place for place, call in enumerate(calls)}
        try:
            for done, future in enumerate(as_completed(places)):
                results[places[future]] = future.result()
                progress(done + 1, len(calls), stage)
        except BrokenProcessPool as error:
            raise WorldreelError(
                f"a process died while {stage}",
                remedy="Run the same command again with fewer --workers: it goes on.",
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # else all of the calls come first
            raise
    return results


def _begin() -> None:
    """Before a process's first task: as many processes as cores, and each uses one."""
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=_end_with_the_caller, daemon=True).start()


def _end_with_the_caller() -> None:
    """A process that nobody asks any more would wait for ever."""
    caller = multiprocessing.parent_process()
    assert caller is not None
    caller.join()
    os._exit(1)


def _missing(cases: Sequence[Case], folder: Path) -> list[Case]:
    return [case for case in cases if not path_in(folder, case.key).exists()]


@lru_cache(maxsize=1)
def _model(name: str) -> LoadedModel:
    return load_model(name)


def _round_trip(model: str, key: str, source: Path, folder: Path) -> None:
    autoencoder = _model(model).autoencoder
    write_clip(folder, key, round_trip(autoencoder, read_clip(source, key)))


def _generate(model: str, case: Case, folder: Path) -> None:
    request = Request(
        prompt=case.prompt,
        seconds=NUM_FRAMES / FPS,
        fps=FPS,
        width=SIDE,
        height=SIDE,
        seed=case.noise_seed,
    )
    plan = plan_request(request, _model(model).description)
    write_clip(folder, case.key, np.concatenate(list(generate(_model(model), plan))))


def _go_on(model: str, case: Case, source: Path, folder: Path, num_given: int, number: int) -> None:
    seed = derive_seed(case.noise_seed, "given", num_given, number) % 2**31
    truth = read_clip(source, case.key)
    (frames,) = predict(_model(model), truth, case.prompt, num_given, [seed])
    write_clip(folder, case.key, frames)


def _simulate(case: Case, folder: Path) -> None:
    write_clip(folder, case.key, render_clip(case.scene, height=SIDE, width=SIDE).frames)


def _go_straight(case: Case, folder: Path) -> None:
    write_clip(folder, case.key, constant_velocity(case.scene).frames)
