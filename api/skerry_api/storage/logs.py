"""Log lines, read by cursor or by time, and the daily partitions they are kept in; the writer appends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage import tables

Row = Mapping[Any, Any]

_columns = tables.logs.c
_PREFIX = "logs_"
_FORMAT = f"{_PREFIX}%Y%m%d"
# One key for all of Skerry, so that two processes do not make or drop the same partition at once.
_PARTITION_LOCK = 0x736B6C6F6773
_LOCK_SECONDS = 5


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines to read; None does not restrict.

    Attributes:
        run_ids: lines of these runs.
        root_run_ids: lines of these whole trees.
        below_run_ids: lines of these runs and their descendants.
        workflows: lines of one of these, by slug.
        workflow: lines of this one only, by slug.
        tasks: `workflow/task` or bare names.
        streams: `stdout`, `stderr`.
        texts: lines that contain one of these, whatever the case.
        since: no line is older than this day; it spares Postgres the partitions before it.
    """

    run_ids: Sequence[str] | None = None
    root_run_ids: Sequence[str] | None = None
    below_run_ids: Sequence[str] | None = None
    workflows: Sequence[str] | None = None
    workflow: str | None = None
    tasks: Sequence[str] | None = None
    streams: Sequence[str] | None = None
    texts: Sequence[str] | None = None
    since: date | None = None


async def fetch_lines(connection: AsyncConnection, wanted: LogFilter, after: int, limit: int) -> list[Row]:
    """Lines in the order in which they were stored; `after` is the id of the last one known."""
    statement = _filtered(select(tables.logs), wanted).where(_columns.id > after).order_by(_columns.id).limit(limit)
    return list((await connection.execute(statement)).mappings())


async def search_lines(
    connection: AsyncConnection, wanted: LogFilter, start: datetime, end: datetime, limit: int, *, newest_first: bool
) -> list[Row]:
    """Lines of a stretch of time: from `start` (exclusive when oldest first) to `end` (exclusive when newest first).

    There may be more than `limit`: lines of the same moment stay together, so that the next page can begin at a moment.
    """
    order = _columns.time.desc() if newest_first else _columns.time.asc()
    within = _filtered(select(tables.logs), wanted).where(_between(start, end, newest_first=newest_first))
    statement = within.order_by(order).fetch(limit, with_ties=True)
    rows = list((await connection.execute(statement)).mappings())
    # The order among equals is not the statement's, since it would then not keep them together.
    return sorted(rows, key=lambda row: (row["time"], row["id"]), reverse=newest_first)


async def fetch_values(
    connection: AsyncConnection,
    columns: Sequence[str],
    wanted: LogFilter,
    start: datetime,
    end: datetime,
    limit: int,
    *,
    newest_first: bool,
) -> list[Row]:
    """The distinct values of `columns` among the lines that `search_lines` would find, those of its first lines first."""
    chosen = [_columns[name] for name in columns]
    order = func.max(_columns.time).desc() if newest_first else func.min(_columns.time).asc()
    within = _filtered(select(*chosen), wanted).where(_between(start, end, newest_first=newest_first))
    statement = within.group_by(*chosen).order_by(order, *chosen).limit(limit)
    return list((await connection.execute(statement)).mappings())


def _between(start: datetime, end: datetime, *, newest_first: bool) -> ColumnElement[bool]:
    if newest_first:
        return and_(_columns.time >= start, _columns.time < end)
    return and_(_columns.time > start, _columns.time <= end)


def _filtered(statement: Select[Any], wanted: LogFilter) -> Select[Any]:
    conditions: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
        (wanted.run_ids, lambda: _columns.run_id.in_(wanted.run_ids or ())),
        (wanted.root_run_ids, lambda: _columns.root_run_id.in_(wanted.root_run_ids or ())),
        (wanted.below_run_ids, lambda: _columns.run_id.in_(_descendants(wanted.below_run_ids or ()))),
        (wanted.workflows, lambda: _columns.workflow.in_(wanted.workflows or ())),
        (wanted.workflow, lambda: _columns.workflow == wanted.workflow),
        (wanted.tasks, lambda: _named(wanted.tasks or ())),
        (wanted.streams, lambda: _columns.stream.in_(wanted.streams or ())),
        (wanted.texts, lambda: or_(*(_columns.message.ilike(_containing(part)) for part in wanted.texts or ()))),
        (wanted.since, lambda: _columns.day >= wanted.since),
    ]
    for given, condition in conditions:
        if given is not None:
            statement = statement.where(condition())
    return statement


def _containing(part: str) -> str:
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _named(names: Sequence[str]) -> Any:
    return or_(_columns.task.in_(names), (_columns.workflow + "/" + _columns.task).in_(names))


def _descendants(run_ids: Sequence[str]) -> Any:
    below = select(tables.runs.c.id).where(tables.runs.c.id.in_(run_ids)).cte("below", recursive=True)
    children = select(tables.runs.c.id).join(below, tables.runs.c.parent_run_id == below.c.id)
    return select(below.union(children).c.id)


async def ensure_log_partitions(connection: AsyncConnection, days: int) -> None:
    """Make the partitions of today and the `days` after it, where they are missing.

    Lines of such a day that already went to the default partition are moved. Call it within a transaction.

    Raises:
        Unavailable: (from the transaction) the table was in use for too long.
    """
    await _lock(connection)
    today, existing = await _today(connection), await _partitions(connection)
    for day in (today + timedelta(days=ahead) for ahead in range(days + 1)):
        if day not in existing:
            await _create(connection, day)


async def drop_log_partitions(connection: AsyncConnection, keep_days: int) -> int:
    """Drop the partitions of days that ended `keep_days` or more before today; answers how many. Needs a transaction."""
    await _lock(connection)
    first = await _today(connection) - timedelta(days=keep_days)
    expired = [day for day in await _partitions(connection) if day < first]
    for day in expired:
        await connection.execute(text(f"DROP TABLE {day:{_FORMAT}}"))
    await connection.execute(text("DELETE FROM logs_default WHERE day < :first"), {"first": first})
    return len(expired)


async def _lock(connection: AsyncConnection) -> None:
    # Whoever waits for a lock on the table keeps everybody else waiting: better to try again later.
    await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_PARTITION_LOCK})"))


async def _today(connection: AsyncConnection) -> date:
    today: date = (await connection.execute(text("SELECT (now() AT TIME ZONE 'utc')::date"))).scalar_one()
    return today


async def _partitions(connection: AsyncConnection) -> set[date]:
    found = await connection.execute(
        text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'logs'::regclass"
        )
    )
    names = [str(row[0]) for row in found]
    return {datetime.strptime(name, _FORMAT).date() for name in names if name.removeprefix(_PREFIX).isdigit()}


async def _create(connection: AsyncConnection, day: date) -> None:
    # A line on its way to the default partition would find, after waiting for us, that it belongs elsewhere, and fail.
    await connection.execute(text("LOCK TABLE logs IN SHARE ROW EXCLUSIVE MODE"))
    name, bounds = f"{day:{_FORMAT}}", f"FROM ('{day}') TO ('{day + timedelta(days=1)}')"
    await connection.execute(text(f"CREATE TABLE {name} (LIKE logs INCLUDING DEFAULTS)"))
    # Attaching checks that the default partition holds nothing that belongs here.
    moved = (
        f"WITH gone AS (DELETE FROM logs_default WHERE day = '{day}' RETURNING *) INSERT INTO {name} SELECT * FROM gone"  # noqa: S608
    )
    await connection.execute(text(moved))
    await connection.execute(text(f"ALTER TABLE logs ATTACH PARTITION {name} FOR VALUES {bounds}"))
