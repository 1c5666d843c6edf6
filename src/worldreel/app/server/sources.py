"""Clips and pictures that verbs begin with: told what they are, and brought to what is needed."""

import contextlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.app.jobs.folder import VIDEO, link_or_copy
from worldreel.app.jobs.layout import MASK_ENDING, OWN_FIRST, own_frames
from worldreel.app.jobs.video import Video, Wish
from worldreel.app.server.asking import CLIP_MAX_S, Asking
from worldreel.app.server.canvas_shapes import MaskGiven, Source
from worldreel.app.server.intake import frames_in, remember, take_clip, unreadable, write_clip
from worldreel.app.server.problems import invalid, not_found
from worldreel.app.server.strokes import draw_mask
from worldreel.core.errors import WorldreelError

LOSSLESS_PIXELS = 300_000_000
"""Clips of up to so many pixels, all frames together, are kept bit for bit."""
SHAPE_TOLERANCE = 0.02
"""How far a mask's shape may be from its clip's."""


@dataclass(frozen=True)
class Told:
    """What a source is, before it is decoded.

    Args:
        size: width and height in pixels.
        fps: 0 for a picture.
        prompt: what it was made from; None where it does not say.
        video: the row, where it was made here.
    """

    source: Source
    path: Path
    size: tuple[int, int]
    fps: float
    num_frames: int
    prompt: str | None
    video: Video | None

    @property
    def is_picture(self) -> bool:
        """Whether it is a single frame."""
        return self.num_frames == 1


@dataclass(frozen=True)
class Brought:
    """A source as a file beside the canvas, of the canvas's size and rate."""

    name: str
    num_frames: int


class Sources:
    """The sources of one request, brought into its folder."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self._count = OWN_FIRST

    def tell(self, source: Source, param: str) -> Told:
        """What a source is.

        Raises:
            ApiError: it is not the caller's, not finished, or no picture or clip.
        """
        service, owner = self.asking.service, self.asking.owner
        if source.video_id is not None:
            video = self.asking.source(source.video_id, f"{param}.video_id")
            wish = Wish.from_json(video.wish)
            assert video.published_fence is not None
            return Told(
                source=source,
                path=service.folder.published(video.id, video.published_fence) / VIDEO,
                size=(wish.shown_width, wish.shown_height),
                fps=wish.fps,
                num_frames=json.loads(video.facts)["num_frames"],
                prompt=video.prompt or None,
                video=video,
            )
        from worldreel.media.footage import describe_file
        from worldreel.media.limits import UPLOAD

        assert source.file_id is not None
        upload = service.uploads.get(owner, source.file_id)
        if upload is None or not (path := upload.path(service.folder)).is_file():
            raise not_found("file", source.file_id, f"{param}.file_id")
        try:
            with service.media:
                info, settings = describe_file(path, limits=UPLOAD)
        except WorldreelError as error:
            raise unreadable(error, param, path) from None
        prompt = (settings or {}).get("prompt")
        return Told(
            source=source,
            path=path,
            size=(info.size[1], info.size[0]),
            fps=info.fps,
            num_frames=info.num_frames,
            prompt=prompt if isinstance(prompt, str) and prompt else None,
            video=None,
        )

    def bring(
        self,
        told: Told,
        param: str,
        *,
        size: tuple[int, int],
        fps: float,
        stamped_fps: float | None = None,
    ) -> Brought:
        """A source as a file of a size, cut and scaled to cover it, and of a rate.

        Args:
            size: width and height in pixels.
            fps: frames are picked so that there are so many a second.
            stamped_fps: the rate that the file says instead; it has the same frames.

        Raises:
            ApiError: it cannot be read, or is no clip of such a length.
        """
        source, target = told.source, self._target(".mp4")
        span = (source.from_s, source.to_s)
        if told.video is not None and told.fps == fps:
            return self._bring_own(told, target, param, size, stamped_fps or fps)
        with self.asking.service.media:
            count, _ = take_clip(
                told.path,
                target,
                fps=fps,
                size=(size[1], size[0]),
                longest_s=CLIP_MAX_S,
                param=param,
                span=span,
                stamped_fps=stamped_fps,
                least=1,
                lossless_pixels=LOSSLESS_PIXELS,
            )
        return Brought(target.name, count)

    def _bring_own(
        self, told: Told, target: Path, param: str, size: tuple[int, int], fps: float
    ) -> Brought:
        """A video of this server at its own rate: it was written here, and needs no guard."""
        source, (width, height) = told.source, size
        first, stop = frames_in((source.from_s, source.to_s), told.num_frames, told.fps, param)
        count = stop - first
        if count / told.fps > CLIP_MAX_S:
            lasts = f"{count / told.fps:.1f} s; at most {CLIP_MAX_S:g} s are taken"
            raise invalid(f"{param} lasts {lasts}. Cut it with from_s and to_s.", param)
        try:
            if (count, told.size, told.fps) == (told.num_frames, size, fps):
                link_or_copy(told.path, target)
                return Brought(target.name, count)
            is_lossless = count * width * height <= LOSSLESS_PIXELS
            frames = own_frames(told.path, (height, width))
            with self.asking.service.media, contextlib.closing(frames):  # pyright: ignore
                part = itertools.islice(frames, first, stop)
                write_clip(target, part, (height, width), fps, is_lossless=is_lossless)
            remember(told.path, target, param)
        except (FileNotFoundError, WorldreelError):
            if told.path.exists():
                raise
            assert told.video is not None
            raise not_found("video", told.video.id, param) from None
        return Brought(target.name, count)

    def bring_picture(self, told: Told, param: str, *, size: tuple[int, int]) -> Brought:
        """One frame of a source as a png of a size: its first, or that at ``from_s``."""
        from worldreel.media.footage import stream_footage
        from worldreel.media.limits import UPLOAD
        from worldreel.media.sheet import save_image

        target = self._target(".png")
        try:
            with self.asking.service.media:
                shown = size[1], size[0]
                if told.video is not None:
                    fps, count = told.fps, told.num_frames
                    frames = own_frames(told.path, shown)
                else:
                    footage = stream_footage(told.path, size=shown, how="cover", limits=UPLOAD)
                    fps, count, frames = footage.fps, footage.num_frames, footage.frames
                number = round((told.source.from_s or 0.0) * fps)
                if number >= count:
                    message = f"{param}.from_s is past its end."
                    raise invalid(message, f"{param}.from_s")
                with contextlib.closing(frames):  # pyright: ignore
                    frame = next(itertools.islice(frames, number, None))
        except WorldreelError as error:
            raise unreadable(error, param, told.path) from None
        save_image(target, frame)
        remember(told.path, target, param)
        return Brought(target.name, 1)

    def bring_mask(
        self, mask: MaskGiven, told: Told, clip: Brought, *, size: tuple[int, int], fps: float
    ) -> str:
        """A mask for a clip that was brought, as a file of its size and length; its name."""
        from worldreel.media.lossless import encode_lossless

        if mask.strokes is not None:
            free = draw_mask(
                mask.strokes, source=told.size, size=size, num_frames=clip.num_frames, fps=fps
            )
        else:
            free = self._read_mask(mask, told, clip, size=size, fps=fps)
        if not free.any():
            raise invalid("mask: it leaves nothing free: nothing would be made.", "mask")
        if free.all():
            raise invalid("mask: it leaves all free: nothing of the clip would be kept.", "mask")
        target = self._target(MASK_ENDING)
        shades = np.repeat(free[..., None].astype(np.uint8) * 255, 3, axis=3)
        target.write_bytes(encode_lossless(shades, fps))
        return target.name

    def _read_mask(
        self, mask: MaskGiven, told: Told, clip: Brought, *, size: tuple[int, int], fps: float
    ) -> NDArray[np.bool_]:
        from worldreel.media.fit import fit_mask
        from worldreel.media.footage import read_mask
        from worldreel.media.limits import UPLOAD

        assert mask.file_id is not None
        service = self.asking.service
        upload = service.uploads.get(self.asking.owner, mask.file_id)
        if upload is None or not (path := upload.path(service.folder)).is_file():
            raise not_found("file", mask.file_id, "mask.file_id")
        try:
            with service.media:
                found = read_mask(path, fps=fps, limits=UPLOAD).free
        except WorldreelError as error:
            raise unreadable(error, "mask", path) from None
        height, width = found.shape[1:]
        if abs(width * told.size[1] / (height * told.size[0]) - 1) > SHAPE_TOLERANCE:
            shapes = f"{width}x{height}, and the source {told.size[0]}x{told.size[1]}"
            raise invalid(f"mask is {shapes}: it must have the source's shape.", "mask")
        if len(found) != 1 and len(found) < clip.num_frames:
            lengths = f"{len(found)} frames, and the source {clip.num_frames}"
            raise invalid(f"mask has {lengths}: give a picture, or as many.", "mask")
        found = found[: clip.num_frames]
        fitted = fit_mask(found, found.shape, (size[1], size[0]), "cover")
        return np.broadcast_to(fitted, (clip.num_frames, *fitted.shape[1:]))

    def _target(self, ending: str) -> Path:
        self._count += 1
        self.asking.inputs.mkdir(parents=True, exist_ok=True)
        return self.asking.inputs / f"canvas-{self._count}{ending}"


def board_sources(values: dict[str, Any]) -> list[tuple[dict[str, Any], Source]]:
    """Shots whose clip is to be cut, each with what is left of it; the cut is taken out of them.

    Raises:
        ApiError: a cut that cannot be.
    """
    found = []
    shots = values.get("shot")
    for shot in shots if isinstance(shots, list) else []:
        if not isinstance(shot, dict):
            continue
        span = shot.pop("clip_from_s", None), shot.pop("clip_to_s", None)
        if span == (None, None):
            continue
        clip = shot.get("clip")
        kind = "video_id" if isinstance(clip, str) and clip.startswith("video_") else "file_id"
        try:
            source = Source(**{kind: clip}, from_s=span[0], to_s=span[1])
        except ValueError:
            message = "board: clip_from_s and clip_to_s cut the clip of a shot, in seconds."
            raise invalid(message, "board") from None
        found.append((shot, source))
    return found
