"""Fill shards with clips of the simulated world, on several processes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.progress import Progress, silent
from worldreel.data.shards import is_finished, write_manifest, write_shard
from worldreel.world.sampling import sample_scene
from worldreel.world.scene import Split

CLIPS_PER_SHARD = 50


def render_shards(
    folder: Path,
    num_clips: int,
    seed: int = 0,
    num_workers: int = 2,
    progress: Progress = silent,
    *,
    split: Split = "train",
    height: int = 128,
    width: int = 128,
    clips_per_shard: int = CLIPS_PER_SHARD,
) -> None:
    """Renders ``num_clips`` clips into shards; clip ``i`` is scene ``seed + i``.

    The result depends on the arguments alone, not on the number of processes.
    Finished shards are kept, so that the same call goes on where it was stopped.

    Args:
        folder: where the shards go; made if missing.
        num_clips: at least 1; the last shard may hold fewer than the others.
        seed: of the first scene.
        num_workers: processes, each with its own drawing surface.
        split: whether held-out combinations are left out, or nothing else is shown.
        height: pixels. width: pixels.
        clips_per_shard: the unit of work and of resumption.

    Raises:
        UsageError: ``num_clips``, ``num_workers`` or ``clips_per_shard`` below 1.
        WorldreelError: a process died, or the world cannot be drawn here.
    """
    counts = {"num_clips": num_clips, "num_workers": num_workers}
    for name, value in {**counts, "clips_per_shard": clips_per_shard}.items():
        if value < 1:
            raise UsageError(f"{name} is {value}; it is at least 1.")
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, num_clips, clips_per_shard)
    todo = [start for start in starts if not is_finished(folder, start // clips_per_shard)]
    done = len(starts) - len(todo)
    progress(done, len(starts), "rendering shards")
    make = partial(_render_shard, folder, num_clips, clips_per_shard, seed, split, (height, width))
    if num_workers == 1 or len(todo) == 1:
        for start in todo:
            make(start)
            done += 1
            progress(done, len(starts), "rendering shards")
    elif todo:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
            try:
                for future in as_completed([pool.submit(make, start) for start in todo]):
                    future.result()
                    done += 1
                    progress(done, len(starts), "rendering shards")
            except BrokenProcessPool as error:
                raise WorldreelError(
                    f"a rendering process died after {done} of {len(starts)} shards",
                    remedy="Run the same command again with fewer workers: it goes on.",
                ) from error
    write_manifest(folder)


def _render_shard(
    folder: Path,
    num_clips: int,
    clips_per_shard: int,
    seed: int,
    split: Split,
    size: tuple[int, int],
    start: int,
) -> None:
    from worldreel.world.render import render_clip

    height, width = size
    stop = min(start + clips_per_shard, num_clips)
    clips = (
        partial(render_clip, sample_scene(seed + i, split=split), height=height, width=width)
        for i in range(start, stop)
    )
    write_shard(clips, folder, start // clips_per_shard)
