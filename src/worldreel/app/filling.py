"""What every command that makes video has in common: its options, and the way to a file."""

import contextlib
import dataclasses
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import UseAppendAction, arg

from worldreel.app.display import progress_display
from worldreel.app.options import (
    OF_THE_MODEL,
    Flag,
    OptionalFloat,
    OptionalInt,
    OptionalText,
    check_at_least,
)
from worldreel.app.output import check_all_writable, plan_outputs
from worldreel.core.errors import UsageError
from worldreel.core.randomness import random_seed

if TYPE_CHECKING:
    from worldreel.generate.canvas import Canvas
    from worldreel.generate.plan import Plan
    from worldreel.provenance.credentials import Ingredient
    from worldreel.provenance.mark import Marker
    from worldreel.weights.description import ModelDescription
    from worldreel.weights.load import LoadedModel

NUM_VIDEOS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Filling:
    """Options of all commands that fill a canvas in."""

    output_path: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """The file to write; its ending chooses the format: .mp4, .webp, .gif, or .png for one frame.
    (default: out/<first words>-<seed>.mp4, numbered where that exists)"""
    overwrite: Flag = False
    """Replace the file of --output-path if it exists."""
    model: Annotated[str, arg(metavar="NAME")] = "toybox"
    """A model's name (see `worldreel models`), or its folder, ours or a diffusers pipeline's."""
    seed: Annotated[OptionalInt, arg(help_behavior_hint="(default: random)")] = None
    """The same seed and settings make the same video again. It is always printed."""
    num_inference_steps: Annotated[OptionalInt, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """Steps from noise to video; fewer are faster and coarser."""
    guidance_scale: Annotated[OptionalFloat, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """How strongly the prompt is followed; 1 is no guidance."""
    negative_prompt: Annotated[str, arg(metavar="TEXT", help_behavior_hint="")] = ""
    """What should not be seen."""
    lora: Annotated[
        tuple[str, ...], UseAppendAction, arg(metavar="FILE[=WEIGHT]", help_behavior_hint="")
    ] = ()
    """A LoRA, .safetensors, and how strongly it counts; again for several. @high or @low after the
    weight chooses one of the two transformers of Wan 2.2."""
    offload: Flag = False
    """Bring the blocks of an open model one by one instead of keeping them in memory: it fits where
    it would not, and is slower where bringing takes longer than computing."""
    int8: Flag = False
    """Multiply in 8 bits inside the transformer, on a CPU: faster for large models, and a little
    different."""
    step_cache: Annotated[OptionalFloat, arg(help_behavior_hint="(default: off)")] = None
    """Foretell steps that would change by less than this share, for example 0.1, instead of
    computing them: faster, and a little different."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the model computes."""
    num_devices: int = 1
    """So many share each step of a video: the first GPUs, or as many processes on the CPU."""
    num_videos: int = 1
    """So many videos, with seeds from --seed up; --output-path gets -1, -2 before its ending."""
    work_dir: Annotated[OptionalText, arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Keep finished stretches of a long video there; the same command then goes on after a stop."""
    show_canvas: Flag = False
    """Print what is given and what is free, and make nothing."""
    visible_label: Flag = False
    """Show people that it is AI-generated, by a small text in English and Chinese throughout."""
    json: Flag = False
    """Print one JSON object per video; progress comes as JSON lines on standard error."""

    def describe(self) -> "ModelDescription":
        """What the model says about itself, before it is loaded."""
        from worldreel.weights.catalogue import describe

        return describe(self.model)

    def fill(
        self, canvas: "Canvas", *, ending: str = ".mp4", sources: Sequence[str] | None = None
    ) -> int:
        """Makes the videos of a canvas; raises UsageError before anything heavy is loaded.

        Args:
            sources: the files that they are made from; those that the canvas names if None.
        """
        plans = self.plans(canvas)
        if self.show_canvas:
            print(canvas)
            return 0
        seeds = [plan.options.seed for plan in plans if plan.options.seed is not None]
        paths = plan_outputs(
            self.output_path, canvas.prompt, seeds, overwrite=self.overwrite, ending=ending
        )
        check_all_writable(
            paths,
            size=(canvas.height, canvas.width),
            fps=canvas.fps,
            num_frames=canvas.num_frames,
        )
        marker, named = self._marker(), self._sources(canvas, sources)
        with terminated_like_interrupted(), progress_display(as_json=self.json) as progress:
            began = time.perf_counter()
            progress(0, 1, "load")
            from worldreel.app.making import load_model, make_video

            model = load_model(
                self.model,
                device=self.device,
                num_devices=self.num_devices,
                offload=self.offload,
                int8=self.int8,
            )
            progress(1, 1, "load")
            load_seconds = round(time.perf_counter() - began, 2)
            result = {}
            with contextlib.closing(model):
                for plan, path in zip(plans, paths, strict=True):
                    shelf = self._shelf(plan, model)
                    verb = type(self).__name__.lower()
                    marks = {"marker": marker, "sources": named, "verb": verb}
                    result = make_video(model, plan, path, progress, shelf, **marks)
                    result["load_seconds"] = load_seconds
                    print(json.dumps(result) if self.json else _in_words(result), flush=True)
        if not self.json:
            _print_remarks(result)
        return 0

    def plans(self, canvas: "Canvas") -> "Sequence[Plan]":
        """A plan for each video; raises UsageError for what the model cannot do."""
        from worldreel.generate.options import Options
        from worldreel.generate.plan import make_plan

        check_at_least("--num-videos", self.num_videos, 1)
        if self.num_videos > NUM_VIDEOS_MAX:
            raise UsageError(
                f"--num-videos is {self.num_videos}; at most {NUM_VIDEOS_MAX} are made at a time.",
                remedy="Ask for fewer, and then for the next ones with a later --seed.",
            )
        options = Options(
            model=self.model,
            negative_prompt=self.negative_prompt,
            seed=random_seed() if self.seed is None else self.seed,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
            loras=self.lora,
            step_cache=self.step_cache,
        )
        description = self.describe()
        if self.offload:
            description.check_offload(self.num_devices)
        if self.num_devices != 1:
            from worldreel.parallel.sizes import check_size

            check_size(self.num_devices, description.transformer["num_heads"])
        first = make_plan(canvas, options, description)
        return [_with_seed(first, number, description) for number in range(self.num_videos)]

    def _marker(self) -> "Marker":
        """What marks the files; raises before anything heavy is loaded if it cannot."""
        from worldreel.provenance.mark import Marker, with_visible_label

        marker = Marker.open(tell=tell_in_json if self.json else tell)
        return with_visible_label(marker, "both" if self.visible_label else None)

    def _sources(self, canvas: "Canvas", files: Sequence[str] | None) -> "tuple[Ingredient, ...]":
        from worldreel.generate.given import sources_of
        from worldreel.provenance.examine import ingredient_of

        if files is None:
            return sources_of(canvas)
        return tuple(ingredient_of(file, number) for number, file in enumerate(files))

    def _shelf(self, plan: "Plan", model: "LoadedModel") -> Any:
        if self.work_dir is None:
            return None
        from worldreel.generate.shelf import FolderShelf

        folder = Path(self.work_dir)
        if self.num_videos > 1:
            folder = folder / str(plan.options.seed)
        version = model.description.version + (" int8" if model.is_int8 else "")
        return FolderShelf(folder, plan, version)


def tell(told: str) -> None:
    """Says something once, on standard error."""
    print(told, file=sys.stderr, flush=True)


def tell_in_json(told: str) -> None:
    """The same as a line of JSON, among those of the progress."""
    print(json.dumps({"note": told}), file=sys.stderr, flush=True)


def _with_seed(plan: "Plan", number: int, description: "ModelDescription") -> "Plan":
    """The same plan for another video, with a seed that is so much later."""
    assert plan.options.seed is not None
    options = dataclasses.replace(plan.options, seed=plan.options.seed + number)
    return dataclasses.replace(plan, options=options.validate(description))


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
def terminated_like_interrupted() -> Iterator[None]:
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
