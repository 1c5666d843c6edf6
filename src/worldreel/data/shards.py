"""Clips in WebDataset tars with a Parquet manifest.

A shard is ``shard-000000.tar`` with three files for each clip: ``<key>.mp4`` (lossless
RGB), ``<key>.json`` (seed, fps, captions, scene) and ``<key>.npz`` (truth). Beside it
stands ``shard-000000.parquet``, written last, one row for each clip: a shard is finished
if and only if that file exists. ``manifest.parquet`` holds the rows of all shards.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.core.clip import Clip
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.data.files import hash_json, write_atomically

LazyClip = Clip | Callable[[], Clip]
"""A clip, or a function that makes it: the function is not called for a finished shard."""


def shard_path(folder: Path, index: int) -> Path:
    """Where the tar of shard ``index`` is."""
    return Path(folder) / f"shard-{index:06d}.tar"


def is_finished(folder: Path, index: int) -> bool:
    """True if the shard is whole: its rows are written after its tar."""
    return shard_path(folder, index).with_suffix(".parquet").exists()


def write_shard(clips: Iterable[LazyClip], folder: Path, index: int) -> Path:
    """Writes one shard, whole or not at all; a finished one is left as it is.

    Safe to call from several processes with different indices. Call ``write_manifest``
    when all shards are there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = shard_path(folder, index)
    if is_finished(folder, index):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    rows: list[dict[str, Any]] = []
    try:
        with open(temporary, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                for lazy in clips:
                    clip = lazy if isinstance(lazy, Clip) else lazy()
                    rows.append(_add_clip(tar, clip, path.name))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise WorldreelError(
            f"cannot write {path}: {error.strerror}",
            remedy="Check the folder's rights and the free space, then run again.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), buffer)
    write_atomically(path.with_suffix(".parquet"), buffer.getvalue())
    return path


def write_shards(clips: Iterable[LazyClip], folder: Path, clips_per_shard: int = 64) -> list[Path]:
    """Writes clips in order, ``clips_per_shard`` to a shard, then the manifest.

    After an interruption the same call goes on: finished shards are skipped, and clips
    given as functions are not made for them.

    Raises:
        UsageError: ``clips_per_shard`` is below 1.
    """
    if clips_per_shard < 1:
        raise UsageError(f"clips_per_shard is {clips_per_shard}; it is at least 1.")
    paths: list[Path] = []
    iterator = iter(clips)
    while group := list(islice(iterator, clips_per_shard)):
        paths.append(write_shard(group, folder, len(paths)))
    write_manifest(folder)
    return paths


def write_manifest(folder: Path) -> Path:
    """Joins the rows of all finished shards into ``manifest.parquet``.

    Raises:
        WorldreelError: the folder has no finished shard.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(folder)
    parts = sorted(folder.glob("shard-*.parquet"))
    if not parts:
        raise _no_shards(folder)
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables([pq.read_table(part) for part in parts]), buffer)
    write_atomically(folder / "manifest.parquet", buffer.getvalue())
    return folder / "manifest.parquet"


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The clips of a data set in order, one dict each, without opening a tar.

    Keys: shard, key, seed, fps, num_frames, height, width, captions (list of str), sha256.

    Raises:
        WorldreelError: there is no manifest.
    """
    import pyarrow.parquet as pq

    path = Path(folder) / "manifest.parquet"
    if not path.exists():
        raise _no_shards(Path(folder))
    return pq.read_table(path).to_pylist()


def hash_manifest(folder: Path) -> str:
    """SHA-256 over the clips' names and contents: changes when any clip changes."""
    return hash_json([[row["key"], row["sha256"]] for row in read_manifest(folder)])


def read_shards(folder: Path, *, first: int = 0, with_truth: bool = True) -> Iterator[Clip]:
    """Clips of all shards, in the manifest's order.

    Args:
        folder: where ``write_shards`` wrote.
        first: number of clips to skip at the beginning; skipped frames are not decoded.
        with_truth: False leaves ``truth`` empty.

    Raises:
        WorldreelError: no manifest, or a shard is missing or damaged.
    """
    from worldreel.media.lossless import decode_lossless

    extensions = ("mp4", "json", "npz") if with_truth else ("mp4", "json")
    for content in _read_samples(folder, first, extensions):
        meta = json.loads(content["json"])
        truth: dict[str, Any] = {}
        if with_truth:
            with np.load(io.BytesIO(content["npz"]), allow_pickle=False) as arrays:
                truth = dict(arrays)
        yield Clip(
            key=meta["key"],
            seed=meta["seed"],
            fps=meta["fps"],
            frames=decode_lossless(content["mp4"]),
            captions=meta["captions"],
            scene=meta["scene"],
            truth=truth,
        )


def read_masks(folder: Path, *, first: int = 0) -> Iterator[NDArray[np.uint8] | None]:
    """The masks of all clips, uint8 ``t h w``, in the manifest's order; None where there are none.

    Faster than `read_shards`: no frame is decoded. Arguments and errors are the same.
    """
    for content in _read_samples(folder, first, ("npz",)):
        with np.load(io.BytesIO(content["npz"]), allow_pickle=False) as arrays:
            yield arrays.get("masks")


def _read_samples(
    folder: Path, first: int, extensions: tuple[str, ...]
) -> Iterator[dict[str, bytes]]:
    """The files of each clip by extension, from clip ``first`` on."""
    folder = Path(folder)
    position = 0
    for shard, rows in groupby(read_manifest(folder), key=lambda row: row["shard"]):
        count = len(list(rows))
        if position + count > first:
            path = folder / shard
            try:
                yield from _read_tar(path, max(0, first - position), extensions)
            except (OSError, tarfile.TarError, KeyError, ValueError) as error:
                raise WorldreelError(
                    f"cannot read the shard {path}: {error}",
                    remedy="Delete this shard's .tar and .parquet and make the data set again.",
                ) from error
        position += count


def _read_tar(path: Path, skip: int, extensions: tuple[str, ...]) -> Iterator[dict[str, bytes]]:
    with tarfile.open(path, mode="r:") as tar:
        groups: dict[str, dict[str, tarfile.TarInfo]] = {}
        for member in tar:
            key, _, extension = member.name.partition(".")
            groups.setdefault(key, {})[extension] = member
        for key in list(groups)[skip:]:
            yield {name: _read_member(tar, groups[key][name]) for name in extensions}


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None:
        raise tarfile.TarError(f"{member.name} is not a file")
    return file.read()


def _add_clip(tar: tarfile.TarFile, clip: Clip, shard: str) -> dict[str, Any]:
    from worldreel.media.lossless import encode_lossless

    meta = {
        "key": clip.key,
        "seed": clip.seed,
        "fps": clip.fps,
        "captions": clip.captions,
        "scene": clip.scene,
    }
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **clip.truth)  # pyright: ignore[reportArgumentType]
    content = {
        "json": json.dumps(meta, ensure_ascii=False, sort_keys=True).encode(),
        "mp4": encode_lossless(clip.frames, clip.fps),
        "npz": arrays.getvalue(),
    }
    digest = hashlib.sha256()
    for extension, data in content.items():
        info = tarfile.TarInfo(f"{clip.key}.{extension}")  # mtime 0: equal clips, equal bytes
        info.size = len(data)
        info.mode = 0o644
        tar.addfile(info, io.BytesIO(data))
        digest.update(data)
    num_frames, height, width = clip.frames.shape[:3]
    return {
        "shard": shard,
        "key": clip.key,
        "seed": clip.seed,
        "fps": float(clip.fps),
        "num_frames": num_frames,
        "height": height,
        "width": width,
        "captions": clip.captions,
        "sha256": digest.hexdigest(),
    }


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("shard", pa.string()),
            ("key", pa.string()),
            ("seed", pa.int64()),
            ("fps", pa.float64()),
            ("num_frames", pa.int32()),
            ("height", pa.int32()),
            ("width", pa.int32()),
            ("captions", pa.list_(pa.string())),
            ("sha256", pa.string()),
        ]
    )


def _no_shards(folder: Path) -> WorldreelError:
    return WorldreelError(
        f"{folder} holds no finished shards.",
        remedy="Make them first: worldreel world render, or worldreel train with a whole recipe.",
    )
