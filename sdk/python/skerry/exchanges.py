"""How a request reaches the server: address, key, headers, what is tried again and when. No I/O; both clients follow it."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skerry.errors import ConfigurationError, ConnectionFailed, RequestTimeout, error_for_status
from skerry.requests.conversations import Answer, Request

if TYPE_CHECKING:
    import httpx

    from skerry.subscriptions import Subscription

DEFAULT_URL = "http://127.0.0.1:8120"
_TRIES = 6
_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 30.0
# The request was not carried out, so even one that is not idempotent may be sent again.
_REFUSED_UNTOUCHED = frozenset({429, 503})
_PASSING = frozenset({429, 502, 503, 504})
# A stream that is silent for this long is dead: the server sends a comment every 25 seconds.
STREAM_SILENCE_SECONDS = 60.0
# Before a stream that the server ended early is taken up again.
STREAM_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server is and how to speak to it."""

    url: str
    api_key: str | None
    timeout_seconds: float

    @classmethod
    def resolved(cls, url: str | None, api_key: str | None, timeout_seconds: float) -> Settings:
        """What was given, else SKERRY_URL and SKERRY_API_KEY, else a server on this machine.

        Raises:
            ConfigurationError: the URL is none.
        """
        address = (url or os.environ.get("SKERRY_URL") or DEFAULT_URL).rstrip("/")
        if not address.startswith(("http://", "https://")):
            raise ConfigurationError(f"SKERRY_URL must start with http:// or https://, got {address!r}")
        return cls(address.removesuffix("/v1"), api_key or os.environ.get("SKERRY_API_KEY") or None, timeout_seconds)

    @property
    def headers(self) -> dict[str, str]:
        """What every request says."""
        identity = {"User-Agent": "skerry-python/0.1.0", "Accept": "application/json"}
        return {**identity, "Authorization": f"Bearer {self.api_key}"} if self.api_key else identity

    def arguments(self, request: Request) -> dict[str, Any]:
        """`request` as the keyword arguments of httpx."""
        return {
            "method": request.method,
            "url": request.path,
            "params": list(request.params) or None,
            "content": request.body,
            "headers": {"Content-Type": "application/json"} if request.body is not None else None,
            "timeout": (request.timeout_seconds or self.timeout_seconds) + request.extra_seconds,
        }

    def failure(self, error: Exception) -> ConnectionFailed:
        """The error for a request that got no answer."""
        import httpx

        if isinstance(error, httpx.TimeoutException):
            return RequestTimeout(f"the Skerry server at {self.url} did not answer in time")
        return ConnectionFailed(f"cannot reach the Skerry server at {self.url}: {error or type(error).__name__}")

    @property
    def connection(self) -> dict[str, Any]:
        """The keyword arguments of an httpx client."""
        # Reading the certificates takes longer than most requests; plain HTTP needs none.
        return {"base_url": self.url, "headers": self.headers, "verify": self.url.startswith("https://")}

    def stream(self, subscription: Subscription[Any]) -> dict[str, Any]:
        """The keyword arguments of an httpx stream."""
        resumed = {"Last-Event-ID": subscription.last_id} if subscription.last_id else {}
        return {
            "params": list(subscription.params) or None,
            "headers": {"Accept": "text/event-stream", **resumed},
            "timeout": max(self.timeout_seconds, STREAM_SILENCE_SECONDS),
        }

    def decide(self, request: Request, tries: int, response: httpx.Response) -> Answer | float:
        """What to make of the response to try number `tries`: the answer, or how many seconds to wait before the next try.

        Raises:
            ApiError: the server refused, for good or too often.
        """
        if response.is_success:
            return Answer(response.status_code, None if request.is_probe else _decoded(response))
        untouched = response.status_code in _REFUSED_UNTOUCHED
        passing = untouched or (request.idempotent and response.status_code in _PASSING)
        if not passing or tries >= _TRIES or request.is_probe:
            raise refusal(response)
        retry_after = _seconds(response.headers.get("retry-after"))
        return _delay(tries) if retry_after is None else min(retry_after, _LONGEST_DELAY_SECONDS)

    def decide_failure(self, request: Request, tries: int, error: Exception) -> float:
        """How many seconds to wait after try number `tries` got no answer.

        Raises:
            ConnectionFailed: none can be hoped for, or the request may have been carried out and must not be repeated.
        """
        if tries >= _TRIES or request.is_probe or not (request.idempotent or _was_not_sent(error)):
            raise self.failure(error) from error
        return _delay(tries)


def stream_delay(failure: ConnectionFailed, failures: int) -> float:
    """Seconds until a broken stream is taken up again, after so many `failures` in a row.

    Raises:
        ConnectionFailed: enough is enough.
    """
    if failures >= _TRIES:
        raise failure
    return _delay(failures)


def refusal(response: httpx.Response) -> Exception:
    """The error for a response whose status is not 2xx; its body has been read."""
    try:
        body = response.json()
    except ValueError:
        body = {"message": response.text.strip()[:200]}
    return error_for_status(
        response.status_code, body, retry_after_seconds=_seconds(response.headers.get("retry-after"))
    )


def _decoded(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return json.loads(response.content)
    except ValueError as error:
        raise ConnectionFailed(
            f"{response.url} answered with something other than JSON; is SKERRY_URL right?"
        ) from error


def _was_not_sent(error: Exception) -> bool:
    import httpx

    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _delay(tries: int) -> float:
    # Jitter keeps many clients of one server from coming back together.
    return float(_FIRST_DELAY_SECONDS * 2 ** (tries - 1) * random.uniform(0.5, 1.0))  # noqa: S311


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
