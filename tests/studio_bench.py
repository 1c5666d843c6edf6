"""A server in this very process with a tiny model: all is as it really is but the sockets."""

import dataclasses
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient
from tests.job_bench import migrated
from tests.tiny_model import DESCRIPTION, StandInText, tiny_model

from worldreel.app.jobs.marking import Marking
from worldreel.app.jobs.settings import Settings
from worldreel.app.jobs.stages import Maker
from worldreel.app.jobs.workflow import Workshop, make
from worldreel.app.server.application import make_app
from worldreel.app.server.service import Service

KEY = "studio-bench-key-0123456789"
TINY = dataclasses.replace(
    DESCRIPTION, takes=("text", "first_frame", "last_frame", "clip"), vocabulary="open"
)


class AllRead(StandInText):
    """A text encoder that every prompt is short enough for."""

    def truncated_words(self, prompt: str) -> str:
        """What of a prompt is not read."""
        return ""


class StudioBench:
    """A server, a client of it with a key, and a worker that works when it is told to.

    Args:
        settings: of `Settings`, beside the folder and the model.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        model = folder / "model"
        model.mkdir(parents=True)
        (model / "model.json").write_text(TINY.to_json())
        data = folder / "data"
        data.mkdir()
        (data / "worldreel.sqlite").write_bytes(migrated())
        names = (("sora-2", str(model)), ("sora-2-pro", str(model)))
        self.service = Service.open(Settings(data=data, aliases=names, **settings))
        self.service.workers.beat("worker", "process", first=True)
        self.service.keys.add("alice", KEY, admin=True)
        self.app = make_app(self.service, posts=False)
        self.client = self.as_owner(KEY)
        maker = Maker(marking=Marking(data))
        maker._model = (str(model), dataclasses.replace(tiny_model(TINY), text=AllRead()))
        self._shop = Workshop(
            settings=self.service.settings,
            folder=self.service.folder,
            store=self.service.videos,
            workers=self.service.workers,
            maker=maker,
            worker="worker",
            remember=lambda name, act: act(),
        )

    def as_owner(self, key: str | None) -> TestClient:
        """A client with a key, or with none."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return TestClient(self.app, "http://127.0.0.1:8000", headers=headers)

    def work(self) -> None:
        """Makes every video that waits."""
        for video in self.service.videos.undispatched():
            claim = self.service.videos.claim(video.id, "worker")
            assert claim is not None
            make(self._shop, claim)

    def make(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The finished videos of a body of ``POST /v1/canvases``."""
        answer = self.client.post("/v1/canvases", json=body)
        assert answer.status_code == 200, answer.text
        self.work()
        done = [self.client.get(f"/v1/videos/{v['id']}").json() for v in answer.json()["data"]]
        assert all(video["status"] == "completed" for video in done), done
        return done

    def path(self, video: str) -> Path:
        """The published file of a video."""
        (folder,) = self.service.folder.videos.glob(f"{video}.*")
        return folder / "video.mp4"

    def close(self) -> None:
        """Lets go of the database."""
        self.service.database.close()
