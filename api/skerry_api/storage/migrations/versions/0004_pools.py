"""Runners that wait ahead: which attempts they took, and how many of them there should be."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # A waiting Pod took it: from when on its TaskRun is to be written; null once that is done.
    op.execute("ALTER TABLE attempts ADD COLUMN adopt_at timestamptz")
    op.execute("CREATE INDEX attempts_adoptable ON attempts (adopt_at) WHERE adopt_at IS NOT NULL")
    # As the replica that leads last saw and decided them; `excess` is how many waiting runners may still be told to leave.
    op.execute(
        """
        CREATE TABLE pools (
            name text PRIMARY KEY,
            workflow_id text NOT NULL,
            version_id text NOT NULL,
            plan text NOT NULL,
            wanted integer NOT NULL,
            why text NOT NULL,
            idle integer NOT NULL,
            starting integer NOT NULL,
            claimed integer NOT NULL,
            excess integer NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE pools")
    op.execute("DROP INDEX attempts_adoptable")
    op.execute("ALTER TABLE attempts DROP COLUMN adopt_at")
