"""HTTP on the slot's socket, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from skerry_runner.requests import Connection, Exchange


class Transport:
    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Peer:
    """A connection with its two ends in view."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.members: set[Connection] = set()
        self.transport: Any = Transport()
        self.connection = Connection(self.exchanges.append, self.members)
        self.connection.connection_made(self.transport)


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_request_in_pieces_is_put_together(peer: Peer) -> None:
    request = b"POST /callback?x=1 HTTP/1.1\r\nSkerry-Attempt: att-1\r\nContent-Length: 6\r\n\r\n" + b'{"a":1}'[:6]
    for index in range(len(request)):
        peer.connection.data_received(request[index : index + 1])
    (exchange,) = peer.exchanges
    assert (exchange.method, exchange.path, exchange.body) == (b"POST", b"/callback", b'{"a":1')
    assert exchange.parameters == {"x": "1"}
    assert exchange.attempt == "att-1"


def test_connection_is_kept_alive_unless_the_client_closes(peer: Peer) -> None:
    for _ in range(2):
        peer.connection.data_received(b"GET /input HTTP/1.1\r\n\r\n")
        peer.exchanges[-1].answer(200, b"{}")
    assert not peer.transport.closed
    assert (
        peer.transport.written.count(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        )
        == 2
    )
    peer.connection.data_received(b"GET /input HTTP/1.1\r\nConnection: close\r\n\r\n")
    peer.exchanges[-1].answer(200, b"{}")
    assert peer.transport.closed


async def test_after_an_answer_the_other_side_is_unheard_for_a_while(peer: Peer) -> None:
    peer.connection.data_received(b"GET /input HTTP/1.1\r\n\r\n")
    peer.exchanges[0].answer_json({}, unheard_seconds=0.01)
    assert not peer.transport.reading
    await asyncio.sleep(0.02)
    assert peer.transport.reading


async def test_a_connection_that_is_lost_while_it_is_unheard_is_left_alone(peer: Peer) -> None:
    peer.connection.data_received(b"GET /input HTTP/1.1\r\n\r\n")
    peer.exchanges[0].answer_json({}, unheard_seconds=0.01)
    peer.connection.connection_lost(None)
    await asyncio.sleep(0.02)
    assert not peer.transport.reading


def test_a_connection_that_ends_with_its_answer_is_not_paused(peer: Peer) -> None:
    peer.connection.data_received(b"GET /input HTTP/1.1\r\nConnection: close\r\n\r\n")
    peer.exchanges[0].answer_json({}, unheard_seconds=0.01)
    assert peer.transport.closed
    assert peer.transport.reading


def test_only_the_first_answer_counts(peer: Peer) -> None:
    peer.connection.data_received(b"GET /input HTTP/1.1\r\n\r\n")
    exchange = peer.exchanges[0]
    exchange.answer(200, b"1")
    exchange.answer(200, b"2")
    assert peer.transport.written.endswith(b"\r\n\r\n1")


def test_held_request_hears_of_a_lost_connection(peer: Peer) -> None:
    peer.connection.data_received(b"GET /input HTTP/1.1\r\n\r\n")
    told: list[bool] = []
    peer.exchanges[0].on_abandoned = lambda: told.append(True)
    peer.connection.connection_lost(None)
    peer.exchanges[0].answer(200, b"{}")
    assert told == [True]
    assert not peer.members


@pytest.mark.parametrize("data", [b"nonsense\r\n\r\n", b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"])
def test_what_is_not_one_request_at_a_time_is_refused(peer: Peer, data: bytes) -> None:
    peer.connection.data_received(data)
    assert b"HTTP/1.1 400 Bad Request" in peer.transport.written
    assert peer.transport.closed


def test_body_beyond_all_limits_is_counted_not_kept(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skerry_runner.requests.KEEP_BODY_BYTES", 10)
    peer.connection.data_received(b"POST /callback HTTP/1.1\r\nContent-Length: 20\r\n\r\n" + b"x" * 20)
    assert (peer.exchanges[0].body, peer.exchanges[0].body_bytes) == (None, 20)
