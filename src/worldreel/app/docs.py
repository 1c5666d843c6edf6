"""Writes docs/cli.md from the help texts: ``python -m worldreel.app.docs``, in the repository."""

import os
import subprocess
import sys
from pathlib import Path

PAGE = Path("docs/cli.md")

COMMANDS = (
    "",
    "generate",
    "image",
    "extend",
    "connect",
    "loop",
    "edit",
    "erase",
    "replace",
    "expand",
    "interpolate",
    "recut",
    "upscale",
    "storyboard",
    "play",
    "show",
    "verify",
    "models",
    "pull",
    "estimate",
    "doctor",
    "train",
    "evaluate",
    "evaluate autoencoder",
    "evaluate laws",
    "evaluate prompts",
    "world",
    "world sheet",
    "world render",
    "serve",
    "worker",
    "keys",
    "keys add",
    "keys list",
    "keys revoke",
    "audit",
    "audit export",
    "audit verify",
)

HEADER = """# The command line

This page is made from the help texts by `python -m worldreel.app.docs`; a test keeps it up to date.

Every command ends with 0 when it did what was asked, 2 when the request itself cannot be (a bad
value, an unknown option), 130 when it was stopped with Ctrl-C, and 1 when anything else failed.
An error is one message on standard error: what was given, what is allowed, what to do next.
`WORLDREEL_DEBUG=1` adds the traceback. Results go to standard output; progress goes to standard
error, as bars on a terminal and as JSON lines otherwise.

```console
$ worldreel generate "a red ball falls and bounces on a wooden floor" --seed 7
$ worldreel show out/a-red-ball-falls-and-bounces-on-a-wooden-floor-7.mp4
$ echo "a blue cube slides and stops" | worldreel generate --output-path cube.gif --json
$ worldreel doctor
$ worldreel train recipes/toybox.toml --set schedule.total_steps=2000 --out-dir runs/short
$ worldreel world sheet --out sheet.png --num-clips 20
$ worldreel evaluate autoencoder --num-clips 16
$ worldreel evaluate laws --split within --law 1 --num-clips 16 --out laws
```
"""


def render_page() -> str:
    """The page's text, as the help texts are now."""
    sections = [
        f"## worldreel {command}".rstrip() + "\n\n" + _help(command) for command in COMMANDS
    ]
    return HEADER + "\n" + "\n".join(sections)


def _help(command: str) -> str:
    words = [sys.executable, "-m", "worldreel.app.main", *command.split(), "--help"]
    environment = {**os.environ, "COLUMNS": "96", "NO_COLOR": "1"}
    text = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return f"```text\n{lines}\n```\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render_page(), encoding="utf-8")
    print(PAGE)
