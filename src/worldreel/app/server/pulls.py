"""The routes of open models that are fetched from the hub while the server runs."""

import logging
import threading
from dataclasses import dataclass, replace
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from worldreel.app.server.callers import Admin, Owner
from worldreel.app.server.problems import invalid, not_found
from worldreel.core.errors import WorldreelError
from worldreel.weights import hub
from worldreel.weights.open_models import OPEN_MODELS, OpenModel

router = APIRouter(prefix="/v1/models/{model}/pull", tags=["models"])

log = logging.getLogger("worldreel.server")

Status = Literal["none", "running", "done", "failed", "cancelled"]


class PullObject(BaseModel):
    """How far a model has come."""

    object: Literal["model.pull"] = "model.pull"
    model: str
    status: Status
    stage: str
    """``download``, then ``check``."""
    done_bytes: int
    total_bytes: int
    error: str | None


@dataclass(frozen=True)
class _Pull:
    status: Status = "none"
    stage: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    error: str | None = None


class _Cancelled(Exception):
    """Nobody wants the model any more."""


class Pulls:
    """Downloads of this process, one after the other for each model, each in its own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pulls: dict[str, _Pull] = {}
        self._unwanted: set[str] = set()

    def start(self, model: OpenModel) -> None:
        """Begins to fetch a model; goes on where an earlier one stopped."""
        with self._lock:
            if self._state(model.name).status == "running":
                return
            self._unwanted.discard(model.name)
            self._pulls[model.name] = _Pull("running")
        threading.Thread(target=self._run, args=(model,), name="pull", daemon=True).start()

    def stop(self, name: str) -> bool:
        """Asks a download to end; what has come is kept. False where there is none."""
        with self._lock:
            if self._state(name).status != "running":
                return False
            self._unwanted.add(name)
            return True

    def show(self, model: OpenModel) -> PullObject:
        """How far a model has come."""
        with self._lock:
            state = self._state(model.name)
        if state.status == "none" and hub.find_pulled(model) is not None:
            state = _Pull("done")
        return PullObject(model=model.name, **vars(state))

    def _state(self, name: str) -> _Pull:
        return self._pulls.get(name, _Pull())

    def _run(self, model: OpenModel) -> None:
        def report(done: int, total: int, stage: str) -> None:
            with self._lock:
                if model.name in self._unwanted:
                    raise _Cancelled
                self._pulls[model.name] = _Pull("running", stage, done, total)

        ended = _Pull("done")
        try:
            hub.pull(model, report)
        except _Cancelled:
            ended = _Pull("cancelled")
        except WorldreelError as error:
            ended = _Pull("failed", error=str(error).replace("\n", " "))
        except Exception as error:
            log.exception("the model %s could not be fetched", model.name)
            what = f"The download failed ({type(error).__name__}). It has been logged."
            ended = _Pull("failed", error=what)
        with self._lock:
            last = self._state(model.name)
            kept = {"done_bytes": last.done_bytes, "total_bytes": last.total_bytes}
            self._pulls[model.name] = replace(ended, stage=last.stage, **kept)


@router.post("", response_model=PullObject)
def pull_model(model: str, request: Request, admin: Admin) -> Any:
    """Begins to fetch an open model to the server's machine, every byte checked."""
    found = _find(model)
    pulls: Pulls = request.app.state.pulls
    pulls.start(found)
    return pulls.show(found)


@router.get("", response_model=PullObject)
def retrieve_pull(model: str, request: Request, owner: Owner) -> Any:
    """How far it has come."""
    return request.app.state.pulls.show(_find(model))


@router.delete("", response_model=PullObject)
def cancel_pull(model: str, request: Request, admin: Admin) -> Any:
    """Stops it; what has come is kept for the next time."""
    found = _find(model)
    pulls: Pulls = request.app.state.pulls
    if not pulls.stop(found.name):
        raise invalid("It is not being fetched.", "model", "no_pull")
    return pulls.show(found)


def _find(model: str) -> OpenModel:
    if model not in OPEN_MODELS:
        raise not_found("model", model, "model")
    return OPEN_MODELS[model]
