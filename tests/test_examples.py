"""Every example runs and does what it says."""

import runpy
from pathlib import Path

import pytest

from worldreel.weights.catalogue import packaged_models

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.skipif("toybox" not in packaged_models(), reason="toybox is not in this checkout")
def test_the_sheet_of_the_readme_can_be_made_again(tmp_path: Path) -> None:
    example = runpy.run_path(str(EXAMPLES / "twenty_prompts.py"))
    example["main"](tmp_path / "sheet.png", num_prompts=1)
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_every_example_is_short() -> None:
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) < 100, path
