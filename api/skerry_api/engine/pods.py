"""Runners that are Pods: who they are follows from what their token is bound to, never from what they say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from skerry_api.domain import ids
from skerry_api.engine.executions import PodIdentity
from skerry_api.storage import runners, runs, workflows
from skerry_api.storage.databases import Database

Row = Mapping[Any, Any]

# `<run>-<attempt>`, and `<version>-<plan>-<random>`: both begin with an id, `<prefix>-<20 characters>`.
_ATTEMPT_POD = re.compile(rf"{ids.RUN}-[a-z0-9]+-[0-9]+")
_IDLE_POD = re.compile(rf"(?P<pool>(?P<version>{ids.VERSION}-[a-z0-9]+)-.+)-[a-z0-9]+")


async def admit_pod(database: Database, pod: PodIdentity) -> Row | None:
    """The runner a Pod is, with `pod_name`, `node`, and `pinned_attempt` if it was started for one; None if it is none of ours.

    A Pod that takes the name of one before it is another runner: its uid differs.

    Raises:
        Unavailable: Postgres is away.
    """
    async with database.transaction() as connection:
        pinned: str | None = None
        if _ATTEMPT_POD.fullmatch(pod.name):
            attempt = await runs.fetch_attempt(connection, pod.name)
            run = None if attempt is None else await runs.fetch_run(connection, attempt["run_id"])
            if attempt is None or run is None:
                return None
            pinned, pool, version_id = pod.name, attempt["pool"], run["version_id"]
        elif found := _IDLE_POD.fullmatch(pod.name):
            pool, version_id = found["pool"], found["version"]
        else:
            return None
        version = await workflows.fetch_version(connection, version_id)
        if version is None:
            return None
        runner_id = f"{ids.RUNNER}-{pod.uid}"
        values = {
            "id": runner_id,
            # Not the hash of any token: a Pod is known by the review of its own.
            "token_hash": runners.hash_secret(f"pod {pod.uid}"),
            "workflow_id": version["workflow_id"],
            "version_id": version_id,
            "pool": pool,
            # One that was made for an attempt takes no other, whatever its workflow's others do.
            "isolation": "container" if pinned else (version["source"] or {}).get("isolation", "container"),
        }
        row = await runners.admit_runner(connection, values)
    if row is None:
        return None
    known = {"is_pod": True, "pod_name": pod.name, "node": pod.node, "pinned_attempt": pinned}
    return {**row, **known, "version_status": version["status"]}
