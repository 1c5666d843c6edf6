"""Video and image files: what goes in comes out, whole or not at all."""

import errno
import os
import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from PIL import Image

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.media.lossless import decode_lossless, encode_lossless
from worldreel.media.read import iterate_video, probe, read_settings, read_video
from worldreel.media.sheet import contact_sheet, save_image
from worldreel.media.write import VideoWriter, check_writable

SETTINGS = {
    "prompt": 'a red ball, "jumpy"\n\u00fc \u65e5\u672c \U0001f3c0 ' + "long " * 200,
    "seed": 2**62 + 1,
    "guidance_scale": 5.5,
    "model": "toybox",
    "negative_prompt": None,
}
MOVING = ("mp4", "webp", "gif")


def clip(num_frames: int = 9, height: int = 48, width: int = 64) -> np.ndarray:
    """A red square that moves over a smooth background."""
    y, x = np.mgrid[0:height, 0:width]
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    frames[...] = np.stack([90 + y, 80 + x, np.full_like(x, 100)], axis=-1)
    for index in range(num_frames):
        frames[index, 8:24, 2 + 2 * index : 18 + 2 * index] = (220, 40, 30)
    return frames


def write(path: Path, frames: np.ndarray, fps: float = 12, **settings: object) -> Path:
    with VideoWriter(path, size=frames.shape[1:3], fps=fps, settings=settings) as writer:
        for start in range(0, len(frames), 4):
            writer.write(frames[start : start + 4])
    return path


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2))


# lossless


@pytest.mark.parametrize("shape", [(5, 32, 48), (1, 16, 16), (3, 17, 31), (2, 1, 1)])
def test_lossless_gives_back_every_bit_of_noise(shape):
    frames = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    decoded = decode_lossless(encode_lossless(frames, 12))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, frames)


def test_lossless_gives_back_every_bit_of_a_moving_scene_in_a_tenth_of_its_size():
    frames = clip(24)
    data = encode_lossless(frames, 12)
    np.testing.assert_array_equal(decode_lossless(data), frames)
    assert len(data) < frames.size / 10


def test_lossless_says_that_a_clip_is_cut_off():
    data = encode_lossless(clip(), 12)
    for end in (0, 10, len(data) // 2, len(data) - 700):
        with pytest.raises(WorldreelError, match=f"{end} bytes cannot be decoded"):
            decode_lossless(data[:end])


# colours and frames


@pytest.mark.parametrize("ending", MOVING)
@pytest.mark.parametrize(
    "colour", [(0, 255, 0), (255, 0, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 60, 30)]
)
def test_saturated_colours_survive(tmp_path, ending, colour):
    frames = np.full((3, 32, 32, 3), colour, np.uint8)
    read = read_video(write(tmp_path / f"a.{ending}", frames))
    assert np.abs(read.astype(int) - frames.astype(int)).max() <= 3


def test_an_mp4_is_converted_to_bt709_and_tagged_so(tmp_path):
    green = np.zeros((2, 32, 32, 3), np.uint8)
    green[..., 1] = 255
    with av.open(str(write(tmp_path / "a.mp4", green))) as container:
        context = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        tags = (context.color_primaries, context.color_trc, context.colorspace)
    assert (*tags, context.color_range) == (1, 1, 1, 1)
    assert context.pix_fmt == "yuv420p" and context.name == "h264"
    y, cb, cr = (int(np.frombuffer(plane, np.uint8)[0]) for plane in frame.planes)
    # Rec. ITU-R BT.709, 8 bits: 16 + 219 Y', 128 + 224 (B' - Y') / 1.8556, ... for R'G'B' = 0 1 0
    assert abs(y - 172.6) < 2 and abs(cb - 41.7) < 2 and abs(cr - 26.3) < 2


def test_an_mp4_starts_with_its_index(tmp_path):
    data = write(tmp_path / "a.mp4", clip()).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert b"colrnclx" in data


@pytest.mark.parametrize(("ending", "least_db"), [("mp4", 33), ("webp", 33), ("gif", 36)])
def test_moving_frames_come_back_in_order(tmp_path, ending, least_db):
    frames = clip()
    read = read_video(write(tmp_path / f"a.{ending}", frames))
    assert read.shape == frames.shape
    for index in range(len(frames)):
        assert psnr(read[index], frames[index]) > least_db


def test_a_png_is_exact(tmp_path):
    frames = clip(1, 33, 17)
    np.testing.assert_array_equal(read_video(write(tmp_path / "a.png", frames)), frames)


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_odd_sizes_and_single_frames_fit_where_colour_is_not_halved(tmp_path, ending):
    assert read_video(write(tmp_path / f"a.{ending}", clip(3, 33, 27))).shape == (3, 33, 27, 3)
    one = write(tmp_path / f"b.{ending}", clip(1), seed=7)
    assert read_video(one).shape == (1, 48, 64, 3)
    assert read_settings(one) == {"seed": 7}


@pytest.mark.parametrize("ending", MOVING)
@pytest.mark.parametrize("fps", [12, 24, 23.976])
def test_probe_tells_size_rate_and_length(tmp_path, ending, fps):
    path = write(tmp_path / f"a.{ending}", clip(12), fps)
    info = probe(path)
    assert info.size == (48, 64)
    assert info.num_frames == 12
    assert info.fps == pytest.approx(fps, rel=0.02)
    assert info.duration_s == pytest.approx(12 / fps, abs=0.011)
    assert info.codec == {"mp4": "h264"}.get(ending, ending)
    assert info.size_bytes == path.stat().st_size


def test_iterating_gives_the_same_frames_in_chunks(tmp_path):
    path = write(tmp_path / "a.mp4", clip())
    chunks = list(iterate_video(path, num_frames=4))
    assert [len(chunk) for chunk in chunks] == [4, 4, 1]
    np.testing.assert_array_equal(np.concatenate(chunks), read_video(path))


def test_the_same_frames_make_the_same_bytes(tmp_path):
    for ending in MOVING:
        first = write(tmp_path / f"a.{ending}", clip(), seed=1).read_bytes()
        assert write(tmp_path / f"b.{ending}", clip(), seed=1).read_bytes() == first


def test_narrow_pictures_too_become_the_same_bytes_each_time(tmp_path):
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (12, 12, 12, 3), np.uint8)
    frames = small.repeat(8, axis=1).repeat(8, axis=2)  # 96 pixels: see `_steady`
    written = set()
    for number in range(20):
        held = [random.random(int(random.integers(100, 100_000))) for _ in range(20)]
        with VideoWriter(tmp_path / "a.mp4", size=(96, 96), fps=12, settings={}) as file:
            for frame in frames:
                file.write(frame[None])
        written.add((tmp_path / "a.mp4").read_bytes())
        assert held, number
    assert len(written) == 1


def test_a_phone_video_stands_upright(tmp_path):
    path = tmp_path / "phone.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.set_display_rotation(90)
        pixels = np.zeros((32, 64, 3), np.uint8)
        pixels[:, :16] = 255
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    frames = read_video(path)
    assert probe(path).size == frames.shape[1:3] == (64, 32)
    assert frames[0, -8:].mean() > 250 and frames[0, :40].mean() < 5


def test_a_webm_without_a_frame_count_is_counted(tmp_path):
    path = tmp_path / "a.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=10, options={"deadline": "realtime"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for pixels in clip(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    assert probe(path).num_frames == len(read_video(path)) == 5


def test_an_untagged_small_video_is_read_as_bt601(tmp_path):
    path = tmp_path / "old.mp4"
    green = np.zeros((32, 32, 3), np.uint8)
    green[..., 1] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(green, format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=5)))
        container.mux(stream.encode())
    assert np.abs(read_video(path)[0].astype(int) - green).max() <= 3


def test_a_transparent_picture_stands_on_black(tmp_path):
    Image.new("RGBA", (8, 6), (255, 255, 255, 0)).save(tmp_path / "a.png")
    frames = read_video(tmp_path / "a.png")
    assert frames.shape == (1, 6, 8, 3) and frames.max() == 0


# settings


@pytest.mark.parametrize("ending", [*MOVING, "png"])
def test_settings_come_back_from_every_format(tmp_path, ending):
    path = write(tmp_path / f"a.{ending}", clip(1 if ending == "png" else 5), **SETTINGS)
    assert read_settings(path) == SETTINGS
    assert len(read_video(path)) == (1 if ending == "png" else 5)


@profile(max_examples=20, deadline=None)
@given(st.text(max_size=600))
def test_any_text_comes_back_from_a_gif_and_a_webp(text):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for ending in ("gif", "webp", "mp4"):
            path = write(Path(folder) / f"a.{ending}", clip(1, 8, 8), prompt=text)
            assert read_settings(path) == {"prompt": text}


def test_a_file_of_another_program_carries_no_settings(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.gif", comment=b'{"prompt": "of another"}')
    with pytest.raises(WorldreelError, match="carries no settings of worldreel"):
        read_settings(tmp_path / "a.gif")


# nothing half-written


class Cancelled(BaseException):
    """Like KeyboardInterrupt: not an Exception."""


@pytest.mark.parametrize("ending", [*MOVING, "png"])
@pytest.mark.parametrize("failure", [RuntimeError, Cancelled])
@pytest.mark.parametrize("older", [True, False])
def test_a_failure_in_the_middle_leaves_what_was_there(tmp_path, ending, failure, older):
    path = tmp_path / f"a.{ending}"
    if older:
        path.write_bytes(b"older")
    with (
        pytest.raises(failure, match="in the middle"),
        VideoWriter(path, size=(48, 64), fps=12, settings={}) as writer,
    ):
        writer.write(clip(1))
        assert len(list(tmp_path.iterdir())) == 1 + older
        raise failure("in the middle")
    assert [file.name for file in tmp_path.iterdir()] == ([path.name] if older else [])
    assert not older or path.read_bytes() == b"older"


@pytest.mark.parametrize("ending", [*MOVING, "png"])
def test_a_full_disk_at_the_last_moment_leaves_nothing(tmp_path, monkeypatch, ending):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorldreelError, match="the disk is full") as caught:
        write(tmp_path / f"a.{ending}", clip(1))
    assert caught.value.remedy and caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource, sys
import numpy as np
from worldreel.core.errors import WorldreelError
from worldreel.media.write import VideoWriter

resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
for path in sys.argv[1:]:
    try:
        with VideoWriter(path, size=(64, 64), fps=12, settings={}) as writer:
            for frame in noise[: 1 if path.endswith("png") else 20]:
                writer.write(frame[None])
    except WorldreelError as error:
        print(error.message)
"""


def test_a_disk_that_takes_no_more_bytes_leaves_nothing(tmp_path):
    paths = [str(tmp_path / f"a.{ending}") for ending in (*MOVING, "png")]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *paths], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines == [
        f"{path} was not written: it is larger than a file may be here" for path in paths
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_link_keeps_pointing_and_its_target_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.png"
    link = tmp_path / "link.png"
    link.symlink_to(target)
    write(link, clip(1))
    assert link.is_symlink() and probe(target).size == (48, 64)


def test_a_written_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    path = write(tmp_path / "a.png", clip(1))
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


# refusals


@pytest.mark.parametrize(
    ("name", "what", "message"),
    [
        ("a.avi", {}, r"ends in '.avi'; a video can be .mp4, .webp, .gif and a still .png"),
        ("a", {}, "has no ending"),
        ("missing/a.mp4", {}, "folder of .* does not exist"),
        ("folder.mp4", {}, "is a folder"),
        ("file.txt/a.mp4", {}, "is a file, not a folder"),
        ("a" * 300 + ".mp4", {}, "has 304 characters"),
        ("a\0.mp4", {}, "NUL"),
        ("a.mp4", {"size": (65, 64)}, "64x65 is odd"),
        ("a.mp4", {"size": (0, 64)}, "64x0"),
        ("a.webp", {"size": (20000, 64)}, "16383"),
        ("a.gif", {"fps": 60}, "60 frames per second is outside 0.1 to 50"),
        ("a.mp4", {"fps": 0}, "outside"),
        ("a.mp4", {"fps": float("nan")}, "outside"),
        ("a.png", {"num_frames": 2}, "more than one frame"),
    ],
)
def test_a_path_that_cannot_be_is_refused_with_a_remedy(tmp_path, name, what, message):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file.txt").touch()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=message) as caught:
        check_writable(tmp_path / name, **what)
    assert caught.value.remedy
    assert sorted(tmp_path.iterdir()) == before


def test_a_path_that_can_be_is_taken_and_nothing_is_made(tmp_path):
    for name in ("a.mp4", "b.MP4", "c.webp", "d.gif"):
        check_writable(tmp_path / name, size=(64, 64), fps=12, num_frames=48)
    check_writable(tmp_path / "e.png", num_frames=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_without_permission_is_refused_even_to_root(tmp_path, monkeypatch, number):
    def deny(path, flags, mode=0o777, **rest):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(UsageError, match="may not be written"):
        check_writable(tmp_path / "a.mp4")


def test_a_second_frame_in_a_png_is_refused(tmp_path):
    with pytest.raises(UsageError, match="more than one frame"):
        write(tmp_path / "a.png", clip(2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [*MOVING, "png"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5])
def test_a_file_that_is_cut_off_is_refused(tmp_path, ending, share):
    path = write(tmp_path / f"a.{ending}", clip(1 if ending == "png" else 6))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    for read in (probe, read_video):
        with pytest.raises(WorldreelError, match=r"cut off|is empty") as caught:
            read(path)
        assert caught.value.remedy


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("hello\n" * 100)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 8000)
    for name, message in [
        ("text.mp4", "not a video"),
        ("list.m3u8", "not a video"),
        ("sound.wav", "sound only"),
        ("missing.mp4", "there is no file"),
        ("a\0b.mp4", "there is no file"),
        (".", "is a folder"),
    ]:
        for read in (probe, read_video):
            with pytest.raises(WorldreelError, match=message) as caught:
                read(tmp_path / name)
            assert caught.value.remedy


# pictures


def test_a_contact_sheet_shows_the_first_and_the_last_frame(tmp_path):
    frames = clip(9)
    sheet = contact_sheet(
        [frames, frames[:2], frames], ["a red square " * 20, "", "c"], columns=2, num_frames=3
    )
    assert sheet.dtype == np.uint8 and sheet.ndim == 3
    assert sheet.shape[1] == 6 + 2 * (3 * 64 + 6)
    np.testing.assert_array_equal(sheet[6:54, 6:70], frames[0])
    np.testing.assert_array_equal(sheet[6:54, 6 + 128 : 6 + 192], frames[8])
    caption = sheet[54:70, 6:198]
    assert caption.min() < 100  # something dark is written beneath


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_a_picture_is_saved_with_its_settings(tmp_path, ending):
    path = tmp_path / f"sheet.{ending}"
    save_image(path, clip(1)[0], SETTINGS)
    assert read_settings(path) == SETTINGS
    assert read_video(path).shape == (1, 48, 64, 3)


def test_a_picture_of_another_ending_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\.png, \.jpg"):
        save_image(tmp_path / "a.bmp", clip(1)[0])
    assert list(tmp_path.iterdir()) == []
