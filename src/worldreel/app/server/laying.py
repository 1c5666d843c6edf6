"""From the body of a verb to the wish that a worker meets: each verb is one layout of a canvas.

The same layouts as `worldreel.generate.verbs`, written as the values of a canvas file, which
a job keeps beside its clips and any worker can read.
"""

import json
import math
from dataclasses import replace
from typing import Any

from worldreel.app.jobs import sizes
from worldreel.app.jobs.layout import read_canvas
from worldreel.app.jobs.offered import Offered, default_model, offered_models
from worldreel.app.jobs.video import NewVideo, Parent, Wish
from worldreel.app.server import canvas_shapes as bodies
from worldreel.app.server.asking import Asking, check_takes, how_of, whole_frames
from worldreel.app.server.boards import bring_canvas, parents_of, read_values
from worldreel.app.server.problems import invalid
from worldreel.app.server.sources import Brought, Sources, Told, board_sources
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.generate.limits import check_size, nearest_size
from worldreel.generate.verbs import noise_of

Values = dict[str, Any]


def lay(asking: Asking, body: bodies.AnyVerb) -> NewVideo:
    """The first take of what a body asks for; what it gives is put into the request's folder.

    Raises:
        ApiError: it cannot be, with what can.
    """
    return _Laying(asking, body).lay()


class _Laying:
    """One body on its way to a wish."""

    def __init__(self, asking: Asking, body: bodies.AnyVerb) -> None:
        self.asking = asking
        self.body = body
        self.sources = Sources(asking)
        self.parents: list[Parent] = []
        self.num_given = 0
        self.notes: list[str] = []
        self.told: Told | None = None
        if isinstance(body, bodies.FromSource):
            self.told = self._tell(body.source, "source")
        self.offered = self._offered()
        self.description = self.offered.description
        self.prompt = self._prompt()
        self.fps = float(self.description.fps)
        if self.told and self.told.fps and self.description.fps % self.told.fps == 0:
            self.fps = self.told.fps
        self.how = how_of(body)

    def lay(self) -> NewVideo:
        match self.body:
            case bodies.Create():
                return self._create(self.body)
            case bodies.Image():
                return self._free(self._size(self.body.size), 1)
            case bodies.Storyboard():
                return self._storyboard(self.body)
            case bodies.Interpolate():
                return self._interpolate(self.body)
            case bodies.Expand():
                return self._expand(self.body)
            case bodies.Connect():
                return self._connect(self.body)
            case bodies.Recut():
                return self._recut(self.body)
            case body:
                return self._from_clip(body)

    def _create(self, body: bodies.Create) -> NewVideo:
        size = self._size(body.size)
        seconds = self.description.seconds.default if body.seconds is None else body.seconds
        num_frames = self._frames("seconds", seconds)
        if not (body.image or body.last_image or body.loop):
            return self._free(size, num_frames)
        shot: Values = {"prompt": self.prompt, "seconds": seconds}
        for name, given in (("image", body.image), ("last_image", body.last_image)):
            if given is None:
                continue
            check_takes(self.description, {"image": "first_frame"}.get(name, "last_frame"), name)
            told = self._tell(given, name)
            if body.size is None and not shot.keys() & {"image"}:
                size = nearest_size(*told.size, self.description)
            shot[name] = self.sources.bring_picture(told, name, size=size).name
        board = {"shot": [shot], "loop": body.loop}
        return self._canvas(board, size, num_frames)

    def _free(self, size: tuple[int, int], num_frames: int) -> NewVideo:
        """A video with nothing given: no canvas needs to be kept for it."""
        wish = self._wish(size, num_frames)
        return self._new(wish, num_frames)

    def _from_clip(
        self,
        body: (
            bodies.Edit
            | bodies.Extend
            | bodies.Loop
            | bodies.Erase
            | bodies.Replace
            | bodies.Upscale
        ),
    ) -> NewVideo:
        """The verbs whose clip lies on the canvas as one piece."""
        assert self.told is not None
        is_sized = isinstance(body, bodies.Upscale)
        size = self._size(body.size) if is_sized else self._like_source()
        clip = self._bring(self.told, "source", size)
        place: Values = {"file": clip.name}
        more, strength = 0, None
        match body:
            case bodies.Edit() | bodies.Upscale():
                strength = body.strength
                place["noise"] = noise_of(strength, self.description.sampling.shift)
            case bodies.Extend():
                more = self._frames("seconds", body.seconds)
                if body.direction == "backward":
                    place["at_s"] = more / self.fps
            case bodies.Loop():
                more = self._frames("seconds", body.seconds)
            case bodies.Erase() | bodies.Replace():
                place["mask"] = self.sources.bring_mask(
                    body.mask, self.told, clip, size=size, fps=self.fps
                )
        board = {"place": [place], "loop": isinstance(body, bodies.Loop)}
        return self._canvas(board, size, clip.num_frames + more, strength=strength)

    def _connect(self, body: bodies.Connect) -> NewVideo:
        assert self.told is not None
        size = self._like_source()
        other = self._tell(body.second, "second")
        first = self._bring(self.told, "source", size)
        second = self._bring(other, "second", size)
        between = self._frames("seconds", body.seconds)
        at_s = (first.num_frames + between) / self.fps
        board = {"place": [{"file": first.name}, {"file": second.name, "at_s": at_s}]}
        return self._canvas(board, size, first.num_frames + between + second.num_frames)

    def _recut(self, body: bodies.Recut) -> NewVideo:
        assert self.told is not None
        source = self.told.source
        offset = source.from_s or 0.0
        stop = source.to_s if body.to_s is None else offset + body.to_s
        if stop is not None and offset + body.from_s >= stop:
            raise invalid("from_s must be before to_s, both within the source.", "from_s")
        part = source.model_copy(update={"from_s": offset + body.from_s, "to_s": stop})
        self.told = replace(self.told, source=part)
        size = self._like_source()
        clip = self._bring(self.told, "source", size)
        before = self._frames("before", body.before, least=0)
        after = self._frames("after", body.after, least=0)
        board = {"place": [{"file": clip.name, "at_s": before / self.fps}]}
        return self._canvas(board, size, before + clip.num_frames + after)

    def _expand(self, body: bodies.Expand) -> NewVideo:
        assert self.told is not None
        size = self._size(body.size)
        if body.box is None:
            scale = min(size[0] / self.told.size[0], size[1] / self.told.size[1])
            inner = tuple(max(2, round(side * scale / 2) * 2) for side in self.told.size)
            width, height = min(inner[0], size[0]), min(inner[1], size[1])
            left, top = (size[0] - width) // 2, (size[1] - height) // 2
        else:
            left, top, width, height = body.box
            if width % 2 or height % 2 or not width or not height:
                raise invalid("box: width and height must be even and above 0.", "box")
        clip = self._bring(self.told, "source", (width, height))
        board = {"place": [{"file": clip.name, "xy": [left, top]}]}
        return self._canvas(board, size, clip.num_frames)

    def _interpolate(self, body: bodies.Interpolate) -> NewVideo:
        assert self.told is not None
        own = self.told.fps
        times = round(body.fps / own) if own else 0
        if times < 2 or abs(body.fps / own - times) > 1e-6:
            example = f", for example {2 * own:g}" if own else ""
            message = f"fps is {body.fps:g}; the source has {own:g} frames per second."
            raise invalid(f"{message} Choose a whole multiple{example}.", "fps")
        size = self._like_source()
        check_takes(self.description, "clip", "source")
        clip = self.sources.bring(self.told, "source", size=size, fps=own, stamped_fps=body.fps)
        self.num_given += clip.num_frames * times
        count = (clip.num_frames - 1) * times + 1
        self.fps = body.fps
        board = {"place": [{"file": clip.name, "every": times}], "retimed": True}
        return self._canvas(board, size, count)

    def _storyboard(self, body: bodies.Storyboard) -> NewVideo:
        values = read_values(body.board, "board")
        self.parents += [Parent(video, "board") for video in parents_of(values)]
        size = self._board_size(values)
        self.asking.inputs.mkdir(parents=True, exist_ok=True)
        fps = values.get("fps", self.fps)
        for shot, source in board_sources(values):
            told = self._tell(source, "board", role=None)
            shot["clip"] = self.sources.bring(told, "board", size=size, fps=fps).name
        text = json.dumps(bring_canvas(self.asking, values, "board"))
        try:
            with self.asking.service.media:
                canvas = read_canvas(text, self.prompt, self.asking.inputs, self.description)
        except WorldreelError as error:
            raise invalid(f"board: {error!s}".replace("\n", " "), "board") from None
        self.fps = canvas.fps
        self.prompt = canvas.prompt or self.prompt
        wish = self._wish((canvas.width, canvas.height), canvas.num_frames, canvas=text)
        return self._new(wish, canvas.num_frames)

    def _board_size(self, values: Values) -> tuple[int, int]:
        """The size of a board, as far as it can be told before the board is read."""
        size, fps = values.get("size"), values.get("fps", 1)
        if not isinstance(fps, int | float) or isinstance(fps, bool) or not 0 < fps <= 240:
            raise invalid("board: fps is no number of frames per second.", "board")
        if size is None:
            return self.description.size.default
        is_pair = isinstance(size, list) and len(size) == 2
        if not is_pair or not all(type(side) is int and 0 < side <= 16384 for side in size):
            raise invalid("board: size is not a width and a height in pixels.", "board")
        return size[0], size[1]

    def _canvas(
        self,
        board: Values,
        size: tuple[int, int],
        num_frames: int,
        *,
        strength: float | None = None,
    ) -> NewVideo:
        """A video on a canvas of a size and length."""
        board = {"size": list(size), "seconds": num_frames / self.fps, "fps": self.fps, **board}
        if "shot" in board:
            del board["seconds"]  # the sum of its shots
        else:
            board["say"] = [{"prompt": self.prompt}]
        wish = self._wish(size, num_frames, canvas=json.dumps(board), strength=strength)
        return self._new(wish, num_frames)

    def _wish(self, size: tuple[int, int], num_frames: int, **values: Any) -> Wish:
        shown = self._shown(size)
        body = self.body.model_dump(exclude_defaults=True, exclude={"takes", "folder_id"})
        asked = {**body, "verb": self.body.verb, "seed": self.how["seed"]}
        asked["model"] = self.offered.name
        return Wish(
            kind="create",
            verb=self.body.verb,
            model=self.offered.model,
            model_name=self.description.name,
            prompt=self.prompt,
            fps=self.fps,
            num_frames=num_frames,
            width=size[0],
            height=size[1],
            shown_width=shown[0],
            shown_height=shown[1],
            notes=tuple(self.notes),
            parents=tuple(self.parents),
            num_given=self.num_given,
            asked=asked,
            **self.how,
            **values,
        )

    def _shown(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size that is published: a source's that was enlarged is enlarged again."""
        video = self.told.video if self.told else None
        keeps = not isinstance(self.body, bodies.Expand | bodies.Upscale)
        if video is None or not keeps or self.told is None:
            return size
        made = Wish.from_json(video.wish)
        return self.told.size if (made.width, made.height) == size else size

    def _new(self, wish: Wish, num_frames: int) -> NewVideo:
        size = f"{wish.shown_width}x{wish.shown_height}"
        seconds = sizes.show_seconds(num_frames / wish.fps)
        new = self.asking.new(wish, self.offered.name, size, seconds, self.description)
        source = next((one.video for one in self.parents if one.role == "source"), None)
        return replace(new, remixed_from_video_id=source, folder=self.body.folder_id)

    # what it takes

    def _tell(self, source: bodies.Source, param: str, role: str | None = "") -> Told:
        told = self.sources.tell(source, param)
        if told.video is not None and role is not None:
            self.parents.append(Parent(told.video.id, param))  # pyright: ignore[reportArgumentType]
        return told

    def _bring(self, told: Told, param: str, size: tuple[int, int]) -> Brought:
        check_takes(self.description, "clip", param)
        brought = self.sources.bring(told, param, size=size, fps=self.fps)
        self.num_given += brought.num_frames
        return brought

    def _offered(self) -> Offered:
        settings = self.asking.service.settings
        if self.body.model is not None:
            return self.asking.offered(self.body.model)
        models = offered_models(settings)
        if self.told and self.told.video and self.told.video.model in models:
            return models[self.told.video.model]
        return models[default_model(settings)]

    def _prompt(self) -> str:
        if self.body.prompt is not None:
            return self.body.prompt
        if isinstance(self.body, bodies.Erase | bodies.Storyboard):
            return ""
        if self.told is None or self.told.prompt is None:
            message = "There is no prompt, and the source carries none. Say what is seen."
            raise invalid(message, "prompt", "missing_required_parameter")
        return self.told.prompt

    def _like_source(self) -> tuple[int, int]:
        """The size at which the model makes the source's picture."""
        assert self.told is not None
        wanted = self.told.size
        if self.told.video is not None:  # where it was enlarged, the size that it was made at
            wish = Wish.from_json(self.told.video.wish)
            made = nearest_size(wish.width, wish.height, self.description)
            if made == (wish.width, wish.height):
                return made
        size = nearest_size(*wanted, self.description)
        if size != wanted:
            shapes = f"{wanted[0]}x{wanted[1]} to {size[0]}x{size[1]}"
            self.notes.append(f"The source was fitted from {shapes}.")
        return size

    def _size(self, text: str | None) -> tuple[int, int]:
        if text is None:
            return self.description.size.default
        try:
            width, height = sizes.parse_size(text)
            check_size(width, height, self.description)
        except UsageError as error:
            raise invalid(str(error).replace("\n", " "), "size") from None
        return width, height

    def _frames(self, name: str, seconds: float, *, least: int = 1) -> int:
        if least == 0 and seconds == 0:
            return 0
        if not math.isfinite(seconds):
            raise invalid(f"{name} is {seconds}.", name)
        return whole_frames(seconds, self.fps, name)
