"""Where an attempt ran, and what a version that registers waits for."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE attempts ADD COLUMN pod_name text, ADD COLUMN node text")
    op.execute("ALTER TABLE versions ADD COLUMN waiting jsonb")


def downgrade() -> None:
    op.execute("ALTER TABLE versions DROP COLUMN waiting")
    op.execute("ALTER TABLE attempts DROP COLUMN pod_name, DROP COLUMN node")
