"""``worldreel show``: what a file is, and the settings that made it."""

import json
import shlex
from dataclasses import asdict, dataclass
from typing import Any

from worldreel.app.options import File, Flag
from worldreel.core.errors import WorldreelError

OPTIONS = {
    "--model": "model",
    "--seconds": "seconds",
    "--fps": "fps",
    "--seed": "seed",
    "--num-inference-steps": "num_inference_steps",
    "--guidance-scale": "guidance_scale",
    "--negative-prompt": "negative_prompt",
    "--step-cache": "step_cache",
}


@dataclass(frozen=True, kw_only=True)
class Show:
    """Prints the settings embedded in a video or picture, and the command that remakes it."""

    file: File
    """A file that worldreel wrote; it ends with 1 where there are no settings inside."""
    json: Flag = False
    """Print one JSON object instead of lines."""

    def run(self) -> int:
        from worldreel.media.footage import describe_file

        info, settings = describe_file(self.file)
        facts = asdict(info)
        height, width = facts.pop("size")
        facts = {"file": self.file, "width": width, "height": height, **facts}
        _print_facts(facts, settings, as_json=self.json)
        if settings is None:
            raise WorldreelError(
                f"{self.file} carries no settings of worldreel.",
                remedy="Only files that worldreel wrote carry them, and re-encoding drops them.",
            )
        return 0


def remake_command(settings: dict[str, Any]) -> str | None:
    """The command line that makes the same video again, as a shell reads it.

    None where more than words was given: pictures and clips are not inside the file.
    """
    if "canvas" in settings or "played" in settings:
        return None
    words = ["worldreel", "generate"]
    for option, key in OPTIONS.items():
        if settings.get(key) not in (None, ""):
            words.append(f"{option}={settings[key]}")
    words += [f"--lora={lora}" for lora in settings.get("loras", ())]
    if settings.get("int8"):
        words.append("--int8")
    if settings.get("width") and settings.get("height"):
        words.append(f"--size={settings['width']}x{settings['height']}")
    return shlex.join([*words, "--", str(settings.get("prompt", ""))])


def _print_facts(facts: dict[str, Any], settings: dict[str, Any] | None, *, as_json: bool) -> None:
    if as_json:
        command = None if settings is None else remake_command(settings)
        print(json.dumps({**facts, "settings": settings, "command": command}, indent=2))
        return
    print(
        f"{facts['file']}: {facts['width']}x{facts['height']}, {facts['num_frames']} frames, "
        f"{facts['fps']:g} frames per second, {facts['duration_s']:g} s, {facts['codec']}, "
        f"{facts['size_bytes']} bytes"
    )
    if settings is not None:
        for key, value in settings.items():
            print(f"{key:20} {value}")
        command = remake_command(settings)
        print(command or "Made from more than words: see the canvas above.")
