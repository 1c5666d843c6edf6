"""The OpenAPI document against the server: no answer that it does not announce, no server error."""

import pytest
from tests.contract_cases import operations, try_operation
from tests.job_bench import Bench

from worldreel.app.jobs.offered import offered_models
from worldreel.app.jobs.settings import Settings
from worldreel.app.server.application import make_app
from worldreel.app.server.service import Service

EXAMPLES = 8
"""For each operation; benchmarks/api_contract.py tries 20,000 cases."""


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract") / "data"
    service = Service.open(Settings(data=folder, lease_s=3600, plays_max=0))
    service.workers.beat("worker", "process", first=True)
    service.keys.add("default", "contract-test-key")
    offered_models(service.settings)
    yield make_app(service, posts=False)
    service.database.close()


HEADERS = {"authorization": "Bearer contract-test-key"}


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_answer_is_announced(app, mode):
    tried = 0
    for operation in operations(app):
        if mode == "negative" and not has_parts(operation):
            continue  # there is nothing that could be wrong
        tried += try_operation(operation, mode, EXAMPLES, 0, HEADERS)
    assert tried > 5 * EXAMPLES


def has_parts(operation):
    return bool(operation.path_parameters or operation.query or operation.body)


def test_the_document_names_every_route(app):
    paths = set(app.openapi()["paths"])
    assert {
        "/v1/videos",
        "/v1/videos/{video_id}/content",
        "/v1/videos/{video_id}/events",
        "/v1/videos/characters",
        "/v1/estimates",
        "/v1/webhook_endpoints/{endpoint_id}/test",
        "/healthz",
        "/metrics",
    } <= paths


def test_a_service_opens_where_another_left_off(tmp_path):
    bench = Bench(tmp_path / "data")
    video = bench.admit()
    bench.database.close()
    service = Service.open(Settings(data=tmp_path / "data"))
    assert service.videos.get("alice", video) is not None
    service.database.close()
