"""Workflows, versions, tasks, runs, attempts, runners, logs and API keys."""

from alembic import op

revision = "0001"
down_revision = None

SCHEMA = """
CREATE TABLE workflows (
    id text PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    isolation text NOT NULL DEFAULT 'process',
    concurrency_limit integer,                          -- live attempts that are not waiting for children; null: no limit
    retention_days integer NOT NULL DEFAULT 30,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE versions (
    id text PRIMARY KEY,
    workflow_id text NOT NULL REFERENCES workflows ON DELETE CASCADE,
    name text NOT NULL,
    status text NOT NULL,                               -- registering -> ready | registration_failed
    image text,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz
);
CREATE INDEX versions_workflow ON versions (workflow_id, id DESC);

CREATE TABLE tasks (
    id text PRIMARY KEY,
    workflow_id text NOT NULL REFERENCES workflows ON DELETE CASCADE,
    version_id text NOT NULL REFERENCES versions ON DELETE CASCADE,
    name text NOT NULL,
    retry jsonb NOT NULL,
    timeout_ms bigint NOT NULL,
    plan text NOT NULL,
    parameters jsonb,
    input_schema jsonb,
    description text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (version_id, name)
);

CREATE TABLE runs (
    id text PRIMARY KEY,
    workflow_id text NOT NULL,
    version_id text NOT NULL,
    task_id text NOT NULL,
    workflow text NOT NULL,
    task text NOT NULL,
    status text NOT NULL,                               -- pending -> running <-> paused -> succeeded | failed | canceled
    reason text,
    parent_run_id text,
    root_run_id text NOT NULL,
    parent_attempt integer,
    call_key text,                                      -- the parent's own name for this call: resending cannot spawn twice
    depth integer NOT NULL DEFAULT 0,
    idempotency_key text,
    retried_from text,
    plan text NOT NULL,
    priority smallint NOT NULL DEFAULT 0,
    timeout_ms bigint NOT NULL,
    max_retries integer NOT NULL,
    retry_wait_ms bigint NOT NULL,
    retry_factor double precision NOT NULL,
    user_failures integer NOT NULL DEFAULT 0,
    infrastructure_failures integer NOT NULL DEFAULT 0,
    tags text[] NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}',
    traceparent text,
    error jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX runs_root ON runs (root_run_id, id);
CREATE INDEX runs_task ON runs (workflow_id, task, id);
CREATE UNIQUE INDEX runs_call ON runs (parent_run_id, parent_attempt, call_key) WHERE parent_run_id IS NOT NULL;
CREATE UNIQUE INDEX runs_idempotency ON runs (workflow_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- No index has a column that a run's progress changes: its updates stay within the page, and touch no index (HOT).

-- Apart from runs, so that lists stay light; rows are written once and never updated. Without foreign keys, here and for
-- attempts: all are inserted with their run in one statement and deleted with it in another, and each check would lock and
-- log a row on the hot path.
CREATE TABLE run_inputs (run_id text PRIMARY KEY, data text NOT NULL);
CREATE TABLE run_results (run_id text PRIMARY KEY, data text NOT NULL);

CREATE TABLE attempts (
    id text PRIMARY KEY,
    run_id text NOT NULL,
    number integer NOT NULL,
    token text NOT NULL,
    status text NOT NULL,                               -- queued -> starting -> running -> succeeded | failed | lost | canceled
    reason text,
    workflow_id text NOT NULL,
    pool text NOT NULL,
    priority smallint NOT NULL,
    runner_id text,
    waiting boolean NOT NULL DEFAULT false,             -- only waits for children: takes no concurrency slot
    spawned integer NOT NULL DEFAULT 0,                 -- children; also the lock that orders a spawn against the attempt's end
    log_seq bigint NOT NULL DEFAULT 0,
    queued_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz NOT NULL DEFAULT now(),
    starting_at timestamptz,
    started_at timestamptz,
    check_at timestamptz,                               -- live: when the sweeper looks, whatever was heard
    completed_at timestamptz,
    error jsonb,
    usage jsonb,
    timings jsonb,
    UNIQUE (run_id, number)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX attempts_one_live ON attempts (run_id) WHERE status IN ('queued', 'starting', 'running');
CREATE INDEX attempts_queue ON attempts (pool, priority DESC, ready_at, id) WHERE status = 'queued';
CREATE INDEX attempts_completed ON attempts USING brin (completed_at) WITH (autosummarize = on);    -- usage
CREATE INDEX attempts_live ON attempts (runner_id) WHERE status IN ('starting', 'running');

CREATE TABLE runners (
    id text PRIMARY KEY,
    token_hash text NOT NULL UNIQUE,
    workflow_id text NOT NULL,
    version_id text NOT NULL,
    pool text NOT NULL,
    isolation text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz,
    gone_at timestamptz
);

-- Control-plane processes; a process that is alone has nobody to notify.
CREATE TABLE replicas (id text PRIMARY KEY, seen_at timestamptz NOT NULL DEFAULT now());

CREATE SEQUENCE logs_id;
CREATE TABLE logs (
    id bigint NOT NULL DEFAULT nextval('logs_id'),
    day date NOT NULL DEFAULT (now() AT TIME ZONE 'utc')::date,
    run_id text NOT NULL,
    root_run_id text NOT NULL,
    workflow text NOT NULL,
    task text NOT NULL,
    attempt integer NOT NULL,
    time timestamptz NOT NULL,
    stream text NOT NULL,
    message text NOT NULL
) PARTITION BY RANGE (day);
CREATE INDEX logs_run ON logs (run_id, id);
CREATE INDEX logs_root ON logs (root_run_id, id);
CREATE INDEX logs_time ON logs (time);
CREATE TABLE logs_default PARTITION OF logs DEFAULT;    -- so that a missing partition never loses a line

CREATE TABLE api_keys (
    id text PRIMARY KEY,
    name text NOT NULL,
    key_hash text NOT NULL UNIQUE,
    prefix text NOT NULL,
    scopes text[] NOT NULL,
    workflow text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);
"""


def upgrade() -> None:
    op.execute(SCHEMA)


def downgrade() -> None:
    raise RuntimeError("the first migration has nothing before it; drop the database instead")
