"""Serves one SDK's client to the tests: a JSON request a line on stdin, a JSON answer a line on stdout.

    python driver.py render|render_sdk

Only what the SDK documents is called, plus the generated API functions that ship with it.
"""

import asyncio
import importlib
import json
import sys
from typing import Any

PACKAGE = sys.argv[1]
sdk = importlib.import_module(PACKAGE)


class Operations:
    """One method for each operation the tests ask for; each returns something JSON can hold."""

    def __init__(self) -> None:
        self.sync = sdk.Render().workflows
        self.asynchronous = sdk.RenderAsync().workflows

    async def version(self) -> str:
        return str(sdk.__version__)

    async def start(self, task: str, input: Any, **options: Any) -> Any:
        return (await asyncio.to_thread(self.sync.start_task, task, input, **options)).to_dict()

    async def run(self, task: str, input: Any, **options: Any) -> Any:
        return (await asyncio.to_thread(self.sync.run_task, task, input, **options)).to_dict()

    async def run_async(self, task: str, input: Any, **options: Any) -> Any:
        return (await self.asynchronous.run_task(task, input, **options)).to_dict()

    async def start_then_await(self, task: str, input: Any) -> Any:
        started = await self.asynchronous.start_task(task, input)
        return {"id": started.id, "status": started.status, "details": (await started).to_dict()}

    async def get(self, run: str) -> Any:
        return (await asyncio.to_thread(self.sync.get_task_run, run)).to_dict()

    async def cancel(self, run: str) -> Any:
        return await asyncio.to_thread(self.sync.cancel_task_run, run)

    async def list_runs(self, **filters: Any) -> Any:
        types = importlib.import_module(f"{PACKAGE}.client.types")
        found = await asyncio.to_thread(self.sync.list_task_runs, types.ListTaskRunsParams(**filters))
        return [item.to_dict() for item in found]

    async def events(self, runs: list[str]) -> Any:
        return [event.to_dict() async for event in self.asynchronous.task_run_events(runs)]

    async def events_sync(self, runs: list[str]) -> Any:
        return await asyncio.to_thread(lambda: [event.to_dict() for event in self.sync.task_run_events(runs)])

    async def generated(self, group: str, function: str, **arguments: Any) -> Any:
        """Call a function of the SDK's generated API; 0.6.0 marks the groups with `_ea`."""
        client = self.sync.client.internal
        for suffix in ("", "_ea"):
            try:
                module = importlib.import_module(f"{PACKAGE}.public_api.api.{group}{suffix}.{function}")
            except ModuleNotFoundError:
                continue
            answer = await module.asyncio_detailed(client=client, **arguments)
            return {"status": int(answer.status_code), "parsed": plain(answer.parsed)}
        raise LookupError(f"{PACKAGE} has no generated {group}.{function}")


def plain(value: Any) -> Any:
    """The generated models in `value` as dictionaries."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


async def answer(operations: Operations, request: dict[str, Any]) -> None:
    message: dict[str, Any] = {"number": request["number"]}
    try:
        message["value"] = await getattr(operations, request["operation"])(**request["arguments"])
    except Exception as error:
        message["error"] = {"kind": type(error).__name__, "message": str(error), "code": getattr(error, "code", None)}
    print(json.dumps(message), flush=True)


async def main() -> None:
    operations = Operations()
    running: set[asyncio.Task[None]] = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        task = asyncio.create_task(answer(operations, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


asyncio.run(main())
