"""Talking to the server's REST API through the SDK's client, with refusals turned into problems a user can act on.

The JSON is handed on untouched: what `--json` prints is what the server said.
"""

import ipaddress
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import skerry
from skerry import errors
from skerry.cli import problems, settings

_TIMEOUT_SECONDS = 30.0
_NOT_SKERRY = "Is this the URL of a Skerry server?"
_CONNECT_SECONDS = 2.0
_PAGE = 100
"""Rows asked for at once when a list is longer."""


class Refused(problems.Problem):
    """The server answered with an error.

    Attributes:
        status: The HTTP status.
        code: The server's stable name of the error, or an empty string.
    """

    def __init__(self, message: str, hint: str | None, status: int, code: str) -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code


class Unreachable(problems.Problem):
    """No answer came from the server."""


class Connection:
    """One server, for the length of a command. Use it as a context manager.

    Args:
        chosen: The server and the key for it.

    Raises:
        Unreachable: Nothing listens there, on this machine.
    """

    def __init__(self, chosen: settings.Settings) -> None:
        self.url = chosen.url
        if is_loopback(chosen.url):
            _check_listening(chosen.url)
        # `skerry.Client` is loaded when first used, so that help pages do not wait for an HTTP library. An empty key
        # keeps the client from looking for one in the environment: settings did that.
        self._client = skerry.Client(url=chosen.url, api_key=chosen.api_key or "", timeout_seconds=_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of a route. Query values that are None are left out, lists are repeated."""
        return self._request("GET", path, query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """Send JSON and return the JSON of the answer."""
        return self._request("POST", path, query, body)

    def delete(self, path: str) -> None:
        """Delete what a route names."""
        self._request("DELETE", path, {})

    def records(self, path: str, key: str, limit: int | None = None, **query: Any) -> list[dict[str, Any]]:
        """Return the things of a list route, following its cursors.

        Args:
            path: The route.
            key: What the route wraps each thing in, such as `taskRun`.
            limit: The most things to return; None for all.
            **query: Filters.
        """
        found: list[dict[str, Any]] = []
        cursor = None
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = self.get(path, **query, limit=size, cursor=cursor)
            found += [entry[key] for entry in page]
            cursor = page[-1].get("cursor") if page else None
            if len(page) < size or not cursor:
                break
        return found

    def _request(self, method: str, path: str, query: Mapping[str, Any], body: Mapping[str, Any] | None = None) -> Any:
        params = {name: value for name, value in query.items() if value not in (None, [], "")}
        # A request that asks the server to wait is given that time on top.
        patience = _TIMEOUT_SECONDS + float(params.get("wait", 0))
        try:
            return self._client.request(method, path, params=params, json=body, timeout_seconds=patience)
        except errors.RequestTimeout:
            raise Unreachable(f"{self.url} did not answer within {patience:.0f} s.", "Try again in a moment.") from None
        except errors.ConnectionFailed as error:
            if isinstance(error.__cause__, ValueError):
                raise problems.Problem(f"{self.url} answered something other than JSON.", _NOT_SKERRY) from None
            raise unreachable(self.url, error) from None
        except errors.ApiError as error:
            raise refusal(error, self.url) from None


def connect(url: str | None) -> Connection:
    """Return a connection to the server that `--url`, the environment or `skerry login` names."""
    return Connection(settings.resolve(url))


def segment(value: str) -> str:
    """Return a user's text as one safe segment of a path."""
    return quote(value, safe="")


def is_loopback(url: str) -> bool:
    """Return whether a URL names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def unreachable(url: str, error: Exception) -> Unreachable:
    """Return the problem that no connection could be made."""
    if is_loopback(url):
        hint = "Is `skerry dev` running? Another server is named with --url or SKERRY_URL."
    else:
        hint = f"{error} Check the URL (--url, SKERRY_URL or `skerry login`) and your network."
    return Unreachable(f"Cannot reach {url}.", hint)


def refusal(error: errors.ApiError, url: str) -> Refused:
    """Return the problem that the server's refusal describes."""
    if not error.code:
        message = f"{url} answered {error.status}: {error.message}"
        return Refused(message, _NOT_SKERRY, error.status, "")
    message = error.message.strip()
    details = _details(error.details)
    if details and details not in message:
        message = f"{message.rstrip('.:')}: {details}"
    return Refused(message, _hint(error), error.status, error.code)


def _check_listening(url: str) -> None:
    """Find out at once that no server runs on this machine: the client would try for some seconds."""
    parts = urlsplit(url)
    try:
        address = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise unreachable(url, error) from None


def _hint(error: errors.ApiError) -> str | None:
    if error.code == "task_not_found":
        return "`skerry tasks list` shows the tasks there are."
    match error.status:
        case 401:
            return "Set SKERRY_API_KEY, or run `skerry login`."
        case 403:
            return "Your API key does not allow this. `skerry keys create` makes one with other scopes."
        case 429:
            seconds = error.retry_after_seconds
            return "Try again in a moment." if seconds is None else f"Try again in {seconds:.0f} s."
        case 503:
            return "The server is up but cannot work right now. Try again in a moment."
    return None


def _details(details: Any) -> str:
    if isinstance(details, str):
        return details
    if not isinstance(details, list):
        return ""
    return "; ".join(_detail(item) if isinstance(item, dict) else str(item) for item in details)


def _detail(item: dict[str, Any]) -> str:
    place = item.get("loc") or item.get("path") or item.get("field") or ""
    if isinstance(place, list):
        place = ".".join(str(part) for part in place if part != "body")
    text = str(item.get("msg") or item.get("message") or "")
    return f"{place}: {text}" if place else text
