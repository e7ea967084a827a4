"""The tables, as SQLAlchemy Core sees them; the migrations make them, and a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()


def _time(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True))


workflows = Table(
    "workflows",
    metadata,
    Column("id", Text, primary_key=True),
    Column("slug", Text),
    Column("name", Text),
    Column("isolation", Text),
    Column("concurrency_limit", Integer),
    Column("retention_days", Integer),
    _time("created_at"),
    _time("updated_at"),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow_id", Text),
    Column("name", Text),
    Column("status", Text),
    Column("image", Text),
    Column("source", JSONB(none_as_null=True)),
    Column("error", Text),
    Column("waiting", JSONB(none_as_null=True)),
    _time("created_at"),
    _time("ready_at"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow_id", Text),
    Column("version_id", Text),
    Column("name", Text),
    Column("retry", JSONB),
    Column("timeout_ms", BigInteger),
    Column("plan", Text),
    Column("parameters", JSONB(none_as_null=True)),
    Column("input_schema", JSONB(none_as_null=True)),
    Column("description", Text),
    Column("concurrency_limit", Integer),
    _time("created_at"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow_id", Text),
    Column("version_id", Text),
    Column("task_id", Text),
    Column("workflow", Text),
    Column("task", Text),
    Column("status", Text),
    Column("reason", Text),
    Column("parent_run_id", Text),
    Column("root_run_id", Text),
    Column("parent_attempt", Integer),
    Column("call_key", Text),
    Column("depth", Integer),
    Column("idempotency_key", Text),
    Column("retried_from", Text),
    Column("plan", Text),
    Column("priority", SmallInteger),
    Column("timeout_ms", BigInteger),
    Column("max_retries", Integer),
    Column("retry_wait_ms", BigInteger),
    Column("retry_factor", Double),
    Column("user_failures", Integer),
    Column("infrastructure_failures", Integer),
    Column("tags", ARRAY(Text)),
    Column("metadata", JSONB),
    Column("traceparent", Text),
    Column("error", JSONB(none_as_null=True)),
    _time("created_at"),
    _time("ready_at"),
    _time("started_at"),
    _time("completed_at"),
)

run_inputs = Table("run_inputs", metadata, Column("run_id", Text, primary_key=True), Column("data", Text))
run_results = Table("run_results", metadata, Column("run_id", Text, primary_key=True), Column("data", Text))

attempts = Table(
    "attempts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text),
    Column("number", Integer),
    Column("token", Text),
    Column("status", Text),
    Column("reason", Text),
    Column("workflow_id", Text),
    Column("pool", Text),
    Column("priority", SmallInteger),
    Column("runner_id", Text),
    Column("waiting", Boolean),
    Column("spawned", Integer),
    Column("log_seq", BigInteger),
    _time("queued_at"),
    _time("ready_at"),
    _time("starting_at"),
    _time("started_at"),
    _time("check_at"),
    _time("completed_at"),
    Column("error", JSONB(none_as_null=True)),
    Column("usage", JSONB(none_as_null=True)),
    Column("timings", JSONB(none_as_null=True)),
    Column("pod_name", Text),
    Column("node", Text),
    _time("adopt_at"),
    _time("turn_at"),
    Column("lane", Text),
)

pools = Table(
    "pools",
    metadata,
    Column("name", Text, primary_key=True),
    Column("workflow_id", Text),
    Column("version_id", Text),
    Column("plan", Text),
    Column("wanted", Integer),
    Column("why", Text),
    Column("idle", Integer),
    Column("starting", Integer),
    Column("claimed", Integer),
    Column("excess", Integer),
    _time("updated_at"),
)

warm_usages = Table(
    "warm_usages",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("plan", Text, primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    Column("seconds", Double),
)

runners = Table(
    "runners",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_hash", Text),
    Column("workflow_id", Text),
    Column("version_id", Text),
    Column("pool", Text),
    Column("isolation", Text),
    _time("created_at"),
    _time("lease_until"),
    _time("gone_at"),
)

replicas = Table("replicas", metadata, Column("id", Text, primary_key=True), _time("seen_at"))

logs = Table(
    "logs",
    metadata,
    Column("id", BigInteger),
    Column("day", Date),
    Column("run_id", Text),
    Column("root_run_id", Text),
    Column("workflow", Text),
    Column("task", Text),
    Column("attempt", Integer),
    _time("time"),
    Column("stream", Text),
    Column("message", Text),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("key_hash", Text),
    Column("prefix", Text),
    Column("scopes", ARRAY(Text)),
    Column("workflow", Text),
    _time("created_at"),
    _time("last_used_at"),
    _time("revoked_at"),
)
