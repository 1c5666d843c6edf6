"""Words in given pictures, and what must be there before a policy can be followed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from tests.job_bench import OWNER, Bench
from tests.test_policy import GIVEN, gate, wish_of

from worldreel.app.commands.serve import check_rules
from worldreel.app.jobs import audit
from worldreel.app.jobs.settings import Settings
from worldreel.app.policy import reading
from worldreel.app.policy.classifiers import NoAnswer
from worldreel.app.policy.gate import Refused
from worldreel.app.policy.policy import Category
from worldreel.app.policy.reading import check_reading, words_in
from worldreel.core.errors import UsageError
from worldreel.media.sheet import save_image
from worldreel.media.write import VideoWriter


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "data")
    yield made
    made.database.close()


needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="no tesseract")
RUDE = Category(name="rude", words=("zebra crossing",))


def sign(path: Path, text: str, *, num_frames: int = 1) -> Path:
    """A picture, or a clip whose last frames alone show the text."""
    picture = Image.new("RGB", (320, 160), (196, 205, 190))
    blank = np.asarray(picture)
    font = ImageFont.load_default(size=28)
    ImageDraw.Draw(picture).text((20, 60), text, fill=(40, 20, 60), font=font)
    if num_frames == 1:
        save_image(path, np.asarray(picture))
        return path
    with VideoWriter(path, size=(160, 320), fps=12, settings={}) as file:
        half = num_frames // 2
        file.write(np.stack([blank] * half + [np.asarray(picture)] * (num_frames - half)))
    return path


@needs_tesseract
def test_words_in_a_picture_and_late_in_a_clip_are_read(tmp_path):
    assert "zebra crossing" in words_in(sign(tmp_path / "a.png", "zebra crossing"), ["eng"], 60)
    clip = sign(tmp_path / "a.mp4", "zebra crossing", num_frames=24)
    assert words_in(clip, ["eng"], 60).count("zebra crossing") == 1
    assert words_in(sign(tmp_path / "b.png", ""), ["eng"], 60) == ""


@needs_tesseract
def test_work_with_a_picture_that_says_what_is_refused_does_not_begin(bench, tmp_path):
    sign(tmp_path / "first.png", "zebra crossing")
    wish = wish_of(given=GIVEN)
    gate(bench, categories=(RUDE,)).check_work(OWNER, "video_1", wish, tmp_path)
    reads = gate(bench, categories=(RUDE,), read_pictures=("eng",), classifier_timeout_s=60)
    with pytest.raises(Refused, match="rude"):
        reads.check_work(OWNER, "video_1", wish, tmp_path)
    sign(tmp_path / "first.png", "a quiet street")
    reads.check_work(OWNER, "video_1", wish, tmp_path)
    entries = [json.loads(entry.content) for entry in audit.entries(bench.database)]
    assert [entry["by"] for entry in entries] == ["words in a picture"]


def test_work_waits_where_pictures_cannot_be_read(bench, tmp_path, monkeypatch):
    sign(tmp_path / "first.png", "a quiet street")
    reads = gate(bench, read_pictures=("eng",))
    for program in ("tesseract-that-is-not-there", "false"):
        monkeypatch.setattr(reading, "PROGRAM", program)
        with pytest.raises(NoAnswer):
            reads.check_work(OWNER, "video_1", wish_of(given=GIVEN), tmp_path)


def test_a_policy_whose_pictures_cannot_be_read_here_is_refused_at_the_start(monkeypatch):
    check_reading(())
    monkeypatch.setattr(reading, "PROGRAM", "tesseract-that-is-not-there")
    with pytest.raises(UsageError, match="no tesseract"):
        check_reading(("eng",))


@needs_tesseract
def test_a_language_that_is_not_installed_is_named():
    with pytest.raises(UsageError, match="cannot read xyz here"):
        check_reading(("eng", "xyz"))


@pytest.mark.parametrize(
    "line", ['classifiers = ["nobody.knows:this"]', 'read_pictures = ["qqq_none"]']
)
def test_a_policy_that_names_what_is_not_there_stops_the_server_at_its_start(tmp_path, line):
    path = tmp_path / "policy.toml"
    path.write_text(line)
    with pytest.raises(UsageError):
        check_rules(Settings(data=tmp_path / "data", policy=path))


def test_words_that_are_followed_at_once_are_judged_by_classifiers_too(bench):
    judge = gate(bench, classifiers=("tests.test_policy:refuse",))
    judge.check_said(OWNER, "play_1", "a red ball")
    with pytest.raises(Refused, match="painted"):
        judge.check_said(OWNER, "play_1", "a painted ball")
    with pytest.raises(NoAnswer):
        gate(bench, classifiers=("tests.test_policy:fail",)).check_said(
            OWNER, "play_1", "a red ball"
        )
