"""The terminal in raw mode: keys as they are pressed, and everything as it was afterwards."""

import codecs
import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self

from worldreel.core.errors import UsageError

BEGIN = "\x1b[?1049h\x1b[?25l\x1b[2J"
"""Another screen, without a cursor, cleared."""
END = "\x1b[0m\x1b[?25h\x1b[?1049l"
ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
NAMES = {"\r": "enter", "\n": "enter", " ": "space", "\x7f": "backspace", "\x08": "backspace"}
CONTROLS = {"\x03": "quit", "\x04": "quit", "\x15": "clear", "\x0c": "redraw"}
ESCAPE_WAIT_S = 0.05
"""What follows an escape within this time belongs to it; alone it is the key."""


class Console:
    """A terminal that is put into raw mode while the block runs.

    Args:
        keys, screen: file descriptors of a terminal; standard input and output.

    Raises:
        UsageError: one of them is no terminal.
    """

    def __init__(self, keys: int | None = None, screen: int | None = None) -> None:
        self._keys = sys.stdin.fileno() if keys is None else keys
        self._screen = sys.stdout.fileno() if screen is None else screen
        check_terminal(self._keys, self._screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._keys)
        try:
            tty.setraw(self._keys)
            self.write(BEGIN)
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        try:
            self.write(END)
        finally:  # keys must come back even where the screen is gone
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        columns, rows = os.get_terminal_size(self._screen)
        return columns or 80, rows or 24

    def write(self, text: str) -> None:
        """Writes all of a text."""
        data = text.encode()
        while data:
            data = data[os.write(self._screen, data) :]

    def keys(self, timeout_s: float) -> list[str]:
        """The keys that were pressed: characters, and names such as ``left`` or ``enter``.

        ``quit`` is Ctrl-C or the end of the input, ``clear`` Ctrl-U, ``redraw`` Ctrl-L.
        """
        text = self._read(timeout_s)
        pressed: list[str] = []
        while text:
            if text[0] == "\x1b":
                if len(text) < 3:
                    text += self._read(ESCAPE_WAIT_S)
                key, text = _escape(text)
            else:
                key, text = text[0], text[1:]
                key = CONTROLS.get(key) or NAMES.get(key) or (key if key.isprintable() else "")
            if key:
                pressed.append(key)
        return pressed

    def _read(self, timeout_s: float) -> str:
        if not select.select([self._keys], [], [], timeout_s)[0]:
            return ""
        data = os.read(self._keys, 4096)
        return self._decoder.decode(data) if data else "\x04"


def check_terminal(keys: int, screen: int) -> None:
    """Raises UsageError unless both are terminals."""
    if not (os.isatty(keys) and os.isatty(screen)):
        raise UsageError(
            "Standard input or output is not a terminal, so there is no window to play in.",
            remedy="Play in the browser with --browser, or make a file with --record FILE.",
        )


def _escape(text: str) -> tuple[str, str]:
    """The key that an escape sequence stands for (empty if none), and the text behind it."""
    if len(text) < 2 or text[1] not in "[O":
        return "escape", text[1:]
    end = 2
    while end < len(text) and not "@" <= text[end] <= "~":
        end += 1
    return ARROWS.get(text[end : end + 1], ""), text[end + 1 :]
