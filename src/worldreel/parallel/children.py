"""The processes beside this one: started, listened to, watched and ended."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worldreel.core.errors import WorldreelError

EXIT_LOST = 75
"""The code of a process that ended because another one did."""
GRACE_S = 5.0
"""When one ends because another did, it takes so long at most until that one is heard of."""
STUCK_S = 60.0
"""Some exchanges never end when one has died: so long after it, this process ends itself."""
END_S = 30.0


@dataclass(frozen=True)
class Ended:
    """A process that is over: with which code, and what it said of it."""

    number: int
    code: int
    said: Mapping[str, str]


class Children:
    """Processes that do as they are told, in lines of JSON, and end when this process ends.

    Args:
        module: what each of them runs.
        hellos: what each is told first; it answers once it is ready.
    """

    def __init__(
        self, module: str, hellos: Sequence[Mapping[str, Any]], environment: Mapping[str, str]
    ) -> None:
        self.is_waiting = False
        """Whether this process is in the middle of work that all of them share."""
        self._changed = threading.Condition()
        self._ready: set[int] = set()
        self._ended: list[Ended] = []
        self._is_known = self._is_noticed = self._is_closing = False
        debug = os.environ.get("WORLDREEL_DEBUG") == "1"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        for number, hello in enumerate(hellos, start=2):
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if debug else subprocess.DEVNULL,
                env=dict(environment),
            )
            thread = threading.Thread(target=self._listen, args=(number, process), daemon=True)
            self.processes.append(process)
            self._threads.append(thread)
            thread.start()
            _write(process, hello)

    def wait_until_ready(self) -> None:
        """Raises WorldreelError if one of them ends instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._ready) == len(self.processes))
            if not self._ended:
                return
        raise self.error("")

    def tell(self, order: Mapping[str, Any]) -> None:
        """Gives all of them an order; raises WorldreelError where one is not there any more."""
        if self._ended or not all([_write(process, order) for process in self.processes]):
            raise self.error("")

    def error(self, detail: str) -> WorldreelError:
        """What to tell people when one of them is lost, as soon as it is known."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_known, 2 * GRACE_S)
            self._is_noticed = True
            self._changed.notify_all()
            return self._explanation(detail)

    def close(self, *, are_idle: bool) -> None:
        """Ends them: with an order where they are idle and sound, otherwise at once."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for process in self.processes:
            if not (are_idle and not self._ended and _write(process, {"do": "end"})):
                process.kill()
        for process, thread in zip(self.processes, self._threads, strict=True):
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            with contextlib.suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
            thread.join()

    def _listen(self, number: int, process: subprocess.Popen[bytes]) -> None:
        """Takes in what one of them says, until it is over."""
        assert process.stdout is not None
        said: dict[str, str] = {}
        with process.stdout:
            for line in process.stdout:
                said = json.loads(line)
                if "ready" in said:
                    with self._changed:
                        self._ready.add(number)
                        self._changed.notify_all()
        code = process.wait()
        with self._changed:
            self._ended.append(Ended(number, code, said))
            self._changed.notify_all()
            is_first = len(self._ended) == 1 and not self._is_closing
        if is_first:
            self._end_the_others()

    def _end_the_others(self) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._is_closing
                    or any(ended.code != EXIT_LOST for ended in self._ended)
                    or len(self._ended) == len(self.processes)
                ),
                GRACE_S,
            )
            self._is_known = True
            self._changed.notify_all()
        for process in self.processes:
            process.kill()
        with self._changed:
            is_noticed = self._changed.wait_for(
                lambda: self._is_noticed or self._is_closing, STUCK_S
            )
            if is_noticed or not self.is_waiting:
                return
            error = self._explanation("")
        print(f"Error: {error}", file=sys.stderr, flush=True)
        os._exit(1)

    def _explanation(self, detail: str) -> WorldreelError:
        """Of the first one that did not end because of another."""
        causes = [ended for ended in self._ended if ended.code != EXIT_LOST]
        which, remedy = "A device", "Start again; with fewer devices if memory ran out."
        if causes:
            ended = causes[0]
            which = f"Device {ended.number} of {len(self.processes) + 1}"
            remedy = ended.said.get("remedy") or remedy
            if "error" in ended.said:
                detail = ended.said["error"]
            elif ended.code < 0:
                detail = f"its process was ended from outside ({signal.strsignal(-ended.code)})."
            else:
                detail = f"its process ended with code {ended.code}."
        detail = detail.splitlines()[0] if detail else "its process ended."
        return WorldreelError(f"{which} is lost, and the video with it: {detail}", remedy=remedy)


def _write(process: subprocess.Popen[bytes], order: Mapping[str, Any]) -> bool:
    """Whether a process could be told."""
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    except (OSError, ValueError):
        return False
    return True
