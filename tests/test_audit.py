"""The audit log: whatever is changed in it shows."""

import dataclasses
import json

import pytest
from tests.job_bench import Bench

from worldreel.app.jobs import audit
from worldreel.app.main import main


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "data")
    for number in range(5):
        audit.record(made.database, "policy.refused", "alice", f"video_{number}", by="rule")
    yield made
    made.database.close()


def log(bench) -> list[audit.Entry]:
    return list(audit.entries(bench.database))


def test_a_log_that_nobody_touched_is_whole(bench):
    found = log(bench)
    assert [entry.seq for entry in found] == [1, 2, 3, 4, 5]
    assert audit.find_break(found) is None
    assert audit.find_break(found, head=found[2].hash) is None
    assert audit.find_break([]) is None


@pytest.mark.parametrize("field", ["at", "kind", "owner", "subject", "content", "previous", "hash"])
def test_a_changed_field_shows(bench, field):
    found = log(bench)
    value = getattr(found[2], field)
    other = value + 1 if isinstance(value, float) else value[:-1] + "~"
    found[2] = dataclasses.replace(found[2], **{field: other})
    assert audit.find_break(found) is not None


def test_a_changed_entry_with_a_hash_made_to_fit_shows_at_the_next(bench):
    found = log(bench)
    changed = dataclasses.replace(found[2], owner="mallory")
    found[2] = dataclasses.replace(changed, hash=changed.computed())
    assert audit.find_break(found) == "Entry 4 does not follow the one before it."


def test_entries_that_are_taken_out_put_in_or_swapped_show(bench):
    found = log(bench)
    assert audit.find_break(found[:2] + found[3:]) is not None
    assert audit.find_break([*found[:2], found[1], *found[2:]]) is not None
    assert audit.find_break([found[1], found[0], *found[2:]]) is not None
    assert audit.find_break(found[1:]) is not None


def test_newest_entries_that_are_taken_away_show_against_an_earlier_head(bench):
    found = log(bench)
    assert audit.find_break(found[:3]) is None  # alone, the chain cannot know
    assert "gone" in (audit.find_break(found[:3], head=found[4].hash) or "")


def test_the_command_exports_and_finds_what_was_changed_in_the_database(bench, tmp_path, capsys):
    data = ["--data", str(tmp_path / "data")]
    assert main(["audit", "export", *data]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 4, 5]
    export = tmp_path / "log.jsonl"
    export.write_text("\n".join(lines) + "\n")
    assert main(["audit", "verify", *data, "--against", str(export)]) == 0
    assert "5 entries" in capsys.readouterr().out
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE audit SET owner = 'mallory' WHERE seq = 2")
    assert main(["audit", "verify", *data]) == 1
    assert "Entry 2 was changed" in capsys.readouterr().err
    with bench.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM audit")
    assert main(["audit", "verify", *data]) == 0
    capsys.readouterr()
    assert main(["audit", "verify", *data, "--against", str(export)]) == 1
    assert "gone" in capsys.readouterr().err


def test_an_export_that_is_none_is_refused(bench, tmp_path, capsys):
    (tmp_path / "none").write_text("{")
    words = ["audit", "verify", "--data", str(tmp_path / "data"), "--against"]
    assert main([*words, str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
