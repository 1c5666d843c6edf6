"""The invisible mark: unseen, found after what happens to videos, and never where it is not."""

import io
import math

import av
import numpy as np
import pytest
from PIL import Image

from worldreel.provenance.watermark import FALSE_ALARM, Watermark, capacity
from worldreel.provenance.watermark.chance import BENTKUS, chance
from worldreel.provenance.watermark.code import NUM_CODED, decode, encode
from worldreel.provenance.watermark.pattern import HIGHEST, LOWEST, Pattern, waves

KEY = b"a key for tests, of 32 bytes...."
PAYLOAD = 0xC0FFEE42
MARK = Watermark(KEY)


def scene(seed=0, num_frames=12, height=128, width=128):
    """A floor with a soft pattern beneath a sky, and a ball that rolls over it."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / min(height, width)
    bumps = sum(
        random.normal() * np.sin(2 * np.pi * (u * x + v * y) + random.uniform(0, 6))
        for u, v in random.uniform(-9, 9, (12, 2))
    )
    floor = random.uniform(60, 190, 3) + 5 * bumps[..., None]
    sky = np.array([150, 190, 235]) + 30 * y[..., None]
    still = np.where(y[..., None] > random.uniform(0.2, 0.5), floor, sky)
    ball = random.uniform(20, 235, 3)
    frames = []
    for t in range(num_frames):
        inside = np.hypot(x - 0.2 - 0.04 * t, y - 0.7) < 0.12
        frames.append(np.where(inside[..., None], ball, still))
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def reencoded(frames, codec="libx264", **options):
    """The frames after an encoder has had them."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=12)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = options
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def resized(frames, height, width):
    size = (width, height)
    return np.stack(
        [
            np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))
            for frame in frames
        ]
    )


def psnr(a, b):
    return 10 * math.log10(255**2 / np.mean((a.astype(np.float64) - b) ** 2))


# what is seen


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [(64, 64), (128, 128), (90, 160), (256, 256)])
def test_a_marked_video_is_within_42_decibels(size, seed):
    frames = scene(seed, 2, *size)
    marked = MARK.embed(frames, PAYLOAD)
    assert marked.dtype == np.uint8 and not np.array_equal(marked, frames)
    assert psnr(frames, marked) >= 42


def test_the_mark_is_within_42_decibels_for_every_key_and_payload():
    """The mark of a mid-grey picture is what is added: elsewhere it is the same, or is clipped."""
    random = np.random.default_rng(0)
    grey = np.full((1, 96, 96, 3), 128, np.uint8)
    for _ in range(200):
        watermark = Watermark(random.bytes(32))
        assert psnr(grey, watermark.embed(grey, int(random.integers(2**32)))) >= 42


def test_a_fainter_mark_is_fainter_and_still_read():
    frames = scene(0)
    marked = Watermark(KEY, psnr_db=46).embed(frames, PAYLOAD)
    assert 46 <= psnr(frames, marked) < 48
    assert MARK.detect(marked).payload == PAYLOAD


def test_red_and_green_stay_and_blue_does_not_wrap_round():
    dark_and_light = np.stack([np.zeros((64, 64, 3)), np.full((64, 64, 3), 255)]).astype(np.uint8)
    marked = MARK.embed(dark_and_light, PAYLOAD)
    assert np.array_equal(marked[..., :2], dark_and_light[..., :2])
    assert marked[0, ..., 2].max() < 30 and marked[1, ..., 2].min() > 225


@pytest.mark.parametrize("size", [1, 5, 12])
def test_how_frames_are_grouped_changes_nothing(size):
    frames = scene(0, 12)
    embed = MARK.embedder(128, 128, PAYLOAD)
    parts = [embed(frames[i : i + size]) for i in range(0, 12, size)]
    marked = np.concatenate(parts)
    assert np.array_equal(marked, MARK.embed(frames, PAYLOAD))
    read = MARK.detect(marked[i : i + size] for i in range(0, 12, size))
    assert read == MARK.detect(marked)


# what is found


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (90, 160), (160, 90), (300, 300)])
def test_a_mark_is_read_back_whole(size):
    assert capacity(*size) == 32
    for payload in (0, PAYLOAD, 2**32 - 1):
        read = MARK.detect(MARK.embed(scene(1, 4, *size), payload))
        assert (read.found, read.payload) == (True, payload)
        assert read.num_bits == 32 and read.false_alarm < 1e-12


def half_second(frames):
    return reencoded(frames[6:12])


def every_frame_twice(frames):
    return reencoded(frames.repeat(2, axis=0))


def some_frames_dropped(frames):
    return reencoded(np.delete(frames, [1, 4, 7], axis=0))


def darkened(frames):
    return reencoded((frames * 0.5).astype(np.uint8))


def cut(frames):
    return reencoded(frames[:, 20:202, 60:242])


def resized_to_half(frames):
    return reencoded(resized(frames, 140, 140), crf="20")


def enlarged(frames):
    return reencoded(resized(frames[:4], 384, 384))


def mirrored(frames):
    return reencoded(frames[:, :, ::-1])


def with_bars(frames):
    return reencoded(np.pad(frames, ((0, 0), (0, 0), (80, 80), (0, 0))))


def as_hevc(frames):
    options = {"crf": "26", "x265-params": "log-level=none:pools=none:frame-threads=1"}
    return reencoded(frames, "libx265", **options)


@pytest.mark.parametrize(
    "happens",
    [
        reencoded,
        half_second,
        every_frame_twice,
        some_frames_dropped,
        darkened,
        cut,
        resized_to_half,
        enlarged,
        mirrored,
        with_bars,
        as_hevc,
    ],
    ids=lambda function: function.__name__,
)
def test_a_mark_is_read_after(happens):
    marked = MARK.embed(scene(2, 12, 256, 256), PAYLOAD)
    read = MARK.detect(happens(marked))
    assert (read.found, read.payload) == (True, PAYLOAD)


def test_a_still_picture_keeps_its_mark():
    read = MARK.detect(MARK.embed(scene(3, 1), PAYLOAD))
    assert (read.found, read.payload) == (True, PAYLOAD)


# what is not found


def test_nothing_is_found_where_nobody_put_it():
    for seed in range(10):
        read = MARK.detect(scene(seed, 4))
        assert (read.found, read.payload) == (False, None)
        assert read.false_alarm > FALSE_ALARM


@pytest.mark.parametrize("value", [0, 128, 255])
def test_nothing_is_found_in_an_empty_picture(value):
    read = MARK.detect(np.full((4, 96, 128, 3), value, np.uint8))
    assert (read.found, read.payload) == (False, None)


def test_another_key_finds_nothing():
    marked = MARK.embed(scene(4), PAYLOAD)
    assert MARK.detect(marked).found
    assert not Watermark(b"another key, also of 32 bytes...").detect(marked).found


def test_a_mark_worn_down_to_nothing_is_not_read_as_another():
    frames = scene(5)
    marked = MARK.embed(frames, PAYLOAD)
    noise = np.random.default_rng(0).normal(0, 60, frames.shape)
    read = MARK.detect(np.clip(marked + noise, 0, 255).astype(np.uint8)[:1])
    assert read.payload in (None, PAYLOAD)


# the mathematics


def test_the_bound_is_above_the_exact_tail_of_sums_of_random_signs():
    weights = np.array([0.5, 0.5, 0.5, 0.5, 0.3, 0.2, 0.1, 1.0, 0.7, 0.4, 0.9, 0.6])
    weights /= np.linalg.norm(weights)
    signs = 1 - 2 * (np.arange(2**12)[:, None] >> np.arange(12) & 1)
    sums = signs @ weights
    for score in np.linspace(0.2, 3.2, 31):
        exact = np.mean(sums >= score)
        assert exact <= chance(score, 1)
    assert pytest.approx(3.178, abs=1e-3) == BENTKUS


def test_the_bound_grows_with_the_number_of_tries_and_is_a_probability():
    assert chance(8.0, 2e6) == pytest.approx(2e6 * chance(8.0, 1))
    assert chance(1.0, 1e9) == 1.0 and chance(-3.0, 1) == 1.0


def test_scores_of_clean_pictures_are_as_random_as_the_signs_of_keys():
    """Over keys the score has mean 0 and variance 1, whatever the picture: the bound's premise."""
    from worldreel.provenance.watermark.residual import Residual
    from worldreel.provenance.watermark.search import WINDOW_SCALES, Place, Search

    residual = Residual(scene(6, 4), WINDOW_SCALES)
    scores = []
    for number in range(300):
        search = Search(Pattern(KEY + number.to_bytes(2, "big")), residual)
        measured = search.measured(Place(scale_y=1.0, scale_x=1.0))
        scores.append(search.score(measured))
    assert abs(np.mean(scores)) < 0.25
    assert 0.8 < np.std(scores) < 1.2


def test_the_waves_fill_the_band_once():
    numbers = {tuple(k) for k in waves()}
    assert all((-x, -y) not in numbers for x, y in numbers)
    reach = range(-20, 21)
    band = [(x, y) for x in reach for y in reach if LOWEST <= math.hypot(x, y) <= HIGHEST]
    assert 2 * len(numbers) == 2 * len(waves()) == len(band)


def test_every_sign_of_the_code_word_has_its_share_of_waves():
    pattern = Pattern(KEY)
    counts = np.bincount(pattern.coded_bit.ravel(), minlength=NUM_CODED)
    assert counts.min() >= 1 and counts.max() - counts.min() <= 1
    assert 0.45 < pattern.is_sync.mean() < 0.55


def test_words_of_the_code_are_far_apart():
    words = np.stack([encode(1 << bit, 32) for bit in range(32)])
    pairs = np.stack([encode(1 << a | 1 << b, 32) for a in range(32) for b in range(a)])
    assert ((1 - np.concatenate([words, pairs])) / 2).sum(axis=1).min() >= 40


def test_a_word_is_read_through_noise_as_strong_as_itself():
    random = np.random.default_rng(7)
    for payload in (0, 1, PAYLOAD, 2**32 - 1):
        soft = encode(payload, 32) + random.normal(0, 1, NUM_CODED)
        assert np.sum(soft * encode(payload, 32) < 0) > 10  # signs are wrong, and are mended
        assert decode(soft, 32) == payload


def test_ordered_statistics_find_the_best_of_all_words():
    """With 8 bits there are 256 words: all can be tried."""
    random = np.random.default_rng(8)
    words = np.stack([encode(payload, 8) for payload in range(256)])
    for payload in range(0, 256, 5):
        soft = words[payload] + random.normal(0, 1.5, NUM_CODED)
        assert decode(soft, 8) == np.argmax(words @ soft)
