"""A world that runs in a process of its own, for a server: told by lines, shown by messages.

Standard input brings one JSON object a line: first what is played, then what is said. Standard
output gives messages: two lengths, JSON, and bytes. The process ends when its input does, or
when nobody has watched for a while.
"""

import contextlib
import io
import json
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.app.play.cue import Cue
from worldreel.app.play.player import Player
from worldreel.core.errors import UsageError, WorldreelError

Mark = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Marks the next frames, uint8 ``t h w 3``."""
HEAD = struct.Struct(">II")
QUALITY = 88
WAIT_S = 0.5
STATE_S = 1.0
UNWATCHED_S = 60.0
NICENESS = 2
"""Before workers, who have time, and after the server, who has none."""


@dataclass(frozen=True, kw_only=True)
class Game:
    """What is played.

    Args:
        begin: a clip or picture of the size, at the model's rate, that it begins with.
        threads: that compute; None leaves it to the machine.
        data: the data folder, whose keys mark what is shown. provenance: the operator's file.
        content_id: the number that the watermark carries.
    """

    model: str
    prompt: str
    width: int
    height: int
    seed: int
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    negative_prompt: str = ""
    context: int | None = None
    begin: str | None = None
    threads: int | None = None
    data: str
    provenance: str | None = None
    content_id: str


def write_message(file: IO[bytes], told: dict[str, Any], body: bytes = b"") -> None:
    """Writes one message."""
    head = json.dumps(told).encode()
    file.write(HEAD.pack(len(head), len(body)) + head + body)
    file.flush()


def read_message(file: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Reads one message; None at the end."""
    sizes = file.read(HEAD.size)
    if len(sizes) < HEAD.size:
        return None
    head_size, body_size = HEAD.unpack(sizes)
    head, body = file.read(head_size), file.read(body_size)
    if len(head) < head_size or len(body) < body_size:
        return None
    return json.loads(head), body


def open_player(game: Game) -> Player:
    """Loads the model, and makes a player that waits for somebody to watch."""
    import torch

    from worldreel.generate.endless import CONTEXT, Endless
    from worldreel.generate.options import Options
    from worldreel.media.read import read_video
    from worldreel.weights.load import load_model

    if game.threads is not None:
        torch.set_num_threads(game.threads)
    options = Options(
        model=game.model,
        negative_prompt=game.negative_prompt,
        seed=game.seed,
        num_inference_steps=game.num_inference_steps,
        guidance_scale=game.guidance_scale,
    )
    endless = Endless(
        load_model(game.model),
        options,
        size=(game.width, game.height),
        context=CONTEXT if game.context is None else game.context,
        begin=None if game.begin is None else read_video(game.begin),
    )
    return Player(endless, Cue(game.prompt))


def open_marks(game: Game, fps: float) -> Mark:
    """What marks the frames that are shown: they leave this machine as files do."""
    from worldreel.app.jobs.marking import Marking

    config = None if game.provenance is None else Path(game.provenance)
    marking = Marking(Path(game.data), config)
    return marking.frames(game.content_id, (game.height, game.width), fps)


class Child:
    """Shows a player to whoever reads its messages.

    Args:
        mark: gives frames their watermark and visible label before they are shown.
        told: lines that say what to do.
        shown: where the messages go.
        unwatched_s: it ends when nobody has watched for so long.
    """

    def __init__(
        self,
        player: Player,
        mark: Mark,
        told: IO[bytes],
        shown: IO[bytes],
        unwatched_s: float = UNWATCHED_S,
    ) -> None:
        self._player = player
        self._mark = mark
        self._told = told
        self._shown = shown
        self._unwatched_s = unwatched_s
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._watched = threading.Event()
        self._unwatched_since = time.monotonic()
        self._said: tuple[int, str] | None = None

    def run(self) -> str:
        """Shows frames until the input ends or nobody watches; returns why it ended."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        with self._player:
            reason = self._run()
        self.write({"kind": "stopped", "reason": reason})
        return reason

    def _run(self) -> str:
        while not self._ended.is_set():
            if not self._watched.wait(WAIT_S):
                if time.monotonic() - self._unwatched_since > self._unwatched_s:
                    return "idle"
                continue
            with self._player.watching():
                self._show()
        return "closed"

    def _show(self) -> None:
        number, told_at = -1, 0.0
        while self._watched.is_set() and not self._ended.is_set():
            shown = self._player.next(number, WAIT_S)
            if shown is None:
                if time.monotonic() - told_at > STATE_S:
                    told_at = time.monotonic()
                    self.write({"kind": "state", **self._state()})
                continue
            number, told_at = shown.number, time.monotonic()
            heard = None
            if self._said is not None and self._said[1] == shown.prompt:
                (heard, _), self._said = self._said, None
            frame = {"number": number, "made_with": shown.prompt, "heard": heard}
            self.write({"kind": "frame", **frame, **self._state()}, self._webp(shown.frame))

    def _webp(self, frame: NDArray[np.uint8]) -> bytes:
        (marked,) = self._mark(frame[None])
        file = io.BytesIO()
        Image.fromarray(marked).save(file, "WEBP", quality=QUALITY, method=0)
        return file.getvalue()

    def write(self, told: dict[str, Any], body: bytes = b"") -> None:
        """Sends one message; whoever does not listen any more is not told."""
        with self._writing, contextlib.suppress(OSError, ValueError):
            write_message(self._shown, told, body)

    def _state(self) -> dict[str, Any]:
        player = self._player
        return {"fps": player.fps, "speed": player.speed, "prompt": player.cue.prompt}

    def _listen(self) -> None:
        for line in self._told:
            try:
                self._hear(json.loads(line))
            except WorldreelError as error:
                self.write({"kind": "refused", "error": str(error).replace("\n", " ")})
        self._ended.set()
        self._watched.set()

    def _hear(self, asked: dict[str, Any]) -> None:
        player = self._player
        match asked:
            case {"say": str(prompt), "number": int(number)}:
                self._say(number, Cue(prompt, take=player.cue.take))
            case {"key": str(key), "number": int(number)}:
                self._say(number, player.cue.after(key))
            case {"watch": True}:
                self._watched.set()
            case {"watch": False}:
                self._unwatched_since = time.monotonic()
                self._watched.clear()
            case {"save": str(path), "number": int(number)}:
                threading.Thread(target=self._save, args=(Path(path), number), daemon=True).start()

    def _say(self, number: int, cue: Cue) -> None:
        before = self._player.cue
        self._player.say(cue)
        if cue != before:
            self._said = number, cue.prompt
        self.write({"kind": "said", "number": number, "prompt": cue.prompt})

    def _save(self, path: Path, number: int) -> None:
        from worldreel.media.lossless import encode_lossless

        try:
            kept = self._player.seen.kept()
            if not kept:
                raise UsageError("Nothing was seen yet.", remedy="Wait for the first frames.")
            frames = np.stack([frame for frame, _ in kept])
            path.write_bytes(encode_lossless(frames, self._player.fps))
            prompts = list(dict.fromkeys(prompt for _, prompt in kept))
            told = {"num_frames": len(kept), "prompts": prompts}
        except (WorldreelError, OSError) as error:
            told = {"error": str(error).replace("\n", " ")}
        self.write({"kind": "saved", "number": number, **told})


def main() -> None:
    """Plays what the first line of standard input says."""
    os.nice(NICENESS)
    shown = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print is no message
    line = sys.stdin.buffer.readline()
    if not line:
        return
    try:
        game = Game(**json.loads(line))
        player = open_player(game)
        mark = open_marks(game, player.fps)
        write_message(shown, {"kind": "ready"})
        Child(player, mark, sys.stdin.buffer, shown).run()
    except Exception as error:
        said = str(error) if isinstance(error, WorldreelError) else type(error).__name__
        with contextlib.suppress(OSError):
            write_message(shown, {"kind": "failed", "error": said.replace("\n", " ")})
    os._exit(0)  # threads that compute cannot be asked to stop


if __name__ == "__main__":
    main()
