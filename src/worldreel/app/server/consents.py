"""The routes of consents: recorded, looked at, revoked."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from worldreel.app.jobs.consents import Consent
from worldreel.app.server.bodies import open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.problems import invalid, not_found
from worldreel.app.server.service import Served, Service, in_thread
from worldreel.app.server.shapes import In, Storable

router = APIRouter(prefix="/v1/consents", tags=["consents"])

LATEST_S = 253402300799
"""The last second of the year 9999."""
When = Annotated[int, Field(ge=0, le=LATEST_S)]


class CreateConsent(In):
    """The body of ``POST /v1/consents``."""

    person: Annotated[Storable, Field(min_length=1, max_length=200)]
    """Whose likeness it is."""
    purpose: Annotated[Storable, Field(min_length=1, max_length=1000)]
    """What they agreed to be shown for."""
    evidence: Annotated[Storable, Field(max_length=1000)] = ""
    """Where their word is kept, such as the number of a contract."""
    given_at: When | None = None
    """Unix seconds; now if it is left out."""
    expires_at: When | None = None
    """Unix seconds; without it the consent holds until it is revoked."""


class ConsentObject(BaseModel):
    """A consent."""

    id: str
    object: Literal["consent"] = "consent"
    created_at: int
    person: str
    purpose: str
    evidence: str
    given_at: int
    expires_at: int | None
    revoked_at: int | None

    @classmethod
    def of(cls, consent: Consent) -> "ConsentObject":
        """A row as clients see it."""
        return cls(
            id=consent.id,
            created_at=int(consent.created_at),
            person=consent.person,
            purpose=consent.purpose,
            evidence=consent.evidence,
            given_at=int(consent.given_at),
            expires_at=None if consent.expires_at is None else int(consent.expires_at),
            revoked_at=None if consent.revoked_at is None else int(consent.revoked_at),
        )


class ConsentList(BaseModel):
    """A page of consents."""

    object: Literal["list"] = "list"
    data: list[ConsentObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


@router.post("", response_model=ConsentObject, openapi_extra={"x-body": "CreateConsent"})
async def create_consent(request: Request, owner: Owner, service: Served) -> Any:
    """Records who agreed to be shown, for what and until when."""
    async with open_body(request) as body:
        asked = body.read_as(CreateConsent)
        given_at, expires_at = asked.given_at or 0, asked.expires_at
        if expires_at is not None and expires_at <= given_at:
            raise invalid("expires_at: it lies before given_at.", "expires_at")
        return ConsentObject.of(
            await in_thread(lambda: service.consents.add(owner, **asked.model_dump()))
        )


@router.get("", response_model=ConsentList)
def list_consents(
    owner: Owner,
    service: Served,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=128)] = None,
) -> Any:
    """The owner's consents, the newest first."""
    last = None if after is None else _find(service, owner, after, "after")
    found = service.consents.page(owner, limit + 1, last)
    data = [ConsentObject.of(consent) for consent in found[:limit]]
    return ConsentList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


@router.get("/{consent_id}", response_model=ConsentObject)
def retrieve_consent(consent_id: str, owner: Owner, service: Served) -> Any:
    """A consent, and whether it was revoked."""
    return ConsentObject.of(_find(service, owner, consent_id))


@router.post("/{consent_id}/revoke", response_model=ConsentObject)
def revoke_consent(consent_id: str, owner: Owner, service: Served) -> Any:
    """Ends a consent: nothing that rests on it is begun or published after this is answered."""
    _find(service, owner, consent_id)
    service.consents.revoke(owner, consent_id)
    return ConsentObject.of(_find(service, owner, consent_id))


def _find(service: Service, owner: str, consent: str, param: str = "consent_id") -> Consent:
    found = service.consents.get(owner, consent) if "\0" not in consent else None
    if found is None:
        raise not_found("consent", consent, param)
    return found
