"""``worldreel generate``: from words to a video file."""

import contextlib
import dataclasses
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from worldreel.app.display import progress_display
from worldreel.app.options import (
    OF_THE_MODEL,
    Flag,
    OptionalFloat,
    OptionalInt,
    OptionalText,
    check_at_least,
    parse_size,
)
from worldreel.app.output import check_all_writable, plan_outputs
from worldreel.core.errors import UsageError
from worldreel.core.randomness import random_seed

if TYPE_CHECKING:
    from worldreel.generate.request import Request

STDIN_MAX_BYTES = 1_000_000
NUM_VIDEOS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Generate:
    """Makes a video from a sentence, and writes it to a file."""

    prompt: Annotated[Positional[str | None], arg(metavar="[PROMPT]", help_behavior_hint="")] = None
    """What should be seen. Read from standard input where it is missing or -."""
    output_path: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """The file to write; its ending chooses the format: .mp4, .webp, .gif, or .png for one frame.
    (default: out/<first words>-<seed>.mp4, numbered where that exists)"""
    overwrite: Flag = False
    """Replace the file of --output-path if it exists."""
    model: Annotated[str, arg(metavar="NAME")] = "toybox"
    """A model's name, or a folder with a model.json."""
    seconds: Annotated[OptionalFloat, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """The duration."""
    fps: Annotated[OptionalFloat, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """Frames per second; the model's own rate, or that divided by a whole number."""
    size: Annotated[OptionalText, arg(metavar="WIDTHxHEIGHT", help_behavior_hint=OF_THE_MODEL)] = (
        None
    )
    """The size in pixels, for example 128x128."""
    seed: Annotated[OptionalInt, arg(help_behavior_hint="(default: random)")] = None
    """The same seed and settings make the same video again. It is always printed."""
    num_inference_steps: Annotated[OptionalInt, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """Steps from noise to video; fewer are faster and coarser."""
    guidance_scale: Annotated[OptionalFloat, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """How strongly the prompt is followed; 1 is no guidance."""
    negative_prompt: Annotated[str, arg(metavar="TEXT", help_behavior_hint="")] = ""
    """What should not be seen."""
    num_videos: int = 1
    """So many videos, with seeds from --seed up; --output-path gets -1, -2 before its ending."""
    json: Flag = False
    """Print one JSON object per video; progress comes as JSON lines on standard error."""

    def run(self) -> int:
        prompt = read_prompt(self.prompt)
        requests = self._requests(prompt)
        seeds = [request.seed for request in requests if request.seed is not None]
        paths = plan_outputs(self.output_path, prompt, seeds, overwrite=self.overwrite)
        first = requests[0]
        assert first.height and first.width and first.fps
        check_all_writable(
            paths, size=(first.height, first.width), fps=first.fps, num_frames=first.num_frames
        )
        with _terminated_like_interrupted(), progress_display(as_json=self.json) as progress:
            began = time.perf_counter()
            progress(0, 1, "load")
            from worldreel.app.making import load_model, make_video

            model = load_model(self.model)
            progress(1, 1, "load")
            load_seconds = round(time.perf_counter() - began, 2)
            result = {}
            for request, path in zip(requests, paths, strict=True):
                result = make_video(model, request, path, progress)
                result["load_seconds"] = load_seconds
                print(json.dumps(result) if self.json else _in_words(result), flush=True)
        if not self.json:
            _print_remarks(result)
        return 0

    def _requests(self, prompt: str) -> "list[Request]":
        """A validated request per video; raises UsageError for what the model cannot do."""
        from worldreel.generate.request import Request
        from worldreel.weights.catalogue import describe

        check_at_least("--num-videos", self.num_videos, 1)
        if self.num_videos > NUM_VIDEOS_MAX:
            raise UsageError(
                f"--num-videos is {self.num_videos}; at most {NUM_VIDEOS_MAX} are made at a time.",
                remedy="Ask for fewer, and then for the next ones with a later --seed.",
            )
        width, height = parse_size(self.size) if self.size is not None else (None, None)
        seed = random_seed() if self.seed is None else self.seed
        request = Request(
            prompt=prompt,
            negative_prompt=self.negative_prompt,
            model=self.model,
            seconds=self.seconds,
            fps=self.fps,
            width=width,
            height=height,
            seed=seed,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
        )
        description = describe(self.model)
        return [
            dataclasses.replace(request, seed=seed + number).validate(description)
            for number in range(self.num_videos)
        ]


def read_prompt(given: str | None) -> str:
    """The prompt as given, or from standard input where it is missing or ``-``.

    Raises:
        UsageError: nothing was given and standard input is a terminal, or holds no UTF-8 text
            of a size that a prompt can have.
    """
    if given is not None and given != "-":
        return given
    if sys.stdin is None or (given is None and sys.stdin.isatty()):
        raise UsageError(
            "There is no prompt.",
            remedy='Say what should be seen: worldreel generate "a red ball rolls on grass"',
        )
    text = sys.stdin.buffer.read(STDIN_MAX_BYTES + 1)
    if len(text) > STDIN_MAX_BYTES:
        raise UsageError(
            f"The prompt from standard input has more than {STDIN_MAX_BYTES:,} bytes.",
            remedy="Shorten it: one or two sentences say most.",
        )
    try:
        return text.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The prompt from standard input is not UTF-8: byte {error.start} is "
            f"0x{error.object[error.start]:02X}.",
            remedy="Save the text as UTF-8.",
        ) from error


def _in_words(result: dict[str, Any]) -> str:
    return (
        f"{result['path']}\n"
        f"seed {result['seed']}, made in {result['seconds_taken']:.1f} s "
        f"(and {result['load_seconds']:.1f} s to load {result['model']})"
    )


def _print_remarks(result: dict[str, Any]) -> None:
    """What is the same for all videos of a prompt, and said once."""
    for remark in [*result["notes"], result["message"]]:
        if remark:
            print(remark)


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that no unfinished file is left behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)
