"""What goes out over HTTP about models: OpenAI's shapes, and what each can do."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

MADE_BEFORE_SUMMER = 1759708800
"""When Sora 2 came out: the date that OpenAI's list of models gave it."""


class SizeFacts(BaseModel):
    """Sizes in pixels; pairs are width, height."""

    default: list[int]
    min: int
    max: int
    multiple: list[int]
    """Width and height must be multiples of these."""
    trained: list[list[int]]


class SecondsFacts(BaseModel):
    """Durations in seconds."""

    default: float
    max: float


class SamplingFacts(BaseModel):
    """What is used where a request does not say."""

    num_inference_steps: int
    guidance_scale: float


class ModelFacts(BaseModel):
    """What a model can do, and what it needs."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    """Its own name."""
    version: str
    license: str
    """An SPDX identifier."""
    summary: str
    takes: list[str]
    """Out of text, first_frame, last_frame, clip and mask; what can be done while it is played
    is in ``actions``."""
    fps: int
    """It makes this rate, or this divided by a whole number."""
    size: SizeFacts
    seconds: SecondsFacts
    sampling: SamplingFacts
    official_sizes: bool
    """Whether this name takes the official sizes and durations, and no others."""
    installed: bool
    """Whether its weights are on the server's machine."""
    downloadable: bool
    """Whether ``POST /v1/models/{id}/pull`` can fetch it."""
    is_default: bool
    memory_bytes: int
    disk_bytes: int
    fits: bool
    """Whether the server's machine has that much memory."""
    plays: bool
    """Whether its world can be played."""
    actions: list[str]
    """What can be done in that world beside saying words; none with most models."""


class ModelObject(BaseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    worldreel: ModelFacts


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelObject]
