"""The docs: help texts are as they are now, and every command line that is shown works."""

import dataclasses
import io
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from worldreel.app import making
from worldreel.app.commands.doctor import Doctor
from worldreel.app.commands.show import Show
from worldreel.app.docs import PAGE, render_page
from worldreel.app.filling import Filling
from worldreel.app.main import main, parse
from worldreel.weights import catalogue
from worldreel.weights.catalogue import DEFAULT_MODEL, packaged_models
from worldreel.weights.load import LoadedModel, load_model

ROOT = Path(__file__).parents[1]
PAGES = [path for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))] if path.exists()]
FENCE = re.compile(r"^```(?:console|bash|shell|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CHEAP = (Filling, Show, Doctor)
"""Commands that are run as they stand; the others take minutes, and are only read."""


def command_lines(text: str) -> Iterator[str]:
    """The lines with a worldreel command in the console and bash blocks of a page."""
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ")
            if re.match(r"(.*\|\s*)?worldreel\s", line):
                yield line


def words_of(line: str) -> list[str]:
    """The words of a line's worldreel command, without what comes before or after it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>&;")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words = list(lexer)
    start = words.index("worldreel") + 1
    ends = [place for place, word in enumerate(words) if place >= start and word[0] in "|>&;"]
    return words[start : min(ends, default=len(words))]


LINES = [(path.name, line) for path in PAGES for line in command_lines(path.read_text("utf-8"))]


def test_the_page_of_the_command_line_is_as_the_help_texts_are_now():
    shown = (ROOT / PAGE).read_text("utf-8")
    assert shown == render_page(), "run: python -m worldreel.app.docs"


@pytest.mark.parametrize(("page", "line"), LINES)
def test_every_command_in_the_docs_is_one(page, line, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = words_of(line)
    if words == ["--version"] or "--help" in words:
        assert main(words) == 0
        return
    command = parse(words)
    recipe = getattr(command, "recipe", None)
    assert recipe is None or Path(recipe).is_file(), f"{page} names a recipe that is not there"


@lru_cache(maxsize=1)
def few_steps(name: str) -> LoadedModel:
    """The model, whose default is a sixth of its steps: what a page shows is a matter of form."""
    loaded = load_model(name)
    sampling = dataclasses.replace(loaded.description.sampling, num_inference_steps=4)
    description = dataclasses.replace(loaded.description, sampling=sampling)
    return dataclasses.replace(loaded, description=description)


def test_the_commands_of_every_page_run_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(making, "load_model", lambda name, **how: few_steps(name))
    monkeypatch.setattr(catalogue, "describe", lambda name: few_steps(name).description)
    if DEFAULT_MODEL not in packaged_models():
        pytest.skip(f"the model {DEFAULT_MODEL} is not in this checkout")
    for page in PAGES:
        folder = tmp_path / page.stem
        folder.mkdir()
        monkeypatch.chdir(folder)
        for line in command_lines(page.read_text("utf-8")):
            words = words_of(line)
            if words[0].startswith("-") or "--help" in words:
                continue
            if isinstance(parse(words), CHEAP):
                before = line[: line.index("worldreel")].rstrip().removesuffix("|")
                given = subprocess.run(before, shell=True, capture_output=True, check=True).stdout
                monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
                code = main(words)
                shown = capsys.readouterr()
                assert code == 0, f"{page.name}: {line}\n{shown.err}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('```bash\nworldreel generate "a b" --seed 1\n```', ["generate", "a b", "--seed", "1"]),
        ("```console\n$ echo x | worldreel generate - # why\nout\n```", ["generate", "-"]),
        ("```bash\nworldreel show \\\n  a.mp4 > b.txt\n```", ["show", "a.mp4"]),
    ],
)
def test_a_command_line_is_found_in_a_page(text, words):
    (line,) = command_lines(text)
    assert words_of(line) == words


def test_what_is_no_command_line_is_not_found():
    text = "worldreel show a\n```text\nworldreel show a\n```\n```bash\nmake worldreel\n```\n"
    assert list(command_lines(text)) == []
