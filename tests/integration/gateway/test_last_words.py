"""Log lines of attempts that are over: they count, once, from whoever has the token."""

from __future__ import annotations

import json

from tests.integration.gateway.gateways import Gateway, ack, complete, hear, log


async def test_last_words_after_the_end_are_stored_once_and_in_order(gateway: Gateway) -> None:
    async with gateway.runner() as connection:
        await gateway.greeted(connection)
        run_id = await gateway.trigger()
        assigned = await hear(connection)
        await complete(connection, assigned)
        assert await hear(connection) == ack(assigned, 1)
        for seq in range(2, 12):
            await log(connection, assigned, seq, f"line {seq}")
        assert [await hear(connection) for _ in range(10)] == [ack(assigned, seq) for seq in range(2, 12)]
        await log(connection, assigned, 11, "line 11")
        assert await hear(connection) == ack(assigned, 11)
        await log(connection, {**assigned, "token": "0" * 32}, 12, "not mine")
        assert (await hear(connection))["reason"] == "superseded"
    assert await gateway.logged(run_id) == [f"line {seq}" for seq in range(2, 12)]


async def test_lines_that_were_lost_with_the_connection_count_after_the_end(gateway: Gateway) -> None:
    token = await gateway.token()
    async with gateway.runner(token) as connection:
        await gateway.greeted(connection)
        run_id = await gateway.trigger()
        assigned = await hear(connection)
        await log(connection, assigned, 1, "stored")
        await complete(connection, assigned, seq=3)
        assert {(await hear(connection))["seq"], (await hear(connection))["seq"]} == {1, 3}
    async with gateway.runner(token) as connection:
        await gateway.greeted(connection)
        await log(connection, assigned, 1, "stored")
        await log(connection, assigned, 2, "lost\0")
        assert [await hear(connection), await hear(connection)] == [ack(assigned, 1), ack(assigned, 2)]
    assert await gateway.logged(run_id) == ["stored", "lost\\0"]


async def test_who_follows_a_log_sees_last_words(gateway: Gateway) -> None:
    async with gateway.runner() as connection:
        await gateway.greeted(connection)
        run_id = await gateway.trigger()
        assigned = await hear(connection)
        async with gateway.http.stream("GET", "/v1/logs/subscribe", params={"taskRun": run_id}) as following:
            await complete(connection, assigned)
            assert await hear(connection) == ack(assigned, 1)
            await log(connection, assigned, 2, "bye")
            assert await hear(connection) == ack(assigned, 2)
            seen = [line async for line in following.aiter_lines() if line.startswith("data: ")]
    assert [json.loads(line.removeprefix("data: "))["message"] for line in seen] == ["bye"]


async def test_what_a_canceled_attempt_says_while_it_stops_is_stored(gateway: Gateway) -> None:
    async with gateway.runner() as connection:
        await gateway.greeted(connection)
        run_id = await gateway.trigger()
        assigned = await hear(connection)
        (await gateway.http.delete(f"/v1/task-runs/{run_id}")).raise_for_status()
        assert (await hear(connection))["type"] == "cancel"
        await log(connection, assigned, 1, "closing")
        assert await hear(connection) == ack(assigned, 1)
    assert await gateway.logged(run_id) == ["closing"]
