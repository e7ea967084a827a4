"""Lanes: attempts of a task that may only run so often at once queue apart from the others of their pool."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN concurrency_limit integer")
    # The task's name where its concurrency is limited, and '' for all others.
    op.execute("ALTER TABLE attempts ADD COLUMN lane text NOT NULL DEFAULT ''")
    op.execute("DROP INDEX attempts_queue")
    op.execute("CREATE INDEX attempts_queue ON attempts (pool, lane, priority DESC, turn_at, id) WHERE status = 'queued'")


def downgrade() -> None:
    op.execute("DROP INDEX attempts_queue")
    op.execute("CREATE INDEX attempts_queue ON attempts (pool, priority DESC, turn_at, id) WHERE status = 'queued'")
    op.execute("ALTER TABLE attempts DROP COLUMN lane")
    op.execute("ALTER TABLE tasks DROP COLUMN concurrency_limit")
