"""The scaling picture: what was noted of the runs becomes a table and a part of the report."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from tests.report_results import made_up_results

from worldreel.evaluate.results import FILE_NAME, Results

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def scaling():
    spec = importlib.util.spec_from_file_location("scaling", ROOT / "benchmarks" / "scaling.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["scaling"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["scaling"]


def note(folder: Path, size: str, minutes: int, loss: float, **more: object) -> None:
    about = {
        "size": size,
        "minutes": minutes,
        "steps": 100 * minutes,
        "parameters": {"small": 1_000_000, "large": 9_000_000}[size],
        "flops": 1e12 * minutes,
        "held_out_loss": loss,
        "measured_seconds": 61.0 * minutes,
        "threads": 1,
    }
    (folder / size).mkdir(parents=True, exist_ok=True)
    (folder / size / f"model-{minutes}.json").write_text(json.dumps(about | more))


def ask(scaling, monkeypatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["scaling.py", *map(str, words)])
    monkeypatch.setattr(scaling.signal, "signal", lambda number, handler: None)
    return scaling.main()


def test_the_runs_become_a_table_and_a_part_of_the_report(scaling, monkeypatch, tmp_path, capsys):
    runs, report = tmp_path / "scaling", tmp_path / "laws"
    figures = {"mean": 0.4, "low": 0.3, "high": 0.5, "score": 0.25}
    note(runs, "large", 4, 0.6)
    note(runs, "small", 2, 0.9, laws={"event (share)": figures}, num_clips=64)
    report.mkdir()
    (report / FILE_NAME).write_text(made_up_results().to_json(), "utf-8")
    words = ("--out", runs, "--results", tmp_path / "scaling.json", "--report", report)
    assert ask(scaling, monkeypatch, "table", *words) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == ["small", "large"]
    assert "event (share) 0.40" in shown[0]
    written = json.loads((tmp_path / "scaling.json").read_text("utf-8"))
    assert [run["steps"] for run in written["runs"]] == [200, 400]
    small, large = Results.read(report / FILE_NAME).scaling
    assert small.laws == {"event (share)": 0.25} and small.minutes == 2.0
    assert large.laws == {} and large.held_out_loss == 0.6
    assert 'id="scaling"' in (report / "report.html").read_text("utf-8")


def test_without_runs_there_is_no_table(scaling, monkeypatch, tmp_path, capsys):
    assert ask(scaling, monkeypatch, "table", "--out", tmp_path) == 2
    assert "Train first" in capsys.readouterr().err


def test_the_sizes_differ_and_nothing_else_does(scaling):
    recipes = [scaling.recipe_of(ROOT / scaling.RECIPE, size, 10, 1) for size in scaling.SIZES]
    widths = [recipe.model.num_heads * recipe.model.head_dim for recipe in recipes]
    assert widths == sorted(set(widths))
    assert len({(r.optim, r.data, r.stages, r.schedule, r.levels) for r in recipes}) == 1
    assert all(r.schedule.total_steps == 10 and not r.schedule.cooldown_steps for r in recipes)
