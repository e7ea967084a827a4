"""The `skerry-operator` command."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import sys

import structlog
import uvloop
from pydantic import ValidationError

from skerry_objects.configurations import Configuration, NoCluster, find_configuration
from skerry_operator import handlers
from skerry_operator.operators import Operator
from skerry_operator.settings import Settings

# Allocations between two collections, Python's default being 700.
COLLECT_AFTER = 50_000


def main() -> int:
    """Run until SIGTERM or SIGINT.

    Returns:
        The exit status: 0 when it was told to stop, 1 when it cannot start.
    """
    try:
        settings = Settings()
        configure_logging(settings.log_level)
        # Thousands of objects stay, and none of them is part of a cycle.
        gc.set_threshold(COLLECT_AFTER, 20, 20)
        uvloop.run(_run(find_configuration(), settings))
    except ValidationError as error:
        problems = [f"SKERRY_OPERATOR_{str(entry['loc'][0]).upper()}: {entry['msg']}" for entry in error.errors()]
        return _fatal(f"the environment has a setting that cannot be used: {'; '.join(problems)}")
    except (NoCluster, OSError) as error:
        return _fatal(str(error))
    return 0


async def _run(configuration: Configuration, settings: Settings) -> None:
    operator = Operator(configuration, settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, operator.stop.set)
    await operator.run()


def configure_logging(level: str) -> None:
    """One JSON object a line, on stderr; kopf's lines too."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    others = logging.StreamHandler(sys.stderr)
    others.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=number, handlers=[others], force=True)
    handlers.quiet()


def _fatal(message: str) -> int:
    sys.stderr.write(json.dumps({"event": "fatal", "message": message}) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
