"""What waiting ahead costs: for how many seconds Pods waited for work, hour by hour."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE warm_usages (
            workflow_id text NOT NULL,
            plan text NOT NULL,
            hour timestamptz NOT NULL,
            seconds double precision NOT NULL,
            PRIMARY KEY (workflow_id, plan, hour)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE warm_usages")
