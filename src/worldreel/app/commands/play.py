"""``worldreel play``: an endless canvas that listens, in a window or into a file."""

import json
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from worldreel.app.clips import FitOption
from worldreel.app.display import progress_display
from worldreel.app.filling import tell, tell_in_json, terminated_like_interrupted
from worldreel.app.options import (
    OF_THE_MODEL,
    Flag,
    OptionalFloat,
    OptionalInt,
    OptionalText,
    parse_size,
    shown,
)
from worldreel.app.output import check_all_writable, check_free
from worldreel.app.play.cue import SCENES
from worldreel.core.errors import UsageError
from worldreel.core.randomness import random_seed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from worldreel.app.play.player import Player
    from worldreel.app.play.record import Said
    from worldreel.generate.endless import Endless
    from worldreel.provenance.credentials import Ingredient
    from worldreel.provenance.mark import Marker
    from worldreel.weights.description import ModelDescription

DEFAULT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Play:
    """Makes video without an end, and listens: a new prompt is heard by the very next step."""

    prompt: Annotated[Positional[str], arg(metavar="[PROMPT]")] = SCENES[0]
    """What is seen at first."""
    browser: Flag = False
    """Open the window in the browser: the address of a page on this machine is printed."""
    port: Annotated[OptionalInt, arg(help_behavior_hint="(default: one that is free)")] = None
    """Where the page is served, with --browser."""
    record: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """Open no window: write so many --seconds to a file (.mp4, .webp, .gif)."""
    seconds: Annotated[OptionalFloat, arg(help_behavior_hint=f"(default: {DEFAULT_SECONDS:g})")] = (
        None
    )
    """How much is recorded, with --record."""
    at: Annotated[tuple[str, ...], UseAppendAction, arg(metavar="SECONDS:PROMPT")] = ()
    """Say something else at a time, with --record: --at "2:a blue cube slides". Repeat for more."""
    overwrite: Flag = False
    """Replace the file of --record if it exists."""
    image: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """A picture or clip that it begins with."""
    fit: FitOption = "cover"
    """What is done with a picture of another size: cut what sticks out, distort it, or refuse."""
    model: Annotated[str, arg(metavar="NAME")] = "toybox"
    """A model's name, or a folder with a model.json."""
    size: Annotated[OptionalText, arg(metavar="WIDTHxHEIGHT", help_behavior_hint=OF_THE_MODEL)] = (
        None
    )
    """The size in pixels, for example 128x128."""
    seed: Annotated[OptionalInt, arg(help_behavior_hint="(default: random)")] = None
    """The same seed and the same prompts at the same steps make the same frames again."""
    num_inference_steps: Annotated[OptionalInt, arg(help_behavior_hint="(default: 4)")] = None
    """Steps from noise to each token; fewer are faster and coarser."""
    guidance_scale: Annotated[OptionalFloat, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """How strongly the prompt is followed; 1 is no guidance, and nearly twice as fast."""
    negative_prompt: Annotated[str, arg(metavar="TEXT", help_behavior_hint="")] = ""
    """What should not be seen."""
    context: Annotated[OptionalInt, arg(help_behavior_hint="(default: 24)")] = None
    """Frames that each step sees of those before; fewer are faster, and forget sooner."""
    json: Flag = False
    """With --record: print one JSON object; progress comes as JSON lines on standard error."""

    def run(self) -> int:
        self._check_window()
        description, size, context = self._playable()
        num_frames, said, path = 0, [], None
        if self.record is not None:
            num_frames, said = self.recorded(description)
            path = check_free("--record", self.record, overwrite=self.overwrite)
            width, height = size
            check_all_writable(
                [path], size=(height, width), fps=description.fps, num_frames=num_frames
            )
        begin, notes = self._begin(size, description)
        marker, sources = self._marks()
        with terminated_like_interrupted(), progress_display(as_json=self.json) as progress:
            progress(0, 1, "load")
            endless = self._endless(size, context, begin)
            progress(1, 1, "load")
            if path is not None:
                from worldreel.app.play.record import record

                marks = {"marker": marker, "sources": sources}
                result = record(endless, said, num_frames, path, progress, **marks)
                result["notes"] = notes
                print(json.dumps(result) if self.json else _in_words(result), flush=True)
                return 0
            for note in notes:
                print(note)
            try:
                return self._play(endless, sources)
            except KeyboardInterrupt:
                return 0  # it has no other end
        return 0

    def recorded(self, description: "ModelDescription") -> "tuple[int, list[Said]]":
        """How many frames are recorded, and what is said when.

        Raises:
            UsageError: no whole number of frames, or a time that cannot be.
        """
        from worldreel.app.play.record import Said
        from worldreel.generate.limits import check_duration

        seconds = DEFAULT_SECONDS if self.seconds is None else self.seconds
        check_duration(seconds, description.fps, description)
        said = {0.0: self.prompt}
        for text in self.at:
            time, separator, prompt = text.partition(":")
            try:
                at_s = float(time)
            except ValueError:
                at_s = math.nan
            if not separator or not prompt.strip() or not 0 <= at_s < seconds:
                raise UsageError(
                    f"--at {shown(text)} is not a time below {seconds:g} s, a colon, and a prompt.",
                    remedy='Write for example --at "2:a blue cube slides on grass".',
                )
            if at_s in said and at_s > 0:
                raise UsageError(
                    f"Two prompts are said at {at_s:g} s.", remedy="Say one of them later."
                )
            said[at_s] = prompt.strip()
        return round(seconds * description.fps), [Said(at, said[at]) for at in sorted(said)]

    def _check_window(self) -> None:
        """Raises UsageError for options that do not go together, and where there is no window."""
        together = [
            ("--port", self.port is not None, "--browser", self.browser),
            ("--seconds", self.seconds is not None, "--record", self.record is not None),
            ("--at", bool(self.at), "--record", self.record is not None),
        ]
        for option, is_set, other, is_other_set in together:
            if is_set and not is_other_set:
                raise UsageError(
                    f"{option} says nothing without {other}.",
                    remedy=f"Leave it out, or add {other}.",
                )
        if self.browser and self.record is not None:
            raise UsageError(
                "--record opens no window, and --browser is one.",
                remedy="Leave one of them out; the page can save what was seen.",
            )
        if self.port is not None and not 0 <= self.port <= 65535:
            raise UsageError(
                f"--port is {self.port}; it must be from 0 to 65535.", remedy="Leave it out."
            )
        if not self.browser and self.record is None:
            from worldreel.app.play.console import check_terminal

            check_terminal(sys.stdin.fileno(), sys.stdout.fileno())

    def _playable(self) -> "tuple[ModelDescription, tuple[int, int], int]":
        """The model's description, the size and the context, after checking all that is asked."""
        from worldreel.core.words import check_text
        from worldreel.generate.endless import CONTEXT, check_playable
        from worldreel.generate.options import Options
        from worldreel.weights.catalogue import describe

        check_text("prompt", self.prompt)
        description = describe(self.model)
        size = parse_size(self.size) if self.size is not None else description.size.default
        context = CONTEXT if self.context is None else self.context
        check_playable(description, size, context)
        Options(
            negative_prompt=self.negative_prompt,
            seed=self.seed,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
        ).validate(description)
        return description, size, context

    def _begin(
        self, size: tuple[int, int], description: "ModelDescription"
    ) -> "tuple[NDArray[np.uint8] | None, list[str]]":
        """The frames that it begins with, and what was done to them."""
        if self.image is None:
            return None, []
        from worldreel.app.clips import read_clip

        clip = read_clip(
            self.image, self.model, size=f"{size[0]}x{size[1]}", fit=self.fit, keep_fps=False
        )
        if clip.kept != (0, 0, size[1], size[0]):
            raise UsageError(
                "What it begins with must fill the picture; with contain it does not.",
                remedy="Choose --fit cover or --fit stretch.",
            )
        return clip.frames, list(clip.notes)

    def _marks(self) -> "tuple[Marker, list[Ingredient]]":
        """What marks files that are saved, and the source that they name."""
        from worldreel.provenance.examine import ingredient_of
        from worldreel.provenance.mark import Marker

        marker = Marker.open(tell=tell_in_json if self.json else tell)
        return marker, [] if self.image is None else [ingredient_of(self.image, 0)]

    def _endless(
        self, size: tuple[int, int], context: int, begin: "NDArray[np.uint8] | None"
    ) -> "Endless":
        from worldreel.generate.endless import Endless
        from worldreel.generate.options import Options
        from worldreel.weights.load import load_model

        options = Options(
            model=self.model,
            negative_prompt=self.negative_prompt,
            seed=random_seed() if self.seed is None else self.seed,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
        )
        return Endless(load_model(self.model), options, size=size, context=context, begin=begin)

    def _play(self, endless: "Endless", sources: "list[Ingredient]") -> int:
        from worldreel.app.play.cue import Cue
        from worldreel.app.play.player import Player

        with Player(endless, Cue(self.prompt), sources) as player:
            if self.browser:
                self._serve(player)
            else:
                from worldreel.app.play.console import Console
                from worldreel.app.play.terminal import Terminal

                with Console() as console:
                    Terminal(player, console).run()
        print(
            f"seed {endless.options.seed}, {len(player.seen)} frames of the last minute were seen"
        )
        return 0

    def _serve(self, player: "Player") -> None:
        from worldreel.app.play.browser import Browser

        with Browser(player, self.port or 0) as browser:
            print(f"{browser.url}\nOpen this address in a browser; Ctrl-C ends it.", flush=True)
            player.wait()


def _in_words(result: dict[str, object]) -> str:
    return (
        f"{result['path']}\nseed {result['seed']}, made in {result['seconds_taken']} s: "
        f"{result['speed']} seconds of video per second"
    )
