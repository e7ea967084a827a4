"""The program that the SDK's process tests run: written to a file and started by path."""

PROGRAM = """
import asyncio, os, resource, subprocess, sys, time
from skerry import NonRetryable, TaskContext, TaskRunError, Workflows, context

print("imported")
app = Workflows()


@app.task
def square(x: int) -> int:
    print(f"squaring {x}", end="")
    return x * x


@app.task
async def double(x: int) -> int:
    return 2 * x


@app.task
async def fan_out(count: int) -> int:
    return sum(await asyncio.gather(*[double(i) for i in range(count)]))


@app.task
async def mapped(count: int, limit: int) -> list[int]:
    return await double.map(range(count), limit=limit)


@app.task
def mapped_blocking(count: int, limit: int) -> list[int]:
    return square.map(range(count), limit=limit) + [square(9)]


@app.task
async def sequential(count: int) -> int:
    total = 0
    for i in range(count):
        total += await square(i)
    return total


@app.task
async def chains(count: int, length: int) -> int:
    return sum(await asyncio.gather(*[chain(i, length) for i in range(count)]))


async def chain(start: int, length: int) -> int:
    return sum([await double(start + i) for i in range(length)])


@app.task
async def with_handles() -> list:
    handle = square.with_options(plan="pro", timeout_seconds=99).submit(1)
    other = double.submit(2)
    run_id = await handle.started()
    other.cancel()
    return [run_id == handle.run_id, await handle, await handle]


@app.task
async def gives_up() -> str:
    try:
        async with asyncio.timeout(0.1):
            await double(1)
    except TimeoutError:
        return "gave up"
    return "got it"


@app.task
async def calls_missing() -> str:
    try:
        await missing(1)
    except Exception as error:
        return f"{type(error).__name__} {error.status} {error.code}"
    return "no error"


@app.task(name="missing")
async def missing(x: int) -> int: ...


@app.task
async def handles_failure() -> dict:
    try:
        await double(1)
    except TaskRunError as error:
        told = {"type": error.type, "message": error.message, "trace": error.stack_trace, "run": error.run_id}
        return {**told, "kind": type(error).__name__}
    return {}


@app.task
def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

@app.task
def who(ctx: TaskContext) -> dict:
    import threading
    seen = []
    thread = threading.Thread(target=lambda: seen.append(context().run_id))
    thread.start()
    thread.join()
    return {
        "run": ctx.run_id,
        "thread": seen[0],
        "number": ctx.attempt_number,
        "parent": ctx.parent_run_id,
        "metadata": ctx.metadata,
        "year": ctx.deadline.year,
        "workflow": ctx.workflow,
        "mode": os.environ["SKERRY_SDK_MODE"],
        "socket": os.environ["SKERRY_SDK_SOCKET_PATH"],
        "session": os.getsid(0) == os.getpid(),
    }


@app.task
def refuses() -> None:
    raise NonRetryable("never")


@app.task
def sleeps() -> None:
    try:
        print("sleeping", flush=True)
        time.sleep(30)
    finally:
        print("cleaned up")


@app.task
async def sleeps_async() -> None:
    try:
        print("sleeping", flush=True)
        await asyncio.sleep(30)
    finally:
        await asyncio.sleep(0)
        print("cleaned up")


@app.task
def logs() -> None:
    context().logger.info("hello from %s", context().task)


@app.task
def leaves_orphans() -> int:
    script = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(60)"
    program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    return int(program.stdout.readline())


@app.task
def dies() -> None:
    os._exit(3)


@app.task
def bad_result() -> object:
    return {"file": sys.stdin}
"""
