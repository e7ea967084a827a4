"""What a version was released from, so that its Pods can be made again whenever a run needs one."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE versions ADD COLUMN source jsonb")
    # The same release, asked for by two processes at once, is one version.
    op.execute("CREATE UNIQUE INDEX versions_name ON versions (workflow_id, name)")


def downgrade() -> None:
    op.execute("DROP INDEX versions_name")
    op.execute("ALTER TABLE versions DROP COLUMN source")
