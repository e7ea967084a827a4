"""Large inputs and results: over HTTP, so that they do not hold up the WebSocket."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from skerry_runner.events import log
from skerry_runner.messages import Assignment
from skerry_runner.settings import Settings

if TYPE_CHECKING:
    import httpx

_TRY_SECONDS = 60.0
_LONGEST_BACKOFF_SECONDS = 10.0


class Gone(LookupError):
    """The control plane no longer wants to hear of this attempt."""


class TooLarge(ValueError):
    """The control plane does not take a payload of this size; its message says how much it takes."""


class Payloads:
    """Moves payloads; a control plane that is away is waited for."""

    def __init__(self, settings: Settings) -> None:
        """The HTTP client is loaded with the first large payload: most runners never need it."""
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def fetch_input(self, assignment: Assignment) -> str:
        """The input, JSON text.

        Raises:
            Gone: The attempt was superseded.
        """
        return await self._exchange("GET", "input", assignment, None)

    async def store_result(self, assignment: Assignment, text: str) -> None:
        """Store the result before `complete` refers to it.

        Raises:
            Gone: The attempt was superseded.
            TooLarge: The result is refused for its size.
        """
        await self._exchange("PUT", "result", assignment, text.encode())

    async def close(self) -> None:
        """Close connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _exchange(self, method: str, what: str, assignment: Assignment, content: bytes | None) -> str:
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_TRY_SECONDS, trust_env=False)
        url = f"{self._settings.url.rstrip('/')}/runner/v1/attempts/{assignment['attempt']}/{what}"
        failures = 0
        while True:
            try:
                response = await self._client.request(method, url, content=content, headers=self._headers(assignment))
                if response.status_code < 300:
                    return response.text
                _raise_if_final(response.status_code, response.text)
                problem = f"HTTP {response.status_code}"
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
            failures += 1
            log.warning("payload_failed", attempt=assignment["attempt"], what=what, problem=problem)
            ceiling = min(_LONGEST_BACKOFF_SECONDS, 0.1 * 2 ** min(failures, 10))
            await asyncio.sleep(random.uniform(ceiling / 4, ceiling))  # noqa: S311 - spreads load, hides nothing

    def _headers(self, assignment: Assignment) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._settings.current_token()}",
            "Skerry-Attempt-Token": assignment["token"],
            "Content-Type": "application/json",
        }


def _raise_if_final(status: int, text: str) -> None:
    if status == 413:
        raise TooLarge(text)
    if status in (404, 409, 410):
        raise Gone(text)
