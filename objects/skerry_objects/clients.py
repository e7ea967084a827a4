"""A small asynchronous client for the API server: requests, and watches that begin where a list ended.

Measured with the operator's load, `kubernetes.aio` takes 30 % more processor time than plain aiohttp.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import aiohttp
import orjson

from skerry_objects.configurations import Configuration
from skerry_objects.names import API_VERSION

Json = dict[str, Any]
Change = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]

REQUEST_SECONDS = 30.0
# The server ends a watch after this; silence for much longer means that the connection is dead without saying so.
WATCH_SECONDS = 300
SILENCE_SECONDS = 90.0
PAGE = 500

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server refused. `status` is HTTP's; `reason` is its own word, such as AlreadyExists."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        """Say what it said."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class Unreachable(ConnectionError):
    """The API server did not answer."""


class Expired(Exception):
    """A watch began too long ago: list again."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind, as paths name it."""

    api_version: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of a collection or an object."""
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        parts = [root, *(["namespaces", namespace] if namespace else []), self.plural]
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


TASK_RUNS = Resource(API_VERSION, "taskruns")
RUNNER_POOLS = Resource(API_VERSION, "runnerpools")
WORKFLOWS = Resource(API_VERSION, "workflows")
PODS = Resource("v1", "pods")
EVENTS = Resource("v1", "events")
LEASES = Resource("coordination.k8s.io/v1", "leases")
TOKEN_REVIEWS = Resource("authentication.k8s.io/v1", "tokenreviews")


class Page(NamedTuple):
    """Some of a collection, and the version of the whole, which all its pages show."""

    items: list[Json]
    version: str


class Client:
    """Requests to one cluster. Use it as an async context manager."""

    def __init__(self, configuration: Configuration, *, connections: int = 32) -> None:
        """Use at most `connections` at once."""
        self.configuration = configuration
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open; connections are made when needed."""
        connector = aiohttp.TCPConnector(limit=self._connections, ssl=self.configuration.tls or True)
        self._session = aiohttp.ClientSession(self.configuration.server, connector=connector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def kinds(self, api_version: str) -> set[str]:
        """What the API server has of a version: plural names, and subresources such as `pods/status`."""
        path = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        return {entry["name"] for entry in (await self._request("GET", path))["resources"]}

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json:
        """One object."""
        return await self._request("GET", resource.path(namespace, name))

    async def create(
        self, resource: Resource, namespace: str | None, body: Mapping[str, Any], *, subresource: str | None = None
    ) -> Json:
        """Make an object. An `ApiError` with status 409 says that its name is taken."""
        return await self._request("POST", resource.path(namespace, None, subresource), body)

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        change: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> Json:
        """Change parts of an object: a JSON merge patch, in which null removes."""
        path = resource.path(namespace, name, subresource)
        return await self._request("PATCH", path, change, media_type=MERGE_PATCH)

    async def merge(
        self, resource: Resource, namespace: str | None, name: str, change: Mapping[str, Any], *, subresource: str
    ) -> Json:
        """Change parts of an object that is built in: a strategic merge patch, which knows list entries by their names."""
        path = resource.path(namespace, name, subresource)
        return await self._request("PATCH", path, change, media_type=STRATEGIC_MERGE_PATCH)

    async def apply(self, resource: Resource, namespace: str | None, body: Mapping[str, Any], manager: str) -> Json:
        """Make an object be as `body` says, whatever it was: a server-side apply."""
        path = resource.path(namespace, body["metadata"]["name"])
        query = {"fieldManager": manager, "force": "true"}
        return await self._request("PATCH", path, body, media_type=APPLY_PATCH, query=query)

    async def replace(self, resource: Resource, namespace: str | None, body: Mapping[str, Any]) -> Json:
        """Write a whole object. 409 says that somebody else wrote it since it was read."""
        return await self._request("PUT", resource.path(namespace, body["metadata"]["name"]), body)

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        version: int | None = None,
        grace_seconds: int | None = None,
    ) -> bool:
        """Remove an object; False when it is gone already, has another `uid`, or is no longer at `version`."""
        options: Json = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if version is not None:
            options.setdefault("preconditions", {})["resourceVersion"] = str(version)
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self._request("DELETE", resource.path(namespace, name), options)
        except ApiError as error:
            if error.status in (404, 409):
                return False
            raise
        return True

    async def list(
        self, resource: Resource, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> tuple[list[Json], str]:
        """All objects, and the version of the collection that a watch goes on from."""
        items: list[Json] = []
        version = ""
        async for page in self.pages(resource, namespace, labels=labels, fields=fields):
            items += page.items
            version = page.version
        return items, version

    async def pages(
        self, resource: Resource, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """All objects, at most `PAGE` at a time, so that no more are in memory."""
        query = _selection(labels, fields) | {"limit": str(PAGE)}
        while True:
            page = await self._request("GET", resource.path(namespace), query=query)
            yield Page(page["items"], page["metadata"]["resourceVersion"])
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    async def watch(
        self, resource: Resource, namespace: str | None, version: str, *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[tuple[Change, Json]]:
        """Changes since `version`, until the server ends the watch; then go on from the last object's version.

        Raises:
            Expired: the server no longer knows what happened since.
            ApiError, Unreachable: as any request.
        """
        query = _selection(labels, fields) | {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=SILENCE_SECONDS)
        try:
            async with self._opened().get(
                resource.path(namespace), params=query, headers=self._headers(), timeout=timeout
            ) as response:
                if response.status >= 400:
                    _raise_expired(response.status)
                    raise await _error(response)
                async for line in _lines(response.content):
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        _raise_expired(event["object"].get("code"))
                        status = event["object"]
                        raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                    yield event["type"], event["object"]
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
            raise Unreachable(f"the watch of {resource.plural} broke: {error or type(error).__name__}") from error

    async def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        media_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Json:
        headers = self._headers() | ({} if body is None else {"Content-Type": media_type})
        data = None if body is None else orjson.dumps(body)
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        try:
            async with self._opened().request(
                method, path, data=data, params=query, headers=headers, timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise await _error(response)
                answer: Json = orjson.loads(await response.read())
                return answer
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
            raise Unreachable(f"the API server does not answer: {error or type(error).__name__}") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is used outside its `async with` block")
        return self._session

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", **self.configuration.authorization()}


def _selection(labels: str, fields: str) -> dict[str, str]:
    chosen = {"labelSelector": labels, "fieldSelector": fields}
    return {name: value for name, value in chosen.items() if value}


def _raise_expired(code: Any) -> None:
    if code == 410:
        raise Expired


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; aiohttp's own reader refuses long ones."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


async def _error(response: aiohttp.ClientResponse) -> ApiError:
    text = await response.read()
    try:
        status = orjson.loads(text)
    except orjson.JSONDecodeError:
        status = {"message": text.decode("utf-8", "replace")[:300]}
    after = response.headers.get("Retry-After")
    message = status.get("message") or f"HTTP {response.status}"
    return ApiError(
        response.status, status.get("reason") or "", message, float(after) if after and after.isdigit() else None
    )


async def pause(attempt: int) -> None:
    """Wait before the next try: 0.1 s, doubling to 10 s."""
    await asyncio.sleep(min(10.0, 0.1 * 2 ** min(attempt, 10)))
