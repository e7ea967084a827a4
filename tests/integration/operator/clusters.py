"""An API server in this process: it really stores objects, counts versions, streams watches and refuses like the real one.

Nodes are played by the test: `start`, `finish`, `update_pod`. What belongs to a deleted owner goes with it.
"""

from __future__ import annotations

import asyncio
import copy
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from skerry_objects.configurations import Configuration

Json = dict[str, Any]
NAMESPACE = "tasks"
BOOKMARK_SECONDS = 0.5

GROUPS: dict[str, dict[str, list[tuple[str, str, bool]]]] = {
    "": {"v1": [("pods", "Pod", True), ("events", "Event", True), ("namespaces", "Namespace", False)]},
    "skerry.dev": {"v1alpha1": [("taskruns", "TaskRun", True), ("runnerpools", "RunnerPool", True)]},
    "coordination.k8s.io": {"v1": [("leases", "Lease", True)]},
    "apiextensions.k8s.io": {"v1": [("customresourcedefinitions", "CustomResourceDefinition", False)]},
}


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merge(target: Json, change: Json) -> Json:
    """RFC 7386."""
    result = dict(target)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            before = result.get(key)
            result[key] = merge(before if isinstance(before, dict) else {}, value)
        else:
            result[key] = value
    return result


class FakeCluster:
    """The API server's memory, and its faults."""

    def __init__(self) -> None:
        self.version = 100
        self.objects: dict[tuple[str, str], Json] = {}
        self.log: list[tuple[int, str, str, Json]] = []
        self.compacted = 0
        self.requests: Counter[tuple[str, str]] = Counter()
        self.moved = asyncio.Condition()
        self.refuse: Callable[[str, str, Json], Refused | None] = lambda verb, plural, body: None
        self.away = False
        self.write_seconds = 0.0
        self.ends_watches = False
        self.mute: set[str] = set()
        self.autorun: float | None = None
        self.crash = False
        self.resizes = True
        self._background: set[asyncio.Task[None]] = set()
        self._watchers: set[asyncio.Transport] = set()

    # -- what tests do ------------------------------------------------------------------------------------------------

    def all(self, plural: str) -> list[Json]:
        return [item for (kind, _), item in self.objects.items() if kind == plural]

    def get(self, plural: str, name: str) -> Json | None:
        return self.objects.get((plural, name))

    def status(self, name: str, plural: str = "taskruns") -> Json:
        return (self.objects.get((plural, name)) or {}).get("status") or {}

    def writes(self) -> Counter[tuple[str, str]]:
        """Requests that change something, without Leases and Events."""
        return Counter(
            {
                key: count
                for key, count in self.requests.items()
                if key[0] not in ("list", "watch", "get") and key[1] not in ("leases", "events")
            }
        )

    async def put(self, plural: str, body: Json) -> Json:
        return await self._create(plural, copy.deepcopy(body))

    async def change(self, plural: str, name: str, change: Json) -> Json:
        return await self._store(plural, merge(self.objects[plural, name], change))

    async def update_pod(self, name: str, status: Json, **metadata: Any) -> None:
        await self.change("pods", name, {"status": status, "metadata": metadata})

    async def start(self, name: str, node: str = "node-1") -> None:
        container = {"name": "runner", "state": {"running": {"startedAt": now()}}}
        await self.change("pods", name, {"spec": {"nodeName": node}})
        await self.update_pod(name, {"phase": "Running", "containerStatuses": [container]})

    async def finish(self, name: str, code: int = 0, reason: str = "", message: str = "", **status: Any) -> None:
        pod = self.objects["pods", name]
        running = (pod["status"].get("containerStatuses") or [{}])[0].get("state", {}).get("running", {})
        ended = {
            "exitCode": code,
            "reason": reason or ("Completed" if code == 0 else "Error"),
            "message": message,
            "startedAt": running.get("startedAt", now()),
            "finishedAt": now(),
        }
        container = {"name": "runner", "state": {"terminated": ended}}
        phase = "Succeeded" if code == 0 else "Failed"
        await self.update_pod(name, {"phase": phase, "containerStatuses": [container], **status})

    async def wait_in(self, name: str, reason: str, message: str = "") -> None:
        container = {"name": "runner", "state": {"waiting": {"reason": reason, "message": message}}}
        await self.change("pods", name, {"spec": {"nodeName": "node-1"}})
        await self.update_pod(name, {"phase": "Pending", "containerStatuses": [container]})

    async def vanish(self, plural: str, name: str) -> None:
        """Remove at once, whatever it is, and what it owns."""
        item = self.objects.pop((plural, name), None)
        if item is None:
            return
        self.version += 1
        item = copy.deepcopy(item)
        item["metadata"]["resourceVersion"] = str(self.version)
        await self._tell("DELETED", plural, item)
        uid = item["metadata"]["uid"]
        for kind, other in list(self.objects):
            owners = self.objects[kind, other]["metadata"].get("ownerReferences") or []
            if any(owner["uid"] == uid for owner in owners):
                await self.vanish(kind, other)

    def drop_watches(self) -> None:
        for transport in list(self._watchers):
            transport.close()

    def forget_history(self) -> None:
        self.compacted = self.version

    # -- what the server does -----------------------------------------------------------------------------------------

    async def _create(self, plural: str, body: Json) -> Json:
        metadata = body["metadata"]
        if (plural, metadata["name"]) in self.objects:
            raise Refused(409, "AlreadyExists", f'{plural} "{metadata["name"]}" already exists')
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1, "namespace": NAMESPACE}
        if plural == "pods":
            body["status"] = {"phase": "Pending"}
        elif plural == "taskruns":
            body["status"] = {"phase": "Pending"} | body.get("status", {})
        item = await self._store(plural, body, "ADDED")
        if plural == "pods" and (self.autorun is not None or self.crash):
            task = asyncio.create_task(self._play(metadata["name"]))
            self._background.add(task)
            task.add_done_callback(self._background.discard)
        return item

    async def _play(self, name: str) -> None:
        await asyncio.sleep(0.01)
        if self.crash:
            await self.finish(name, 1, message="ImportError: no module named nothing")
            return
        await self.start(name)
        if self.autorun:
            await asyncio.sleep(self.autorun)
            await self.finish(name)

    async def _store(self, plural: str, item: Json, change: str = "MODIFIED") -> Json:
        self.version += 1
        item = copy.deepcopy(item)
        item["metadata"]["resourceVersion"] = str(self.version)
        self.objects[plural, item["metadata"]["name"]] = item
        await self._tell(change, plural, item)
        return item

    async def _tell(self, change: str, plural: str, item: Json) -> None:
        self.log.append((self.version, change, plural, item))
        async with self.moved:
            self.moved.notify_all()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.away:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        try:
            return await self._route(request)
        except Refused as error:
            status = {"kind": "Status", "code": error.status, "reason": error.reason, "message": str(error)}
            return web.json_response(status, status=error.status)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if "namespaces" not in parts[2:]:
            return web.json_response(_discovery(parts, resizes=self.resizes))
        at = parts.index("namespaces")
        plural, *rest = parts[at + 2 :]
        name, subresource = [*rest, None, None][:2]
        body = json.loads(await request.read() or "{}") if request.can_read_body else {}
        verb = _verb(request, name)
        self.requests[verb, f"{plural}/{subresource}" if subresource else plural] += 1
        refused = self.refuse(verb, f"{plural}/resize" if subresource == "resize" else plural, body)
        if refused is not None:
            raise refused
        if verb not in ("get", "list", "watch"):
            await asyncio.sleep(self.write_seconds)
        if verb == "watch":
            return await self._watch(request, plural)
        if verb == "list":
            return web.json_response(self._list(request, plural))
        if verb == "create":
            return web.json_response(await self._create(plural, body), status=201)
        assert name is not None
        return web.json_response(await self._one(verb, plural, name, subresource, body))

    async def _one(self, verb: str, plural: str, name: str, subresource: str | None, body: Json) -> Json:
        item = self.objects.get((plural, name))
        if item is None:
            raise Refused(404, "NotFound", f'{plural} "{name}" not found')
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if verb in ("patch", "update") and wanted not in (None, item["metadata"]["resourceVersion"]):
            raise Refused(409, "Conflict", "the object has been modified")
        if verb == "get":
            return item
        if verb == "delete":
            return await self._delete(plural, item, body)
        if verb == "update":
            return await self._store(plural, item | body)
        if subresource == "status":
            return await self._store(plural, item | {"status": merge(item.get("status") or {}, body["status"])})
        if subresource == "resize":
            return await self._resize(item, body)
        changed = merge(item, {key: value for key, value in body.items() if key != "status"})
        if changed.get("spec") != item.get("spec"):
            changed["metadata"]["generation"] += 1
        return await self._store(plural, changed)

    async def _resize(self, pod: Json, change: Json) -> Json:
        if not self.resizes:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        given = {container["name"]: container["resources"] for container in change["spec"]["containers"]}
        containers = [
            merge(container, {"resources": given.get(container["name"], {})}) for container in pod["spec"]["containers"]
        ]
        if _is_guaranteed(containers) and not _is_guaranteed(pod["spec"]["containers"]):
            raise Refused(422, "Invalid", "Pod QOS Class may not change as a result of resizing")
        return await self._store("pods", merge(pod, {"spec": {"containers": containers}}))

    async def _delete(self, plural: str, item: Json, options: Json) -> Json:
        for field, wanted in (options.get("preconditions") or {}).items():
            if wanted != item["metadata"][field]:
                raise Refused(409, "Conflict", f"the {field} does not match")
        phase = item.get("status", {}).get("phase")
        if plural == "pods" and phase == "Running":
            if "deletionTimestamp" in item["metadata"]:
                return item
            # Its node gives it time to end: the test decides what becomes of it.
            end = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return await self.change("pods", item["metadata"]["name"], {"metadata": {"deletionTimestamp": end}})
        await self.vanish(plural, item["metadata"]["name"])
        return item

    def _list(self, request: web.Request, plural: str) -> Json:
        items = [item for item in self.all(plural) if _selected(item, request.query.get("labelSelector", ""))]
        begin, limit = int(request.query.get("continue") or 0), int(request.query.get("limit") or 0)
        page = items[begin : begin + limit] if limit else items
        metadata = {"resourceVersion": str(self.version)}
        if limit and begin + limit < len(items):
            metadata["continue"] = str(begin + limit)
        return {"metadata": metadata, "items": page}

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or 0)
        if since < self.compacted:
            raise Refused(410, "Expired", "too old resource version")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        transport = request.transport
        assert transport is not None
        self._watchers.add(transport)
        at = next((number for number, entry in enumerate(self.log) if entry[0] > since), len(self.log))
        try:
            await response.prepare(request)
            while not (self.away or self.ends_watches):
                entries, at = self.log[at:], len(self.log)
                for _, change, kind, item in entries:
                    if kind != plural or plural in self.mute:
                        continue
                    if _selected(item, request.query.get("labelSelector", "")):
                        await response.write(json.dumps({"type": change, "object": item}).encode() + b"\n")
                async with self.moved:
                    try:
                        async with asyncio.timeout(BOOKMARK_SECONDS):
                            while len(self.log) == at:
                                await self.moved.wait()
                    except TimeoutError:
                        mark = {"metadata": {"resourceVersion": str(self.log[at - 1][0] if at else since)}}
                        await response.write(json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n")
        except ConnectionError:
            pass
        finally:
            self._watchers.discard(transport)
        return response


def _verb(request: web.Request, name: str | None) -> str:
    if request.method == "GET":
        return "get" if name else "watch" if request.query.get("watch") == "true" else "list"
    return {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}[request.method]


def _selected(item: Json, selector: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    wanted = [entry.split("=", 1) for entry in selector.split(",") if entry]
    return all(labels.get(key) == value for key, value in wanted)


def _is_guaranteed(containers: list[Json]) -> bool:
    resources = [container.get("resources", {}) for container in containers]
    return all(set(each.get("limits", {})) == {"cpu", "memory"} for each in resources) and all(
        each.get("requests", {}) == each["limits"] for each in resources
    )


def _discovery(parts: list[str], *, resizes: bool) -> Json:
    if parts == ["api"]:
        return {"versions": ["v1"]}
    if parts == ["apis"]:
        groups = []
        for group, versions in GROUPS.items():
            entries = [{"version": version, "groupVersion": f"{group}/{version}"} for version in versions]
            groups.append({"name": group, "versions": entries, "preferredVersion": entries[0]})
        return {"groups": [entry for entry in groups if entry["name"]]}
    group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
    verbs = ["get", "list", "watch", "create", "patch", "delete"]
    return {
        "resources": [
            {"name": plural, "kind": kind, "singularName": kind.lower(), "namespaced": namespaced, "verbs": verbs}
            for plural, kind, namespaced in GROUPS[group][version] + [("pods/resize", "Pod", True)] * resizes
        ]
    }


@asynccontextmanager
async def fake_cluster() -> AsyncIterator[tuple[FakeCluster, Configuration]]:
    """A cluster, and how to reach it."""
    cluster = FakeCluster()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", cluster.handle)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield cluster, Configuration(server=f"http://{host}:{port}", namespace=NAMESPACE, tls=None)
    finally:
        cluster.drop_watches()
        await runner.cleanup()
