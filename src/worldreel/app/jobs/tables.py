"""The tables of the job store. Times are Unix seconds; ``seq`` orders by when a row was made."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

SEQ = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only what it calls INTEGER."""

keys = Table(
    "keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("hint", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("admin", Boolean, nullable=False, default=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("key", String(40), index=True),
    Column("admin", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)

videos = Table(
    "videos",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("id", String(48), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    # what was asked for
    Column("wish", Text, nullable=False),
    Column("model", String(128), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("size", String(16), nullable=False),
    Column("seconds", String(16), nullable=False),
    Column("remixed_from_video_id", String(48)),
    Column("verb", String(16), nullable=False, default="create"),
    Column("batch", String(48)),
    Column("take", Integer, nullable=False, default=1),
    # where its owner keeps it
    Column("favourite", Boolean, nullable=False, default=False),
    Column("picked", Boolean, nullable=False, default=False),
    Column("folder", String(48)),
    # how it stands
    Column("status", String(16), nullable=False),
    Column("progress", Integer, nullable=False, default=0),
    Column("stage", String(32), nullable=False, default=""),
    Column("cost_s", Float, nullable=False, default=0.0),
    Column("started_at", Float),
    Column("completed_at", Float),
    Column("expires_at", Float),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("facts", Text, nullable=False, default="{}"),
    # who makes it
    Column("workflow", Integer, nullable=False, default=0),
    Column("worker", String(128)),
    Column("fence", Integer, nullable=False, default=0),
    Column("beginnings", Integer, nullable=False, default=0),
    Column("previews", Integer, nullable=False, default=0),
    # what was published
    Column("published_fence", Integer),
    Column("published_bytes", BigInteger, nullable=False, default=0),
    Column("sha256", String(64)),
    Column("files_gone", Boolean, nullable=False, default=False),
    Index("videos_owner_seq", "owner", "seq"),
    Index("videos_status_seq", "status", "seq"),
    Index("videos_batch", "batch"),
    Index("videos_folder", "folder"),
)

parents = Table(
    "parents",
    metadata,
    Column("child", String(48), primary_key=True),
    Column("parent", String(48), primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("owner", String(64), nullable=False),
    Index("parents_parent", "parent"),
)
"""What a video was made from; rows outlive the parent, so that it is known to have been there."""

folders = Table(
    "folders",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("name", String(80), nullable=False),
    UniqueConstraint("owner", "name", name="folders_once"),
)

storyboards = Table(
    "storyboards",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("name", String(80), nullable=False),
    Column("board", Text, nullable=False),
    Index("storyboards_owner_updated", "owner", "updated_at", "id"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("id", String(48), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("filename", String(255), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("ending", String(8), nullable=False),
    Index("uploads_owner_seq", "owner", "seq"),
)

characters = Table(
    "characters",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("name", String(80), nullable=False),
    Column("ending", String(8), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("num_frames", Integer, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
)

endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("id", String(48), nullable=False, unique=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("name", String(255), nullable=False),
    Column("url", Text, nullable=False),
    Column("event_types", Text, nullable=False),
    Column("secret", String(128), nullable=False),
    Column("old_secret", String(128)),
    Column("old_secret_until", Float),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("endpoint", String(48), nullable=False),
    Column("event", String(48), nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Float),
    Column("delivered_at", Float),
    Column("last_answer", Text, nullable=False, default=""),
    Column("created_at", Float, nullable=False, index=True),
    UniqueConstraint("endpoint", "event", name="deliveries_once"),
    Index("deliveries_next", "next_at"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("process", String(64), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("heartbeat_at", Float, nullable=False),
    Column("slowness", Float),
    Column("retired", Boolean, nullable=False, default=False),
)

consents = Table(
    "consents",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("person", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("given_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Index("consents_owner_created", "owner", "created_at", "id"),
)

character_consents = Table(
    "character_consents",
    metadata,
    Column("character", String(48), primary_key=True),
    Column("consent", String(48), primary_key=True),
)

video_consents = Table(
    "video_consents",
    metadata,
    Column("video", String(48), primary_key=True),
    Column("consent", String(48), primary_key=True),
)
"""What a video rests on; rows outlive the video, whose children rest on the same."""

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("kind", String(48), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("content", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
