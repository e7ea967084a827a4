"""Drives the machine: a fork, a fresh Python process, or a commit, with nothing around it."""

import contextlib
import os
import sys
import time
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.drivers import Answer, Driver, serve

READ_CLOCK = "import time; print(time.monotonic_ns())"
COMMIT = "INSERT INTO readings (clock) VALUES (%s)"


class Processes(Driver):
    """A child process that writes its clock reading to a pipe and ends."""

    @abstractmethod
    def spawn(self) -> int:
        """Start one child, and return the pipe to read its answer from."""

    def child(self) -> int:
        """Reap the children that have ended, then start one."""
        _reap()
        return self.spawn()

    async def once(self) -> int:
        return _reading(self.child())

    async def chain(self, hops: int) -> list[int]:
        return [_reading(self.child()) for _ in range(hops)]

    async def fan(self, children: int) -> int:
        return len([_reading(pipe) for pipe in [self.child() for _ in range(children)]])

    async def burst(self, runs: int, in_flight: int, seconds: float) -> list[float]:
        stop_at = time.monotonic() + seconds
        taken: list[float] = []
        window: deque[tuple[float, int]] = deque()

        def settle() -> None:
            begun, pipe = window.popleft()
            _reading(pipe)
            taken.append(time.monotonic() - begun)

        for _ in range(runs):
            begun = time.monotonic()
            if begun >= stop_at:
                break
            window.append((begun, self.child()))
            if len(window) == in_flight:
                settle()
        while window:
            settle()
        return taken


class Forks(Processes):
    def spawn(self) -> int:
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, str(time.monotonic_ns()).encode())
            os._exit(0)
        os.close(writing)
        return reading


class FreshProcesses(Processes):
    def spawn(self) -> int:
        reading, writing = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, writing, 1)]
        command = [sys.executable, "-c", READ_CLOCK]
        os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
        os.close(writing)
        return reading


class Commits(Driver):
    """One connection, one inserted row a transaction."""

    def __init__(self, url: str) -> None:
        import psycopg  # not before the fork is measured: it makes the process, and so each fork, larger

        self._connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
        self._connection.execute("CREATE TABLE readings (clock bigint)")

    async def once(self) -> int:
        self._connection.execute(COMMIT, (time.monotonic_ns(),))
        return time.monotonic_ns()

    async def chain(self, hops: int) -> list[int]:
        return [await self.once() for _ in range(hops)]

    async def fan(self, children: int) -> int:
        return len(await self.chain(children))


def _reading(pipe: int) -> int:
    """A child's answer; the child is reaped before the next one starts, as a result does not wait for that."""
    text = os.read(pipe, 64)
    os.close(pipe)
    return int(text)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@asynccontextmanager
async def opened(settings: Answer) -> AsyncIterator[Driver]:
    match settings["limit"]:
        case "fork":
            yield Forks()
        case "process":
            yield FreshProcesses()
        case "commit":
            yield Commits(settings["url"])


if __name__ == "__main__":
    serve(opened)
