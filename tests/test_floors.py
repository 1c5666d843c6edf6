"""Imports only go down: the test that holds the house up."""

import ast
from pathlib import Path

import pytest

import worldreel

SOURCE = Path(__file__).parents[1] / "src"
FLOORS = [
    "core",
    "diffusion",
    "models",
    "parallel",
    "media",
    "weights",
    "provenance",
    "world",
    "data",
    "generate",
    "train",
    "evaluate",
    "direct",
    "app",
]


def imported_modules(source: str, module: str, is_package: bool) -> list[tuple[int, str]]:
    """Line and full name of every import in a module, wherever in it: lazy ones too.

    Args:
        source: the text of the module.
        module: its full name, ``worldreel.media.write``.
        is_package: whether it is an ``__init__.py``, against which ``.`` is itself.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            start = parts[: len(parts) - node.level + is_package] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            # `from worldreel import app` names a floor only together with the name
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and node.args:
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else None
            name = function.id if isinstance(function, ast.Name) else name
            target = node.args[0]
            if name in ("import_module", "__import__") and isinstance(target, ast.Constant):
                found.append((node.lineno, str(target.value)))
    return found


def floor_of(name: str) -> int | None:
    """The floor that a full module name lies on; None outside of the floors."""
    parts = worldreel._HOMES.get(name.removeprefix("worldreel."), name).split(".")
    if parts[0] != "worldreel" or len(parts) < 2 or parts[1] not in FLOORS:
        return None
    return FLOORS.index(parts[1])


def climbing_imports(source: Path) -> list[str]:
    """Every import below ``source/worldreel`` that climbs, as ``file:line: a imports b``."""
    climbing = []
    front_door = source / "worldreel" / "__init__.py"  # names what lies on the floors
    for path in sorted({*(source / "worldreel").rglob("*.py")} - {front_door}):
        parts = path.relative_to(source).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        own = floor_of(module)
        for line, name in imported_modules(path.read_text("utf-8"), module, is_package):
            other = floor_of(name)
            if other is not None and (own is None or other > own):
                climbing.append(f"{path.relative_to(source)}:{line}: {module} imports {name}")
    return climbing


def test_no_import_climbs():
    assert climbing_imports(SOURCE) == []


def test_every_package_is_a_floor():
    packages = {path.parent.name for path in (SOURCE / "worldreel").glob("*/*.py")}
    assert packages <= set(FLOORS)
    loose = {path.name for path in (SOURCE / "worldreel").glob("*.py")}
    assert loose <= {"__init__.py", "__main__.py"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("media/write.py", "import worldreel.world"),
        ("media/write.py", "import worldreel.data.shards as shards"),
        ("media/write.py", "from worldreel.data.shards import write"),
        ("media/write.py", "from worldreel import app"),
        ("media/write.py", "from ..world import scene"),
        ("media/write.py", "from .. import world"),
        ("media/__init__.py", "from ..world import scene"),
        ("media/deep/er.py", "from ...world.scene import Scene"),
        ("core/errors.py", "def late():\n    from worldreel.diffusion import path"),
        ("core/errors.py", "class A:\n    def late(self):\n        import worldreel.app.main"),
        (
            "core/errors.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import worldreel.media",
        ),
        ("core/errors.py", "import importlib\nimportlib.import_module('worldreel.app')"),
        ("media/write.py", "from worldreel import Canvas"),
    ],
)
def test_a_planted_import_that_climbs_is_caught(tmp_path, file, text):
    path = tmp_path / "worldreel" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert len(climbing_imports(tmp_path)) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("media/write.py", "from worldreel.core.errors import WorldreelError"),
        ("__init__.py", "def late():\n    import worldreel.app"),
        ("evaluate/laws.py", "from worldreel import load"),
        ("media/write.py", "from . import atomic\nfrom .atomic import atomic_target"),
        ("media/__init__.py", "from .write import VideoWriter"),
        ("app/main.py", "from worldreel import __version__"),
        ("app/main.py", "def late():\n    from ..media import write\n    import torch"),
    ],
)
def test_an_import_that_goes_down_is_allowed(tmp_path, file, text):
    path = tmp_path / "worldreel" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert climbing_imports(tmp_path) == []
