"""The stages of making one video: check, plan, each stretch of latents, decode.

The only module of the server that knows how generation is called. Every stage takes values and
files and returns values and files, so that a workflow can remember it and go on from there.
"""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldreel import __version__
from worldreel.app.jobs.folder import PREVIEW
from worldreel.app.jobs.layout import clip_frames, lay_out
from worldreel.app.jobs.marking import Marking
from worldreel.app.jobs.video import Wish
from worldreel.core.progress import Progress
from worldreel.weights.description import ModelDescription

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from worldreel.generate.plan import Plan
    from worldreel.weights.load import LoadedModel

SECONDS_PER_FLOP = 1e-11
SECONDS_PER_MADE_PIXEL = 2e-7
SECONDS_PER_SHOWN_PIXEL = 5e-8
"""A first guess of what work costs on a processor; workers correct it by what they measure."""

PREVIEW_STEPS = 4
"""So many steps lie between two pictures of a video on its way."""

PROCESS_BYTES = 1_000_000_000
"""The libraries and activations of a worker with a model of no size."""
BYTES_PER_STORED_BYTE = 4


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a wish will cost."""

    work_s: float
    """Seconds on the machine of the first guess; see `SECONDS_PER_FLOP`."""
    memory_bytes: int
    num_stretches: int
    notes: tuple[str, ...]


def check(wish: Wish, inputs: Path, description: ModelDescription) -> Estimate:
    """What a wish costs, if the model can do it.

    Args:
        inputs: the folder of what is given; looked into for a wish with a canvas alone.

    Raises:
        UsageError: the model cannot do it, with what it can.
    """
    plan = _plan(wish, inputs if wish.canvas else None, description)
    made = plan.num_made_frames * wish.width * wish.height
    shown = _total_frames(wish) * wish.shown_width * wish.shown_height
    work_s = (
        plan.flops * SECONDS_PER_FLOP
        + made * SECONDS_PER_MADE_PIXEL
        + shown * SECONDS_PER_SHOWN_PIXEL
    )
    return Estimate(
        work_s=work_s,
        memory_bytes=memory_of(description) + 100 * wish.shown_width * wish.shown_height,
        num_stretches=len(plan.stretches),
        notes=(*wish.notes, *plan.notes),
    )


def memory_of(description: ModelDescription) -> int:
    """Bytes of memory of a worker that holds a model, before it makes anything."""
    return PROCESS_BYTES + BYTES_PER_STORED_BYTE * description.size_bytes


def import_heavy() -> None:
    """Imports what the stages need, so that threads find it whole."""
    import worldreel.app.jobs.pictures
    import worldreel.generate.engine
    import worldreel.generate.understanding
    import worldreel.media.footage
    import worldreel.weights.load  # noqa: F401


class Maker:
    """Makes videos, one at a time, with one model in memory."""

    def __init__(self, threads: int | None = None, marking: Marking | None = None) -> None:
        self._threads = threads
        self._marking = marking
        self._lock = threading.Lock()
        self._model: tuple[str, LoadedModel] | None = None

    def load(self, model: str) -> "LoadedModel":
        """The model, from memory if it was the last one used."""
        import torch

        if self._threads is not None:  # each thread of Python has its own number of them, and
            torch.set_num_threads(self._threads)  # the last bits of a video depend on it
        with self._lock:
            if self._model is None or self._model[0] != model:
                from worldreel.weights.load import load_model

                self._model = None
                self._model = (model, load_model(model))
            return self._model[1]

    def plan(self, wish: Wish, inputs: Path) -> dict[str, Any]:
        """Loads the model and says how many stretches there will be."""
        from worldreel.generate.understanding import understand

        model = self.load(wish.model)
        plan = _plan(wish, inputs, model.description)
        understood = understand(wish.prompt, model.text, model.description.vocabulary)
        told = [line for line in understood.message(model.description.name).splitlines() if line]
        return {
            "num_stretches": len(plan.stretches),
            "notes": list(dict.fromkeys([*wish.notes, *plan.notes, *told])),
        }

    def stretch(
        self,
        wish: Wish,
        inputs: Path,
        number: int,
        before: Sequence[Path],
        target: Path,
        progress: Progress,
        previewed: Callable[[int], None],
    ) -> None:
        """Makes the latents of one stretch from those before it, into ``target``.

        Args:
            before: the files of the stretches before it, in their order.
            progress: done, of how many steps, of this stretch.
            previewed: told the steps that are done when there is a new picture of them.
        """
        from safetensors.torch import save_file

        from worldreel.generate.engine import make_stretch
        from worldreel.media.atomic import atomic_target

        model = self.load(wish.model)
        plan = _plan(wish, inputs, model.description)
        made: dict[int, Tensor] = {}
        for stretch, path in zip(plan.stretches, before, strict=False):
            made.update(zip(stretch.made, _read(path).unbind(1), strict=True))

        def of_all(done: int, total: int, stage: str) -> None:
            steps = total // len(plan.stretches)
            progress(done - number * steps, steps, stage)

        def preview(latents: "Tensor") -> None:
            from worldreel.app.jobs.pictures import save_small

            frame = _middle(model, latents)
            if frame is not None:
                marking = self._marking
                if marking is not None:
                    frame = marking.open().picture(frame, inputs.name)
                save_small(target.with_name(PREVIEW), frame)

        def look(done: int, latents: "Tensor") -> None:
            if done % PREVIEW_STEPS == 0:
                preview(latents.float())
                previewed(done)

        target.parent.mkdir(parents=True, exist_ok=True)
        latents = make_stretch(model, plan, number, made, of_all, look)
        with atomic_target(target) as part:
            save_file({"latents": latents.float().cpu().contiguous()}, part)
        preview(latents)

    def decode(
        self,
        wish: Wish,
        inputs: Path,
        stretches: Sequence[Path],
        folder: Path,
        progress: Progress,
    ) -> dict[str, Any]:
        """Decodes latents to the video, its thumbnail and its sheet of pictures in ``folder``.

        Args:
            inputs: the job's own folder, whose name is the video's.

        Returns:
            what is told about the video, and the settings that are inside it.
        """
        from worldreel.app.jobs.pictures import Showing
        from worldreel.generate.engine import generate

        model = self.load(wish.model)
        plan = _plan(wish, inputs, model.description)
        folder.mkdir(parents=True, exist_ok=True)
        frames = generate(model, plan, progress, _Made(stretches))
        num_frames = _total_frames(wish)
        settings = _settings(wish, model.description)
        marking = self._marking
        with Showing(
            folder,
            size=(wish.shown_height, wish.shown_width),
            fps=wish.fps,
            num_frames=num_frames,
            settings=settings,
            mark=None if marking is None else partial(marking.frames, inputs.name),
        ) as showing:
            for frame in _published(wish, inputs, frames):
                showing.add(frame)
        return {
            "model_version": model.description.version,
            "num_frames": num_frames,
            "settings": settings,
            "watermarked": marking is not None,
        }


class _Made:
    """Finished stretches, as the engine looks for them."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    def load(self, number: int) -> "Tensor | None":
        return _read(self._files[number])

    def save(self, number: int, latents: "Tensor") -> None:
        raise AssertionError("every stretch was made before")


def _published(
    wish: Wish, inputs: Path, made: "Iterator[NDArray[np.uint8]]"
) -> "Iterator[NDArray[np.uint8]]":
    """Each published frame, uint8 ``h w 3``: what was made, enlarged; an extension's behind the
    clip that it goes on from, which stays as it is."""
    from worldreel.media.fit import apply_fit, plan_fit

    shown = wish.shown_height, wish.shown_width
    if wish.kind == "extend":
        yield from clip_frames(inputs, wish.clip, shown)
    fitting = plan_fit((wish.height, wish.width), shown, "cover")
    skip = wish.num_seen
    for chunk in made:
        for frame in chunk[skip:]:
            yield frame if fitting.what is None else apply_fit(fitting, frame)
        skip = max(0, skip - len(chunk))


def _total_frames(wish: Wish) -> int:
    return wish.num_frames + (wish.clip.num_frames if wish.kind == "extend" else 0)


def _middle(model: "LoadedModel", latents: "Tensor") -> "NDArray[np.uint8] | None":
    """The frame in the middle of a stretch, for those who watch; None where a latent frame is no
    picture by itself."""
    from worldreel.generate.engine import decode

    if model.description.stride[0] != 1 or model.description.first_frame_alone:
        return None
    middle = latents.shape[1] // 2
    return next(decode(model, latents[None, :, middle : middle + 1]))[0]


def _read(path: Path) -> "Tensor":
    from safetensors.torch import load_file

    return load_file(path)["latents"]


def _plan(wish: Wish, inputs: Path | None, description: ModelDescription) -> "Plan":
    from worldreel.generate.options import Options
    from worldreel.generate.plan import make_plan

    options = Options(
        model=wish.model,
        negative_prompt=wish.negative_prompt,
        seed=wish.seed,
        num_inference_steps=wish.num_inference_steps,
        guidance_scale=wish.guidance_scale,
    )
    if wish.kind != "create" or wish.num_given:
        # the limit is for what is new; what was given is there already
        seen = wish.num_seen if wish.kind == "extend" else wish.num_frames
        spare_s = (wish.num_given or seen) / wish.fps
        longer = dataclasses.replace(description.seconds, max=description.seconds.max + spare_s)
        description = dataclasses.replace(description, seconds=longer)
    return make_plan(lay_out(wish, inputs, description), options, description)


def _settings(wish: Wish, description: ModelDescription) -> dict[str, Any]:
    """What is embedded in the file: what made it, without what was given."""
    return {
        "kind": wish.kind,
        "verb": wish.verb or wish.kind,
        "prompt": wish.prompt,
        "negative_prompt": wish.negative_prompt,
        "model": description.name,
        "seconds": wish.num_frames / wish.fps,
        "fps": float(wish.fps),
        "width": wish.width,
        "height": wish.height,
        "seed": wish.seed,
        "num_inference_steps": wish.num_inference_steps or description.sampling.num_inference_steps,
        "guidance_scale": description.sampling.guidance_scale
        if wish.guidance_scale is None
        else wish.guidance_scale,
        "model_version": description.version,
        "worldreel": __version__,
    }
