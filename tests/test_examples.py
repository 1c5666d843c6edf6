"""Every example runs and does what it says."""

import dataclasses
import json
import runpy
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from worldreel.generate import model
from worldreel.weights.catalogue import packaged_models
from worldreel.weights.load import LoadedModel, load_model

EXAMPLES = Path(__file__).parent.parent / "examples"
OF_THE_CANVAS = {
    "first_video": "ball.mp4",
    "animate_a_picture": "moving.mp4",
    "extend_a_clip": "longer.mp4",
    "perfect_loop": "loop.webp",
    "connect_two_clips": "joined.mp4",
    "restyle_a_clip": "edited.mp4",
    "erase_and_expand": "wide.mp4",
    "more_frames_per_second": "smooth.mp4",
    "storyboard": "shots.mp4",
}

needs_toybox = pytest.mark.skipif(
    "toybox" not in packaged_models(), reason="toybox is not in this checkout"
)


@pytest.fixture(autouse=True)
def of_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """One loaded model for all examples, whose default is a sixth of its steps."""
    monkeypatch.setattr(model, "load_model", few_steps)


@lru_cache(maxsize=1)
def few_steps(name: str) -> LoadedModel:
    loaded = load_model(name)
    sampling = dataclasses.replace(loaded.description.sampling, num_inference_steps=4)
    description = dataclasses.replace(loaded.description, sampling=sampling)
    return dataclasses.replace(loaded, description=description)


def main_of(name: str):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


@needs_toybox
def test_the_sheet_of_the_readme_can_be_made_again(tmp_path: Path) -> None:
    main_of("twenty_prompts")(tmp_path / "sheet.png", num_prompts=1)
    assert (tmp_path / "sheet.png").stat().st_size > 1000


@needs_toybox
@pytest.mark.parametrize("name", OF_THE_CANVAS)
def test_an_example_of_the_canvas_does_what_it_says(name: str, tmp_path: Path) -> None:
    main_of(name)(tmp_path / OF_THE_CANVAS[name])
    assert (tmp_path / OF_THE_CANVAS[name]).stat().st_size > 1000


@needs_toybox
def test_a_long_video_can_be_streamed_into_a_file(tmp_path: Path) -> None:
    main_of("a_minute_and_more")(tmp_path / "long.mp4", 7.0, num_inference_steps=2)
    assert (tmp_path / "long.mp4").stat().st_size > 1000


def test_every_example_is_short() -> None:
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) < 100, path


def test_the_benchmark_of_the_front_page_runs(tmp_path: Path) -> None:
    script, report = EXAMPLES.parent / "benchmarks" / "generate.py", tmp_path / "report.json"
    small = ["--size", "96x96", "--seconds", "1", "--num-inference-steps", "2", "--repeats", "1"]
    words = [sys.executable, str(script), "--random-weights", *small, "--output-path", str(report)]
    subprocess.run(words, check=True, capture_output=True)
    told = json.loads(report.read_text())
    assert told["num_frames"] == 12 and told["num_tokens"] > 0 and told["warm_s"] > 0
