"""``worldreel keys``: who may use the server."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg, subcommand

from worldreel.app.commands.serve import DATABASE_VARIABLE
from worldreel.app.options import Flag, OptionalText
from worldreel.core.errors import UsageError

if TYPE_CHECKING:
    from worldreel.app.jobs.keys import KeyStore

Data = Annotated[Path, arg(metavar="FOLDER")]
DatabaseUrl = Annotated[OptionalText, arg(metavar="URL", help_behavior_hint="(default: SQLite)")]


@dataclass(frozen=True, kw_only=True)
class Add:
    """Makes a key and prints it, once; only its hash is kept."""

    owner: Annotated[Positional[str], arg(metavar="OWNER")]
    """Whose videos it opens; several keys may have one owner."""
    admin: Flag = False
    """Let it make and revoke keys over HTTP, as the Studio's settings do."""
    data: Data = Path("worldreel-data")
    """The server's data folder."""
    database: DatabaseUrl = None
    """The server's Postgres database."""

    def run(self) -> int:
        print(_store(self.data, self.database).add(self.owner, admin=self.admin))
        return 0


@dataclass(frozen=True, kw_only=True)
class List:
    """Lists the keys: id, owner, first and last letters, when made, whether revoked."""

    data: Data = Path("worldreel-data")
    """The server's data folder."""
    database: DatabaseUrl = None
    """The server's Postgres database."""
    json: Flag = False
    """Print JSON instead of lines."""

    def run(self) -> int:
        found = _store(self.data, self.database).all()
        if self.json:
            print(json.dumps([vars(key) for key in found], indent=2))
            return 0
        for key in found:
            day = time.strftime("%Y-%m-%d", time.gmtime(key.created_at))
            state = "revoked" if key.revoked_at else "in use"
            state += ", admin" if key.admin else ""
            print(f"{key.id}  {key.owner:20}  {key.hint:12}  {day}  {state}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Revoke:
    """Ends a key within seconds; its owner's videos stay."""

    key: Annotated[Positional[str], arg(metavar="ID")]
    """Its id, or its first and last letters, as `worldreel keys list` shows them."""
    data: Data = Path("worldreel-data")
    """The server's data folder."""
    database: DatabaseUrl = None
    """The server's Postgres database."""

    def run(self) -> int:
        if not _store(self.data, self.database).revoke(self.key):
            raise UsageError(
                f"There is no key {self.key[:60]!r} in use.", remedy="See `worldreel keys list`."
            )
        print(f"{self.key} is revoked")
        return 0


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Adds, lists and revokes the keys of the server."""

    command: (
        Annotated[Add, subcommand("add")]
        | Annotated[List, subcommand("list")]
        | Annotated[Revoke, subcommand("revoke")]
    )

    def run(self) -> int:
        return self.command.run()


def _store(data: Path, database: str | None) -> "KeyStore":
    from worldreel.app.jobs.database import Database
    from worldreel.app.jobs.keys import KeyStore
    from worldreel.app.jobs.settings import Settings, check_folder

    settings = Settings(data=data, database=database or os.environ.get(DATABASE_VARIABLE))
    check_folder(data)
    opened = Database(settings.database_url)
    opened.upgrade()
    return KeyStore(opened)
