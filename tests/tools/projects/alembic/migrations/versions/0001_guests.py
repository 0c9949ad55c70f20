import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    guests = op.create_table(
        "guests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
    )
    op.bulk_insert(guests, [{"name": "Ada"}, {"name": "Grace"}])
