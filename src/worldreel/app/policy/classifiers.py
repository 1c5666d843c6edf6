"""Classifiers that are asked about a request: an HTTP endpoint, or a function in Python.

Whatever is no clear answer is none: the request waits, and never passes.
"""

import importlib
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from pathlib import Path
from typing import Any

from worldreel.core.errors import UsageError

ANSWER_MAX_BYTES = 65_536
TEXT_MAX = 80


class NoAnswer(Exception):
    """A classifier did not answer, or not so that it can be understood."""


def ask(
    classifiers: Sequence[str], texts: Sequence[str], pictures: Sequence[Path], timeout_s: float
) -> str | None:
    """What the first classifier that refuses calls it; None where all allow.

    An endpoint gets ``{"texts": [...], "pictures": [paths]}`` and answers ``{"allowed": true}``,
    or ``{"allowed": false, "category": "..."}``. A function gets the same two lists and returns
    the category, or None to allow.

    Args:
        pictures: files of worldreel's own, for classifiers on the same machine.

    Raises:
        NoAnswer: one of them did not answer in time, or not as it should.
    """
    for name in classifiers:
        answer = _ask_one(name, list(texts), [str(path) for path in pictures], timeout_s)
        if answer is not None:
            return answer[:TEXT_MAX]
    return None


def check_classifiers(classifiers: Sequence[str]) -> None:
    """Raises UsageError where one that is named as a function cannot be imported."""
    for name in classifiers:
        if not name.startswith(("http://", "https://")):
            _function(name)


def _ask_one(name: str, texts: list[str], pictures: list[str], timeout_s: float) -> str | None:
    if name.startswith(("http://", "https://")):
        return _ask_endpoint(name, {"texts": texts, "pictures": pictures}, timeout_s)
    try:
        act = _function(name)
    except UsageError as error:
        raise NoAnswer(str(error)) from error
    pool = ThreadPoolExecutor(1)
    try:
        answer = pool.submit(act, texts, pictures).result(timeout_s)
    except Late as error:
        raise NoAnswer(f"{name} took longer than {timeout_s:g} s") from error
    except Exception as error:
        raise NoAnswer(f"{name} failed with {type(error).__name__}") from error
    finally:
        pool.shutdown(wait=False)
    if answer is not None and not isinstance(answer, str):
        raise NoAnswer(f"{name} answered with a {type(answer).__name__}")
    return answer


def _ask_endpoint(url: str, asked: dict[str, Any], timeout_s: float) -> str | None:
    """The operator names the address, so it may be one of the own network."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(asked).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            value = json.loads(answer.read(ANSWER_MAX_BYTES))
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise NoAnswer(f"{url} did not answer: {type(error).__name__}") from error
    allowed = value.get("allowed") if isinstance(value, dict) else None
    if not isinstance(allowed, bool):
        raise NoAnswer(f"{url} answered without saying allowed: true or false")
    return None if allowed else str(value.get("category") or "classifier")


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"The classifier {name} cannot be loaded: {error}.",
            remedy="Name a function in Python as module:function, or a URL.",
        ) from error
    return found
