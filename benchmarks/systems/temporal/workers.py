"""The process that executes workflows and activities."""

import asyncio
import sys

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.systems.temporal.workflows import QUEUE, Chain, Fan, Once, now


async def main(address: str) -> None:
    worker = Worker(
        await Client.connect(address),
        task_queue=QUEUE,
        workflows=[Once, Chain, Fan],
        activities=[now],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=100,
        max_concurrent_activities=200,
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
