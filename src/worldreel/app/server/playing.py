"""Worlds that are played: each a process of its own, followed by whoever may watch it."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worldreel.app.jobs.video import Wish, new_id
from worldreel.app.play.child import Game, read_message
from worldreel.core.errors import WorldreelError

CHILD = [sys.executable, "-m", "worldreel.app.play.child"]
ANSWER_S = 60.0
"""Loading a model, and writing a minute, come first."""
END_S = 5.0


class PlaysFull(Exception):
    """As many worlds run as may."""


@dataclass(frozen=True)
class Event:
    """Something that a world shows or says; a frame has its picture as webp."""

    number: int
    name: str
    told: dict[str, Any]
    picture: bytes = b""


class Play:
    """One world, its process, and what it showed last.

    Args:
        wish: what a video of it would be, but for its frames and words.
        folder: what it begins with is there; removed at the end.
    """

    def __init__(self, owner: str, game: Game, wish: Wish, folder: Path) -> None:
        self.id = folder.name
        self.owner = owner
        self.wish = wish
        self.prompt = game.prompt
        self._folder = folder
        self._process = subprocess.Popen(CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._changed = threading.Condition()
        self._speaking = threading.Lock()
        self._event = Event(0, "state", {"status": "loading", "prompt": game.prompt})
        self._ended: str | None = None
        self._watching = 0
        self._said = 0
        self._said_at: dict[int, float] = {}
        self._delay_ms: int | None = None
        self._answers: dict[int, dict[str, Any]] = {}
        self._tell(asdict(game))
        self._reader = threading.Thread(target=self._read, name="play", daemon=True)
        self._reader.start()

    @property
    def ended(self) -> bool:
        """Whether its process is gone or going."""
        return self._ended is not None

    def say(self, asked: dict[str, str]) -> str:
        """Says words, or presses a key; returns what the world hears from then on.

        Raises:
            WorldreelError: the world has ended, or does not answer.
        """
        with self._changed:
            self._said += 1
            number = self._said
            self._said_at = {number: time.monotonic()}
        self._tell({**asked, "number": number})
        return self._answer(number, ANSWER_S)["prompt"]

    def save(self, path: Path) -> dict[str, Any]:
        """Writes the last minute into a file; returns ``num_frames`` and ``prompts``.

        Raises:
            WorldreelError: nothing was seen yet, or it could not be written.
        """
        with self._changed:
            self._said += 1
            number = self._said
        self._tell({"save": str(path), "number": number})
        answer = self._answer(number, ANSWER_S)
        if "error" in answer:
            raise WorldreelError(answer["error"])
        return answer

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """The world runs while at least one of these blocks does."""
        self._watch(1)
        try:
            yield
        finally:
            self._watch(-1)

    def next(self, after: int, timeout_s: float) -> Event | None:
        """What was shown or said last, if that is newer than ``after``; otherwise waits for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._event.number > after, timeout_s)
            return self._event if self._event.number > after else None

    def end(self, reason: str = "closed") -> None:
        """Ends the world and waits for its process."""
        with self._changed:
            self._ended = self._ended or reason
            if self._event.number == 0:  # it loads, and hears nothing
                self._process.kill()
        self._stop_speaking()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(END_S)

    def _stop_speaking(self) -> None:
        """Closes the world's input, which ends it."""
        with self._speaking, contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _watch(self, change: int) -> None:
        with self._changed:
            before, self._watching = self._watching, self._watching + change
            if bool(before) != bool(self._watching):
                with contextlib.suppress(WorldreelError):  # within: the last one told is the truth
                    self._tell({"watch": bool(self._watching)})

    def _tell(self, asked: dict[str, Any]) -> None:
        with self._speaking:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps(asked).encode() + b"\n")
                self._process.stdin.flush()
            except (OSError, ValueError):
                raise _over() from None

    def _answer(self, number: int, timeout_s: float) -> dict[str, Any]:
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or self.ended, timeout_s)
            if number not in self._answers:
                raise _over()
            return self._answers.pop(number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            while (message := read_message(stdout)) is not None:
                self._take(*message)
        with self._changed:
            if self._event.name not in ("failed", "stopped"):
                self._show("stopped", {"reason": self._ended or "ended"})
            self._ended = self._ended or "ended"
            self._changed.notify_all()
        self._stop_speaking()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _take(self, told: dict[str, Any], picture: bytes) -> None:
        kind = told.pop("kind")
        with self._changed:
            match kind:
                case "ready":
                    self._show("state", {"status": "playing", "prompt": self.prompt})
                case "frame":
                    at = self._said_at.pop(told.pop("heard") or 0, None)
                    if at is not None:
                        self._delay_ms = round(1000 * (time.monotonic() - at))
                    self._show("frame", {**told, "delay_ms": self._delay_ms}, picture)
                case "state":
                    self._show("state", {"status": "playing", **told})
                case "said":
                    self.prompt = told["prompt"]
                    self._answers[told["number"]] = told
                case "saved":
                    self._answers[told["number"]] = told
                case "failed":
                    self._ended = "failed"
                    self._show("failed", told)
                case "stopped":
                    self._show("stopped", {"reason": self._ended or told["reason"]})
                    self._ended = self._ended or told["reason"]
            self._changed.notify_all()

    def _show(self, name: str, told: dict[str, Any], picture: bytes = b"") -> None:
        self._event = Event(self._event.number + 1, name, told, picture)


class Plays:
    """The worlds of one server.

    Args:
        most: that run at the same time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._plays: dict[str, Play] = {}

    def start(self, owner: str, game: Game, wish: Wish, folder: Path) -> Play:
        """Starts a world; the owner's older one ends. Raises PlaysFull."""
        with self._lock:
            self._forget()
            older = [play for play in self._plays.values() if play.owner == owner]
            if len(self._plays) - len(older) >= self._most:
                raise PlaysFull
            for play in older:
                play.end("replaced")
            self._forget()
            play = Play(owner, game, wish, folder)
            self._plays[play.id] = play
            return play

    def find(self, owner: str, play: str) -> Play | None:
        """An owner's world; it may have ended a moment ago."""
        found = self._plays.get(play)
        return found if found is not None and found.owner == owner else None

    def stop(self) -> None:
        """Ends all of them."""
        with self._lock:
            for play in list(self._plays.values()):
                play.end()
            self._plays.clear()

    def _forget(self) -> None:
        self._plays = {name: play for name, play in self._plays.items() if not play.ended}


def new_folder(root: Path) -> Path:
    """Where what a world begins with is put; its name is the world's."""
    folder = root / new_id("play")
    folder.mkdir(mode=0o700)
    return folder


def _over() -> WorldreelError:
    return WorldreelError("The world has ended.", remedy="Start another one.")
