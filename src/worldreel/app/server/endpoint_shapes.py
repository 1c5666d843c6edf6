"""What goes in and out over HTTP about webhooks: OpenAI's shapes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from worldreel.app.jobs.hooks import EVENT_TYPES, Endpoint
from worldreel.app.server.shapes import In, Storable

EventType = Literal["video.completed", "video.failed"]
Name = Annotated[Storable, Field(min_length=1, max_length=255)]
Url = Annotated[Storable, Field(min_length=1, max_length=2048)]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=len(EVENT_TYPES))]


class CreateEndpoint(In):
    """The body of ``POST /v1/webhook_endpoints``."""

    name: Name
    url: Url
    event_types: EventTypes


class ChangeEndpoint(In):
    """The body of ``POST /v1/webhook_endpoints/{id}``."""

    name: Name | None = None
    url: Url | None = None
    event_types: EventTypes | None = None


class RotateSecret(In):
    """The body of ``POST /v1/webhook_endpoints/{id}/rotate_secret``."""

    keep_old_secret_active_for_24_hours: bool = False


class TestEndpoint(In):
    """The body of ``POST /v1/webhook_endpoints/{id}/test``."""

    __test__ = False  # its name is that of the call, and no test's

    event_type: EventType


class EndpointObject(BaseModel):
    """An address that is told when a video is done."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    created_at: int
    updated_at: int
    name: str
    url: str
    event_types: list[str]
    signing_secret_hint: str

    @classmethod
    def fields_of(cls, endpoint: Endpoint) -> dict[str, Any]:
        """A row as clients see it, without its secret."""
        return {
            "id": endpoint.id,
            "created_at": int(endpoint.created_at),
            "updated_at": int(endpoint.updated_at),
            "name": endpoint.name,
            "url": endpoint.url,
            "event_types": endpoint.event_types.split(","),
            "signing_secret_hint": f"whsec_...{endpoint.secret[-4:]}",
        }


class EndpointWithSecret(EndpointObject):
    """The same with its secret: at its making and after a rotation only."""

    signing_secret: str


class EndpointList(BaseModel):
    """A page of endpoints."""

    object: Literal["list"] = "list"
    data: list[EndpointObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class EndpointDeleted(BaseModel):
    """An endpoint that is gone."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: bool = True


class EndpointTested(BaseModel):
    """How a test message was answered."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    event_type: str
    status_code: int
    success: Literal[True] = True


class EventTypeList(BaseModel):
    """The events that there are."""

    object: Literal["list"] = "list"
    data: list[str]
