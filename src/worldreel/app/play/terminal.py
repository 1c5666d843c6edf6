"""The window in the terminal: the picture, a line of state, and a line to type in."""

import threading
import unicodedata

from worldreel.app.play.console import Console
from worldreel.app.play.cue import Cue
from worldreel.app.play.painter import Painter
from worldreel.app.play.player import Player
from worldreel.core.errors import WorldreelError
from worldreel.core.words import PROMPT_MAX

ROWS_BELOW = 2
HELP = "enter: new prompt  1-9: scenes  arrows, space: camera  c: cut  s: save  q: quit"
WAIT_S = 0.02
"""How long keys are waited for before the next frame is looked for."""


class Terminal:
    """Shows a player in a terminal until ``q`` is pressed."""

    def __init__(self, player: Player, console: Console) -> None:
        self._player = player
        self._console = console
        self._painter = Painter()
        self._typed: str | None = None
        self._message = ""
        self._saving: threading.Thread | None = None
        self._below = ("", "")
        self._size = (0, 0)

    def run(self) -> None:
        """Paints frames and reads keys; what is being saved is saved to its end."""
        number = -1
        try:
            with self._player.watching():
                while True:
                    for key in self._console.keys(WAIT_S):
                        if self._press(key):
                            return
                    self._resize()
                    shown = self._player.next(number, 0)
                    if shown is not None:
                        number = shown.number
                        columns, rows = self._size
                        room = max(1, rows - ROWS_BELOW)
                        self._console.write(self._painter.paint(shown.frame, columns, room))
                    self._paint_below()
        finally:
            if self._saving is not None:
                self._saving.join()

    def _resize(self) -> None:
        if self._console.size != self._size:
            self._size = self._console.size
            self._redraw()

    def _redraw(self) -> None:
        self._painter.forget()
        self._below = ("", "")
        self._console.write("\x1b[0m\x1b[2J")

    def _press(self, key: str) -> bool:
        """Does what a key asks for; whether it ends the playing."""
        if key == "quit":
            return True
        if key == "redraw":
            self._redraw()
        elif self._typed is not None:
            self._type(key)
        elif key == "q":
            return True
        elif key == "s":
            self._save()
        elif key == "enter":
            self._typed, self._message = "", ""
        else:
            self._player.say(self._player.cue.after(key))
            self._message = ""
        return False

    def _type(self, key: str) -> None:
        assert self._typed is not None
        if key == "enter":
            if self._typed.strip():
                self._player.say(Cue(self._typed.strip()))
            self._typed = None
        elif key == "escape":
            self._typed = None
        elif key == "clear":
            self._typed = ""
        elif key == "backspace":
            self._typed = self._typed[:-1]
        elif key == "space" or len(key) == 1:
            self._typed = (self._typed + (" " if key == "space" else key))[:PROMPT_MAX]

    def _save(self) -> None:
        if self._saving is not None and self._saving.is_alive():
            return

        def save() -> None:
            try:
                self._message = f"saved {self._player.seen.save()}"
            except (WorldreelError, OSError) as error:
                self._message = getattr(error, "message", str(error))

        self._message = "saving…"
        self._saving = threading.Thread(target=save, name="save")
        self._saving.start()

    def _paint_below(self) -> None:
        columns, rows = self._size
        if rows < ROWS_BELOW + 1:
            return
        if self._typed is not None:
            first = "enter: say it   escape: leave it"
            second = "> " + _end_of(self._typed, columns - 4) + "▏"
        else:
            first, rate = self._message or HELP, told(self._player)
            second = _beginning_of(self._player.cue.prompt, columns - 3 - len(rate))
            second += " " * (columns - 1 - len(rate) - width_of(second)) + rate
        lines = (_beginning_of(first, columns - 1), _beginning_of(second, columns - 1))
        if lines != self._below:
            self._below = lines
            self._console.write(
                f"\x1b[{rows - 1};1H\x1b[0;2m{lines[0]}\x1b[0m\x1b[K"
                f"\x1b[{rows};1H\x1b[1m{lines[1]}\x1b[0m\x1b[K"
            )


def told(player: Player) -> str:
    """How fast frames are made, for people."""
    speed = player.speed
    if speed is None:
        return "making the first frames…"
    if speed >= 1:
        return f"{player.fps} frames/s"
    return f"{speed * player.fps:.1f} of {player.fps} frames/s"


def width_of(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _beginning_of(text: str, columns: int) -> str:
    if width_of(text) <= columns:
        return text
    kept, used = "", min(1, columns)
    for character in text:
        used += _columns(character)
        if used > columns:
            break
        kept += character
    return kept + "…" if columns > 0 else ""


def _end_of(text: str, columns: int) -> str:
    return _beginning_of(text[::-1], columns)[::-1]
