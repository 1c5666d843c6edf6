"""``worldreel audit``: the record of decisions, consents and publications."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg, subcommand

from worldreel.app.commands.keys import Data, DatabaseUrl
from worldreel.app.options import OptionalText
from worldreel.core.errors import UsageError, WorldreelError

if TYPE_CHECKING:
    from worldreel.app.jobs.audit import Entry


@dataclass(frozen=True, kw_only=True)
class Export:
    """Prints the log, one JSON object a line, the oldest first."""

    data: Data = Path("worldreel-data")
    """The server's data folder."""
    database: DatabaseUrl = None
    """The server's Postgres database."""

    def run(self) -> int:
        for entry in _entries(self.data, self.database):
            print(json.dumps(asdict(entry), sort_keys=True))
        return 0


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Checks that nothing in the log was changed, put in or taken out; ends with 1 if it was."""

    data: Data = Path("worldreel-data")
    """The server's data folder."""
    database: DatabaseUrl = None
    """The server's Postgres database."""
    against: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """An earlier export, kept elsewhere: that its last entry is still there is checked too."""

    def run(self) -> int:
        from worldreel.app.jobs.audit import find_break

        head = None if self.against is None else _head(Path(self.against))
        count = 0

        def counted() -> "Iterator[Entry]":
            nonlocal count
            for entry in _entries(self.data, self.database):
                count += 1
                yield entry

        broken = find_break(counted(), head)
        if broken is not None:
            raise WorldreelError(
                f"The audit log was tampered with. {broken}",
                remedy="Compare it with an earlier export; what lies before is as it was.",
            )
        print(f"The audit log is whole: {count} entries.")
        return 0


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Exports and checks the server's log of decisions, consents and publications."""

    command: Annotated[Export, subcommand("export")] | Annotated[Verify, subcommand("verify")]

    def run(self) -> int:
        return self.command.run()


def _entries(data: Path, url: str | None) -> "Iterator[Entry]":
    import os

    from worldreel.app.commands.serve import DATABASE_VARIABLE
    from worldreel.app.jobs.audit import entries
    from worldreel.app.jobs.database import Database
    from worldreel.app.jobs.settings import Settings

    settings = Settings(data=data, database=url or os.environ.get(DATABASE_VARIABLE))
    if settings.is_sqlite and not (data / "worldreel.sqlite").is_file():
        raise UsageError(f"{data} is no data folder of a server.", remedy="Name it with --data.")
    database = Database(settings.database_url)
    database.upgrade()
    try:
        yield from entries(database)
    finally:
        database.close()


def _head(path: Path) -> str:
    """The hash of an export's last entry."""
    try:
        lines = path.read_text("utf-8").splitlines()
        return str(json.loads(lines[-1])["hash"])
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no export of an audit log.", remedy="Make one: worldreel audit export."
        ) from error
