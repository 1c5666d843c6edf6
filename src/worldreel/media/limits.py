"""What a decoder may use before it is stopped."""

from dataclasses import dataclass

from worldreel.core.errors import UsageError

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that one file may take; what is beyond is refused, with the value and the limit.

    Args:
        file_bytes: size of the file.
        wall_s: seconds from opening to the last frame.
        cpu_s: seconds of processor time.
        memory_bytes: address space of the decoding process, of which about 210 MiB are
            libraries.
        picture_pixels: height times width of a still or of an animated picture; 6000x4000 fits.
        video_pixels: height times width of a video; 4096x2304 fits.
        num_frames: frames that are decoded.
        frames_bytes: all frames as they are kept, after fitting.
    """

    file_bytes: int = 8192 * MIB
    wall_s: float = 60.0
    cpu_s: int = 60
    memory_bytes: int = 512 * MIB
    picture_pixels: int = 25_000_000
    video_pixels: int = 9_437_184
    num_frames: int = 20_000
    frames_bytes: int = 2048 * MIB

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise UsageError(f"the limit {name} is {value}", remedy="Give a number above 0.")
        if self.memory_bytes < 256 * MIB:
            raise UsageError(
                f"the limit memory_bytes is {self.memory_bytes}, and the decoder's libraries alone"
                " take 210 MiB",
                remedy=f"Give {256 * MIB} or more.",
            )


UPLOAD = Limits(
    file_bytes=1024 * MIB, wall_s=8.0, cpu_s=8, num_frames=3_000, frames_bytes=1024 * MIB
)
"""For files from others: a server has more than one to serve."""
