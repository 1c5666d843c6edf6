"""From a request's body to a video that can be accepted: model, size, duration, what is given."""

import contextlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from worldreel.app.jobs import sizes, stages
from worldreel.app.jobs.folder import VIDEO, link_or_copy
from worldreel.app.jobs.layout import read_canvas
from worldreel.app.jobs.offered import Offered, find_offered
from worldreel.app.jobs.video import COMPLETED, Given, NewVideo, Parent, Video, Wish, new_id
from worldreel.app.server.boards import bring_canvas, read_values
from worldreel.app.server.intake import fetch_picture, take_clip, take_picture
from worldreel.app.server.problems import ApiError, invalid, not_found
from worldreel.app.server.service import Service
from worldreel.app.server.shapes import CreateVideo, EditVideo, ExtendVideo, HowToMake, RemixVideo
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.randomness import SEED_MAX, random_seed
from worldreel.weights.description import ModelDescription

FIRST_FRAME, CLIP = "first.png", "clip.mp4"
EDIT_STRENGTH = 0.5
"""How far an edit leaves its clip unless the client says otherwise."""
CLIP_MAX_S = 120.0
"""The longest clip that is edited or extended."""
SEEN_SHARE = 1 / 3
"""How much of a model's usual duration an extension goes on from."""


class Asking:
    """One request for a video, and the folder where what it gives is put.

    Args:
        id: of the video to be.
    """

    def __init__(self, service: Service, owner: str) -> None:
        self.service = service
        self.owner = owner
        self.id = new_id("video")
        self.inputs = service.folder.work(self.id)
        self._others: list[str] = []
        self.characters: list[str] = []
        """Ids of the characters that were named so far."""

    def create(self, body: CreateVideo, upload: Path | None = None) -> NewVideo:
        """A video from words, and what is given beside them.

        Args:
            upload: the file of ``input_reference``, if it came as one.

        Raises:
            ApiError: something cannot be, with what can.
        """
        offered = self.offered(body.model)
        if body.canvas is not None:
            return self._on_canvas(body, offered, upload)
        render = self._render(offered, body.size)
        fps, num_frames = self._frames(offered, body)
        description = offered.description
        wish = Wish(
            kind="create",
            model=offered.model,
            model_name=description.name,
            prompt=body.prompt,
            fps=fps,
            num_frames=num_frames,
            width=render.width,
            height=render.height,
            shown_width=render.shown_width,
            shown_height=render.shown_height,
            notes=(render.note,) if render.note else (),
            **how_of(body),
        )
        given: list[Given] = []
        if upload is not None or body.input_reference is not None:
            param = "input_reference"
            check_takes(description, "first_frame", param)
            self.inputs.mkdir(parents=True, exist_ok=True)
            raw = upload or self.inputs / "raw"
            if upload is None:
                assert body.input_reference is not None
                fetch_picture(self.service, self.owner, body.input_reference, raw)
            with self.service.media:
                shown = (render.shown_height, render.shown_width)
                take_picture(raw, self.inputs / FIRST_FRAME, shown, param)
            if upload is None:
                raw.unlink()
            given.append(Given(role="first_frame", file=FIRST_FRAME))
        for number, reference in enumerate(body.characters or []):
            given.append(self._character(reference.id, number, description, fps))
        wish = replace(wish, given=tuple(given))
        size = f"{render.shown_width}x{render.shown_height}"
        return self.new(wish, body.model, size, sizes.show_seconds(num_frames / fps), description)

    def edit(
        self,
        body: EditVideo | RemixVideo,
        *,
        source: Video | None = None,
        upload: Path | None = None,
    ) -> NewVideo:
        """A video from another one: its frames, given loosely."""
        from worldreel.generate.verbs import noise_of

        base = self._base(source, upload)
        description = base.offered.description
        check_takes(description, "clip", "video")
        strength = EDIT_STRENGTH if body.strength is None else body.strength
        noise = noise_of(strength, description.sampling.shift)
        wish = replace(
            base.wish,
            kind="edit",
            prompt=body.prompt,
            noise=noise,
            strength=strength,
            num_frames=base.wish.clip.num_frames,
            **how_of(body),
        )
        seconds = sizes.show_seconds(wish.num_frames / wish.fps)
        new = self.new(wish, base.model, base.size, seconds, description)
        return replace(new, remixed_from_video_id=source.id if source else None)

    def extend(
        self, body: ExtendVideo, *, source: Video | None = None, upload: Path | None = None
    ) -> NewVideo:
        """A video that goes on where another one ends; both together are published."""
        base = self._base(source, upload)
        description = base.offered.description
        check_takes(description, "clip", "video")
        seconds = self._seconds(base.offered, body.seconds)
        clip, fps = base.wish.clip, base.wish.fps
        total_s = clip.num_frames / fps + seconds
        if total_s > CLIP_MAX_S:
            message = f"The video would last {total_s:g} s; at most {CLIP_MAX_S:g} s are made."
            raise invalid(message, "seconds")
        seen = round(description.seconds.default * SEEN_SHARE * fps)
        wish = replace(
            base.wish,
            kind="extend",
            prompt=body.prompt,
            num_frames=whole_frames(seconds, fps),
            num_seen=max(1, min(clip.num_frames, seen)),
            **how_of(body),
        )
        total = sizes.show_seconds((clip.num_frames + wish.num_frames) / fps)
        return self.new(wish, base.model, base.size, total, description)

    def _on_canvas(self, body: CreateVideo, offered: Offered, upload: Path | None) -> NewVideo:
        """A video on the client's own canvas."""
        assert body.canvas is not None
        description, taken = offered.description, [body.size, body.seconds, body.fps]
        others = [*taken, body.num_frames, body.input_reference, body.characters, upload]
        if any(other is not None for other in others):
            message = "A canvas says size, duration and what is given by itself."
            raise invalid(f"{message} Leave everything beside it out but how it is made.", "canvas")
        self.inputs.mkdir(parents=True, exist_ok=True)
        text = json.dumps(bring_canvas(self, read_values(body.canvas, "canvas"), "canvas"))
        try:
            with self.service.media:
                canvas = read_canvas(text, body.prompt, self.inputs, description)
        except WorldreelError as error:
            raise invalid(f"canvas: {error!s}".replace("\n", " "), "canvas") from None
        wish = Wish(
            kind="create",
            model=offered.model,
            model_name=description.name,
            prompt=body.prompt,
            fps=canvas.fps,
            num_frames=canvas.num_frames,
            width=canvas.width,
            height=canvas.height,
            shown_width=canvas.width,
            shown_height=canvas.height,
            canvas=text,
            verb="storyboard",
            **how_of(body),
        )
        size = f"{canvas.width}x{canvas.height}"
        return self.new(
            wish, body.model, size, sizes.show_seconds(canvas.num_frames / canvas.fps), description
        )

    def takes(self, first: NewVideo, count: int) -> list[NewVideo]:
        """So many videos that differ by their seeds; each has what was given in its own folder."""
        batch = new_id("batch")
        news = [replace(first, batch=batch)]
        for take in range(2, count + 1):
            seed = (first.wish.seed + take - 1) % (SEED_MAX + 1)
            asked = None if first.wish.asked is None else {**first.wish.asked, "seed": seed}
            wish = replace(first.wish, seed=seed, asked=asked)
            new = replace(first, id=new_id("video"), wish=wish, batch=batch, take=take)
            self._others.append(new.id)
            if self.inputs.exists():
                target = self.service.folder.work(new.id)
                target.mkdir(parents=True)
                for file in self.inputs.iterdir():
                    link_or_copy(file, target / file.name)
            news.append(new)
        return news

    def source(self, video: str, param: str = "video") -> Video:
        """A finished video of the owner; raises ApiError where there is none."""
        found = self.service.videos.get(self.owner, video)
        if found is None:
            raise not_found("video", video, param)
        if found.status != COMPLETED or found.files_gone:
            state = "expired" if found.files_gone else found.status
            message = f"The video {video} is {state}; it must be completed and still be there."
            raise invalid(message, param, "video_not_ready")
        return found

    def abandon(self) -> None:
        """Removes what was given, where nothing came of it."""
        for video in (self.id, *self._others):
            shutil.rmtree(self.service.folder.work(video), ignore_errors=True)

    def _base(self, source: Video | None, upload: Path | None) -> "_Base":
        self.inputs.mkdir(parents=True, exist_ok=True)
        if source is not None:
            return self._base_of_video(source)
        assert upload is not None
        offered = self.offered("sora-2")
        fps = float(offered.description.fps)
        with self.service.media:
            limits = {"size": None, "longest_s": CLIP_MAX_S, "param": "video"}
            count, shown = take_clip(upload, self.inputs / CLIP, fps=fps, **limits)
        return self._based("sora-2", offered, (shown[1], shown[0]), fps, count)

    def _base_of_video(self, source: Video) -> "_Base":
        assert source.published_fence is not None
        published = self.service.folder.published(source.id, source.published_fence) / VIDEO
        try:
            link_or_copy(published, self.inputs / CLIP)
        except FileNotFoundError:
            raise not_found("video", source.id, "video") from None
        wish = Wish.from_json(source.wish)
        offered = self.offered(source.model)
        count = json.loads(source.facts)["num_frames"]
        size = wish.shown_width, wish.shown_height
        return self._based(source.model, offered, size, wish.fps, count, source.id)

    def _based(
        self,
        model: str,
        offered: Offered,
        shown: tuple[int, int],
        fps: float,
        num_frames: int,
        source: str | None = None,
    ) -> "_Base":
        render = sizes.render_size(shown, offered.description)
        wish = Wish(
            kind="edit",
            model=offered.model,
            model_name=offered.description.name,
            prompt="",
            seed=0,
            fps=fps,
            num_frames=num_frames,
            width=render.width,
            height=render.height,
            shown_width=shown[0],
            shown_height=shown[1],
            source=source,
            parents=(Parent(source, "source"),) if source else (),
            given=(Given(role="clip", file=CLIP, num_frames=num_frames),),
            notes=(render.note,) if render.note else (),
        )
        return _Base(model, offered, wish, f"{shown[0]}x{shown[1]}")

    def _character(
        self, character: str, number: int, description: ModelDescription, fps: float
    ) -> Given:
        found = self.service.uploads.character(self.owner, character)
        if found is None:
            raise not_found("character", character, "characters")
        check_takes(description, "clip", "characters")
        self.inputs.mkdir(parents=True, exist_ok=True)
        target = self.inputs / f"character-{number}{found.ending}"
        try:
            link_or_copy(found.path(self.service.folder), target)
        except FileNotFoundError:
            raise not_found("character", character, "characters") from None
        self.characters.append(found.id)
        return Given(role="character", file=target.name, num_frames=found.num_frames)

    def offered(self, model: str) -> Offered:
        """The model of a name; raises ApiError with the names that there are."""
        try:
            return find_offered(self.service.settings, model)
        except UsageError as error:
            raise _as_invalid(error, "model", "model_not_found") from None

    def _render(self, offered: Offered, text: str | None) -> sizes.RenderSize:
        description = offered.description
        if text is None and not offered.is_alias:
            width, height = description.size.default
            return sizes.RenderSize(width, height, width, height)
        text = text or sizes.DEFAULT_SIZE
        try:
            size = sizes.parse_size(text)
        except UsageError as error:
            raise _as_invalid(error, "size") from None
        if offered.is_alias:
            if text not in sizes.OFFICIAL_SIZES:
                allowed = ", ".join(sizes.OFFICIAL_SIZES)
                raise invalid(f"The size {text!r} is not one of {allowed}.", "size")
            return sizes.render_size(size, description)
        from worldreel.generate.limits import check_size

        try:
            check_size(*size, description)
        except UsageError as error:
            raise _as_invalid(error, "size") from None
        return sizes.RenderSize(*size, *size)

    def _seconds(self, offered: Offered, text: str) -> float:
        try:
            seconds = sizes.parse_seconds(text)
        except UsageError as error:
            raise _as_invalid(error, "seconds") from None
        if offered.is_alias and text not in sizes.OFFICIAL_SECONDS:
            allowed = ", ".join(sizes.OFFICIAL_SECONDS)
            raise invalid(f"The duration {text!r} is not one of {allowed}.", "seconds")
        return seconds

    def _frames(self, offered: Offered, body: CreateVideo) -> tuple[float, int]:
        """Frames per second, and how many."""
        description = offered.description
        fps = float(description.fps) if body.fps is None else body.fps
        if body.num_frames is not None:
            if body.seconds is not None:
                raise invalid("Give seconds or num_frames, not both.", "num_frames")
            return fps, body.num_frames
        if body.seconds is None and not offered.is_alias:
            return fps, whole_frames(description.seconds.default, fps)
        seconds = self._seconds(offered, body.seconds or sizes.DEFAULT_SECONDS)
        return fps, whole_frames(seconds, fps)

    def new(
        self, wish: Wish, model: str, size: str, seconds: str, description: ModelDescription
    ) -> NewVideo:
        """A video that can be accepted, with what it costs.

        Raises:
            ApiError: the model cannot make it, with what it can.
        """
        try:
            with self.service.media if wish.canvas else contextlib.nullcontext():
                estimate = stages.check(wish, self.inputs, description)
        except UsageError as error:
            raise _as_invalid(error, None) from None
        shown = tuple(dict.fromkeys(self.characters))
        wish = replace(wish, notes=tuple(dict.fromkeys(estimate.notes)), characters=shown)
        cost_s = estimate.work_s * self.service.slowness()
        new = NewVideo(
            id=self.id,
            owner=self.owner,
            wish=wish,
            model=model,
            size=size,
            seconds=seconds,
            cost_s=cost_s,
            memory_bytes=estimate.memory_bytes,
        )
        return new


class _Base:
    """What an edit or extension begins from."""

    def __init__(self, model: str, offered: Offered, wish: Wish, size: str) -> None:
        self.model = model
        self.offered = offered
        self.wish = wish
        self.size = size


def how_of(body: HowToMake) -> dict[str, Any]:
    return {
        "seed": random_seed() if body.seed is None else body.seed,
        "negative_prompt": body.negative_prompt or "",
        "num_inference_steps": body.num_inference_steps,
        "guidance_scale": body.guidance_scale,
        "shows_person": body.shows_person,
        "consent": body.consent,
    }


def whole_frames(seconds: float, fps: float, param: str = "seconds") -> int:
    """How many frames a time is; raises ApiError where that is no whole number."""
    frames = seconds * fps
    if abs(frames - round(frames)) > 1e-3 or round(frames) < 1:
        what = f"{seconds:g} s at {fps:g} frames per second are {frames:g} frames"
        near = max(1, math.floor(frames))
        nearest = f"{near / fps:.6g} s or {(near + 1) / fps:.6g} s"
        raise invalid(f"{what}, not a whole number. The nearest: {nearest}.", param)
    return round(frames)


def check_takes(description: ModelDescription, what: str, param: str) -> None:
    """Raises ApiError where a model cannot be given this."""
    if what not in description.takes:
        words = what.replace("_", " ")
        takes = ", ".join(description.takes).replace("_", " ")
        raise invalid(f"{description.name} takes no {words}; it takes {takes}.", param)


def _as_invalid(error: UsageError, param: str | None, code: str = "invalid_value") -> ApiError:
    return invalid(str(error).replace("\n", " "), param, code)
