"""``worldreel estimate``: what a video will cost on this machine, before anything is downloaded."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from worldreel.app.options import (
    OF_THE_MODEL,
    Flag,
    OptionalFloat,
    OptionalInt,
    OptionalText,
    parse_size,
)

if TYPE_CHECKING:
    from worldreel.generate.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Says what a video will take here: time, memory, disk, energy. The model need not be here."""

    model: Annotated[str, arg(metavar="NAME")] = "toybox"
    """A model's name, or its folder."""
    seconds: Annotated[OptionalFloat, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """The duration."""
    size: Annotated[OptionalText, arg(metavar="WIDTHxHEIGHT", help_behavior_hint=OF_THE_MODEL)] = (
        None
    )
    """The size in pixels, for example 832x480."""
    num_inference_steps: Annotated[OptionalInt, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """Steps from noise to video."""
    guidance_scale: Annotated[OptionalFloat, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """How strongly the prompt is followed; 1 takes half of the time."""
    step_cache: Annotated[OptionalFloat, arg(help_behavior_hint="(default: off)")] = None
    """As for generate; what it saves depends on the video: the cost is the most that it can be."""
    offload: Flag = False
    """As for generate: memory with blocks that are brought one by one. Time is without waiting for
    them."""
    json: Flag = False
    """Print one JSON object."""

    def run(self) -> int:
        plan = self.plan()
        import torch

        from worldreel.generate.estimate import estimate
        from worldreel.weights.load import fastest_dtype

        device = "cuda" if torch.cuda.is_available() else "cpu"
        cost = estimate(plan, device, fastest_dtype(device), offload=self.offload)
        if self.json:
            print(json.dumps({"device": device, "seconds": cost.seconds, **asdict(cost)}, indent=2))
            return 0
        canvas = plan.canvas
        at_most = "at most " if cost.is_upper_bound else ""
        print(
            f"{plan.description.name}, {plan.num_frames} frames of {canvas.width}x{canvas.height}: "
            f"{cost.num_tokens:,} tokens, {cost.num_evaluations} evaluations, "
            f"{cost.flops / 1e12:,.1f} TFLOP"
        )
        print(
            f"time    {at_most}{_duration(cost.seconds)} from the loaded model on this {device} "
            f"({_duration(cost.step_s)} a step, {_duration(cost.decode_s)} to decode)"
        )
        print(f"memory  {cost.memory_bytes / 1e9:.1f} GB at the most")
        if self.offload:
            print(f"offload {cost.brought_bytes / 1e9:.1f} GB are brought for every evaluation")
        print(f"disk    {cost.disk_bytes / 1e6:.2f} MB for the video")
        print(f"energy  {at_most}about {cost.energy_wh:.2g} Wh, at 7 W a core and 500 W a GPU")
        return 0

    def plan(self) -> "Plan":
        """What would be made; a picture that the model needs is taken to be given."""
        import dataclasses

        from worldreel.generate.plan import plan_request
        from worldreel.generate.request import Request
        from worldreel.weights.catalogue import describe_from_afar

        width, height = parse_size(self.size) if self.size is not None else (None, None)
        request = Request(
            prompt="a video",
            model=self.model,
            seconds=self.seconds,
            width=width,
            height=height,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
            step_cache=self.step_cache,
        )
        description = dataclasses.replace(describe_from_afar(self.model), needs=())
        if self.offload:
            description.check_offload()
        return plan_request(request, description)


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
