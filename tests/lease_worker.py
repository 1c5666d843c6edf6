"""A worker with a short lease, which may hang inside its first stretch, or forget its first end.

python -m tests.lease_worker DATA URL NAME LOG HANG
"""

import sqlite3
import sys
import threading
import time
from itertools import count
from pathlib import Path

from dbos._dbos import _get_dbos_instance
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
    if how == "unrecorded":
        worker.shop.remember = forgetful(worker.shop.remember)
    sys.exit(worker.run())


def forgetful(remember):
    """Keeps the first result as a full disk does: neither it nor the workflow's end is written."""
    full = sqlite3.OperationalError("database or disk is full")
    calls = count()

    def remembered(name, act):
        if next(calls):
            return remember(name, act)
        act()
        system = _get_dbos_instance()._sys_db
        write = system.update_workflow_outcome

        def fails(*args, **options):
            system.update_workflow_outcome = write
            raise full

        system.update_workflow_outcome = fails
        raise full

    return remembered


if __name__ == "__main__":
    main(*sys.argv[1:])
