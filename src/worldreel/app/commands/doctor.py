"""``worldreel doctor``: what this machine is, what works on it, and which models it can run."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from worldreel.app import machine
from worldreel.app.options import Flag
from worldreel.core.errors import WorldreelError

GIB = 2**30
RENDER_SECONDS = 60
INSTALL_AGAIN = "Install worldreel again."

PROCESS_BYTES = 1.0e9
"""Peak memory of making a video with a model of no size: the libraries and the activations."""
BYTES_PER_STORED_BYTE = 4
"""Weights are stored in 16 bits, and are loaded in 32 before they are brought to what is faster."""

RENDER_TRIAL = """
from worldreel.world.render import render_clip
from worldreel.world.sampling import sample_scene
print(render_clip(sample_scene(0)).frames.std() > 0)
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was tried.

    Args:
        state: ``ok``; ``limited`` where generate works without it; ``failed`` where it does not.
    """

    name: str
    state: Literal["ok", "limited", "failed"]
    found: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Tells what this machine can run: cores, memory, codecs, models; ends with 1 if none."""

    json: Flag = False
    """Print one JSON object instead of lines."""

    def run(self) -> int:
        facts = machine.describe_machine()
        checks = [
            check_torch(facts),
            check_memory(facts),
            check_disk(facts),
            check_compiler(facts),
            check_codecs(),
            check_rendering(),
            check_text_encoder(),
            *check_models(facts["memory_free_bytes"]),
        ]
        can_generate = all(check.state != "failed" for check in checks)
        if self.json:
            report = {
                "machine": facts,
                "checks": [asdict(check) for check in checks],
                "can_generate": can_generate,
            }
            print(json.dumps(report, indent=2))
        else:
            _print_report(facts, checks)
        return 0 if can_generate else 1


def check_torch(facts: dict[str, Any]) -> Check:
    """Imports torch and measures it; adds ``bf16_gflops`` and ``gpus`` to the facts."""
    try:
        facts["bf16_gflops"] = round(machine.measure_bf16_gflops(), 1)
        facts["gpus"] = machine.accelerators()
    except (ImportError, OSError, RuntimeError) as error:
        return Check(
            name="torch",
            state="failed",
            found=f"cannot be used: {str(error).splitlines()[0]}",
            remedy="Install worldreel again with its constraints: make setup",
        )
    return Check(name="torch", state="ok", found=str(facts["torch"]))


def check_memory(facts: dict[str, Any]) -> Check:
    """Says how much memory is free; each model is checked against it."""
    free, size = facts["memory_free_bytes"], facts["memory_size_bytes"]
    found = f"{free / GIB:.1f} of {size / GIB:.1f} GiB free"
    return Check(name="memory", state="ok", found=found)


def check_disk(facts: dict[str, Any]) -> Check:
    """A video takes well under a megabyte a second; 100 MB is the least to begin with."""
    free = facts["disk_free_bytes"]
    found = f"{free / GIB:.1f} GiB free in this folder"
    if free < 100e6:
        return Check(name="disk", state="failed", found=found, remedy="Free some space.")
    return Check(name="disk", state="ok", found=found)


def check_compiler(facts: dict[str, Any]) -> Check:
    """torch.compile needs a C++ compiler when it runs; without it everything runs eagerly."""
    if facts["compiler"] is None:
        return Check(
            name="compiler",
            state="limited",
            found="no g++: everything runs without torch.compile, somewhat slower",
            remedy="Install it (Debian, Ubuntu: apt-get install g++).",
        )
    return Check(name="compiler", state="ok", found=facts["compiler"])


def check_codecs() -> Check:
    """The encoders that PyAV brings along for mp4, webp, gif and png."""
    try:
        import av

        wanted = {"libx264", "libwebp_anim", "gif", "png"}
        missing = sorted(wanted - set(av.codecs_available))
    except (ImportError, OSError) as error:
        missing = [str(error)]
    if missing:
        return Check(
            name="video files",
            state="failed",
            found=f"missing: {', '.join(missing)}",
            remedy="Install PyAV again: pip install --force-reinstall av",
        )
    return Check(name="video files", state="ok", found="PyAV with H.264, WebP, GIF and PNG")


def check_rendering() -> Check:
    """Renders one simulated clip in a process of its own, because a GL driver may crash."""
    if machine.version_of("mujoco") is None:
        return Check(
            name="simulated world",
            state="limited",
            found="MuJoCo is not installed: no training data can be rendered",
            remedy="Install it: pip install mujoco",
        )
    words = [sys.executable, "-c", RENDER_TRIAL]
    try:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=RENDER_SECONDS)
        works, words_of_failure = ended.stdout.strip() == "True", ended.stderr.strip()
    except subprocess.TimeoutExpired:
        works, words_of_failure = False, f"no picture within {RENDER_SECONDS} s"
    if works:
        return Check(name="simulated world", state="ok", found="MuJoCo renders")
    return Check(
        name="simulated world",
        state="limited",
        found=f"MuJoCo does not render: {(words_of_failure.splitlines() or ['no picture'])[-1]}",
        remedy="Install a software OpenGL (Debian, Ubuntu: apt-get install libosmesa6 libegl1).",
    )


def check_text_encoder() -> Check:
    """The package that carries the default model's text encoder, byte for byte."""
    try:
        from worldreel.models.text import SHA256, check_sha256, minilm_folder

        folder = minilm_folder()
        for name, expected in SHA256.items():
            check_sha256(folder / name, expected)
    except (WorldreelError, ImportError) as error:
        return _failed("text encoder", error)
    return Check(name="text encoder", state="ok", found="MiniLM, hashes right")


def check_models(memory_free_bytes: int) -> list[Check]:
    """Every model that ships in the package: are its weights whole, and do they fit in memory."""
    from worldreel.weights.catalogue import packaged_models

    found = [
        check_model(name, folder, memory_free_bytes) for name, folder in packaged_models().items()
    ]
    if not found:
        return [Check(name="models", state="failed", found="none is here", remedy=INSTALL_AGAIN)]
    return found


def check_model(name: str, folder: Path, memory_free_bytes: int) -> Check:
    """Reads every byte of a model's weights, and compares what it needs with what is free."""
    try:
        from worldreel.weights.description import ModelDescription
        from worldreel.weights.load import check_file

        description = ModelDescription.read(folder)
        for file in description.files:
            check_file(folder, file, description)
    except (WorldreelError, ImportError) as error:
        return _failed(f"model {name}", error)
    need = PROCESS_BYTES + BYTES_PER_STORED_BYTE * description.size_bytes
    found = (
        f"version {description.version}, {description.size_bytes / 1e6:.0f} MB, hashes right, "
        f"needs about {need / GIB:.1f} GiB"
    )
    if need > memory_free_bytes:
        return Check(
            name=f"model {name}",
            state="limited",
            found=f"{found}, more than is free",
            remedy="Close other programs first.",
        )
    return Check(name=f"model {name}", state="ok", found=found)


def _failed(name: str, error: Exception) -> Check:
    message = error.message if isinstance(error, WorldreelError) else str(error)
    remedy = error.remedy if isinstance(error, WorldreelError) else ""
    return Check(name=name, state="failed", found=message, remedy=remedy or INSTALL_AGAIN)


def _print_report(facts: dict[str, Any], checks: list[Check]) -> None:
    flags = " ".join(facts["cpu_flags"]) or "none of note"
    gpus = [f"{gpu['name']}, {gpu['memory_size_bytes'] / GIB:.0f} GiB" for gpu in facts["gpus"]]
    lines = {
        "python": f"{facts['python']} on {facts['platform']}",
        "processor": f"{facts['cpu']}, {facts['cores']} cores; {flags}",
        "bf16 product": f"{facts.get('bf16_gflops', 0):.0f} GFLOP/s on all cores",
        "GPU": "; ".join(gpus) or "none",
    }
    for name, value in lines.items():
        print(f"        {name:16} {value}")
    for check in checks:
        print(f"{check.state:7} {check.name:16} {check.found}")
        if check.remedy:
            print(f"{'':24} {check.remedy}")
    failed = [check for check in checks if check.state == "failed"]
    if failed:
        print(f"\nThis machine cannot run `worldreel generate` yet: {failed[0].remedy}")
    else:
        print("\nThis machine can run `worldreel generate`.")
