"""Exception hierarchy of the library.

StylizerError                       base class of all errors
├── OptionError                     an option out of range, or unsupported by the method
├── MissingWeights                  features whose weights must be downloaded first
├── MissingVideoSupport             a video, without the package that decodes it
├── InvalidState                    the state of an interrupted painting of a clip, which does not fit
├── OutOfMemory                     a painting too large for the available memory
├── UnknownStyle                    neither a built-in style nor a file
├── ImageError                      an unusable image
│   ├── UnreadableImage             a file that does not exist or cannot be read
│   ├── EmptyImage                  no data
│   ├── UnsupportedImage            not an image, or of an unsupported format
│   ├── CorruptImage                a supported format, but broken or truncated
│   ├── ImageTooLarge               more bytes than allowed
│   ├── TooManyPixels               more pixels than allowed (checked before decoding)
│   ├── ImageTooSmall               a side shorter than allowed
│   ├── ExtremeAspectRatio          too long for its width
│   ├── ClipTooLong                 a clip of more frames, seconds or pixels than allowed (checked before decoding)
│   └── MaskMismatch                a mask whose shape differs from the photo's
└── Canceled                        the caller requested cancellation

Each error names the field, the value and what is allowed, so that the command line, the API and the web page can each
present it in their own way.
"""

from __future__ import annotations

from collections.abc import Sequence


class StylizerError(Exception):
    """Base class of the library's exceptions.

    Attributes:
        code: A stable, hyphenated error code, usable in a URL.
        field: The input at fault ("content", "strength", ...), or None.
        allowed: Accepted values: a range in words, or the list of choices.
    """

    code = "error"

    def __init__(self, detail: str, *, field: str | None = None, allowed: str | Sequence[str] | None = None):
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.allowed = allowed if allowed is None or isinstance(allowed, str) else list(allowed)


class OptionError(StylizerError):
    """An option is out of range, or the selected method does not support it."""

    code = "invalid-option"


class MissingWeights(StylizerError):
    """The weights of the requested features are not installed, or are damaged."""

    code = "missing-weights"


class MissingVideoSupport(StylizerError):
    """PyAV, which decodes and encodes videos, is not installed."""

    code = "missing-video-support"


class InvalidState(StylizerError):
    """The state of an interrupted painting of a clip is damaged, or belongs to another place or another painting."""

    code = "invalid-state"


class OutOfMemory(StylizerError):
    """The painting needs more memory than its device has available."""

    code = "out-of-memory"


class UnknownStyle(StylizerError):
    """The style is neither a built-in one nor an image."""

    code = "unknown-style"


class ImageError(StylizerError):
    """An image cannot be used."""

    code = "unusable-image"


class UnreadableImage(ImageError):
    """The file does not exist, or cannot be read."""

    code = "unreadable-image"


class EmptyImage(ImageError):
    """The image has no data."""

    code = "empty-image"


class UnsupportedImage(ImageError):
    """The data is not an image, or has an unsupported format."""

    code = "unsupported-image"


class CorruptImage(ImageError):
    """The format is supported, but the data is broken or truncated."""

    code = "corrupt-image"


class ImageTooLarge(ImageError):
    """The file has more bytes than allowed."""

    code = "image-too-large"


class TooManyPixels(ImageError):
    """The image has more pixels than allowed; checked on its header, before decoding."""

    code = "too-many-pixels"


class ImageTooSmall(ImageError):
    """A side of the image is shorter than allowed."""

    code = "image-too-small"


class ExtremeAspectRatio(ImageError):
    """The image is too long for its width."""

    code = "extreme-aspect-ratio"


class ClipTooLong(ImageError):
    """The clip has more frames, seconds or pixels than allowed; checked on its header, before decoding."""

    code = "clip-too-long"


class MaskMismatch(ImageError):
    """A mask's shape differs from the photo's."""

    code = "mask-mismatch"


class Canceled(StylizerError):
    """The caller requested cancellation; raise it from a progress callback."""

    code = "canceled"
