"""Write plain Python functions, run them as durable tasks.

```python
from skerry import Retry, Workflows

app = Workflows()

@app.task(retry=Retry(max_retries=3))
async def greet(name: str) -> str:
    return f"Hello, {name}!"
```

Importing this package is cheap: what speaks HTTP (`Client`, `AsyncClient`, `workflows`, `models`) is loaded when it
is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry.apps import Workflows
from skerry.contexts import TaskContext, context
from skerry.errors import (
    ApiError,
    ConfigurationError,
    Conflict,
    ConnectionFailed,
    Forbidden,
    InvalidInput,
    InvalidRequest,
    NonRetryable,
    NotFound,
    OutsideRun,
    PayloadTooLarge,
    RateLimited,
    RequestTimeout,
    RunCanceled,
    SerializationError,
    ServerUnavailable,
    SkerryError,
    TaskRunError,
    TaskTimeout,
    Unauthorized,
    WaitTimeout,
)
from skerry.handles import Handle
from skerry.retries import Retry
from skerry.tasks import AsyncTask, SyncTask, Task

if TYPE_CHECKING:
    from skerry import models
    from skerry.clients import AsyncClient, Client
    from skerry.requests.runs import RunRequest
    from skerry.triggers import workflows

__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncTask",
    "Client",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "Forbidden",
    "Handle",
    "InvalidInput",
    "InvalidRequest",
    "NonRetryable",
    "NotFound",
    "OutsideRun",
    "PayloadTooLarge",
    "RateLimited",
    "RequestTimeout",
    "Retry",
    "RunCanceled",
    "RunRequest",
    "SerializationError",
    "ServerUnavailable",
    "SkerryError",
    "SyncTask",
    "Task",
    "TaskContext",
    "TaskRunError",
    "TaskTimeout",
    "Unauthorized",
    "WaitTimeout",
    "Workflows",
    "context",
    "models",
    "workflows",
]

_LAZY = {
    "AsyncClient": "skerry.clients",
    "Client": "skerry.clients",
    "RunRequest": "skerry.requests.runs",
    "workflows": "skerry.triggers",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "models":
        return importlib.import_module("skerry.models")
    if name not in _LAZY:
        raise AttributeError(f"module 'skerry' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
