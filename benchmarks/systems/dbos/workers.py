"""An executor of its own, which takes runs from the queue."""

import sys
import threading

from dbos import DBOS

from benchmarks.systems.dbos.workflows import QUEUE, QUEUE_POLL_SECONDS, launch


def main(url: str) -> None:
    launch(url)
    DBOS.register_queue(QUEUE, polling_interval_sec=QUEUE_POLL_SECONDS)
    print("ready")
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
