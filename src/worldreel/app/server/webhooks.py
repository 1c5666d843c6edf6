"""The routes of webhooks, as OpenAI's client calls them, and the sender of the messages."""

import logging
import threading
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.exc import DBAPIError

from worldreel.app.jobs import hooks, outward
from worldreel.app.jobs.hooks import EVENT_TYPES, Endpoint
from worldreel.app.jobs.video import new_id
from worldreel.app.server.bodies import open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.endpoint_shapes import (
    ChangeEndpoint,
    CreateEndpoint,
    EndpointDeleted,
    EndpointList,
    EndpointObject,
    EndpointTested,
    EndpointWithSecret,
    EventTypeList,
    RotateSecret,
    TestEndpoint,
)
from worldreel.app.server.problems import invalid, not_found
from worldreel.app.server.service import Served, Service, in_thread
from worldreel.core.errors import UsageError, WorldreelError

router = APIRouter(prefix="/v1", tags=["webhooks"])

ENDPOINTS_MAX = 20
SEND_S, ANSWER_MAX_BYTES = 15.0, 64 * 1024
LOOK_S = 0.5

log = logging.getLogger("worldreel.server")


@router.post(
    "/webhook_endpoints",
    response_model=EndpointWithSecret,
    openapi_extra={"x-body": "CreateEndpoint"},
)
async def create_endpoint(request: Request, owner: Owner, service: Served) -> Any:
    """An address that is told when videos are done; its secret is shown here only."""
    async with open_body(request) as body:
        asked = body.read_as(CreateEndpoint)
        _check_url(service, asked.url)

        def add() -> Endpoint:
            if service.hooks.count(owner) >= ENDPOINTS_MAX:
                raise invalid(f"There are {ENDPOINTS_MAX} endpoints, as many as there may be.")
            types: list[str] = [*asked.event_types]
            return service.hooks.add(owner, name=asked.name, url=asked.url, event_types=types)

        return _with_secret(await in_thread(add))


@router.get("/webhook_endpoints", response_model=EndpointList)
def list_endpoints(
    owner: Owner,
    service: Served,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=128)] = None,
) -> Any:
    """The owner's endpoints, the oldest first."""
    last = None if after is None else _find(service, owner, after, "after")
    found = service.hooks.page(owner, limit + 1, last)
    data = [EndpointObject(**EndpointObject.fields_of(one)) for one in found[:limit]]
    return EndpointList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


@router.get("/webhook_endpoints/{endpoint_id}", response_model=EndpointObject)
def retrieve_endpoint(endpoint_id: str, owner: Owner, service: Served) -> Any:
    """What is known of an endpoint."""
    return EndpointObject(**EndpointObject.fields_of(_find(service, owner, endpoint_id)))


@router.post(
    "/webhook_endpoints/{endpoint_id}",
    response_model=EndpointObject,
    openapi_extra={"x-body": "ChangeEndpoint"},
)
async def change_endpoint(endpoint_id: str, request: Request, owner: Owner, service: Served) -> Any:
    """Changes what is given of an endpoint."""
    async with open_body(request) as body:
        asked = body.read_as(ChangeEndpoint)
        if asked.url is not None:
            _check_url(service, asked.url)

        def change() -> Endpoint:
            _find(service, owner, endpoint_id)
            values = asked.model_dump(exclude_none=True)
            if "event_types" in values:
                values["event_types"] = ",".join(sorted(set(values["event_types"])))
            if values:
                service.hooks.change(owner, endpoint_id, values)
            return _find(service, owner, endpoint_id)

        return EndpointObject(**EndpointObject.fields_of(await in_thread(change)))


@router.delete("/webhook_endpoints/{endpoint_id}", response_model=EndpointDeleted)
def delete_endpoint(endpoint_id: str, owner: Owner, service: Served) -> Any:
    """Forgets an endpoint, and what was on its way to it."""
    _find(service, owner, endpoint_id)
    if not service.hooks.remove(owner, endpoint_id):
        raise not_found("webhook_endpoint", endpoint_id, "endpoint_id")
    return EndpointDeleted(id=endpoint_id)


@router.post(
    "/webhook_endpoints/{endpoint_id}/rotate_secret",
    response_model=EndpointWithSecret,
    openapi_extra={"x-body": "RotateSecret"},
)
async def rotate_secret(endpoint_id: str, request: Request, owner: Owner, service: Served) -> Any:
    """A new secret; the old one may sign for another day."""
    async with open_body(request) as body:
        asked = body.read_as(RotateSecret)

        def rotate() -> Endpoint:
            endpoint = _find(service, owner, endpoint_id)
            keep = asked.keep_old_secret_active_for_24_hours
            service.hooks.rotate(endpoint, keep_old=keep)
            return _find(service, owner, endpoint_id)

        return _with_secret(await in_thread(rotate))


@router.post(
    "/webhook_endpoints/{endpoint_id}/test",
    response_model=EndpointTested,
    openapi_extra={"x-body": "TestEndpoint"},
)
async def test_endpoint(endpoint_id: str, request: Request, owner: Owner, service: Served) -> Any:
    """Sends a sample message now, and says how it was answered."""
    async with open_body(request) as body:
        asked = body.read_as(TestEndpoint)

        def send() -> EndpointTested:
            endpoint = _find(service, owner, endpoint_id)
            event = new_id("evt")
            sample = hooks.event_body(event, asked.event_type, new_id("video"), time.time())
            try:
                answer = _send(service, endpoint, event, sample)
            except WorldreelError as error:
                message = f"The endpoint did not answer: {error}".replace("\n", " ")
                raise invalid(message, "endpoint_id", "endpoint_unreachable") from None
            return EndpointTested(
                webhook_endpoint_id=endpoint.id,
                event_type=asked.event_type,
                status_code=answer.status,
            )

        return await in_thread(send)


@router.get("/webhook_event_types", response_model=EventTypeList)
def list_event_types(owner: Owner) -> Any:
    """The events that there are."""
    return EventTypeList(data=list(EVENT_TYPES))


class Postman:
    """Sends the messages that are due, and tries again later those that did not arrive."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        """Begins, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the message in hand."""
        self._stopping.set()
        self._thread.join(SEND_S)

    def round(self) -> int:
        """Sends what is due now; returns how many messages that were."""
        due = self._service.hooks.due()
        for delivery in due:
            try:
                answer = _send(self._service, delivery.endpoint, delivery.event, delivery.body)
                arrived, said = 200 <= answer.status < 300, str(answer.status)
            except WorldreelError as error:
                arrived, said = False, str(error).replace("\n", " ")
            self._service.hooks.sent(delivery, said, delivered=arrived)
        return len(due)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                sent = self.round()
            except DBAPIError as error:
                log.warning("webhooks: %s", str(error.orig).splitlines()[0])
                sent = 0
            except Exception:
                log.exception("webhooks failed")
                sent = 0
            self._stopping.wait(0 if sent else LOOK_S)


def _send(service: Service, endpoint: Endpoint, event: str, body: str) -> outward.Answer:
    return outward.request(
        "POST",
        endpoint.url,
        private=service.settings.private_addresses,
        timeout_s=SEND_S,
        max_bytes=ANSWER_MAX_BYTES,
        body=body.encode(),
        headers=hooks.headers(endpoint, event, body),
    )


def _check_url(service: Service, url: str) -> None:
    private = service.settings.private_addresses
    try:
        address = outward.parse_url(url, private=private)
    except UsageError as error:
        raise invalid(str(error).replace("\n", " "), "url") from None
    if address.scheme != "https" and not private:
        raise invalid("The URL must begin with https.", "url")


def _with_secret(endpoint: Endpoint) -> EndpointWithSecret:
    fields = EndpointObject.fields_of(endpoint)
    return EndpointWithSecret(**fields, signing_secret=endpoint.secret)


def _find(service: Service, owner: str, endpoint: str, param: str = "endpoint_id") -> Endpoint:
    found = service.hooks.get(owner, endpoint) if "\0" not in endpoint else None
    if found is None:
        raise not_found("webhook_endpoint", endpoint, param)
    return found
