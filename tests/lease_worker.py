"""A worker with a short lease, which may hang inside its first stretch.

python -m tests.lease_worker DATA URL NAME LOG HANG
"""

import sys
import threading
import time
from pathlib import Path

from tests.job_bench import QuickMaker

from worldreel.app.jobs.settings import Settings
from worldreel.app.jobs.worker import Worker

LEASE_S = 2.0


def main(data: str, url: str, name: str, log: str, how: str) -> None:
    settings = Settings(data=Path(data), database=url or None, lease_s=LEASE_S, poll_s=0.05)
    worker = Worker(settings, name)
    maker = QuickMaker(num_stretches=1)
    maker.load = lambda model: None
    worker.shop.maker = maker

    def hurt(where: str) -> None:
        if how == "slow":
            time.sleep(0.1)
        elif log:
            with open(log, "a") as file:
                file.write(f"{name} {where}\n")
        if how == "hang" and where == "denoise":
            threading.Event().wait()

    worker.shop.hurt = hurt
    sys.exit(worker.run())


if __name__ == "__main__":
    main(*sys.argv[1:])
