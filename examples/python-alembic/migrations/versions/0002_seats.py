"""Give each guest a seat."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("guests", sa.Column("seat", sa.Integer))
    op.execute("UPDATE guests SET seat = id + 10")


def downgrade():
    op.drop_column("guests", "seat")
