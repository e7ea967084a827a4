"""Which pools' runners take many runs: attempts of those get no Pods of their own."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE pools ADD COLUMN isolation text NOT NULL DEFAULT 'container'")


def downgrade() -> None:
    op.execute("ALTER TABLE pools DROP COLUMN isolation")
