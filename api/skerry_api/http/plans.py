"""Plans, and the pools of runners that carry them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from skerry_api.domain.plans import PLANS
from skerry_api.http import failures, presentations
from skerry_api.http.authorisations import Reader
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of
from skerry_api.http.schemas.plans import PlanItem, PoolItem
from skerry_api.storage import pools, workflows

router = APIRouter(tags=["plans"])


@router.get("/v1/plans", response_model=list[PlanItem], responses=failures.READ)
async def list_plans(request: Request, caller: Reader) -> Response:
    """List compute plans, smallest first."""
    return reply([{"plan": presentations.plan(plan), "cursor": plan.name} for plan in PLANS.values()])


@router.get("/v1/pools", response_model=list[PoolItem], responses=failures.READ)
async def list_pools(request: Request, caller: Reader) -> Response:
    """List pools: on Kubernetes all, and how many runners wait in each and why; elsewhere those with runners on this server."""
    engine = engine_of(request)
    async with engine.database.transaction() as connection:
        recorded = await pools.fetch_pools(connection)
        slugs = {row["id"]: row["slug"] for row in await workflows.fetch_workflows(connection)}
    shown = {
        pool["id"]: pool | {"workflow": slugs.get(pool["workflowId"])} for pool in engine.dispatcher.describe_pools()
    }
    for row in recorded:
        shown[row["name"]] = shown.get(row["name"], {"runners": 0, "freeSlots": 0}) | presentations.pool(row)
    seen = [pool for pool in shown.values() if pool["workflow"] is not None and caller.sees(pool["workflow"])]
    return reply([{"pool": pool, "cursor": pool["id"]} for pool in seen])
