from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sdk.programs import PROGRAM
from tests.integration.sdk.runners import FakeRunner
from tests.integration.sdk.zygotes import ZygoteProcess


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's program, in a folder of its own."""
    path = tmp_path_factory.mktemp("program") / "main.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture(scope="module")
def zygote(program: Path) -> Iterator[ZygoteProcess]:
    """A zygote that has imported the program."""
    with ZygoteProcess("main.py", program.parent) as process:
        ready = process.message()
        assert ready["type"] == "ready", ready
        yield process


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[FakeRunner]:
    """A runner that waits at a slot's socket."""
    with FakeRunner(tmp_path / "slot-0.sock") as fake:
        yield fake
