"""A worker that kills itself at a certain move, and writes down every move that it makes.

    python -m tests.dying_worker DATA LOG MOVE

``MOVE`` is a name of `Workshop.hurt`; empty for a worker that lives.
"""

import os
import signal
import sys
from pathlib import Path

from tests.job_bench import QuickMaker

from worldreel.app.jobs.settings import Settings
from worldreel.app.jobs.worker import Worker


def main(data: str, log: str, move: str) -> None:
    worker = Worker(Settings(data=Path(data), poll_s=0.05, drain_s=1), "dying-0")
    maker = QuickMaker(num_stretches=3)
    maker.load = lambda model: None
    worker.shop.maker = maker

    def hurt(where: str) -> None:
        with open(log, "a") as file:
            file.write(where + "\n")
            file.flush()
        if where == move:
            os.kill(os.getpid(), signal.SIGKILL)

    worker.shop.hurt = hurt
    sys.exit(worker.run())


if __name__ == "__main__":
    main(*sys.argv[1:])
