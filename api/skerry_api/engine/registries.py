"""The workflows, versions and tasks there are, kept in memory because every trigger asks for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from skerry_api.domain import ids
from skerry_api.domain.errors import Conflict, InvalidRequest, NotFound
from skerry_api.domain.limits import Limits
from skerry_api.domain.tasks import SLUG, Address, Task, define_tasks, parse_address, task_not_found
from skerry_api.engine.peers import Peers
from skerry_api.storage import workflows
from skerry_api.storage.databases import Database
from skerry_api.storage.workflows import StoredTask

Row = Mapping[Any, Any]

# A name that is not known may have been added by another process a moment ago; asking Postgres for every typing error
# of a client would be a way to overload it.
RELOAD_SECONDS = 0.5
ISOLATIONS = ("container", "process", "worker")


class Registry:
    """Tasks by address; `current` ones are those of each workflow's newest ready version."""

    def __init__(self, database: Database, peers: Peers, limits: Limits, *, dev: bool) -> None:
        """Read from `database`; with `dev`, any workflow name reaches the only workflow there is."""
        self._database = database
        self._peers = peers
        self._limits = limits
        self._dev = dev
        self._workflows: dict[str, Row] = {}
        self._current: dict[str, dict[str, StoredTask]] = {}
        self._by_version: dict[str, dict[str, StoredTask]] = {}
        self._lanes: dict[str, dict[str, int]] = {}
        self._loaded = float("-inf")
        self._lock = asyncio.Lock()

    def workflow_slugs(self) -> list[str]:
        """The workflows known here."""
        return sorted(self._workflows)

    def workflow(self, slug: str) -> Row:
        """A workflow that is known here."""
        return self._workflows[slug]

    def concurrency_limit(self, workflow_id: str) -> int | None:
        """How many attempts of a workflow may be live at once; None: as many as there are runners."""
        for row in self._workflows.values():
            if row["id"] == workflow_id:
                limit: int | None = row["concurrency_limit"]
                return limit
        return None

    def lanes(self, version_id: str) -> Mapping[str, int]:
        """The tasks of a version whose concurrency is limited, and how many of each may be live at once.

        Empty for a version that nobody has asked for yet: `tasks_of` makes it known.
        """
        return self._lanes.get(version_id, {})

    async def reload(self) -> None:
        """Read every workflow and its current tasks."""
        async with self._lock, self._database.transaction() as connection:
            self._loaded = time.monotonic()
            known = {row["slug"]: row for row in await workflows.fetch_workflows(connection)}
            current: dict[str, dict[str, StoredTask]] = {slug: {} for slug in known}
            for workflow, stored in await workflows.fetch_current_tasks(connection):
                current[workflow["slug"]][stored.task.name] = stored
            self._workflows, self._current = known, current

    async def resolve(self, address: str, *, within: str | None = None) -> tuple[Row, StoredTask]:
        """The workflow and task an address names; `within` is the only workflow the caller may use.

        Raises:
            InvalidRequest: the address is malformed or names no workflow where one is needed.
            NotFound: there is no such workflow, version or task; the message lists near matches.
        """
        parsed = parse_address(address)
        try:
            return await self._find(parsed, within)
        except NotFound:
            await self._reload_soon()
        return await self._find(parsed, within)

    async def _reload_soon(self) -> None:
        """Read again, but not more often than every half second, however many ask."""
        asked = time.monotonic()
        await asyncio.sleep(max(0.0, self._loaded + RELOAD_SECONDS - asked))
        if self._loaded < asked:
            await self.reload()

    async def _find(self, address: Address, within: str | None) -> tuple[Row, StoredTask]:
        if address.task_id is not None:
            return await self._find_by_id(address.task_id, within)
        workflow = self._find_workflow(address, within)
        tasks = self._current[workflow["slug"]]
        where = f"workflow {workflow['slug']!r}"
        if address.version is not None:
            tasks = await self._version_tasks(workflow, address.version)
            where += f" in version {address.version!r}"
        if address.task not in tasks:
            raise task_not_found(address.task, tasks, where)
        return workflow, tasks[address.task]

    def _find_workflow(self, address: Address, within: str | None) -> Row:
        slug = address.workflow or within or (next(iter(self._workflows)) if len(self._workflows) == 1 else None)
        if slug is None:
            raise InvalidRequest(
                f"task {address.task!r} names no workflow; write 'workflow/{address.task}'"
                f" (workflows: {', '.join(sorted(self._workflows)) or 'none'})",
                code="invalid_task_address",
            )
        if slug not in self._workflows and self._dev and len(self._workflows) == 1:
            slug = next(iter(self._workflows))
        if slug not in self._workflows or (within is not None and slug != within):
            visible = [within] if within is not None else sorted(self._workflows)
            raise NotFound(
                f"there is no workflow {slug!r} (workflows: {', '.join(visible) or 'none'})", code="workflow_not_found"
            )
        return self._workflows[slug]

    async def _find_by_id(self, task_id: str, within: str | None) -> tuple[Row, StoredTask]:
        async with self._database.transaction() as connection:
            found = await workflows.fetch_tasks(connection, task_id=task_id)
        by_id = {row["id"]: row for row in self._workflows.values()}
        if not found or found[0].workflow_id not in by_id:
            raise NotFound(f"there is no task {task_id!r}", code="task_not_found")
        workflow = by_id[found[0].workflow_id]
        if within is not None and workflow["slug"] != within:
            raise NotFound(f"there is no task {task_id!r}", code="task_not_found")
        return workflow, found[0]

    async def _version_tasks(self, workflow: Row, version: str) -> dict[str, StoredTask]:
        async with self._database.transaction() as connection:
            row = await workflows.fetch_version(connection, workflow_id=workflow["id"], name=version)
            if row is None and version.startswith("wfv-"):
                row = await workflows.fetch_version(connection, version)
        if row is None or row["workflow_id"] != workflow["id"] or row["status"] != "ready":
            raise NotFound(f"workflow {workflow['slug']!r} has no ready version {version!r}", code="version_not_found")
        return await self.tasks_of(row["id"])

    async def tasks_of(self, version_id: str) -> dict[str, StoredTask]:
        """The tasks of one version, by name; a version's tasks never change, so they are read once."""
        known = self._by_version.get(version_id)
        if known is None:
            async with self._database.transaction() as connection:
                stored = await workflows.fetch_tasks(connection, version_id=version_id)
            known = {entry.task.name: entry for entry in stored}
            if known:
                self._by_version[version_id] = known
                limits = {name: entry.task.concurrency_limit for name, entry in known.items()}
                self._lanes[version_id] = {name: limit for name, limit in limits.items() if limit is not None}
        return known

    async def create_workflow(
        self,
        slug: str,
        name: str | None = None,
        isolation: str = "process",
        concurrency_limit: int | None = None,
        retention_days: int = 30,
    ) -> Row:
        """Make a workflow, or answer the one that has this slug.

        Raises:
            InvalidRequest: the slug or the isolation is malformed.
        """
        if not SLUG.match(slug):
            raise InvalidRequest(f"workflow slug {slug!r} must be 1–63 lower-case letters, digits or '-'")
        if isolation not in ISOLATIONS:
            raise InvalidRequest(f"isolation must be one of {', '.join(ISOLATIONS)}, got {isolation!r}")
        values = {
            "id": ids.new_id(ids.WORKFLOW),
            "slug": slug,
            "name": name or slug,
            "isolation": isolation,
            "concurrency_limit": concurrency_limit,
            "retention_days": retention_days,
        }
        async with self._database.transaction() as connection:
            row = await workflows.insert_workflow(connection, values)
        await self._changed()
        return row

    async def update_workflow(self, workflow_id: str, values: Row) -> Row:
        """Change a workflow's settings.

        Raises:
            NotFound: there is no such workflow.
        """
        async with self._database.transaction() as connection:
            row = await workflows.update_workflow(connection, workflow_id, values)
        if row is None:
            raise NotFound(f"there is no workflow {workflow_id!r}", code="workflow_not_found")
        await self._changed()
        return row

    async def delete_workflow(self, workflow_id: str, withdraw: Callable[[], Awaitable[None]] | None = None) -> None:
        """Remove a workflow that has no open runs, and by `withdraw` what would make it again; if that fails, it stays.

        Raises:
            NotFound: there is no such workflow.
            Conflict: runs of it are not over yet.
        """
        async with self._database.transaction() as connection:
            if await workflows.has_open_runs(connection, workflow_id):
                raise Conflict("the workflow has runs that are not over; cancel them first", code="workflow_in_use")
            if not await workflows.delete_workflow(connection, workflow_id):
                raise NotFound(f"there is no workflow {workflow_id!r}", code="workflow_not_found")
            if withdraw is not None:
                await withdraw()
        await self._changed()

    async def create_version(
        self,
        workflow_id: str,
        name: str | None = None,
        version_id: str | None = None,
        *,
        image: str | None = None,
        source: Row | None = None,
    ) -> str:
        """Begin a version, whose tasks a runner in register mode will report; answers its id, or that of the one so named.

        `version_id` is used for a version that is new. `image` and `source` say what it is released from, where its runners
        are containers.
        """
        version_id = version_id or ids.new_id(ids.VERSION)
        values = {
            "id": version_id,
            "workflow_id": workflow_id,
            "name": name or version_id,
            "status": "registering",
            "image": image,
            "source": source,
        }
        async with self._database.transaction() as connection:
            return await workflows.insert_version(connection, values)

    async def finish_registration(
        self, workflow_id: str, version_id: str, registered: Sequence[Row] | None, error: str | None
    ) -> list[Task]:
        """End a version's registration: store its tasks and make it current, or keep why it failed.

        Raises:
            InvalidRequest: a definition is malformed; the version has failed with that message.
        """
        tasks: list[Task] = []
        refusal: InvalidRequest | None = None
        if error is None:
            try:
                tasks = define_tasks(registered or (), self._limits)
            except InvalidRequest as malformed:
                refusal, error = malformed, malformed.message
        stored = [StoredTask(ids.new_id(ids.TASK), workflow_id, version_id, task) for task in tasks]
        async with self._database.transaction() as connection:
            if await workflows.finish_version(connection, version_id, error):
                await workflows.insert_tasks(connection, stored)
        await self._changed()
        if refusal is not None:
            raise refusal
        return tasks

    async def readmit_version(self, version_id: str) -> None:
        """Release a version again: if it failed it registers anew, if another has replaced it new runs use it again."""
        async with self._database.transaction() as connection:
            changed = await workflows.readmit_version(connection, version_id)
        if changed:
            await self._changed()

    async def _changed(self) -> None:
        await self.reload()
        self._peers.tell(registry=True)
