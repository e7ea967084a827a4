"""Plans, and the pools of runners that carry them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from skerry_api.domain.plans import PLANS
from skerry_api.http import failures, presentations
from skerry_api.http.authorisations import Reader
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of
from skerry_api.http.schemas.plans import PlanItem, PoolItem
from skerry_api.storage import catalogues

router = APIRouter(tags=["plans"])


@router.get("/v1/plans", response_model=list[PlanItem], responses=failures.READ)
async def list_plans(request: Request, caller: Reader) -> Response:
    """List compute plans, smallest first."""
    return reply([{"plan": presentations.plan(plan), "cursor": plan.name} for plan in PLANS.values()])


@router.get("/v1/pools", response_model=list[PoolItem], responses=failures.READ)
async def list_pools(request: Request, caller: Reader) -> Response:
    """List the pools with runners connected to this server."""
    engine = engine_of(request)
    pools = engine.dispatcher.describe_pools()
    if caller.workflow is not None:
        async with engine.database.autocommit() as connection:
            own = await catalogues.fetch_workflow_page(connection, 1, slug=caller.workflow)
        pools = [pool for pool in pools if own and pool["workflowId"] == own[0]["id"]]
    return reply([{"pool": pool, "cursor": pool["id"]} for pool in pools])
