import subprocess
import sys

import skerry

NAMES = """
ApiError AsyncClient AsyncTask Client ConfigurationError Conflict ConnectionFailed Forbidden Handle InvalidInput
InvalidRequest NonRetryable NotFound OutsideRun PayloadTooLarge RateLimited RequestTimeout Retry RunCanceled RunRequest
SerializationError ServerUnavailable SkerryError SyncTask Task TaskContext TaskRunError TaskTimeout Unauthorized WaitTimeout
Workflows context models workflows
"""

HEAVY = "{'httpx', 'pydantic', 'asyncio', 'inspect', 'dataclasses', 'json', 'logging', 'threading', 'socket'}"


def test_public_names_change_only_on_purpose() -> None:
    assert skerry.__all__ == NAMES.split()
    assert all(hasattr(skerry, name) for name in skerry.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = f"import sys, skerry; print(sorted(set(sys.modules) & {HEAVY}))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert found.stdout.strip() == "[]"


def test_the_runtime_does_not_load_what_only_clients_need() -> None:
    heavy = "{'httpx', 'pydantic', 'asyncio', 'dataclasses'}"
    program = f"import sys, skerry.runtime.zygotes; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert found.stdout.strip() == "[]"


def test_every_error_is_a_skerry_error() -> None:
    errors = [getattr(skerry, name) for name in skerry.__all__]
    assert all(issubclass(e, skerry.SkerryError) for e in errors if isinstance(e, type) and issubclass(e, Exception))
