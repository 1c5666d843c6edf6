"""What training reads at random: memory-mapped arrays made once from the shards.

A cache is a folder with its arrays and ``cache.json``, which names its inputs. It is
built in ``<folder>.partial`` and renamed when whole; an interrupted build goes on. A cache
whose inputs have changed is never used: it is built again.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.progress import Progress, silent
from worldreel.data.files import hash_json, write_json
from worldreel.data.mirror import mirror_caption, mirror_frames
from worldreel.data.shards import hash_manifest, read_manifest, read_masks, read_shards

if TYPE_CHECKING:
    import torch

CHUNK_FRAMES = 24


def cache_frames(shards: Path, out: Path, every: int, *, progress: Progress = silent) -> Path:
    """Every ``every``-th frame of all clips: ``frames.npy`` and ``masks.npy``.

    ``frames.npy`` is uint8 ``n h w 3``, ``masks.npy`` uint8 ``n h w`` (all 0 where a clip
    has no masks). The first frame taken moves from clip to clip, so that all moments of a
    clip are as frequent.

    Raises:
        UsageError: ``every`` is below 1 or above the length of the shortest clip.
    """
    rows = _rows_of_one_size(shards, lengths_too=False)
    shortest = min(row["num_frames"] for row in rows)
    if not 1 <= every <= shortest:
        raise UsageError(f"every is {every}; it is from 1 to {shortest}, the shortest clip.")
    counts = [len(range(i % every, row["num_frames"], every)) for i, row in enumerate(rows)]
    starts = np.concatenate([[0], np.cumsum(counts)])
    height, width = rows[0]["height"], rows[0]["width"]
    inputs = {"kind": "frames", "manifest": hash_manifest(shards), "every": every}

    def build(folder: Path, done: int, save: Callable[[int], None]) -> None:
        n = int(starts[-1])
        frames = _memmap(folder / "frames.npy", np.uint8, (n, height, width, 3))
        masks = _memmap(folder / "masks.npy", np.uint8, (n, height, width))
        for i, clip in enumerate(read_shards(shards, first=done), start=done):
            place = slice(int(starts[i]), int(starts[i + 1]))
            frames[place] = clip.frames[i % every :: every]
            if "masks" in clip.truth:
                masks[place] = clip.truth["masks"][i % every :: every]
            progress(i + 1, len(rows), "frames")
            if (i + 1) % 256 == 0:
                frames.flush()
                masks.flush()
                save(i + 1)
        frames.flush()
        masks.flush()

    return _build_cache(out, inputs, build)


def cache_latents(
    shards: Path,
    autoencoder: Any,
    out: Path,
    mirror: bool = False,
    *,
    progress: Progress = silent,
) -> Path:
    """Latents of all clips: ``latents.npy``, float16 ``clips c t h w``, and ``captions.json``.

    ``captions.json`` is a list of wordings for each clip. Encoding goes through
    ``autoencoder.encode_stream``, a few frames at a time, in bf16 where the processor
    multiplies it in hardware.

    Args:
        mirror: also clip ``i`` of ``n`` seen in a mirror, at place ``n + i``: its pixels
            flipped before they are encoded, left and right swapped in its captions.

    Raises:
        WorldreelError: clips differ in length or size, or a latent is not finite.
    """
    import torch

    from worldreel.weights.load import fastest_dtype

    rows = _rows_of_one_size(shards, lengths_too=True)
    n = len(rows)
    inputs = {
        "kind": "latents",
        "manifest": hash_manifest(shards),
        "autoencoder": hash_module(autoencoder),
        "mirror": mirror,
    }
    device = next(autoencoder.parameters()).device
    has_bf16 = fastest_dtype(device) is torch.bfloat16

    def encode(frames: NDArray[np.uint8]) -> NDArray[np.float16]:
        def chunks() -> Iterator["torch.Tensor"]:
            for start in range(0, len(frames), CHUNK_FRAMES):
                part = torch.from_numpy(frames[start : start + CHUNK_FRAMES]).to(device)
                # stays channels_last in memory, as the convolutions want it
                yield part.permute(3, 0, 1, 2)[None].float() / 127.5 - 1.0  # b c t h w

        autocast = torch.autocast(device.type, torch.bfloat16, enabled=has_bf16)
        with torch.inference_mode(), autocast:
            latents = torch.cat(list(autoencoder.encode_stream(chunks())), dim=2)[0]
        if not torch.isfinite(latents).all():
            raise WorldreelError(
                "the autoencoder made latents that are not finite.",
                remedy="Its weights are damaged or it was not calibrated: train it again.",
            )
        return latents.float().cpu().numpy().astype(np.float16)

    def build(folder: Path, done: int, save: Callable[[int], None]) -> None:
        array: NDArray[np.float16] | None = None
        for i, clip in enumerate(read_shards(shards, first=done, with_truth=False), start=done):
            latents = encode(clip.frames)
            if array is None:
                shape = (2 * n if mirror else n, *latents.shape)
                array = _memmap(folder / "latents.npy", np.float16, shape)
            array[i] = latents
            if mirror:
                array[n + i] = encode(mirror_frames(clip.frames))
            progress(i + 1, n, "latents")
            if (i + 1) % 128 == 0:
                array.flush()  # pyright: ignore[reportAttributeAccessIssue]
                save(i + 1)
        if array is not None:
            array.flush()  # pyright: ignore[reportAttributeAccessIssue]
        captions: list[list[str]] = [row["captions"] for row in rows]
        if mirror:
            captions += [[mirror_caption(words) for words in wordings] for wordings in captions]
        write_json(folder / "captions.json", captions)

    return _build_cache(out, inputs, build)


def cache_objects(
    shards: Path,
    out: Path,
    cell: tuple[int, int],
    mirror: bool = False,
    *,
    progress: Progress = silent,
) -> Path:
    """Where the objects are on the latent grid: ``objects.npy``, float16 ``clips t h w``.

    Each number is the share of a cell's pixels that belong to an object or to the set, in
    [0, 1]; the order of clips is that of `cache_latents`. Clips without masks are all 0.

    Args:
        cell: height and width in pixels of a latent position.
        mirror: as for `cache_latents`.
    """
    rows = _rows_of_one_size(shards, lengths_too=True)
    n, t = len(rows), rows[0]["num_frames"]
    h, w = rows[0]["height"] // cell[0], rows[0]["width"] // cell[1]
    inputs = {
        "kind": "objects",
        "manifest": hash_manifest(shards),
        "cell": list(cell),
        "mirror": mirror,
    }

    def build(folder: Path, done: int, save: Callable[[int], None]) -> None:
        array = _memmap(folder / "objects.npy", np.float16, (2 * n if mirror else n, t, h, w))
        for i, masks in enumerate(read_masks(shards, first=done), start=done):
            if masks is not None:
                cells = (masks > 0).reshape(t, h, cell[0], w, cell[1])
                array[i] = cells.mean(axis=(2, 4))
            if mirror:
                array[n + i] = array[i, :, :, ::-1]
            progress(i + 1, n, "objects")
            if (i + 1) % 512 == 0:
                array.flush()
                save(i + 1)
        array.flush()

    return _build_cache(out, inputs, build)


def cache_text(
    captions: Sequence[str], encoder: Any, out: Path, *, progress: Progress = silent
) -> Path:
    """Token states of all different captions and of the empty prompt.

    ``states.npy`` is float16 ``tokens d``, one caption's tokens after the other's without
    padding; ``offsets.npy`` int64 ``n+1``; ``captions.json`` the captions in that order.
    """
    import torch

    unique = sorted({"", *captions}, key=lambda text: (len(text), text))
    probe, _ = encoder(["a red ball", "two cubes roll to the left", "snow at night"])
    inputs = {
        "kind": "text",
        "captions": hash_json(unique),
        "num_tokens": int(encoder.num_tokens),
        "encoder": [round(float(states.abs().mean()), 4) for states in probe],
    }

    def build(folder: Path, done: int, save: Callable[[int], None]) -> None:
        raw, counts = folder / "states.bin", folder / "lengths.bin"
        lengths = np.fromfile(counts, np.int64)[:done].tolist() if done else []
        with open(raw, "ab") as file, torch.inference_mode():
            file.truncate(2 * encoder.dim * sum(lengths))
            for batch in _batches(unique[done:], 256):
                states, mask = encoder(batch)
                for row, length in zip(states, mask.sum(dim=1).tolist(), strict=True):
                    file.write(row[:length].half().numpy().tobytes())
                    lengths.append(int(length))
                file.flush()
                np.array(lengths, np.int64).tofile(counts)
                save(len(lengths))
                progress(len(lengths), len(unique), "text")
        read = np.memmap(raw, np.float16, "r").reshape(-1, encoder.dim)
        states = open_memmap(folder / "states.npy", mode="w+", dtype=np.float16, shape=read.shape)
        states[:] = read
        states.flush()
        np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
        write_json(folder / "captions.json", unique)
        raw.unlink()
        counts.unlink()

    return _build_cache(out, inputs, build)


class TextStates:
    """Reads what ``cache_text`` wrote; ``num_tokens`` and ``dim`` are the encoder's."""

    def __init__(self, folder: Path) -> None:
        self.states: NDArray[np.float16] = np.load(folder / "states.npy", mmap_mode="r")
        self.offsets: NDArray[np.int64] = np.load(folder / "offsets.npy")
        self.num_tokens: int = read_inputs(folder)["num_tokens"]
        self.dim: int = self.states.shape[1]
        captions = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
        self.index = {caption: i for i, caption in enumerate(captions)}

    def __call__(self, captions: Sequence[str]) -> "torch.Tensor":
        """States, float32 ``b num_tokens dim``, zero past each caption's true length."""
        import torch

        out = torch.zeros(len(captions), self.num_tokens, self.dim)
        for row, caption in zip(out, captions, strict=True):
            i = self.index[caption]
            states = self.states[self.offsets[i] : self.offsets[i + 1]]
            row[: len(states)] = torch.from_numpy(states.astype(np.float32))
        return out


def hash_module(module: "torch.nn.Module") -> str:
    """SHA-256 over the names and values of all parameters and buffers of a module."""
    import hashlib

    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
    return digest.hexdigest()


def read_inputs(folder: Path) -> dict[str, Any]:
    """What a cache was made of, as it was written beside it.

    Raises:
        WorldreelError: the folder is not a finished cache.
    """
    path = Path(folder) / "cache.json"
    if not path.exists():
        raise WorldreelError(
            f"{folder} is not a finished cache.", remedy="Start the training again: it makes it."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def is_fresh(folder: Path, inputs: dict[str, Any]) -> bool:
    """True if the cache is whole and was made of exactly these inputs."""
    path = Path(folder) / "cache.json"
    return path.exists() and json.loads(path.read_text(encoding="utf-8")) == inputs


def _build_cache(
    out: Path,
    inputs: dict[str, Any],
    build: Callable[[Path, int, Callable[[int], None]], None],
) -> Path:
    """Runs ``build(folder, done, save)`` unless ``out`` is fresh; ``save(done)`` notes a place."""
    out = Path(out)
    if is_fresh(out, inputs):
        return out
    partial = out.with_name(out.name + ".partial")
    note = partial / "progress.json"
    done = 0
    if note.exists():
        noted = json.loads(note.read_text(encoding="utf-8"))
        done = noted["done"] if noted["inputs"] == inputs else 0
    if done == 0 and partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    try:
        build(partial, done, lambda at: write_json(note, {"inputs": inputs, "done": at}))
        write_json(partial / "cache.json", inputs)
        note.unlink(missing_ok=True)
        if out.exists():
            shutil.rmtree(out)
        os.replace(partial, out)
    except OSError as error:
        raise WorldreelError(
            f"cannot write the cache {out}: {error}",
            remedy="Check the folder's rights and the free space; the same call goes on.",
        ) from error
    return out


def _memmap(path: Path, dtype: Any, shape: tuple[int, ...]) -> np.memmap:
    if path.exists():
        array = np.load(path, mmap_mode="r+")
        assert array.shape == shape and array.dtype == dtype, (array.shape, shape)
        return array
    return open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _rows_of_one_size(shards: Path, *, lengths_too: bool) -> list[dict[str, Any]]:
    rows = read_manifest(shards)
    keys = ["height", "width"] + (["num_frames"] if lengths_too else [])
    sizes = {tuple(row[key] for key in keys) for row in rows}
    if len(sizes) != 1:
        raise WorldreelError(
            f"the clips of {shards} differ in {', '.join(keys)}: {sorted(sizes)[:5]}.",
            remedy="Put clips of one size into one data set.",
        )
    return rows


def _batches(items: list[str], size: int) -> Iterator[list[str]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
