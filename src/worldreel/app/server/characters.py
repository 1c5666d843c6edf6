"""The routes of characters: somebody or something out of a clip, to be shown again."""

import time
from typing import Any

from fastapi import APIRouter, Request

from worldreel.app.jobs.folder import link_or_copy, sync
from worldreel.app.jobs.offered import find_offered
from worldreel.app.jobs.uploads import Character
from worldreel.app.jobs.video import new_id
from worldreel.app.server.bodies import open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.file_shapes import CharacterObject, CreateCharacter
from worldreel.app.server.intake import incoming, save_upload, take_clip
from worldreel.app.server.problems import disk_full, invalid, not_found
from worldreel.app.server.service import Served, in_thread

router = APIRouter(prefix="/v1/videos/characters", tags=["characters"])

LONGEST_S = 15.0


@router.post("", response_model=CharacterObject, openapi_extra={"x-body": "CreateCharacter"})
async def create_character(request: Request, owner: Owner, service: Served) -> Any:
    """Keeps a clip under a name, for videos to refer to."""
    async with open_body(request, files=("video",)) as body:
        asked = body.read_as(CreateCharacter)
        upload = body.files.get("video")
        if upload is None:
            message = "Give a clip as the file video."
            raise invalid(message, "video", "missing_required_parameter")

        def keep() -> Character:
            if not service.has_room():
                raise disk_full()
            service.gate.check_character(asked.consent)
            service.gate.check_text(owner, "character", asked.name)
            fps = float(find_offered(service.settings, "sora-2").description.fps)
            with incoming(service.folder) as place:
                raw, clip = place / "upload", place / "clip.mp4"
                save_upload(upload.file, raw)
                with service.media:
                    limits: dict[str, Any] = {"longest_s": LONGEST_S, "param": "video"}
                    count, _ = take_clip(raw, clip, fps=fps, size=None, **limits)
                character = Character(
                    id=new_id("char"),
                    owner=owner,
                    created_at=time.time(),
                    name=asked.name,
                    ending=".mp4",
                    size_bytes=clip.stat().st_size,
                    num_frames=count,
                )
                link_or_copy(clip, character.path(service.folder))
            sync(character.path(service.folder))
            sync(service.folder.uploads)
            if asked.consent is not None:
                service.consents.bind_character(owner, character.id, asked.consent)
            service.uploads.add_character(character)
            return character

        return CharacterObject.of(await in_thread(keep))


@router.get("/{character_id}", response_model=CharacterObject)
def get_character(character_id: str, owner: Owner, service: Served) -> Any:
    """A character's name and age."""
    found = None
    if "\0" not in character_id:
        found = service.uploads.character(owner, character_id)
    if found is None:
        raise not_found("character", character_id, "character_id")
    return CharacterObject.of(found)
