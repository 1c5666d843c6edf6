"""Routes for those who run the server: models, estimates, health, readiness, metrics."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from worldreel.app.jobs.offered import Offered, default_model, offered_models
from worldreel.app.jobs.stages import PROCESS_BYTES, memory_of
from worldreel.app.jobs.video import COMPLETED, FAILED, IN_PROGRESS, QUEUED
from worldreel.app.machine import memory_size_bytes
from worldreel.app.server.callers import Owner
from worldreel.app.server.metrics import gauge
from worldreel.app.server.model_shapes import (
    MADE_BEFORE_SUMMER,
    ModelFacts,
    ModelList,
    ModelObject,
    SamplingFacts,
    SecondsFacts,
    SizeFacts,
)
from worldreel.app.server.problems import not_found
from worldreel.app.server.service import DISK_SPARE_BYTES, Served, Service
from worldreel.app.server.shapes import EstimateObject
from worldreel.app.server.videos import estimate_video
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.weights.description import ModelDescription
from worldreel.weights.open_models import OPEN_MODELS, OpenModel

router = APIRouter()


class Health(BaseModel):
    """Whether the process answers."""

    status: str = "ok"


class Readiness(BaseModel):
    """Whether videos can be accepted and made, and if not, why."""

    ready: bool
    database: bool
    workers: int
    disk_free_bytes: int
    reasons: list[str]


@router.get("/healthz", response_model=Health, tags=["operations"])
async def healthz() -> Any:
    """Whether the process answers; touches nothing else."""
    return Health()


@router.get(
    "/readyz",
    response_model=Readiness,
    tags=["operations"],
    responses={503: {"model": Readiness, "description": "Not ready."}},
)
def readyz(service: Served) -> Any:
    """Whether the database answers, a worker lives and there is space on the disk."""
    found = readiness(service)
    return JSONResponse(found.model_dump(), 200 if found.ready else 503)


def readiness(service: Service) -> Readiness:
    """Whether videos can be accepted and made."""
    reasons, database, living = [], True, 0
    try:
        service.database.check()
        living = len(service.workers.living(service.settings.lease_s))
    except WorldreelError as error:
        database = False
        reasons.append(error.message)
    if database and not living:
        reasons.append("No worker is alive: videos are accepted, and wait.")
    free = service.free_bytes()
    if free < DISK_SPARE_BYTES:
        reasons.append(f"Only {free:,} bytes of the disk are free.")
    return Readiness(
        ready=not reasons, database=database, workers=living, disk_free_bytes=free, reasons=reasons
    )


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    tags=["operations"],
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(service: Served) -> Any:
    """Counters for Prometheus: no names, no prompts."""
    counts = {status: 0 for status in (QUEUED, IN_PROGRESS, COMPLETED, FAILED)}
    counts |= service.videos.counts()
    _, work_s = service.videos.waiting()
    living = service.workers.living(service.settings.lease_s)
    by_status = {f'status="{status}"': float(count) for status, count in counts.items()}
    lines = [
        *service.metrics.lines(),
        *gauge("worldreel_videos", "Videos by status.", by_status),
        *gauge("worldreel_queue_work_seconds", "Reckoned work that waits.", {"": work_s}),
        *gauge("worldreel_workers", "Workers that are alive.", {"": float(len(living))}),
        *gauge("worldreel_disk_free_bytes", "Free disk.", {"": float(service.free_bytes())}),
        *gauge(
            "worldreel_published_bytes",
            "Published files.",
            {"": float(service.videos.used_bytes())},
        ),
    ]
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


@router.get("/v1/models", response_model=ModelList, tags=["models"])
def list_models(owner: Owner, service: Served, all: Annotated[bool | None, Query()] = None) -> Any:
    """The names that can be asked for, and what serves them.

    With ``all``, also the open models that could be fetched to this machine.
    """
    models = offered_models(service.settings)
    found = [_model(service, models[name]) for name in sorted(models)]
    if all:
        missing = [model for name, model in OPEN_MODELS.items() if name not in models]
        found += [_far(service, model) for model in missing]
    return ModelList(data=found)


@router.get("/v1/models/{model}", response_model=ModelObject, tags=["models"])
def retrieve_model(model: str, owner: Owner, service: Served) -> Any:
    """One of them."""
    found = offered_models(service.settings).get(model)
    if found is None:
        raise not_found("model", model, "model")
    return _model(service, found)


router.post(
    "/v1/estimates",
    response_model=EstimateObject,
    tags=["videos"],
    openapi_extra={"x-body": "CreateVideo"},
)(estimate_video)


def _far(service: Service, model: OpenModel) -> ModelObject:
    """An open model that is not on this machine."""
    offered = Offered(model.name, model.name, model.description, is_alias=False)
    return _model(service, offered, installed=False)


def _model(service: Service, offered: Offered, *, installed: bool = True) -> ModelObject:
    description = offered.description
    memory_bytes, disk_bytes = memory_of(description), description.size_bytes
    if (model := OPEN_MODELS.get(description.name)) is not None:
        memory_bytes = int(model.memory_bytes + PROCESS_BYTES)
        disk_bytes = int(model.download_bytes)
    across, down = description.size_multiple
    return ModelObject(
        id=offered.name,
        created=MADE_BEFORE_SUMMER,
        owned_by="worldreel",
        worldreel=ModelFacts(
            model=description.name,
            version=description.version,
            license=description.license,
            summary=description.summary,
            takes=list(description.takes),
            fps=description.fps,
            size=SizeFacts(
                default=list(description.size.default),
                min=description.size.min,
                max=description.size.max,
                multiple=[across, down],
                trained=[list(size) for size in description.size.trained],
            ),
            seconds=SecondsFacts(default=description.seconds.default, max=description.seconds.max),
            sampling=SamplingFacts(
                num_inference_steps=description.sampling.num_inference_steps,
                guidance_scale=description.sampling.guidance_scale,
            ),
            official_sizes=offered.is_alias,
            installed=installed,
            downloadable=description.name in OPEN_MODELS,
            is_default=offered.name == default_model(service.settings),
            memory_bytes=memory_bytes,
            disk_bytes=disk_bytes,
            fits=memory_bytes <= memory_size_bytes(),
            plays=_plays(description),
            actions=[],
        ),
    )


def _plays(description: ModelDescription) -> bool:
    """Whether it can go on without an end."""
    from worldreel.generate.endless import CONTEXT, check_playable

    try:
        check_playable(description, description.size.default, CONTEXT)
    except UsageError:
        return False
    return True
