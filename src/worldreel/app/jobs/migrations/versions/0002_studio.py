"""Verbs, takes, marks, folders, lineage, storyboards, sessions, and keys that may make keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

FALSE = sa.false()


def upgrade() -> None:
    op.add_column("keys", sa.Column("admin", sa.Boolean(), nullable=False, server_default=FALSE))
    # whoever set the server up was the owner "default" until now
    op.execute("UPDATE keys SET admin = true WHERE owner = 'default'")
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=True),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index(op.f("ix_sessions_key"), "sessions", ["key"], unique=False)
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    for column in (
        sa.Column("verb", sa.String(length=16), nullable=False, server_default="create"),
        sa.Column("batch", sa.String(length=48), nullable=True),
        sa.Column("take", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("favourite", sa.Boolean(), nullable=False, server_default=FALSE),
        sa.Column("picked", sa.Boolean(), nullable=False, server_default=FALSE),
        sa.Column("folder", sa.String(length=48), nullable=True),
    ):
        op.add_column("videos", column)
    op.create_index("videos_batch", "videos", ["batch"], unique=False)
    op.create_index("videos_folder", "videos", ["folder"], unique=False)
    op.create_table(
        "parents",
        sa.Column("child", sa.String(length=48), nullable=False),
        sa.Column("parent", sa.String(length=48), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("child", "parent", "role"),
    )
    op.create_index("parents_parent", "parents", ["parent"], unique=False)
    op.execute(
        "INSERT INTO parents (child, parent, role, owner) "
        "SELECT id, remixed_from_video_id, 'source', owner FROM videos "
        "WHERE remixed_from_video_id IS NOT NULL"
    )
    op.create_table(
        "folders",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("owner", "name", name="folders_once"),
    )
    op.create_table(
        "storyboards",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("board", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "storyboards_owner_updated", "storyboards", ["owner", "updated_at", "id"], unique=False
    )
