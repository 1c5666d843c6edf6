"""The laws from the command line: measured, written down, and made into a report."""

import datetime
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import worldreel
from worldreel.app.machine import cpu_name, memory_size_bytes, num_cores
from worldreel.core.progress import Progress
from worldreel.data.files import write_atomically
from worldreel.evaluate.columns import read_clip
from worldreel.evaluate.report.page import write_report
from worldreel.evaluate.results import FILE_NAME, Results
from worldreel.evaluate.suite import Suite, evaluate_laws

REPORT = "report.html"


def measure_laws(
    suite: Suite, folder: Path, model: str | None, clips: Path | None, progress: Progress
) -> Results:
    """Measures, and writes ``laws.json`` and ``report.html`` into ``folder``."""
    results = evaluate_laws(
        suite,
        folder,
        model=model,
        clips=clips,
        created=datetime.date.today().isoformat(),
        versions=_versions(),
        hardware={
            "processor": cpu_name(),
            "cores": num_cores(),
            "memory": f"{memory_size_bytes() / 2**30:.0f} GiB",
            "system": platform.system(),
        },
        progress=progress,
    )
    write_results(folder, results)
    return results


def write_results(folder: Path, results: Results) -> None:
    """Writes ``laws.json``, and ``report.html`` with the clips that are in ``folder``."""
    write_atomically(folder / FILE_NAME, results.to_json().encode())
    columns = {
        clip.key: (clip.generated, clip.simulator) for law in results.laws for clip in law.worst
    }

    def load(key: str, column: str) -> NDArray[np.uint8] | None:
        generated, simulator = columns[key]
        path = folder / (generated if column == "generated" else simulator)
        return read_clip(path.parent, key) if path.is_file() else None

    write_report(folder / REPORT, results, load)


def _versions() -> dict[str, str]:
    names = ("torch", "mujoco", "numpy", "scipy")
    installed = {name: metadata.version(name) for name in names}
    return {"worldreel": worldreel.__version__, "python": platform.python_version(), **installed}
