"""The hot statements as SQL text: each takes one JSON array of rows, so that one row and a thousand are one statement.

Parameters travel as one JSON text because binding a hundred typed arrays costs more CPU in the client than Postgres needs to
parse JSON. Rows are given in order of attempt id, so that two processes lock in the same order.
"""

from __future__ import annotations

# A run and its first attempt. Its turn in the queue is its arrival, but what one request or one parent brings together is
# treated as though each came 50 ms after the one before it (`place`: how many are ahead of it). So of a fan-out of 500, a lone
# trigger passes all but the first few; the last child is held up by others for 25 s at most, and for nothing if there are none.
# A child is stored only while its parent's attempt is live; `spawned` both counts children
# and takes the attempt's row lock, which orders the spawn against the attempt's end.
SUBMIT = """
WITH x AS (
    SELECT * FROM json_to_recordset(%s::json) AS t (
        id text, workflow_id text, version_id text, task_id text, workflow text, task text,
        parent_run_id text, root_run_id text, parent_attempt integer, parent_attempt_id text, parent_token text,
        call_key text, depth integer, idempotency_key text, retried_from text, plan text, priority smallint,
        timeout_ms bigint, max_retries integer, retry_wait_ms bigint, retry_factor double precision,
        tags text[], metadata jsonb, traceparent text, ready_at timestamptz, input text,
        token text, pool text, runner_id text, pod_name text, node text, adopts boolean,
        start_ms bigint, fan_out integer, place integer, lane text)
), parent AS (
    UPDATE attempts a SET spawned = a.spawned + g.children
    FROM (
        SELECT parent_attempt_id AS id, parent_token AS token, count(*) AS children, max(fan_out) AS fan_out
        FROM x WHERE parent_attempt_id IS NOT NULL GROUP BY 1, 2 ORDER BY 1
    ) g
    WHERE a.id = g.id AND a.token = g.token AND a.status IN ('starting', 'running')
      AND a.spawned + g.children <= g.fan_out
    RETURNING a.id
), run AS (
    INSERT INTO runs (
        id, workflow_id, version_id, task_id, workflow, task, status, parent_run_id, root_run_id, parent_attempt,
        call_key, depth, idempotency_key, retried_from, plan, priority, timeout_ms, max_retries, retry_wait_ms,
        retry_factor, tags, metadata, traceparent, ready_at)
    SELECT id, workflow_id, version_id, task_id, workflow, task, 'pending', parent_run_id, root_run_id, parent_attempt,
        call_key, depth, idempotency_key, retried_from, plan, priority, timeout_ms, max_retries, retry_wait_ms,
        retry_factor, tags, metadata, traceparent, coalesce(ready_at, now())
    FROM x WHERE parent_attempt_id IS NULL OR parent_attempt_id IN (SELECT id FROM parent)
    ON CONFLICT DO NOTHING
    RETURNING id
), input AS (
    INSERT INTO run_inputs (run_id, data) SELECT x.id, x.input FROM x JOIN run USING (id)
), attempt AS (
    INSERT INTO attempts (
        id, run_id, number, token, status, workflow_id, pool, priority, runner_id, ready_at, starting_at, check_at,
        pod_name, node, adopt_at, turn_at, lane)
    SELECT x.id || '-1', x.id, 1, x.token, CASE WHEN x.runner_id IS NULL THEN 'queued' ELSE 'starting' END,
        x.workflow_id, x.pool, x.priority, x.runner_id, coalesce(x.ready_at, now()),
        CASE WHEN x.runner_id IS NOT NULL THEN now() END,
        CASE WHEN x.runner_id IS NOT NULL THEN now() + x.start_ms * interval '1 ms' END,
        x.pod_name, x.node, CASE WHEN x.adopts THEN now() END,
        coalesce(x.ready_at, now()) + x.place * interval '50 ms', x.lane
    FROM x JOIN run USING (id)
)
SELECT id FROM run
"""

# The end of attempts: the attempt, its run, its result and, where the decision says so, the next attempt.
SETTLE = """
WITH x AS (
    SELECT * FROM json_to_recordset(%s::json) AS t (
        attempt text, token text, attempt_status text, run_status text, reason text, error jsonb, usage jsonb,
        timings jsonb, started_at timestamptz, result text, user_failures integer, infrastructure_failures integer,
        next_token text, next_wait_ms bigint)
), ended AS (
    UPDATE attempts a SET
        status = x.attempt_status, reason = x.reason, error = x.error, usage = x.usage, timings = x.timings,
        started_at = coalesce(a.started_at, x.started_at), completed_at = now(), check_at = NULL, waiting = false
    FROM x WHERE a.id = x.attempt AND a.token = x.token AND a.status IN ('queued', 'starting', 'running')
    RETURNING a.id, a.run_id, a.number, a.workflow_id, a.pool, a.priority, a.started_at, a.lane
), run AS (
    UPDATE runs r SET
        status = x.run_status, reason = x.reason, error = x.error, user_failures = x.user_failures,
        infrastructure_failures = x.infrastructure_failures, started_at = coalesce(r.started_at, e.started_at),
        completed_at = CASE WHEN x.run_status = 'pending' THEN NULL ELSE now() END
    FROM ended e JOIN x ON x.attempt = e.id
    WHERE r.id = e.run_id AND r.completed_at IS NULL
), result AS (
    INSERT INTO run_results (run_id, data)
    SELECT e.run_id, x.result FROM ended e JOIN x ON x.attempt = e.id WHERE x.result IS NOT NULL
    ON CONFLICT (run_id) DO UPDATE SET data = excluded.data
), again AS (
    INSERT INTO attempts (id, run_id, number, token, status, workflow_id, pool, priority, ready_at, turn_at, lane)
    SELECT e.run_id || '-' || (e.number + 1), e.run_id, e.number + 1, x.next_token, 'queued', e.workflow_id, e.pool,
        e.priority, now() + x.next_wait_ms * interval '1 ms', now() + x.next_wait_ms * interval '1 ms', e.lane
    FROM ended e JOIN x ON x.attempt = e.id WHERE x.next_token IS NOT NULL
)
SELECT id FROM ended
"""

# What user code does: it has begun, it only waits for children, it works again.
PROGRESS = """
WITH x AS (
    SELECT * FROM json_to_recordset(%s::json) AS t (
        attempt text, token text, started_at timestamptz, check_ms bigint, waiting boolean)
), moved AS (
    UPDATE attempts a SET
        status = 'running', waiting = x.waiting, started_at = coalesce(a.started_at, x.started_at),
        check_at = coalesce(a.started_at, x.started_at) + x.check_ms * interval '1 ms'
    FROM x WHERE a.id = x.attempt AND a.token = x.token AND a.status IN ('starting', 'running')
    RETURNING a.id, a.run_id, a.started_at, a.waiting
), run AS (
    UPDATE runs r SET
        status = CASE WHEN m.waiting THEN 'paused' ELSE 'running' END,
        started_at = coalesce(r.started_at, m.started_at)
    FROM moved m WHERE r.id = m.run_id AND r.completed_at IS NULL
)
SELECT id FROM moved
"""

# Log lines of attempts; a batch that was sent twice (same or lower `seq`) is stored once.
APPEND_LOGS = """
WITH x AS (
    SELECT * FROM json_to_recordset(%s::json) AS t (
        attempt text, token text, seq bigint, run_id text, root_run_id text, workflow text, task text, number integer,
        entries json)
), fresh AS (
    UPDATE attempts a SET log_seq = x.seq FROM x
    WHERE a.id = x.attempt AND a.token = x.token AND a.log_seq < x.seq
    RETURNING a.id
)
INSERT INTO logs (run_id, root_run_id, workflow, task, attempt, time, stream, message)
SELECT x.run_id, x.root_run_id, x.workflow, x.task, x.number, e.time, e.stream, e.line
FROM x JOIN fresh ON fresh.id = x.attempt
CROSS JOIN LATERAL json_to_recordset(x.entries) AS e (time timestamptz, stream text, line text)
"""

# Orders the claims of a workflow that has, or whose tasks have, a concurrency limit, so that two processes cannot both see the
# last free slot.
LOCK_WORKFLOW = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"

# The attempt's own columns and what a runner and a decision need of its run; ASSIGNMENT_COLUMNS names them in order.
_ASSIGNMENT = """
SELECT a.id, a.token, a.number, a.runner_id, a.spawned, a.pool, r.id, r.root_run_id, r.parent_run_id, r.workflow_id,
    r.version_id, r.workflow, r.task, r.plan, r.priority, r.timeout_ms, r.max_retries, r.retry_wait_ms, r.retry_factor,
    r.user_failures, r.infrastructure_failures, r.depth, r.traceparent, r.metadata,
    extract(epoch FROM r.created_at)::float8, extract(epoch FROM a.queued_at)::float8, extract(epoch FROM a.ready_at)::float8,
    extract(epoch FROM a.started_at)::float8, a.status,
    CASE WHEN octet_length(i.data) <= %(inline_bytes)s THEN i.data END, a.pod_name, a.node
"""

# How many attempts may begin beside those of their workflow that are live and do not wait for children; more than the limit
# are live when it was lowered, or when one that waited works again.
_ROOM = """greatest(0, LEAST(
            cardinality(%(runners)s::text[]),
            %(limit)s::integer - CASE WHEN %(limit)s::integer = 2147483647 THEN 0 ELSE (
                SELECT count(*)::integer FROM attempts
                WHERE workflow_id = %(workflow_id)s AND status IN ('starting', 'running') AND NOT waiting) END))"""

# The next of the one lane that a pool has as a rule.
_NEXT_OF_POOL = f"""
        SELECT id FROM attempts
        WHERE status = 'queued' AND pool = %(pool)s AND lane = '' AND ready_at <= now()
            AND turn_at <= now() + interval '10 minutes'
        ORDER BY priority DESC, turn_at, id
        LIMIT {_ROOM}
        FOR UPDATE SKIP LOCKED"""

# The next of a pool some of whose tasks are limited: of each lane as many as may be live beside those that are, of whatever
# version. However long a lane is that has no room, nothing of it is read.
_NEXT_OF_LANES = f"""
        SELECT queued.id FROM unnest(%(lanes)s::text[], %(limits)s::integer[]) AS l (lane, most)
        CROSS JOIN LATERAL (
            SELECT id, priority, turn_at FROM attempts
            WHERE status = 'queued' AND pool = %(pool)s AND lane = l.lane AND ready_at <= now()
                AND turn_at <= now() + interval '10 minutes'
            ORDER BY priority DESC, turn_at, id
            LIMIT LEAST(cardinality(%(runners)s::text[]), greatest(0, l.most - CASE WHEN l.lane = '' THEN 0 ELSE (
                SELECT count(*)::integer FROM attempts
                WHERE workflow_id = %(workflow_id)s AND lane = l.lane AND status IN ('starting', 'running') AND NOT waiting)
                END))
            FOR UPDATE SKIP LOCKED) queued
        ORDER BY priority DESC, turn_at, queued.id
        LIMIT {_ROOM}"""


def _claim(next_attempts: str) -> str:
    """Queued attempts of a pool for the runners named (one element for each free slot), highest priority first.

    A turn is at most 500 s later than the moment from which an attempt is ready: that bound keeps what is delayed for longer
    from being read.
    """
    return (
        """
WITH slot AS (
    SELECT runner_id, pod_name, node, adopts, n
    FROM unnest(%(runners)s::text[], %(pods)s::text[], %(nodes)s::text[], %(adopts)s::boolean[]) WITH ORDINALITY
        AS u (runner_id, pod_name, node, adopts, n)
), next AS (
    SELECT id, row_number() OVER () AS n FROM ("""
        + next_attempts
        + """
    ) queued
), a AS (
    UPDATE attempts t SET status = 'starting', runner_id = slot.runner_id, starting_at = now(),
        check_at = now() + %(start_ms)s * interval '1 ms',
        pod_name = slot.pod_name, node = slot.node, adopt_at = CASE WHEN slot.adopts THEN now() END
    FROM next JOIN slot USING (n) WHERE t.id = next.id
    RETURNING t.*
)"""
        + _ASSIGNMENT
        + """FROM a JOIN runs r ON r.id = a.run_id JOIN run_inputs i ON i.run_id = r.id
ORDER BY a.priority DESC, a.turn_at, a.id
"""
    )


CLAIM = _claim(_NEXT_OF_POOL)
CLAIM_IN_LANES = _claim(_NEXT_OF_LANES)

# One queued attempt for the runner that was started for it.
CLAIM_ATTEMPT = (
    """
WITH a AS (
    UPDATE attempts SET status = 'starting', runner_id = %(runner)s, starting_at = now(),
        check_at = now() + %(start_ms)s * interval '1 ms',
        pod_name = %(pod)s, node = coalesce(%(node)s, node)
    WHERE id = %(attempt)s AND status = 'queued' AND ready_at <= now()
    RETURNING *
)"""
    + _ASSIGNMENT
    + "FROM a JOIN runs r ON r.id = a.run_id JOIN run_inputs i ON i.run_id = r.id"
)

# The live attempts of one runner, as it (re)connects.
HELD = (
    _ASSIGNMENT
    + """
FROM attempts a JOIN runs r ON r.id = a.run_id JOIN run_inputs i ON i.run_id = r.id
WHERE a.runner_id = %(runner_id)s AND a.status IN ('starting', 'running')
"""
)

# One attempt, over or not.
ATTEMPT = (
    _ASSIGNMENT
    + """
FROM attempts a JOIN runs r ON r.id = a.run_id JOIN run_inputs i ON i.run_id = r.id
WHERE a.id = %(attempt)s
"""
)

# Live attempts nobody vouches for any more: their runner's lease has run out, or their own moment has come.
DUE = (
    _ASSIGNMENT
    + """, CASE WHEN a.check_at <= now() THEN 'deadline' ELSE 'lease' END
FROM attempts a JOIN runs r ON r.id = a.run_id JOIN run_inputs i ON i.run_id = r.id
LEFT JOIN runners n ON n.id = a.runner_id
WHERE a.status IN ('starting', 'running') AND (
    n.gone_at IS NOT NULL
    OR (%(expire)s AND a.check_at <= now())
    OR (%(expire)s AND a.starting_at < now() - %(lease_ms)s * interval '1 ms'
        AND coalesce(n.lease_until, '-infinity') < now()))
LIMIT 1000
"""
)

OPEN_RUNS = "SELECT id FROM runs WHERE id = ANY(%s) AND completed_at IS NULL"
OPEN_CHILDREN = "SELECT id FROM runs WHERE parent_run_id = ANY(%s) AND completed_at IS NULL"

# Ends the live attempt of each run and the run with it; the caller repeats it until none is open, because an attempt that
# was being retried meanwhile is not in this statement's snapshot.
CANCEL = """
WITH target AS (
    SELECT id FROM attempts
    WHERE run_id = ANY(%(runs)s) AND status IN ('queued', 'starting', 'running') ORDER BY id FOR UPDATE
), ended AS (
    UPDATE attempts a SET status = 'canceled', reason = %(reason)s, completed_at = now(), check_at = NULL, waiting = false
    FROM target t WHERE a.id = t.id
    RETURNING a.id, a.run_id
), run AS (
    UPDATE runs r SET status = 'canceled', reason = %(reason)s, completed_at = now(), error = %(error)s::jsonb
    FROM ended e WHERE r.id = e.run_id AND r.completed_at IS NULL
)
SELECT id, run_id FROM ended
"""

# Which of these live attempts have ended elsewhere (canceled, timed out or lost by another process).
ENDED_ELSEWHERE = """
SELECT id, reason FROM attempts WHERE id = ANY(%s) AND status NOT IN ('queued', 'starting', 'running')
"""

# The end of runs somebody waits for.
FINISHED = """
SELECT r.id, r.status, r.error, CASE WHEN r.status = 'succeeded' THEN d.data END
FROM runs r LEFT JOIN run_results d ON d.run_id = r.id
WHERE r.id = ANY(%s) AND r.completed_at IS NOT NULL
"""

# Pools with ready work, among those this process has runners for.
READY_POOLS = """
SELECT p FROM unnest(%s::text[]) AS p
WHERE EXISTS (SELECT 1 FROM attempts WHERE status = 'queued' AND pool = p AND ready_at <= now())
"""

RENEW_LEASES = "UPDATE runners SET lease_until = now() + %s * interval '1 ms' WHERE id = ANY(%s)"

# Queued work of older versions goes to a newer one, by whose limits it queues: on a laptop the old code is no longer there to
# run it.
ADOPT_QUEUED = """
WITH moved AS (
    UPDATE attempts a SET pool = %(pool)s, lane = coalesce((
        SELECT k.name FROM runs r JOIN tasks k ON k.version_id = %(pool)s AND k.name = r.task
        WHERE r.id = a.run_id AND k.concurrency_limit IS NOT NULL), '')
    WHERE workflow_id = %(workflow_id)s AND status = 'queued' AND pool <> ALL (%(kept)s::text[])
    RETURNING run_id
)
UPDATE runs SET version_id = %(pool)s FROM moved WHERE runs.id = moved.run_id
"""

# Attempts of a workflow that are not over, outside some pools.
OPEN_OUTSIDE = """
SELECT count(*) FROM attempts
WHERE workflow_id = %(workflow_id)s AND pool <> ALL (%(kept)s::text[]) AND status IN ('queued', 'starting', 'running')
"""

# Attempts of a pool that are not over, whoever runs them.
OPEN_IN_POOL = "SELECT count(*) FROM attempts WHERE pool = %s AND status IN ('queued', 'starting', 'running')"

DETAILS = """
SELECT r.*, i.data AS input, CASE WHEN r.status = 'succeeded' THEN d.data END AS result
FROM runs r LEFT JOIN run_inputs i ON i.run_id = r.id LEFT JOIN run_results d ON d.run_id = r.id
WHERE r.id = ANY(%s)
"""

ATTEMPTS_OF = "SELECT * FROM attempts WHERE run_id = ANY(%s) ORDER BY run_id, number"
