import dataclasses
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tests.tiny_model import StandInText
from tests.tiny_run import NUM_CLIPS, NUM_FRAMES, SIZE, clips, make_clip, tiny_autoencoder

from worldreel.core.clip import Clip
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.data.cache import TextStates, cache_frames, cache_latents, cache_objects, cache_text
from worldreel.data.mirror import mirror_caption
from worldreel.data.sampler import batch_indices
from worldreel.data.shards import (
    hash_manifest,
    is_finished,
    read_manifest,
    read_masks,
    read_shards,
    shard_path,
    write_shards,
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "world"
    write_shards(clips(), folder, clips_per_shard=4)
    return folder


def assert_same(a: Clip, b: Clip) -> None:
    assert (a.key, a.seed, a.fps, a.captions, a.scene) == (
        b.key,
        b.seed,
        b.fps,
        b.captions,
        b.scene,
    )
    assert np.array_equal(a.frames, b.frames)
    assert a.truth.keys() == b.truth.keys()
    assert all(np.array_equal(a.truth[name], b.truth[name]) for name in a.truth)


def test_clips_come_back_from_shards_bit_for_bit_and_in_order(shards):
    back = list(read_shards(shards))
    assert len(back) == NUM_CLIPS
    for number, clip in enumerate(back):
        assert_same(clip, make_clip(number))


def test_reading_can_begin_in_the_middle_of_a_shard(shards):
    keys = [clip.key for clip in read_shards(shards, first=5, with_truth=False)]
    assert keys == [f"clip-{i}" for i in range(5, NUM_CLIPS)]


def test_a_shard_is_a_webdataset_sample_of_three_files_per_clip(shards):
    with tarfile.open(shard_path(shards, 0)) as tar:
        names = tar.getnames()
    expected = {f"clip-{i}.{ending}" for i in range(4) for ending in ("json", "mp4", "npz")}
    assert set(names) == expected
    # samples stand together, or WebDataset would split them
    assert [name.split(".")[0] for name in names] == [f"clip-{i // 3}" for i in range(12)]


def test_the_manifest_names_every_clip_without_opening_a_tar(shards):
    rows = read_manifest(shards)
    assert [row["key"] for row in rows] == [f"clip-{i}" for i in range(NUM_CLIPS)]
    assert rows[0]["captions"] == make_clip(0).captions
    assert (rows[0]["num_frames"], rows[0]["height"], rows[0]["width"]) == (NUM_FRAMES, SIZE, SIZE)


def test_equal_clips_give_equal_bytes(shards, tmp_path):
    write_shards(clips(), tmp_path, clips_per_shard=4)
    assert shard_path(tmp_path, 1).read_bytes() == shard_path(shards, 1).read_bytes()
    assert hash_manifest(tmp_path) == hash_manifest(shards)


def test_an_interrupted_write_leaves_whole_shards_and_goes_on_without_remaking_them(tmp_path):
    made: list[int] = []

    def lazy(number: int, fails: bool):
        def make() -> Clip:
            if fails and number == 6:
                raise KeyboardInterrupt
            made.append(number)
            return make_clip(number)

        return make

    with pytest.raises(KeyboardInterrupt):
        write_shards([lazy(i, True) for i in range(NUM_CLIPS)], tmp_path, clips_per_shard=4)
    assert is_finished(tmp_path, 0) and not is_finished(tmp_path, 1)
    assert not shard_path(tmp_path, 1).exists()
    assert not list(tmp_path.glob(".*"))
    made.clear()
    write_shards([lazy(i, False) for i in range(NUM_CLIPS)], tmp_path, clips_per_shard=4)
    assert made == list(range(4, NUM_CLIPS))
    assert len(list(read_shards(tmp_path))) == NUM_CLIPS


def test_a_damaged_shard_is_named(tmp_path):
    write_shards(clips(2), tmp_path)
    path = shard_path(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(WorldreelError, match="shard-000000"):
        list(read_shards(tmp_path))


def test_a_folder_without_shards_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(WorldreelError, match="no finished shards") as caught:
        read_manifest(tmp_path)
    assert caught.value.remedy


@pytest.mark.parametrize(("batch_size", "n"), [(4, 12), (5, 12), (7, 3), (1, 1)])
def test_the_sampler_covers_each_item_once_an_epoch(batch_size, n):
    places = np.concatenate([batch_indices(3, step, batch_size, n) for step in range(2 * n)])
    for epoch in places.reshape(-1, n):
        assert sorted(epoch) == list(range(n))


def test_the_sampler_is_a_function_of_the_step_and_differs_between_epochs_and_seeds():
    first = batch_indices(0, 0, 50, 50)
    batch_indices(9, 123, 4, 50)
    assert np.array_equal(first, batch_indices(0, 0, 50, 50))
    assert not np.array_equal(first, batch_indices(0, 1, 50, 50))
    assert not np.array_equal(first, batch_indices(1, 0, 50, 50))


def test_cached_frames_are_every_nth_with_their_masks(shards, tmp_path):
    folder = cache_frames(shards, tmp_path / "frames", every=3)
    frames, masks = np.load(folder / "frames.npy"), np.load(folder / "masks.npy")
    expected = [make_clip(i).frames[i % 3 :: 3] for i in range(NUM_CLIPS)]
    assert np.array_equal(frames, np.concatenate(expected))
    expected = [make_clip(i).truth["masks"][i % 3 :: 3] for i in range(NUM_CLIPS)]
    assert np.array_equal(masks, np.concatenate(expected))


def test_a_step_longer_than_a_clip_is_refused(shards, tmp_path):
    with pytest.raises(UsageError, match="from 1 to 8"):
        cache_frames(shards, tmp_path / "frames", every=9)


def test_cached_latents_are_what_the_autoencoder_says(shards, tmp_path):
    import torch

    from worldreel.weights.load import fastest_dtype

    autoencoder = tiny_autoencoder()
    folder = cache_latents(shards, autoencoder, tmp_path / "latents")
    latents = np.load(folder / "latents.npy")
    assert latents.dtype == np.float16 and latents.shape == (NUM_CLIPS, 4, NUM_FRAMES, 2, 2)
    video = torch.from_numpy(make_clip(7).frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    has_bf16 = fastest_dtype() is torch.bfloat16
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=has_bf16):
        expected = autoencoder.encode(video)[0].numpy()
    assert np.allclose(latents[7], expected, atol=2e-3, rtol=2e-3)
    assert json.loads((folder / "captions.json").read_text())[7] == make_clip(7).captions


def test_the_second_half_of_mirrored_latents_are_the_flipped_frames_encoded(shards, tmp_path):
    autoencoder = tiny_autoencoder()
    plain = np.load(cache_latents(shards, autoencoder, tmp_path / "plain") / "latents.npy")
    folder = cache_latents(shards, autoencoder, tmp_path / "both", mirror=True)
    both = np.load(folder / "latents.npy")
    assert np.array_equal(both[:NUM_CLIPS], plain)
    flipped = [dataclasses.replace(c, frames=c.frames[:, :, ::-1].copy()) for c in clips()]
    write_shards(flipped, tmp_path / "flipped")
    other = cache_latents(tmp_path / "flipped", autoencoder, tmp_path / "other")
    assert np.array_equal(both[NUM_CLIPS:], np.load(other / "latents.npy"))
    assert not np.array_equal(both[NUM_CLIPS:], plain)
    captions = json.loads((folder / "captions.json").read_text())
    assert captions[:NUM_CLIPS] == [make_clip(i).captions for i in range(NUM_CLIPS)]
    assert captions[NUM_CLIPS + 3] == ["square number 3", "a square moves left"]


def test_an_interrupted_cache_of_mirrored_latents_goes_on(shards, tmp_path, monkeypatch):
    import worldreel.data.cache as cache

    whole = cache_latents(shards, tiny_autoencoder(), tmp_path / "whole", mirror=True)
    build_cache = cache._build_cache

    def stop_after_four(out, inputs, build):
        def build_a_part(folder, done, save):
            def seen(path, **options):
                for i, clip in enumerate(read_shards(path, **options)):
                    if i == 4:
                        save(4)
                        raise KeyboardInterrupt
                    yield clip

            monkeypatch.setattr(cache, "read_shards", seen)
            build(folder, done, save)

        return build_cache(out, inputs, build_a_part)

    with monkeypatch.context() as patched:
        patched.setattr(cache, "_build_cache", stop_after_four)
        with pytest.raises(KeyboardInterrupt):
            cache_latents(shards, tiny_autoencoder(), tmp_path / "part", mirror=True)
    seen: list[int] = []

    def watched(path, *, first=0, **options):
        seen.append(first)
        return read_shards(path, first=first, **options)

    monkeypatch.setattr(cache, "read_shards", watched)
    part = cache_latents(shards, tiny_autoencoder(), tmp_path / "part", mirror=True)
    assert seen == [4]
    assert (part / "latents.npy").read_bytes() == (whole / "latents.npy").read_bytes()


@pytest.mark.parametrize(
    ("caption", "mirrored"),
    [
        ("rolls from the left to the right", "rolls from the right to the left"),
        ("Left of it, on the right-hand side", "Right of it, on the left-hand side"),
        ("leftover bright rights of a cleft", "leftover bright rights of a cleft"),
    ],
)
def test_a_mirrored_caption_swaps_the_whole_words_left_and_right(caption, mirrored):
    assert mirror_caption(caption) == mirrored
    assert mirror_caption(mirrored) == caption


def test_a_fresh_cache_is_used_and_a_stale_one_is_made_again(shards, tmp_path):
    autoencoder = tiny_autoencoder()
    folder = cache_latents(shards, autoencoder, tmp_path / "latents")
    before = np.load(folder / "latents.npy").copy()
    written = (folder / "latents.npy").stat().st_mtime_ns
    cache_latents(shards, autoencoder, folder)
    assert (folder / "latents.npy").stat().st_mtime_ns == written
    autoencoder.latent_mean += 1
    cache_latents(shards, autoencoder, folder)
    assert not np.array_equal(np.load(folder / "latents.npy"), before)


def test_a_cache_of_other_clips_is_not_used(shards, tmp_path):
    folder = cache_frames(shards, tmp_path / "frames", every=2)
    others = (dataclasses.replace(clip, frames=255 - clip.frames) for clip in clips())
    write_shards(others, tmp_path / "others", clips_per_shard=4)
    before = np.load(folder / "frames.npy").copy()
    cache_frames(tmp_path / "others", folder, every=2)
    assert np.array_equal(np.load(folder / "frames.npy"), 255 - before)


def test_an_interrupted_cache_is_not_taken_for_a_whole_one(shards, tmp_path):
    def stop(done: int, total: int, stage: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache_frames(shards, tmp_path / "frames", every=2, progress=stop)
    assert not (tmp_path / "frames").exists()
    folder = cache_frames(shards, tmp_path / "frames", every=2)
    assert np.load(folder / "frames.npy").any(axis=(1, 2, 3)).all()


def test_an_interrupted_text_cache_goes_on_where_it_stopped(tmp_path):
    captions = [f"caption {i}" for i in range(300)]
    seen: list[str] = []

    class Watched(StandInText):
        def __call__(self, prompts):
            if len(prompts) > 3:
                seen.extend(prompts)
            return super().__call__(prompts)

    def stop(done: int, total: int, stage: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache_text(captions, Watched(), tmp_path / "text", progress=stop)
    folder = cache_text(captions, Watched(), tmp_path / "text")
    assert len(seen) == len(set(seen)) == 301  # the empty prompt too
    whole = cache_text(captions, StandInText(), tmp_path / "whole")
    for name in ("states.npy", "offsets.npy", "captions.json"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_text_states_come_back_padded_with_zeros(tmp_path):
    import torch

    encoder = StandInText()
    captions = ["a red ball", "a square", "a red ball"]
    states = TextStates(cache_text(captions, encoder, tmp_path / "text"))
    assert states.index.keys() == {"", "a red ball", "a square"}
    prompts = ["a square", "", "a red ball"]
    assert torch.allclose(states(prompts), encoder(prompts)[0], atol=2e-3, rtol=2e-3)


def test_masks_can_be_read_without_decoding_a_frame(shards, monkeypatch):
    import worldreel.media.lossless

    monkeypatch.setattr(worldreel.media.lossless, "decode_lossless", None)
    found = list(read_masks(shards, first=3))
    assert len(found) == NUM_CLIPS - 3
    for number, masks in enumerate(found, start=3):
        assert masks is not None
        assert np.array_equal(masks, make_clip(number).truth["masks"])


def test_the_cache_of_objects_says_what_share_of_each_cell_they_cover(shards, tmp_path):
    folder = cache_objects(shards, tmp_path / "objects", (16, 16), mirror=True)
    shares = np.load(folder / "objects.npy")
    cells = SIZE // 16
    assert shares.shape == (2 * NUM_CLIPS, NUM_FRAMES, cells, cells)
    masks = make_clip(2).truth["masks"] > 0
    assert masks.any()
    expected = masks.reshape(NUM_FRAMES, cells, 16, cells, 16).mean((2, 4))
    assert np.allclose(shares[2], expected, atol=1e-3)
    assert np.array_equal(shares[NUM_CLIPS + 2], shares[2][..., ::-1])
