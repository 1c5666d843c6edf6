"""Cases out of the OpenAPI document, tried against the server one operation after the other."""

from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
"""That a value of the right type may still be refused (no such id, no such picture) is no fault."""

MODES = {"positive": GenerationMode.POSITIVE, "negative": GenerationMode.NEGATIVE}


def operations(app: Any) -> Iterator[Any]:
    """Every operation of the document."""
    for found in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations():
        yield found.ok()


def try_operation(
    operation: Any, mode: str, examples: int, number: int, headers: dict[str, str]
) -> int:
    """Tries cases of one operation; returns how many.

    Args:
        mode: ``positive`` for what the document allows, ``negative`` for what it does not.
        number: the seed.

    Raises:
        Exception: the first answer that is a server error or that the document does not
            announce, with the request that led to it.
    """
    tried = 0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=MODES[mode]))
    def run(case: Any) -> None:
        nonlocal tried
        if operation.path.endswith(("/events", "/frames", "/test")):
            case.path_parameters = {name: "none" for name in case.path_parameters}
        if operation.path == "/v1/events":  # otherwise it lasts
            case.query = {"seconds": 0.05 if mode == "positive" else 0}
        tried += 1
        case.call_and_validate(headers=headers, checks=CHECKS)

    run()
    return tried
