"""What goes in and out over HTTP about files and characters: OpenAI's shapes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from worldreel.app.jobs.uploads import Character, Upload
from worldreel.app.server.shapes import Id, In, Storable, whole


class CreateCharacter(In):
    """The fields beside the file of ``POST /v1/videos/characters``."""

    name: Annotated[Storable, Field(min_length=1, max_length=80)]
    consent: Id | None = None
    """The id of the consent of whoever is shown: some servers want one."""


class CharacterObject(BaseModel):
    """A character."""

    id: str
    object: Literal["character"] = "character"
    name: str
    created_at: int

    @classmethod
    def of(cls, character: Character) -> "CharacterObject":
        """A row as clients see it."""
        created_at = int(character.created_at)
        return cls(id=character.id, name=character.name, created_at=created_at)


class FileObject(BaseModel):
    """A file that was uploaded."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"

    @classmethod
    def of(cls, upload: Upload) -> "FileObject":
        """A row as clients see it."""
        return cls(
            id=upload.id,
            bytes=upload.size_bytes,
            created_at=int(upload.created_at),
            expires_at=whole(upload.expires_at),
            filename=upload.filename,
            purpose=upload.purpose,
        )


class FileList(BaseModel):
    """A page of files."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(BaseModel):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


class FileSettings(BaseModel):
    """What a picture or clip is, and what made it."""

    id: str
    object: Literal["file.settings"] = "file.settings"
    kind: Literal["video", "picture"]
    width: int
    height: int
    fps: float
    """0 for a picture."""
    num_frames: int
    seconds: float
    settings: dict[str, Any] | None
    """What worldreel wrote into the file; None where it did not make it."""
    body: dict[str, Any] | None
    """Of ``POST /v1/canvases``: makes it again, as far as words and a seed do."""
