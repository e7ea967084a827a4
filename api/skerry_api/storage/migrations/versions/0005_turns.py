"""The order of the queue: when an attempt's turn is, which for the later children of one parent is later than their arrival."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE attempts ADD COLUMN turn_at timestamptz")
    op.execute("UPDATE attempts SET turn_at = ready_at WHERE status = 'queued'")
    op.execute("DROP INDEX attempts_queue")
    op.execute("CREATE INDEX attempts_queue ON attempts (pool, priority DESC, turn_at, id) WHERE status = 'queued'")


def downgrade() -> None:
    op.execute("DROP INDEX attempts_queue")
    op.execute("CREATE INDEX attempts_queue ON attempts (pool, priority DESC, ready_at, id) WHERE status = 'queued'")
    op.execute("ALTER TABLE attempts DROP COLUMN turn_at")
