"""Event streams: their bytes, their pings, and the three ways they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry_api.http import streams
from skerry_api.http.streams import EventStream, Streams, ascii_line, event

JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


class Client:
    """The other end of a stream."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.gone = asyncio.Event()

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def numbers(count: int, closed: list[bool] | None = None, then_wait: bool = False) -> AsyncGenerator[bytes]:
    try:
        for number in range(count):
            yield event("log", str(number).encode())
        if then_wait:
            await asyncio.Event().wait()
    finally:
        if closed is not None:
            closed.append(True)


async def serve(client: Client, held: Streams, events: AsyncGenerator[bytes], **options: Any) -> None:
    async with asyncio.timeout(5):
        await EventStream(held, events, **options)({"type": "http"}, client.receive, client.send)


async def test_a_stream_ends_with_its_events() -> None:
    client = Client()
    await serve(client, Streams(), numbers(2))
    assert client.body == b"retry: 2000\n\nevent: log\ndata: 0\n\nevent: log\ndata: 1\n\n"
    headers = dict(client.sent[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert b"content-length" not in headers
    assert client.sent[-1]["more_body"] is False


async def test_a_stream_ends_when_its_client_leaves() -> None:
    client, closed = Client(), list[bool]()
    serving = asyncio.create_task(serve(client, Streams(), numbers(1, closed, then_wait=True)))
    await asyncio.sleep(0.01)
    client.gone.set()
    await serving
    assert closed


async def test_a_stream_ends_when_the_server_stops() -> None:
    client, held = Client(), Streams()
    serving = asyncio.create_task(serve(client, held, numbers(1, then_wait=True)))
    await asyncio.sleep(0.01)
    held.close()
    await serving
    await serve(Client(), held, numbers(1, then_wait=True))


async def test_a_silent_stream_pings_and_ends_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PING_SECONDS", 0.01)
    client = Client()
    await serve(client, Streams(), numbers(0, then_wait=True), silent_seconds=0.025)
    assert client.body == b"retry: 2000\n\n" + b": ping\n\n" * 3


async def test_an_error_of_the_events_is_not_swallowed() -> None:
    async def broken() -> AsyncGenerator[bytes]:
        yield event("log", b"1")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await serve(Client(), Streams(), broken())


@given(JSON)
def test_json_becomes_one_line_of_ascii_that_means_the_same(document: Any) -> None:
    for text in (json.dumps(document, ensure_ascii=False), json.dumps(document, ensure_ascii=False, indent=1)):
        try:
            data = text.encode()
        except UnicodeEncodeError:
            continue
        line = ascii_line(data)
        assert line.isascii()
        assert b"\n" not in line
        assert json.loads(line) == document


def test_an_event_carries_its_identity() -> None:
    assert event("task.completed", b"{}", "trn-1") == b"id: trn-1\nevent: task.completed\ndata: {}\n\n"
