"""People's footage and masks: right frames and a sentence, or a clear refusal."""

import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.media.footage import describe_file, read_footage, read_mask, stream_footage
from worldreel.media.limits import MIB, Limits
from worldreel.media.write import VideoWriter


def bars(num_frames: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Frame i is a flat grey of 8 + 8 i with a red top left corner."""
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    frames[:] = (8 + 8 * np.arange(num_frames) % 248)[:, None, None, None]
    frames[:, : height // 4, : width // 4] = (230, 20, 20)
    return frames


def numbers(frames: np.ndarray) -> list[int]:
    """Which frames of ``bars`` these are."""
    return [round((float(frame[-8:, -8:].mean()) - 8) / 8) for frame in frames]


def encode(
    path: Path,
    frames: np.ndarray,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times_ms: list[int] | None = None,
    fps: int = 10,
    options: dict[str, str] | None = None,
) -> Path:
    """A video by FFmpeg; with ``times_ms`` each frame has that time stamp."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=1000 if times_ms else fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        stream.options = options or {}
        if times_ms:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        channels = "rgba" if frames.shape[3] == 4 else "rgb24"
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=channels)
            if times_ms:
                frame.pts, frame.time_base = times_ms[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def refusal(path: object, **options: object) -> WorldreelError:
    with pytest.raises(WorldreelError) as caught:
        read_footage(path, **options)  # type: ignore[arg-type]
    assert caught.value.remedy
    return caught.value


# what is read, and what is said of it


@pytest.mark.parametrize("ending", ["mp4", "webp", "gif"])
def test_what_we_wrote_comes_back_at_its_rate_without_a_word(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    with VideoWriter(path, size=(48, 64), fps=12, settings={"seed": 3}) as writer:
        writer.write(bars(12))
    footage = read_footage(path)
    assert numbers(footage.frames) == list(range(12))
    assert footage.fps == 12 and footage.notes == ()
    assert footage.source_size == (48, 64) and footage.kept == (0, 0, 48, 64)
    info, settings = describe_file(path)
    assert (info.size, info.num_frames, settings) == ((48, 64), 12, {"seed": 3})


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv444p"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.mkv", "ffv1", "bgr0"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.mp4", "libsvtav1", "yuv420p"),
        ("a.mp4", "libx265", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.mpg", "mpeg2video", "yuv420p"),
        ("a.flv", "flv1", "yuv420p"),
        ("a.y4m", "rawvideo", "yuv420p"),
        ("a.h264", "libx264", "yuv420p"),
    ],
)
def test_every_usual_container_and_codec_is_read_behind_the_lock(tmp_path, name, codec, pix_fmt):
    fps = 25 if name.endswith((".mpg", ".h264")) else 10
    codec = "flv" if codec == "flv1" else codec
    path = encode(tmp_path / name, bars(8, 64, 64), codec=codec, pix_fmt=pix_fmt, fps=fps)
    footage = read_footage(path)
    assert numbers(footage.frames) == list(range(8))
    assert footage.fps == fps
    if name in ("a.webm", "a.h264"):  # which do not tell how many frames they have
        info, _ = describe_file(path)
        assert (info.size, info.num_frames) == ((64, 64), 8)


def test_a_rate_that_varies_becomes_constant_by_time_stamps_and_is_said(tmp_path):
    times_ms = [0, 33, 67, 100, 300, 333, 367, 400, 433, 467]
    path = encode(tmp_path / "a.mkv", bars(10), codec="ffv1", pix_fmt="bgr0", times_ms=times_ms)
    footage = read_footage(path)
    assert footage.fps == 30
    assert numbers(footage.frames) == [0, 1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 6, 7, 8, 9]
    (note,) = footage.notes
    assert note.startswith("its frame rate varies (5 to 30.3 per second) and is made a constant 30")
    assert "5 frames are repetitions" in note
    slower = read_footage(path, fps=10)
    assert slower.fps == 10 and numbers(slower.frames) == [1, 3, 3, 5, 8]
    assert "made a constant 10: 6 of 10 frames are left out and 1 frames are" in slower.notes[0]


def test_a_gif_with_odd_durations_keeps_its_timing(tmp_path):
    images = [Image.fromarray(frame) for frame in bars(4)]
    images[0].save(
        tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=[100, 50, 200, 100]
    )
    footage = read_footage(tmp_path / "a.gif")
    assert footage.fps == 20 and numbers(footage.frames) == [0, 0, 1, 2, 2, 2, 2, 3, 3]
    assert "varies" in footage.notes[0]


def test_a_gif_that_asks_for_no_time_is_shown_as_browsers_do(tmp_path):
    images = [Image.fromarray(frame) for frame in bars(3)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=0)
    footage = read_footage(tmp_path / "a.gif")
    assert footage.fps == 10 and len(footage.frames) == 3
    assert "3 of its frames ask for no time and are shown for 100 ms" in footage.notes


def test_another_rate_and_size_are_fitted_while_decoding_and_said(tmp_path):
    path = encode(tmp_path / "a.mp4", bars(20), fps=10)
    footage = read_footage(path, fps=5, size=(32, 32), how="contain")
    assert footage.frames.shape == (10, 32, 32, 3)
    assert footage.notes == (
        "the picture is reduced from 64x48 to 32x24 and set on black in 32x32",
        "the clip is taken from 10 to 5 frames per second: 10 of 20 frames are left out",
    )
    assert footage.kept == (4, 0, 24, 32) and footage.source_frames == 20
    with pytest.raises(UsageError, match="64x48 pixels, and 32x32 is wanted"):
        read_footage(path, size=(32, 32), how="refuse")
    with pytest.raises(UsageError, match="0 frames per second"):
        read_footage(path, fps=0)


def test_sound_beside_the_picture_is_said_not_to_be_read(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=48000, layout="mono")
        for pixels in bars(5):
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 24000), np.float32), "fltp", "mono")
        silence.rate = 48000
        container.mux(audio.encode(silence))
        container.mux(audio.encode())
        container.mux(video.encode())
    footage = read_footage(path)
    assert len(footage.frames) == 5 and footage.notes == ("its sound is not read",)


def test_a_video_of_ten_bits_is_reduced_and_said(tmp_path):
    path = encode(tmp_path / "a.mkv", bars(3), codec="libx265", pix_fmt="yuv420p10le")
    footage = read_footage(path)
    assert numbers(footage.frames) == [0, 1, 2]
    assert footage.notes == ("its 10 bits a channel are reduced to 8",)


def test_a_video_with_alpha_stands_on_black_and_it_is_said(tmp_path):
    frames = np.full((3, 16, 16, 4), 200, np.uint8)
    frames[:, :8, :, 3] = 0
    path = encode(tmp_path / "a.mov", frames, codec="png", pix_fmt="rgba")
    footage = read_footage(path)
    assert footage.frames[0, :8].max() == 0 and footage.frames[0, 8:].min() >= 150
    assert footage.notes == ("its transparent parts are shown on black",)


# pictures


def test_a_png_of_sixteen_bits_is_reduced_and_said(tmp_path):
    shades = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(8, 0)
    Image.fromarray(shades).save(tmp_path / "grey.png")
    footage = read_footage(tmp_path / "grey.png")
    expected = np.round(shades / 257)
    assert np.abs(footage.frames[0, ..., 1] - expected).max() <= 1
    assert footage.fps == 0 and footage.notes == ("its 16 bits a channel are reduced to 8",)
    rgb = b"".join(b"\0" + struct.pack(">9H", 65535, 0, 0, 0, 32768, 0, 0, 0, 257) for _ in "ab")
    (tmp_path / "rgb.png").write_bytes(png(3, 2, rgb, bits=16))
    footage = read_footage(tmp_path / "rgb.png")
    assert footage.frames[0, 1].tolist() == [[255, 0, 0], [0, 128, 0], [0, 0, 1]]
    assert footage.notes == ("its 16 bits a channel are reduced to 8",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_stands_upright_whatever_its_exif_says(tmp_path, orientation):
    from PIL import ImageOps

    picture = Image.fromarray(bars(1)[0])
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    footage = read_footage(tmp_path / "a.png")
    np.testing.assert_array_equal(footage.frames[0], expected)
    assert describe_file(tmp_path / "a.png")[0].size == expected.shape[:2]


@pytest.mark.parametrize(
    ("mode", "ending", "note"),
    [
        ("L", "png", None),
        ("1", "png", None),
        ("P", "png", None),
        ("P", "gif", None),
        ("LA", "png", None),
        ("RGB", "bmp", None),
        ("RGB", "tiff", None),
        ("L", "jpg", None),
        ("CMYK", "jpg", "its colours for print (CMYK) are converted without a colour profile"),
    ],
)
def test_every_usual_kind_of_picture_is_read(tmp_path, mode, ending, note):
    picture = Image.fromarray(np.full((12, 16, 3), 255, np.uint8)).convert(mode)
    path = tmp_path / f"a.{ending}"
    picture.save(path, **({"compression": "tiff_lzw"} if ending == "tiff" else {}))
    footage = read_footage(path)
    assert footage.frames.shape == (1, 12, 16, 3) and footage.frames.min() > 250
    assert footage.notes == ((note,) if note else ())


def test_a_transparent_picture_stands_on_black_and_it_is_said(tmp_path):
    Image.new("RGBA", (8, 6), (255, 255, 255, 51)).save(tmp_path / "a.png")
    footage = read_footage(tmp_path / "a.png")
    assert (footage.frames == 51).all()
    assert footage.notes == ("its transparent parts are shown on black",)


def test_only_the_first_picture_of_a_phones_double_photo_is_read(tmp_path):
    first, second = (Image.fromarray(bars(1, *size)[0]) for size in [(48, 64), (24, 32)])
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    footage = read_footage(tmp_path / "a.jpg")
    assert footage.frames.shape == (1, 48, 64, 3)
    assert footage.notes == ("1 of the 2 pictures in it are not read",)


# refusals


def png(width: int, height: int, data: bytes, *, bits: int = 8) -> bytes:
    """An RGB png of declared size around any data."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data, 9)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_png_of_65000_pixels_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(png(65_000, 65_000, b"\0" * 1000))
    error = refusal(tmp_path / "a.png")
    assert "is 65000x65000, 4,225,000,000 pixels; the limit is 25,000,000" in error.message


def test_a_limit_names_its_value_and_what_was_given(tmp_path):
    path = encode(tmp_path / "a.mp4", bars(30))
    assert (
        "30 frames or more; the limit is 20" in refusal(path, limits=Limits(num_frames=20)).message
    )
    small = Limits(video_pixels=3071)
    assert "64x48, 3,072 pixels; the limit is 3,071" in refusal(path, limits=small).message
    bytes_of_10 = 10 * 64 * 48 * 3
    error = refusal(path, limits=Limits(frames_bytes=bytes_of_10))
    assert "11 frames of 64x48 take" in error.message
    assert "frames" in refusal(path, fps=1000, limits=Limits(num_frames=999)).message


def test_sound_only_no_frames_and_nothing_are_told_apart(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        audio = container.add_stream("aac", rate=48000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 24000), np.float32), "fltp", "mono")
        silence.rate = 48000
        container.mux(audio.encode(silence))
        container.mux(audio.encode())
    assert "holds sound only" in refusal(tmp_path / "sound.mp4").message
    (tmp_path / "none.y4m").write_bytes(b"YUV4MPEG2 W64 H48 F10:1 Ip A1:1 C420jpeg\n")
    assert "without a single frame" in refusal(tmp_path / "none.y4m").message
    (tmp_path / "empty.mp4").touch()
    assert "is empty" in refusal(tmp_path / "empty.mp4").message
    assert "there is no file" in refusal(tmp_path / "missing.mp4").message
    assert "is a folder" in refusal(tmp_path).message


def test_a_pipe_and_a_device_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", "/dev/zero", "/dev/tty0"):
        if os.path.exists(path):
            assert "a pipe or a device" in refusal(path).message


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path):
    path = tmp_path / "a\n\x1b[31mb.mp4"
    path.write_bytes(b"nothing that is read")
    assert "a\\n\\x1b[31mb.mp4 is not" in refusal(path).message


def test_a_size_that_changes_in_the_middle_is_refused(tmp_path):
    first = encode(tmp_path / "a.ts", bars(4)).read_bytes()
    second = encode(tmp_path / "b.ts", bars(4, 96, 128)).read_bytes()
    (tmp_path / "c.ts").write_bytes(first + second)
    assert "changes from 64x48 to 128x96" in refusal(tmp_path / "c.ts").message


# masks


def test_a_mask_is_free_where_it_is_white(tmp_path):
    drawn = np.zeros((24, 32), np.uint8)
    drawn[4:12, 8:20] = 255
    for mode, ending in [("L", "png"), ("1", "png"), ("RGB", "png"), ("P", "gif")]:
        Image.fromarray(drawn).convert(mode).save(tmp_path / f"a.{ending}")
        mask = read_mask(tmp_path / f"a.{ending}")
        np.testing.assert_array_equal(mask.free, drawn[None] > 0)
        assert mask.notes == () and mask.fps == 0


def test_a_mask_of_labels_is_free_where_it_is_not_zero(tmp_path):
    labels = np.zeros((24, 32), np.uint8)
    labels[:6] = 1
    Image.fromarray(labels).save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png")
    np.testing.assert_array_equal(mask.free[0], labels > 0)
    assert mask.notes == ("its shade 1 is free",)


def test_greys_of_a_mask_are_divided_at_half_and_it_is_said(tmp_path):
    grey = np.linspace(0, 255, 100).round().astype(np.uint8)[None].repeat(10, 0)
    Image.fromarray(grey).save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png")
    np.testing.assert_array_equal(mask.free[0], grey >= 128)
    assert mask.notes == ("86.0% of it is neither black nor white and is divided at half",)


def test_a_mask_painted_on_nothing_is_free_where_it_is_opaque(tmp_path):
    painted = np.zeros((24, 32, 4), np.uint8)
    painted[4:12, 8:20] = (0, 0, 0, 255)
    Image.fromarray(painted).save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png")
    np.testing.assert_array_equal(mask.free[0], painted[..., 3] > 0)
    assert mask.notes == ("its opaque part is taken as free",)


def test_a_moving_mask_has_a_frame_for_every_frame(tmp_path):
    frames = np.zeros((5, 48, 64, 3), np.uint8)
    for number in range(5):
        frames[number, :, 10 * number : 10 * number + 16] = 255
    path = encode(tmp_path / "a.mp4", frames, options={"crf": "10"})
    mask = read_mask(path)
    assert mask.free.shape == (5, 48, 64) and mask.fps == 10
    assert (mask.free != (frames[..., 0] > 0)).mean() < 0.01


def test_a_mask_that_is_free_nowhere_is_refused(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(WorldreelError, match="free nowhere") as caught:
        read_mask(tmp_path / "a.png")
    assert "Paint white" in caught.value.remedy


def test_the_limits_themselves_are_checked():
    with pytest.raises(UsageError, match="wall_s is 0"):
        Limits(wall_s=0)
    with pytest.raises(UsageError, match="memory_bytes is 1048576"):
        Limits(memory_bytes=MIB)


def test_a_video_that_ends_before_its_time_is_said_to(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    data = encode(tmp_path / "a.mkv", noise, codec="ffv1", pix_fmt="bgr0").read_bytes()
    (tmp_path / "b.mkv").write_bytes(data[: len(data) // 2])
    footage = read_footage(tmp_path / "b.mkv")
    assert 5 < len(footage.frames) < 15
    assert any("should last 2 s" in note and "may be cut off" in note for note in footage.notes)


@pytest.mark.parametrize("fps", [None, 5.0, 12.0, 25.0])
@pytest.mark.parametrize("times_ms", [None, [0, 40, 300, 340, 700, 1000]])
@pytest.mark.parametrize("size", [None, (32, 32)])
def test_frames_that_are_streamed_are_those_that_are_read(tmp_path, fps, times_ms, size):
    path = encode(tmp_path / "clip.mp4", bars(6), times_ms=times_ms)
    read = read_footage(path, fps=fps, size=size)
    stream = stream_footage(path, fps=fps, size=size)
    assert (stream.num_frames, stream.fps, stream.notes) == (len(read.frames), read.fps, read.notes)
    assert stream.size == read.frames.shape[1:3]
    assert np.array_equal(np.stack(list(stream.frames)), read.frames)


def test_a_stream_may_be_longer_than_what_may_be_held(tmp_path):
    path = encode(tmp_path / "clip.mp4", bars(30))
    small = Limits(frames_bytes=20 * 48 * 64 * 3)
    with pytest.raises(WorldreelError, match="the limit is"):
        read_footage(path, limits=small)
    assert sum(1 for _ in stream_footage(path, limits=small).frames) == 30
