from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.execute("INSERT INTO guests (name) SELECT 'Guest ' || nextval('executions')")
    op.execute("SELECT pg_sleep(2)")
