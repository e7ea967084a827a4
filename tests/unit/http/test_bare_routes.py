"""Bare routes read what FastAPI's would, and every reply that refuses has the same shape."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel

from skerry_api.domain.errors import LimitExceeded, Unavailable
from skerry_api.domain.limits import Limits
from skerry_api.http import middlewares
from skerry_api.http.bare_routes import BareRoute, reply
from skerry_api.http.installations import install

SMALL = replace(Limits(), argument_bytes=1000, body_bytes=5000)


class Body(BaseModel):
    name: str
    value: Any = None


async def echo(request: Request, body: Body, part: str, wait: Annotated[float, Query(ge=0)] = 0.5) -> Response:
    return reply({"name": body.name, "value": json.dumps(body.value), "part": part, "wait": wait}, 202)


async def refuse(request: Request) -> Response:
    raise {"busy": LimitExceeded("too much"), "away": Unavailable("no database")}.get(
        request.headers["x-case"], RuntimeError("broken")
    )


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.engine = SimpleNamespace(settings=SimpleNamespace(require_keys=False, limits=SMALL))
    install(app)
    app.router.routes.insert(0, BareRoute("/v1/echo/{part}", echo, methods=["POST"]))
    app.router.routes.insert(0, BareRoute("/v1/refuse", refuse, methods=["GET"]))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_values_are_read_from_path_query_and_body(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/echo/a%20b?wait=2&other=1", json={"name": "n", "value": [2**80]})
    assert response.status_code == 202
    assert response.json()["part"] == "a b"
    assert response.json()["wait"] == 2
    assert response.json()["value"] == f"[{2**80}]"
    assert (await client.post("/v1/echo/x", json={"name": "n"})).json()["wait"] == 0.5


@pytest.mark.parametrize(
    ("query", "body", "field"),
    [("?wait=-1", {"name": "n"}, "wait"), ("?wait=x", {"name": "n"}, "wait"), ("", {}, "name"), ("", [], "body")],
)
async def test_wrong_values_are_named(client: httpx.AsyncClient, query: str, body: Any, field: str) -> None:
    response = await client.post(f"/v1/echo/x{query}", json=body)
    assert response.status_code == 422
    assert [detail["field"] for detail in response.json()["details"]] == [field]


@pytest.mark.parametrize("text", ['"\\ud800"', "[" * 300 + "]" * 300, "9" * 4000, "-1.5e10", '"\\u0000"', "[1, 2]"])
async def test_any_json_is_read_even_what_one_parser_refuses(client: httpx.AsyncClient, text: str) -> None:
    content = f'{{"name": "n", "value": {text}}}'
    response = await client.post("/v1/echo/x", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 202
    assert json.loads(response.json()["value"]) == json.loads(text)


@pytest.mark.parametrize("content", ["", "{", '{"name": "n"', "[" * 4000, "NULL", '{"name": "\x00"}'])
async def test_what_is_not_json_is_malformed(client: httpx.AsyncClient, content: str) -> None:
    response = await client.post("/v1/echo/x", content=content, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ("application/vnd.api+json", 202),
        ("text/plain", 415),
        ("text/plain; application/json", 415),
        ("", 415),
    ],
)
async def test_bodies_must_be_declared_as_json(client: httpx.AsyncClient, content_type: str, status: int) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = await client.post("/v1/echo/x", content=b'{"name": "n"}', headers=headers)
    assert response.status_code == status


async def test_a_declared_length_over_the_limit_is_refused_unread(client: httpx.AsyncClient) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {"content-type": "application/json", "content-length": "5001"}
    response = await client.post("/v1/echo/x", content=unread(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")


async def test_a_body_without_length_is_refused_once_it_is_over_the_limit(client: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield b" " * 1000

    for path in ("/v1/echo/x", "/v1/workflows"):
        headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
        response = await client.post(path, content=endless(), headers=headers)
        assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")
        assert read <= 7000
        read = 0


def test_a_single_trigger_has_a_limit_of_its_own() -> None:
    assert middlewares._body_limit("/v1/task-runs", Limits()) == 3 * 4 * 1024**2 + 64 * 1024
    assert middlewares._body_limit("/v1/task-runs/batch", Limits()) == 32 * 1024**2


@pytest.mark.parametrize(("case", "status"), [("busy", 429), ("away", 503), ("bug", 500)])
async def test_refusals_have_one_shape(client: httpx.AsyncClient, case: str, status: int) -> None:
    response = await client.get("/v1/refuse", headers={"x-case": case})
    assert response.status_code == status
    assert response.json().keys() == {"id", "code", "message"}
    assert response.headers["x-request-id"] == response.json()["id"]
    assert ("retry-after" in response.headers) == (status in (429, 503))
    assert "broken" not in response.text


async def test_unknown_paths_and_methods_are_refused_in_the_same_shape(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/nothing")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    response = await client.put("/v1/task-runs/trn-1", json={})
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "DELETE, GET"
    assert (await client.put("/v1/task-runs/batch", json={})).headers["allow"] == "POST"
    assert json.loads((await client.get("/v1/task-runs/")).text)["code"] == "not_found"


async def test_nul_is_refused_before_it_reaches_postgres(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/task-runs?tag=a%00")).status_code == 422
    assert (await client.get("/v1/task-runs/a%00")).status_code == 404
