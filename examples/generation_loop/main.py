"""The loop of an agent: it writes a small web app from a prompt, builds it, and repairs it until the build is good.

Every function marked `@app.task` runs in a process (on Kubernetes: a container) of its own, with its own retries,
time-out and compute plan. The model behind it is `drafts.py`; the builds, the failures and the repairs are real.
"""

from __future__ import annotations

# readme: begin
import asyncio
import time
from dataclasses import dataclass, replace
from hashlib import sha256

from examples.generation_loop import drafts, sandboxes, stores
from skerry import Retry, Workflows

app = Workflows(default_plan="starter")

MAX_REPAIRS = 3


@dataclass(frozen=True)
class Plan:
    sandbox_id: str
    title: str
    features: list[str]
    lessons: list[str]


@dataclass(frozen=True)
class Build:
    success: bool
    output: str
    seconds: float


@dataclass(frozen=True)
class Outcome:
    success: bool
    repairs: int
    preview_url: str | None = None
    snapshot: str | None = None
    diagnosis: str | None = None


# A retry of this task would start over with new children, so it has none; its children have their own.
@app.task(timeout_seconds=600, retry=Retry(max_retries=0))
async def generation_loop(prompt: str, user_id: str) -> Outcome:
    """Write a web app that does what the prompt says, and publish it once it works."""
    plan = await plan_structure(prompt)
    files = await generate_code(plan)
    build = await build_in_sandbox(plan.sandbox_id, files)
    repairs = 0
    while not build.success and repairs < MAX_REPAIRS:
        plan = await revise_plan(plan, build)
        files = await fix_code(files, build)
        build = await build_in_sandbox(plan.sandbox_id, files)
        repairs += 1
    if not build.success:
        return Outcome(False, repairs, diagnosis=await diagnose_failure(plan, build))
    preview_url, snapshot = await asyncio.gather(
        push_preview(plan.sandbox_id, user_id, files),
        save_snapshot(plan.sandbox_id, files),
    )
    return Outcome(True, repairs, preview_url, snapshot)


@app.task(plan="standard", timeout_seconds=120, retry=Retry(max_retries=1, wait_duration_ms=500))
async def build_in_sandbox(sandbox_id: str, files: dict[str, str]) -> Build:
    """Byte-compile the project and run its tests, in a folder that is gone afterwards."""
    started = time.monotonic()
    success, output = sandboxes.build(sandbox_id, files)
    build = Build(success, output, round(time.monotonic() - started, 3))
    print(f"build {'passed' if success else 'failed'} after {build.seconds} s")
    return build


@app.task(timeout_seconds=30, retry=Retry(max_retries=5, wait_duration_ms=250, backoff_scaling=2))
async def push_preview(sandbox_id: str, user_id: str, files: dict[str, str]) -> str:
    """Upload the project to the preview host. A host that is away for a moment costs a retry, not the app."""
    return stores.publish(f"{user_id}/{sandbox_id}", files)


# readme: end


@app.task(timeout_seconds=60)
async def plan_structure(prompt: str) -> Plan:
    """Decide what the app is called and what it has to do."""
    title, features = drafts.outline(prompt)
    sandbox_id = f"sbx-{sha256(prompt.encode()).hexdigest()[:8]}"
    print(f"{sandbox_id}: {title!r} with {', '.join(features)}")
    return Plan(sandbox_id, title, features, lessons=[])


@app.task(plan="standard", timeout_seconds=300, retry=Retry(max_retries=2, wait_duration_ms=1000))
async def generate_code(plan: Plan) -> dict[str, str]:
    """Write the first draft: the app and its tests."""
    files = drafts.first_draft(plan.title, plan.features)
    print(f"wrote {', '.join(files)}")
    return files


@app.task(timeout_seconds=60)
async def revise_plan(plan: Plan, build: Build) -> Plan:
    """Add what the failed build taught."""
    lesson = drafts.lesson_from(build.output)
    print(f"lesson: {lesson}")
    return replace(plan, lessons=[*plan.lessons, lesson])


@app.task(plan="standard", timeout_seconds=300, retry=Retry(max_retries=2, wait_duration_ms=1000))
async def fix_code(files: dict[str, str], build: Build) -> dict[str, str]:
    """Repair the defect that the build's output shows."""
    return drafts.repaired(files, build.output)


@app.task(timeout_seconds=60, retry=Retry(max_retries=2, wait_duration_ms=500))
async def save_snapshot(sandbox_id: str, files: dict[str, str]) -> str:
    """Keep the project as an archive named after its content."""
    return stores.archive(sandbox_id, files)


@app.task(timeout_seconds=60)
async def diagnose_failure(plan: Plan, build: Build) -> str:
    """Say in one line why the app could not be finished."""
    last_line = next(line for line in reversed(build.output.splitlines()) if "Error" in line)
    return f"{plan.title!r} still fails after {len(plan.lessons)} repairs: {last_line}"
