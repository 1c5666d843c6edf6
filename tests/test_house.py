"""The house: what imports cost, what is packed, what a fresh machine is told."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from worldreel import __version__

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
HEAVY = ("torch", "transformers", "diffusers", "av", "mujoco", "numpy", "scipy", "PIL", "trackio")
FLOORS = sorted(path.parent.name for path in (SOURCE / "worldreel").glob("*/__init__.py"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
INSTALL_FILES = ("Makefile", ".ci/run", "scripts", "pyproject.toml", "constraints.txt")

LOADED = "; import sys; print('LOADED', *(m for m in sys.argv[1:] if m in sys.modules))"


def loaded_heavy(code: str) -> list[str]:
    """The heavy packages that a fresh interpreter has loaded after running ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", code + LOADED, *HEAVY],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


def repository_files() -> list[Path]:
    """What git tracks or would track; in an unpacked archive, without git, every source file."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        names = [name for name in done.stdout.split("\0") if name]
    else:
        folders = ("src", "tests", "docs", "recipes", "benchmarks", "scripts", ".ci")
        found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
        names = [str(path.relative_to(ROOT)) for path in [*found, *ROOT.glob("*")]]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


# imports


def test_importing_worldreel_loads_nothing_heavy():
    assert loaded_heavy("import worldreel") == []


def test_importing_every_floor_loads_nothing_heavy():
    assert FLOORS
    assert loaded_heavy("; ".join(f"import worldreel.{floor}" for floor in FLOORS)) == []


def test_the_check_for_heavy_packages_finds_one():
    assert loaded_heavy("import numpy") == ["numpy"]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["generate", "--help"]])
def test_help_loads_nothing_heavy(words):
    code = (
        f"import sys; words, sys.argv = sys.argv, ['worldreel', *{words!r}]\n"
        "from worldreel.app.main import main\n"
        "try:\n    code = main()\nexcept SystemExit as exit_:\n    code = exit_.code\n"
        "sys.argv = words\n"
        "assert not code, code\nprint()"
    )
    assert loaded_heavy(code) == []


# what is packed and pinned


def test_every_direct_dependency_is_pinned_inside_its_range():
    pins = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[name.lower().replace("_", "-")] = version
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"].values()
    for text in [*project["dependencies"], *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        name = requirement.name.lower().replace("_", "-")
        assert name in pins, f"{name} is not in constraints.txt"
        assert requirement.specifier.contains(pins[name]), f"{name}: {pins[name]} not in {text}"


def test_the_changelog_knows_this_version_or_is_about_to():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{__version__}]" in text or "## [Unreleased]" in text


def test_the_wheel_holds_the_whole_package_and_its_weights():
    from hatchling.builders.wheel import WheelBuilder

    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    there = {
        str(path.relative_to(SOURCE))
        for path in repository_files()
        if path.is_relative_to(SOURCE / "worldreel")
    }
    assert there <= packed
    weights = SOURCE / "worldreel" / "weights" / "toybox"
    assert {str(path.relative_to(SOURCE)) for path in weights.glob("*")} <= packed
    assert "worldreel/py.typed" in packed


# what the files say


def test_no_file_holds_a_machine_path():
    machine = re.compile(
        rb"(?<![\w.~/:-])/(?:home|root|Users|work|workspace|opt|mnt|scratch)/[\w.]"
        rb"|[A-Z]:\\Users|" + re.escape(str(ROOT).encode())
    )
    assert machine.search(b'"/ho' + b'me/me/x"') and not machine.search(b"a/home/x, /usr/bin/env")
    found = []
    for path in repository_files():
        if path.stat().st_size > 2_000_000:  # weights, pictures
            continue
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if machine.search(line) and b"\0" not in line:
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []


def test_nothing_that_installs_names_a_package_host():
    named = re.compile(r"pythonhosted|pypi\.org|download\.pytorch|index-url|npmjs|find-links")
    for name in INSTALL_FILES:
        path = ROOT / name
        for file in [path] if path.is_file() else path.iterdir():
            assert not named.search(file.read_text("utf-8")), file


# what a fresh machine is told


def run_script(name: str, *words: str, path: Path) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash
    return subprocess.run(
        [bash, str(ROOT / "scripts" / name), *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": str(path)},
        check=False,
    )


def plant(folder: Path, name: str, text: str) -> None:
    """A program of that name in the folder, written in sh."""
    path = folder / name
    path.write_text(f"#!{shutil.which('sh')}\n{text}\n")
    path.chmod(0o755)


def test_a_missing_python_is_named(tmp_path):
    done = run_script("make-venv.sh", str(tmp_path / "venv"), path=tmp_path)
    assert done.returncode == 1
    assert "there is no program python3" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_an_old_python_is_named_with_its_version(tmp_path):
    plant(tmp_path, "python3", 'case "$1" in --version) echo "Python 3.9.2";; *) exit 1;; esac')
    done = run_script("make-venv.sh", str(tmp_path / "venv"), path=tmp_path)
    assert done.returncode == 1
    assert "python3 is Python 3.9.2; worldreel needs Python 3.11 or newer" in done.stderr


def test_a_python_without_venv_is_told_what_to_install(tmp_path):
    plant(
        tmp_path,
        "python3",
        'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; *) exit 0;; esac',
    )
    done = run_script("make-venv.sh", str(tmp_path / "venv"), path=tmp_path)
    assert done.returncode == 1
    assert "no venv module" in done.stderr and "apt-get install python3.12-venv" in done.stderr


def test_missing_system_packages_without_the_right_to_install_are_named_in_one_command(tmp_path):
    plant(tmp_path, "python3", "exit 1")  # no library loads
    done = run_script("system-packages.sh", path=tmp_path)
    assert done.returncode == 1
    command = "sudo apt-get update && sudo apt-get install -y libosmesa6 libegl1 libgl1"
    assert command in done.stderr


def test_system_packages_that_are_there_are_left_alone(tmp_path):
    plant(tmp_path, "python3", "exit 0")
    for program in ("g++", "tesseract"):
        plant(tmp_path, program, "exit 0")
    plant(tmp_path, "apt-get", "echo called; exit 1")
    done = run_script("system-packages.sh", path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_root_installs_what_is_missing(tmp_path):
    plant(tmp_path, "python3", '[ "$3" != libEGL.so.1 ]')
    for program in ("g++", "tesseract"):
        plant(tmp_path, program, "exit 0")
    plant(tmp_path, "id", "echo 0")
    plant(tmp_path, "env", 'shift; "$@"')
    plant(tmp_path, "apt-get", f'echo "$*" >> {tmp_path}/calls')
    done = run_script("system-packages.sh", path=tmp_path)
    assert done.returncode == 0, done.stderr
    update, install = (tmp_path / "calls").read_text().splitlines()
    assert update == "update"
    assert install.startswith("install -y") and install.endswith(" libegl1")


def test_what_is_only_wished_for_and_cannot_be_had_is_left_out_with_a_word(tmp_path):
    plant(tmp_path, "python3", "exit 0")
    plant(tmp_path, "g++", "exit 0")
    plant(tmp_path, "id", "echo 0")
    plant(tmp_path, "env", 'shift; "$@"')
    plant(tmp_path, "apt-get", '[ "$1" = update ]')
    done = run_script("system-packages.sh", path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "without tesseract-ocr" in done.stderr


@pytest.mark.parametrize("name", [".ci/run", "scripts/make-venv.sh", "scripts/system-packages.sh"])
def test_a_script_is_bash_executable_and_parses(name):
    path = ROOT / name
    assert os.access(path, os.X_OK)
    assert path.read_text("utf-8").startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_make_gives_the_prompt_to_the_program_unchanged(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("no make here")
    prompt = """a "red" ball's $HOME, $(shell false) `x` 50% \\ end"""
    shutil.copy(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    plant(binaries, "worldreel", f'echo "$@" > {tmp_path}/words; cat > {tmp_path}/prompt')
    for stamp in (".made", ".installed"):
        (tmp_path / ".venv" / stamp).touch()
    subprocess.run(["make", "demo", f"PROMPT={prompt}"], cwd=tmp_path, check=True)
    assert (tmp_path / "prompt").read_text() == prompt
    assert (tmp_path / "words").read_text().split() == ["generate"]
