"""The commands that begin with a clip: files in, a file out, and what was done is said."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tests.tiny_model import DESCRIPTION, tiny_networks

from worldreel.app.main import main
from worldreel.media.read import probe, read_video
from worldreel.media.sheet import save_image
from worldreel.media.write import VideoWriter
from worldreel.weights.save import save_model

LONG = dataclasses.replace(
    DESCRIPTION,
    takes=("text", "first_frame", "last_frame", "clip", "mask"),
    seconds=dataclasses.replace(DESCRIPTION.seconds, default=1.0, max=60.0),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """The folder of a model of random weights."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    transformer, autoencoder = tiny_networks()
    states = {"transformer": transformer.state_dict(), "autoencoder": autoencoder.state_dict()}
    save_model(folder, LONG, states, {"transformer": "fp32", "autoencoder": "fp32"})
    return str(folder)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """Every test works in a folder with a clip, a picture, a mask and a board."""
    monkeypatch.chdir(tmp_path)
    write("clip.mp4", smooth(9))
    write("wide.mp4", smooth(6, 64, 128))
    write("fast.mp4", smooth(12), fps=24)
    save_image(tmp_path / "picture.png", smooth(1)[0])
    mask = np.zeros((32, 64, 3), np.uint8)
    mask[8:24, 16:48] = 255
    save_image(tmp_path / "mask.png", mask)
    save_image(tmp_path / "other-mask.png", mask[:, :32])
    (tmp_path / "board.toml").write_text(
        'size = [64, 32]\n[[shot]]\nprompt = "a ball"\nseconds = 0.5\nimage = "picture.png"\n'
        '[[shot]]\nprompt = "snow"\nseconds = 1\n'
    )
    (tmp_path / "text.mp4").write_text("no video")
    return tmp_path


def smooth(count: int, height: int = 32, width: int = 64) -> np.ndarray:
    """A gradient that moves, which a codec keeps well: ``t h w 3``."""
    t, y, x = np.meshgrid(np.arange(count), np.arange(height), np.arange(width), indexing="ij")
    frames = np.stack((4 * x + 2 * t, 4 * y, np.full_like(x, 90)), axis=-1)
    return (frames % 256).clip(16, 235).astype(np.uint8)


def write(name: str, frames: np.ndarray, fps: float = 12) -> None:
    with VideoWriter(
        name, size=frames.shape[1:3], fps=fps, settings={"prompt": "a red ball"}
    ) as file:
        file.write(frames)


def run(capsys, model: str, *words: str) -> dict:
    """What a command tells about the video that it made, and its frames."""
    verb, *rest = words
    code = main([verb, "--model", model, "--seed", "1", "--json", *rest])
    out, err = capsys.readouterr()
    assert code == 0, err
    told = json.loads(out)
    told["frames"] = read_video(told["path"])
    assert len(told["frames"]) == told["num_frames"]
    return told


CLIP = ["clip.mp4"]
COMMANDS = {
    "generate with pictures": (
        ["generate", "a ball", "--image", "picture.png", "--last-image", "picture.png"],
        (12, 32, 64),
    ),
    "generate a loop": (["generate", "a ball", "--loop"], (12, 32, 64)),
    "extend": (["extend", *CLIP, "--seconds", "1"], (21, 32, 64)),
    "extend backward": (["extend", *CLIP, "--seconds", "0.5", "--backward"], (15, 32, 64)),
    "connect": (["connect", *CLIP, *CLIP, "--seconds", "0.5"], (24, 32, 64)),
    "connect two shapes": (["connect", *CLIP, "wide.mp4", "--seconds", "0.5"], (21, 32, 64)),
    "loop of a sentence": (["loop", "a ball"], (12, 32, 64)),
    "loop of a clip": (["loop", *CLIP, "--seconds", "0.5"], (15, 32, 64)),
    "edit": (["edit", *CLIP, "a blue cube", "--strength", "0.4"], (9, 32, 64)),
    "erase": (["erase", *CLIP, "--mask", "mask.png"], (9, 32, 64)),
    "replace": (["replace", *CLIP, "a cube", "--mask", "mask.png"], (9, 32, 64)),
    "expand": (["expand", *CLIP, "--to", "96x64"], (9, 64, 96)),
    "expand to the right": (["expand", *CLIP, "--to", "96x32", "--at", "0,0"], (9, 32, 96)),
    "interpolate": (["interpolate", *CLIP, "--fps", "24"], (17, 32, 64)),
    "recut": (
        ["recut", *CLIP, "--from-s", "0.25", "--to-s", "0.5", "--after", "0.5"],
        (9, 32, 64),
    ),
    "upscale": (["upscale", *CLIP, "--size", "96x96", "--fit", "stretch"], (9, 96, 96)),
    "another size": (["extend", "wide.mp4", "--size", "64x64", "--seconds", "1"], (18, 64, 64)),
    "its own rate": (["extend", "fast.mp4", "--keep-fps", "--seconds", "0.5"], (24, 32, 64)),
    "room above and below": (
        ["edit", "wide.mp4", "a ball", "--size", "64x64", "--fit", "contain"],
        (6, 64, 64),
    ),
    "storyboard": (["storyboard", "board.toml"], (18, 32, 64)),
    "image": (["image", "a ball"], (1, 32, 64)),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_a_command_makes_a_file_of_the_frames_that_were_asked_for(what, model, capsys):
    words, shape = COMMANDS[what]
    assert run(capsys, model, *words)["frames"].shape == (*shape, 3)


def test_the_clips_own_frames_come_back_to_the_codec(model, capsys):
    clip = read_video("clip.mp4").astype(int)
    for words, where in (
        (["extend", *CLIP, "--seconds", "1"], slice(0, 9)),
        (["extend", *CLIP, "--seconds", "1", "--backward"], slice(12, 21)),
        (["loop", *CLIP, "--seconds", "0.5"], slice(0, 9)),
        (["interpolate", *CLIP, "--fps", "24"], slice(0, 17, 2)),
    ):
        made = run(capsys, model, *words)["frames"][where]
        assert np.abs(made - clip).mean() < 2, words


def test_what_is_outside_of_a_mask_stays_and_what_is_under_it_is_made(model, capsys):
    clip = read_video("clip.mp4").astype(int)
    made = run(capsys, model, "erase", *CLIP, "--mask", "mask.png")["frames"]
    apart = np.abs(made - clip).mean(axis=3)
    assert apart[:, 8:24, 16:48].mean() > 4 * apart[:, :4].mean()
    assert apart[:, :4].mean() < 3


def test_the_prompt_inside_a_clip_is_used_unless_another_is_given(model, capsys):
    told = run(capsys, model, "extend", *CLIP, "--seconds", "1")
    assert "a-red-ball" in told["path"]
    told = run(capsys, model, "extend", *CLIP, "--seconds", "1", "--prompt", "snow")
    assert "snow" in told["path"]


def test_what_was_done_to_a_clip_is_said(model, capsys):
    told = run(capsys, model, "extend", "wide.mp4", "--size", "64x64", "--seconds", "1")
    assert any("cropped from 128x64 to 64x64" in note for note in told["notes"]), told["notes"]
    told = run(capsys, model, "extend", "fast.mp4", "--seconds", "1")
    assert any("24" in note and "12" in note for note in told["notes"]), told["notes"]


def test_a_canvas_is_shown_and_nothing_is_made(model, capsys, folder):
    words = ["extend", *CLIP, "--seconds", "0.25", "--show-canvas", "--model", model]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "picture  █████████···" in out
    assert not (folder / "out").exists()


def test_finished_stretches_are_kept_and_the_same_command_goes_on(model, capsys, folder):
    words = ["generate", "a ball", "--seconds", "4", "--work-dir", "work"]
    one = run(capsys, model, *words)
    kept = sorted((folder / "work").glob("stretch-*.npy"))
    assert len(kept) > 2
    times = [path.stat().st_mtime_ns for path in kept]
    kept[-1].unlink()
    two = run(capsys, model, *words)
    assert np.array_equal(one["frames"], two["frames"])
    assert [path.stat().st_mtime_ns for path in kept][:-1] == times[:-1]
    code = main(["generate", "a cube", "--seconds", "4", "--work-dir", "work", "--model", model])
    assert code == 2 and "another canvas" in capsys.readouterr().err


REFUSED = {
    "no such clip": (["extend", "missing.mp4"], "missing.mp4"),
    "no video": (["extend", "text.mp4"], "text.mp4"),
    "no prompt": (["extend", "picture.png"], "carries none"),
    "half a frame": (["extend", *CLIP, "--seconds", "0.3"], "3.6 frames"),
    "a size that cannot be": (["extend", *CLIP, "--size", "50x50"], "multiple of 32"),
    "a clip that is to be refused": (
        ["extend", "wide.mp4", "--size", "64x32", "--fit", "refuse"],
        "128x64",
    ),
    "a mask of another size": (["erase", *CLIP, "--mask", "other-mask.png"], "32x32"),
    "a strength of one": (["edit", *CLIP, "a cube", "--strength", "1"], "strength is 1"),
    "a smaller picture": (["expand", *CLIP, "--to", "32x32"], "cannot be expanded"),
    "a place that is none": (["expand", *CLIP, "--to", "96x96", "--at", "left"], "'left'"),
    "no whole multiple": (["interpolate", *CLIP, "--fps", "30"], "12 frames per second"),
    "nothing to enlarge to": (["upscale", *CLIP], "no size"),
    "a board that is none": (["storyboard", "text.mp4"], "cannot be read as a canvas"),
    "rates that differ": (
        ["connect", *CLIP, "fast.mp4", "--keep-fps"],
        "12 and 24 frames per second",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_command_that_cannot_be_is_refused_in_one_message(what, model, capsys, folder):
    words, said = REFUSED[what]
    before = sorted(folder.rglob("*"))
    code = main([*words[:1], "--model", model, *words[1:]])
    out, err = capsys.readouterr()
    assert code in (1, 2) and out == "" and said in err and "Traceback" not in err
    assert sorted(folder.rglob("*")) == before


def test_show_draws_the_canvas_of_a_clip_that_was_made_from_another(model, capsys):
    told = run(capsys, model, "extend", *CLIP, "--seconds", "0.25")
    assert main(["show", told["path"]]) == 0
    out = capsys.readouterr().out
    assert "█████████···" in out and "Made from more than words" in out
    assert probe(told["path"]).num_frames == 12
