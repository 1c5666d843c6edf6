"""How a canvas is filled in: the model, the seed, and how the flow is followed."""

import dataclasses
from dataclasses import dataclass

from worldreel.core.randomness import SEED_MAX, random_seed
from worldreel.core.words import check_text
from worldreel.generate.limits import check_range, check_whole
from worldreel.weights.catalogue import DEFAULT_MODEL
from worldreel.weights.description import ModelDescription
from worldreel.weights.lora_use import LoraUse

STEPS_MAX = 200
GUIDANCE_MAX = 20.0
STEP_CACHE_MAX = 1.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a canvas is filled in. What is None is the model's to choose."""

    model: str = DEFAULT_MODEL
    """A name of the catalogue, or the path of a model's folder."""
    negative_prompt: str = ""
    """What the video is guided away from."""
    seed: int | None = None
    """Random if None; `validate` chooses it."""
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    loras: tuple[str, ...] = ()
    """Files that change the transformer for this video (see `LoraUse.parse`)."""
    step_cache: float | None = None
    """The share by which the velocity may change before the transformer is asked again; None asks
    it at every step (see `worldreel.generate.step_cache`)."""

    def validate(self, description: ModelDescription) -> "Options":
        """The same options with nothing left open; raises UsageError for what cannot be."""
        check_text("negative prompt", self.negative_prompt)
        defaults = {
            "seed": random_seed(),
            "num_inference_steps": description.sampling.num_inference_steps,
            "guidance_scale": description.sampling.guidance_scale,
        }
        left_open = {key: value for key, value in defaults.items() if getattr(self, key) is None}
        complete = dataclasses.replace(self, **left_open)
        check_whole("number of inference steps", complete.num_inference_steps, 1, STEPS_MAX)
        check_whole("seed", complete.seed, 0, SEED_MAX)
        check_range("guidance scale", complete.guidance_scale, 0, GUIDANCE_MAX)
        if complete.step_cache is not None:
            check_range("step cache", complete.step_cache, 0, STEP_CACHE_MAX)
        for lora in complete.loras:
            LoraUse.parse(lora)
        return complete
