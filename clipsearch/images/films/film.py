"""Define what is read of a film, and how much of it may be read."""

from dataclasses import dataclass
from datetime import datetime

from PIL import Image

from clipsearch.description import NOTHING, Description
from clipsearch.errors import InputError

SCENES_PER_HOUR = 120
"""Most scenes of a film in each started hour."""


@dataclass(frozen=True, slots=True)
class FilmLimits:
    """Limits of reading one film. Beyond the first a film is rejected; at the others reading ends with what it has.

    Attributes:
        max_frame_megapixels: of one frame; 8K has 33.
        max_scenes: of a film of any length.
        max_decoded_megapixels: of all decoded frames together. Longer films are sampled more sparsely, so that their
            key frames stay within a quarter of this.
        max_packets: read from the container.
        max_bytes: read from the file, some of them twice.
        max_seconds: CPU time of this thread, lower than the time limit of a worker process
            (`settings.DEFAULT_MAX_SECONDS`), which would end the process.
    """

    max_frame_megapixels: float = 40.0
    max_scenes: int = 480
    max_decoded_megapixels: float = 6_000.0
    max_packets: int = 5_000_000
    max_bytes: int = 1 << 37
    max_seconds: float = 40.0

    def __post_init__(self) -> None:
        """Raise InputError for a limit that is not positive."""
        for name in self.__slots__:
            if not getattr(self, name) > 0:  # NaN is rejected too
                raise InputError(f"invalid limit: {name} is {getattr(self, name)}; use more than 0")


@dataclass(frozen=True, slots=True)
class FilmMetadata:
    """Metadata of a film: everything but its frames.

    Attributes:
        width: pixels of an upright frame with square pixels.
        height: likewise.
        format: of the container: "MP4", "QuickTime", "Matroska", ….
        codec: FFmpeg's name of the video codec: "h264", "hevc", ….
        duration_s: seconds; None where neither the container nor the packets say it.
        taken_at: without a time zone, like `ImageMetadata.taken_at`; local time where the camera wrote it, else UTC.
        is_utc: `taken_at` is in UTC, as most containers store it: the zone of the place is unknown. False without it.
        camera: make and model, as in `ImageMetadata`.
        latitude: degrees, north positive; None exactly when `longitude` is None.
        longitude: degrees, east positive.
        is_date_doubtful: `taken_at` is the date of a clock that was never set, or is in the future.
        description: as in `ImageMetadata`.
    """

    width: int
    height: int
    format: str
    codec: str
    duration_s: float | None = None
    taken_at: datetime | None = None
    is_utc: bool = False
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    is_date_doubtful: bool = False
    description: Description = NOTHING


@dataclass(frozen=True, slots=True)
class Scene:
    """A part of a film in which little changes.

    Attributes:
        start_s: seconds from the start of the film; the end of the scene before, 0 for the first.
        end_s: later than `start_s`, but for a film of one frame.
        frame_s: time of `frame`, from `start_s` to `end_s`.
        frame: mode "RGB", upright, square pixels; its shorter side as requested, or smaller as the film is.
    """

    start_s: float
    end_s: float
    frame_s: float
    frame: Image.Image


@dataclass(frozen=True, slots=True)
class Film:
    """A film that was read.

    Attributes:
        scenes: at least one, in order, without gaps.
        read_s: seconds that were read: less than the duration where the rest is damaged or beyond a limit. The last
            scene ends there.
    """

    metadata: FilmMetadata
    scenes: tuple[Scene, ...]
    read_s: float

    @property
    def is_partial(self) -> bool:
        """Whether a part at the end was not read: more than a tenth of the duration."""
        duration_s = self.metadata.duration_s
        return duration_s is not None and self.read_s < 0.9 * duration_s
