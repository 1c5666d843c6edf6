"""``worldreel storyboard``: a canvas file becomes a video."""

from dataclasses import dataclass

from worldreel.app.filling import Filling
from worldreel.app.options import File


@dataclass(frozen=True, kw_only=True)
class Storyboard(Filling):
    """Makes the video of a canvas file: shots, prompts, pictures and clips along a time line."""

    file: File
    """A .toml file; see docs/canvas.md. Pictures and clips in it are sought beside it."""

    def run(self) -> int:
        from worldreel.generate.board import read_board

        return self.fill(read_board(self.file, self.describe()))
