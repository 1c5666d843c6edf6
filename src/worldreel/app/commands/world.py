"""``worldreel world``: looks at the simulated world, and renders it to shards."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg, subcommand

from worldreel.app.display import progress_display
from worldreel.app.machine import num_cores
from worldreel.app.options import OptionalInt, check_at_least, shown
from worldreel.core.errors import UsageError

SHEET_ENDINGS = (".png", ".webp")


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Draws a contact sheet of simulated clips: a strip of frames each, captions beneath."""

    out: Annotated[str, arg(metavar="FILE")]
    """The picture to write: .png or .webp. An older one is replaced."""
    seed: int = 0
    """The seed of the first clip; the next ones have the next seeds."""
    num_clips: int = 12
    """How many clips to draw."""
    columns: int = 2
    """How many clips side by side."""
    num_frames: int = 6
    """How many frames of each clip."""

    def run(self) -> int:
        check_at_least("--num-clips", self.num_clips, 1)
        check_at_least("--columns", self.columns, 1)
        check_at_least("--num-frames", self.num_frames, 1)
        if Path(self.out).suffix.lower() not in SHEET_ENDINGS:
            raise UsageError(
                f"--out {shown(self.out)} is not a picture: it can be {', '.join(SHEET_ENDINGS)}.",
                remedy="Choose a name such as sheet.png.",
            )
        from worldreel.media.sheet import contact_sheet, save_image
        from worldreel.media.write import check_writable
        from worldreel.world.render import render_clip
        from worldreel.world.sampling import sample_scene

        check_writable(self.out, num_frames=1)
        frames, labels = [], []
        with progress_display(as_json=False) as progress:
            progress(0, self.num_clips, "render")
            for index in range(self.num_clips):
                clip = render_clip(sample_scene(self.seed + index))
                frames.append(clip.frames)
                labels.append(clip.captions[0])
                progress(index + 1, self.num_clips, "render")
        sheet = contact_sheet(frames, labels, columns=self.columns, num_frames=self.num_frames)
        save_image(self.out, sheet, {"seed": self.seed, "num_clips": self.num_clips})
        print(self.out)
        return 0


@dataclass(frozen=True, kw_only=True)
class Render:
    """Renders simulated clips with captions and ground truth to WebDataset shards."""

    out: Annotated[str, arg(metavar="FOLDER")]
    """The folder to write the shards to; what is already there is kept, and continued."""
    num_clips: int = 1000
    """How many clips to render."""
    seed: int = 0
    """The seed of the first clip; the next ones have the next seeds."""
    workers: Annotated[OptionalInt, arg(help_behavior_hint="(default: one per core)")] = None
    """How many processes render."""

    def run(self) -> int:
        check_at_least("--num-clips", self.num_clips, 1)
        workers = num_cores() if self.workers is None else self.workers
        check_at_least("--workers", workers, 1)
        from worldreel.data.simulate import render_shards

        folder = Path(self.out)
        with progress_display(as_json=False) as progress:
            render_shards(folder, self.num_clips, self.seed, workers, progress)
        print(folder)
        return 0


@dataclass(frozen=True, kw_only=True)
class World:
    """The simulated world: scenes with physics, captions and ground truth."""

    command: Annotated[Sheet, subcommand("sheet")] | Annotated[Render, subcommand("render")]

    def run(self) -> int:
        return self.command.run()
