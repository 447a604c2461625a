"""Everything that can go wrong, as one tree.

    StylizerError                       catch this to catch them all
    ├── OptionError                     an option out of its range, or one the method cannot honor
    ├── MissingWeights                  features whose weights have to be fetched first
    ├── OutOfMemory                     a painting too large for the memory there is
    ├── UnknownStyle                    no built-in style of that name, and no file either
    ├── ImageError                      a picture that cannot be used
    │   ├── UnreadableImage             a file that is not there, or that cannot be read
    │   ├── EmptyImage                  no bytes at all
    │   ├── UnsupportedImage            not an image, or of a format that is not accepted
    │   ├── CorruptImage                an accepted format, but broken or cut short
    │   ├── ImageTooLarge               more bytes than allowed
    │   ├── TooManyPixels               more pixels than allowed (checked before decoding)
    │   ├── ImageTooSmall               a side shorter than allowed
    │   ├── ExtremeAspectRatio          longer than allowed for its width
    │   └── MaskMismatch                a mask whose shape is not the photo's
    └── Canceled                        the caller asked for a stop

Each error names the field, what came and what is allowed, so that a command line, an API and a web page can
say the same thing in their own way.
"""

from __future__ import annotations

from collections.abc import Sequence


class StylizerError(Exception):
    """Base of every error this library raises on purpose.

    Attributes:
        code: A stable, hyphenated name of the kind of error, fit for a URL.
        field: The input at fault ("content", "strength", ...), or None where there is none.
        allowed: What would have been accepted: a range in words, or the list of choices.
    """

    code = "error"

    def __init__(self, detail: str, *, field: str | None = None, allowed: str | Sequence[str] | None = None):
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.allowed = allowed if allowed is None or isinstance(allowed, str) else list(allowed)


class OptionError(StylizerError):
    """An option is out of its range, or the chosen method cannot honor it."""

    code = "invalid-option"


class MissingWeights(StylizerError):
    """The weights of the features asked for are not on this machine, or not what they should be."""

    code = "missing-weights"


class OutOfMemory(StylizerError):
    """The painting needs more memory than the device it is painted on has to give."""

    code = "out-of-memory"


class UnknownStyle(StylizerError):
    """The style is neither a built-in one nor a picture."""

    code = "unknown-style"


class ImageError(StylizerError):
    """A picture cannot be used."""

    code = "unusable-image"


class UnreadableImage(ImageError):
    """The file is not there, or the system does not let it be read."""

    code = "unreadable-image"


class EmptyImage(ImageError):
    """There are no bytes at all."""

    code = "empty-image"


class UnsupportedImage(ImageError):
    """The bytes are not an image, or an image of a format that is not accepted."""

    code = "unsupported-image"


class CorruptImage(ImageError):
    """The format is accepted, but the data is broken or cut short."""

    code = "corrupt-image"


class ImageTooLarge(ImageError):
    """The file has more bytes than allowed."""

    code = "image-too-large"


class TooManyPixels(ImageError):
    """The picture has more pixels than allowed; known from its header, before decoding."""

    code = "too-many-pixels"


class ImageTooSmall(ImageError):
    """A side of the picture is shorter than allowed."""

    code = "image-too-small"


class ExtremeAspectRatio(ImageError):
    """The picture is longer than allowed for its width."""

    code = "extreme-aspect-ratio"


class MaskMismatch(ImageError):
    """A mask does not have the shape of the photo."""

    code = "mask-mismatch"


class Canceled(StylizerError):
    """The caller asked for a stop; raise it from a progress callback."""

    code = "canceled"
