import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.add_column("guests", sa.Column("seat", sa.Integer))
    op.execute("UPDATE guests SET seat = id + 10")
