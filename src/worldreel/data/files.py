"""Files that are either whole or not there."""

import hashlib
import json
from pathlib import Path
from typing import Any

from worldreel.media.atomic import atomic_target, disk_errors


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that ``path`` holds the old bytes or the new ones, never a part.

    Raises:
        WorldreelError: the file cannot be written (no right, no space).
    """
    with atomic_target(path) as part, disk_errors(path):
        part.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON atomically, keys sorted, so that equal values give equal bytes."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    write_atomically(path, text.encode())


def hash_json(value: Any) -> str:
    """SHA-256 of a value's JSON, as 64 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
