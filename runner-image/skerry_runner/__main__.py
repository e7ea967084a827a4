"""`python -m skerry_runner`."""

from __future__ import annotations

import sys

# structlog loads rich, where that is installed, to colour tracebacks: 150 ms of every cold start, for nothing here.
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402, F401

del sys.modules["rich"]

from skerry_runner.commands import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main())
