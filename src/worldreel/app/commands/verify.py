"""``worldreel verify``: where a file says that it comes from, and what that means."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from worldreel.app.options import File, Flag, OptionalText


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Checks a file's content credentials, labels and watermark, and says what they mean.

    It ends with 0 whatever the marks say, as long as the file could be read: the absence of marks
    proves nothing.
    """

    file: File
    """A video or picture, from anywhere."""
    json: Flag = False
    """Print one JSON object instead of lines."""
    keys: Annotated[OptionalText, arg(metavar="FOLDER", help_behavior_hint="")] = None
    """The folder of keys whose authority is trusted, such as provenance in a server's data folder.
    (default: WORLDREEL_HOME, or the user's own)"""

    def run(self) -> int:
        from worldreel.provenance.verify import Keys, check

        keys = Keys.open(None if self.keys is None else Path(self.keys))
        report = check(self.file, keys)
        if self.json:
            print(json.dumps(report.to_json(), indent=2))
            return 0
        print(f"{report.file} ({report.mime})")
        for line in report.words:
            print(line)
        return 0
