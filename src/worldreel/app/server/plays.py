"""The routes of play: a running world, its frames as events, and what is said to it.

Events and not a socket: they are in the OpenAPI document, go through every proxy, and are asked
for with the same keys and sessions as everything else; what is said is one small request.
"""

import base64
import json
import shutil
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, model_validator
from starlette.responses import StreamingResponse

from worldreel.app.jobs import sizes
from worldreel.app.jobs.layout import OWN_FIRST
from worldreel.app.jobs.offered import Offered, default_model
from worldreel.app.jobs.video import NewVideo, Parent, Wish
from worldreel.app.play.child import Game
from worldreel.app.play.cue import CAMERA, SCENES
from worldreel.app.policy.classifiers import NoAnswer
from worldreel.app.server.admission import accept, new_object
from worldreel.app.server.asking import Asking, how_of
from worldreel.app.server.bodies import Body, open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.canvas_shapes import Source
from worldreel.app.server.events import EVENT_STREAM, TRUST_S, event
from worldreel.app.server.playing import Play, Plays, PlaysFull, new_folder
from worldreel.app.server.problems import ApiError, invalid, not_found, policy_silent
from worldreel.app.server.service import Served, Service, in_thread
from worldreel.app.server.shapes import HowToMake, In, Prompt, Size, Storable, VideoObject
from worldreel.app.server.sources import Sources
from worldreel.core.errors import UsageError, WorldreelError

router = APIRouter(prefix="/v1/plays", tags=["plays"])

WAIT_S = 1.0
KEYS = "left, right, up, down, space, c, or a digit from 1"


class CreatePlay(HowToMake):
    """The body of ``POST /v1/plays``."""

    prompt: Prompt | None = None
    model: Annotated[Storable, Field(min_length=1, max_length=128)] | None = None
    size: Size | None = None
    image: Source | None = None
    """A picture or clip that it begins with."""
    context: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Frames that each step sees of those before."""


class SayToPlay(In):
    """The body of ``POST /v1/plays/{id}/say``: words, or a key."""

    prompt: Prompt | None = None
    key: Annotated[Storable, Field(min_length=1, max_length=8)] | None = None
    """left, right, up, down or space for the camera, 1 to 9 for a scene, c for a cut."""

    @model_validator(mode="after")
    def _one(self) -> "SayToPlay":
        if (self.prompt is None) == (self.key is None):
            raise ValueError("give exactly one of prompt and key")
        if self.key is not None and self.key not in (*CAMERA, *"123456789"[: len(SCENES)], "c"):
            raise ValueError(f"key is one of {KEYS}")
        return self


class PlayObject(BaseModel):
    """A running world."""

    id: str
    object: Literal["play"] = "play"
    model: str
    size: str
    fps: float
    seed: int
    prompt: str
    scenes: list[str]
    """What the digits say, after a cut."""
    camera: dict[str, str]
    """What the arrows and the space bar add to the scene."""
    actions: list[str]
    """What can be done in it beside saying words: nothing, with models that only hear."""


class PlaySaid(BaseModel):
    """What a world hears from now on."""

    prompt: str


class PlayDeleted(BaseModel):
    """A world that has ended."""

    id: str
    object: Literal["play.deleted"] = "play.deleted"
    deleted: bool = True


@router.post("", response_model=PlayObject, openapi_extra={"x-body": "CreatePlay"})
async def create_play(request: Request, owner: Owner, service: Served) -> Any:
    """Starts a world; the owner's older one ends. It runs while its frames are followed."""
    async with open_body(request) as body:
        asked = body.read_as(CreatePlay)
        plays: Plays = request.app.state.plays

        def start() -> PlayObject:
            name = asked.model or default_model(service.settings)
            offered = Asking(service, owner).offered(name)
            wish = _wish(service, owner, asked, offered)
            folder = new_folder(service.folder.aside)
            try:
                begin = None
                if asked.image is not None:
                    begin = _begin(service, owner, asked.image, folder, wish)
                service.gate.check_work(owner, folder.name, wish, folder)
                play = plays.start(
                    owner, _game(service, asked, wish, begin, folder.name), wish, folder
                )
            except BaseException as error:
                shutil.rmtree(folder, ignore_errors=True)
                if isinstance(error, NoAnswer):
                    raise policy_silent() from None
                if not isinstance(error, PlaysFull):
                    raise
                most = service.settings.plays_max
                message = f"As many worlds run as may at the same time: {most}."
                kind = {"type": "rate_limit_error", "code": "plays_full"}
                raise ApiError(429, message, headers={"retry-after": "60"}, **kind) from None
            return PlayObject(
                id=play.id,
                model=offered.description.name,
                size=f"{wish.width}x{wish.height}",
                fps=wish.fps,
                seed=wish.seed,
                prompt=wish.prompt,
                scenes=list(SCENES),
                camera=CAMERA,
                actions=[],
            )

        return await in_thread(start)


@router.get(
    "/{play_id}/frames",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `state`, `frame` (a webp in base64), and at the end `failed` "
            "or `stopped`; each carries JSON. Who is slow misses frames.",
            "content": EVENT_STREAM,
        }
    },
)
def stream_frames(play_id: str, request: Request, owner: Owner) -> Any:
    """The world as it is seen, frame by frame; it stands still while nobody follows."""
    play = _find(request, owner, play_id)
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    stream = _frames(play, request.app.state.stopping)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.post("/{play_id}/say", response_model=PlaySaid, openapi_extra={"x-body": "SayToPlay"})
async def say_to_play(play_id: str, request: Request, owner: Owner, service: Served) -> Any:
    """Says something else: every frame that is shown from now on has heard it."""
    async with open_body(request) as body:
        asked = body.read_as(SayToPlay)
        play = _find(request, owner, play_id)
        words = {"say": asked.prompt} if asked.prompt else {"key": asked.key or ""}
        try:
            if asked.prompt:
                await in_thread(service.gate.check_said, owner, play_id, asked.prompt)
        except NoAnswer:
            raise policy_silent() from None
        try:
            return PlaySaid(prompt=await in_thread(play.say, words))
        except WorldreelError as error:
            raise _over(error) from None


@router.post("/{play_id}/save", response_model=VideoObject)
async def save_play(
    play_id: str, request: Request, response: Response, owner: Owner, service: Served
) -> Any:
    """Puts the last minute of what was seen among the videos: a job that gives it all."""
    play = _find(request, owner, play_id)

    def act(asking: Asking, file: Path | None) -> Sequence[NewVideo]:
        return [_saved(asking, play)]

    def tell(news: Sequence[NewVideo]) -> VideoObject:
        return new_object(news[0])

    asking, nothing = Asking(service, owner), Body({}, {}, is_form=False)
    return await accept(request, response, asking, None, nothing, act, tell, VideoObject)


@router.delete("/{play_id}", response_model=PlayDeleted)
def delete_play(play_id: str, request: Request, owner: Owner) -> Any:
    """Ends a world."""
    _find(request, owner, play_id).end()
    return PlayDeleted(id=play_id)


async def _frames(play: Play, stopping: threading.Event) -> AsyncIterator[str]:
    number, silent_s = -1, 0.0
    with play.watching():
        while silent_s < TRUST_S and not stopping.is_set():
            shown = await in_thread(play.next, number, WAIT_S)
            if shown is None:
                silent_s += WAIT_S
                yield ": still here\n\n"
                continue
            number, silent_s = shown.number, 0.0
            told = dict(shown.told)
            if shown.picture:
                told["webp"] = base64.b64encode(shown.picture).decode()
            yield event(shown.name, told)
            if shown.name in ("failed", "stopped"):
                return


def _wish(service: Service, owner: str, asked: CreatePlay, offered: Offered) -> Wish:
    """What a video of the world would be, but for its frames.

    Raises:
        ApiError: the model cannot be played so.
    """
    from worldreel.generate.endless import CONTEXT, check_playable
    from worldreel.generate.options import Options

    description = offered.description
    width, height = description.size.default
    param = "size"
    try:
        if asked.size is not None:
            width, height = sizes.parse_size(asked.size)
        context = CONTEXT if asked.context is None else asked.context
        check_playable(description, (width, height), context)
        param = None
        steps, scale = asked.num_inference_steps, asked.guidance_scale
        Options(num_inference_steps=steps, guidance_scale=scale).validate(description)
    except UsageError as error:
        raise invalid(str(error).replace("\n", " "), param) from None
    is_ours = asked.image is not None and asked.image.video_id is not None
    wish = Wish(
        kind="create",
        verb="play",
        model=offered.model,
        model_name=description.name,
        prompt=asked.prompt or SCENES[0],
        num_frames=1,
        fps=float(description.fps),
        width=width,
        height=height,
        shown_width=width,
        shown_height=height,
        parents=(Parent(asked.image.video_id, "image"),) if is_ours else (),  # pyright: ignore
        canvas="{}",
        **how_of(asked),
    )
    return wish if asked.image else replace(wish, shows_person=wish.shows_person or False)


def _game(service: Service, asked: CreatePlay, wish: Wish, begin: Path | None, name: str) -> Game:
    settings = service.settings
    return Game(
        model=wish.model,
        prompt=wish.prompt,
        width=wish.width,
        height=wish.height,
        seed=wish.seed,
        num_inference_steps=wish.num_inference_steps,
        guidance_scale=wish.guidance_scale,
        negative_prompt=wish.negative_prompt,
        context=asked.context,
        begin=None if begin is None else str(begin),
        threads=settings.threads,
        data=str(settings.data),
        provenance=None if settings.provenance is None else str(settings.provenance),
        content_id=name,
    )


def _begin(service: Service, owner: str, source: Source, folder: Path, wish: Wish) -> Path:
    """What the world begins with, in its own folder."""
    asking, size = Asking(service, owner), (wish.width, wish.height)
    try:
        sources = Sources(asking)
        told = sources.tell(source, "image")
        if told.is_picture:
            brought = sources.bring_picture(told, "image", size=size)
        else:
            brought = sources.bring(told, "image", size=size, fps=wish.fps)
        return Path(shutil.copy(asking.inputs / brought.name, folder))
    finally:
        asking.abandon()


def _saved(asking: Asking, play: Play) -> NewVideo:
    """A video whose frames are all given: what was seen."""
    wish = play.wish
    offered = asking.offered(wish.model_name)
    asking.inputs.mkdir(parents=True, exist_ok=True)
    file = asking.inputs / f"canvas-{OWN_FIRST}.mp4"
    try:
        saved = play.save(file)
    except WorldreelError as error:
        raise invalid(str(error).replace("\n", " "), "play_id", "nothing_seen") from None
    num_frames, prompt = saved["num_frames"], " ".join(saved["prompts"])
    board = {
        "size": [wish.width, wish.height],
        "seconds": num_frames / wish.fps,
        "fps": wish.fps,
        "place": [{"file": file.name}],
        "say": [{"prompt": prompt}],
    }
    told: dict[str, Any] = {"prompt": prompt, "canvas": json.dumps(board)}
    wish = replace(wish, num_frames=num_frames, num_given=num_frames, **told)
    size, seconds = f"{wish.width}x{wish.height}", sizes.show_seconds(num_frames / wish.fps)
    return asking.new(wish, offered.name, size, seconds, offered.description)


def _find(request: Request, owner: str, play: str) -> Play:
    plays: Plays = request.app.state.plays
    found = plays.find(owner, play)
    if found is None:
        raise not_found("play", play, "play_id")
    return found


def _over(error: WorldreelError) -> ApiError:
    return invalid(str(error).replace("\n", " "), "play_id", "play_has_ended")
