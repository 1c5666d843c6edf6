"""Cases out of the OpenAPI document, by the thousand: server errors and unannounced answers.

python benchmarks/api_contract.py --cases 20000 --out benchmarks/results/api-contract.json
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.contract_cases import MODES, operations, try_operation  # noqa: E402

from worldreel.app.jobs.settings import Settings  # noqa: E402
from worldreel.app.server.application import make_app  # noqa: E402
from worldreel.app.server.service import Service  # noqa: E402

ROUND = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="api-contract-")) / "data"
    service = Service.open(Settings(data=folder, lease_s=3600, queue_max=1000, plays_max=0))
    service.keys.add("default", "contract-test-key")
    service.workers.beat("worker", "process", first=True)
    app = make_app(service, posts=False)
    headers = {"authorization": "Bearer contract-test-key"}
    tried, failures = 0, []
    number = options.seed
    while tried < options.cases:
        number += 1
        for operation in operations(app):
            has_parts = operation.path_parameters or operation.query or operation.body
            for mode in MODES if has_parts else ["positive"]:
                examples = ROUND if has_parts else 5
                try:
                    tried += try_operation(operation, mode, examples, number, headers)
                except BaseExceptionGroup as error:
                    failures.append({"operation": operation.label, "what": str(error)[:2000]})
                except Exception as error:
                    failures.append({"operation": operation.label, "what": repr(error)[:2000]})
        print(f"{tried} cases, {len(failures)} failures", file=sys.stderr, flush=True)
    result = {
        "cases": tried,
        "operations": len(list(operations(app))),
        "seed": options.seed,
        "failures": len(failures),
        "examples": failures[:10],
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
