"""API resources and requests. Choices, ranges and defaults come from `stylizer.options`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PlainSerializer,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from stylizer.clips.info import ClipFormat
from stylizer.options import (
    DEFAULT_FORMAT_QUALITY,
    DEFAULT_METHOD,
    FORMAT_QUALITY_RANGE,
    FORMATS,
    MAX_STYLES,
    ORIGINAL,
    SEED_RANGE,
    SIZE_RANGE,
    STRENGTH_RANGE,
    STYLE_SCALE_RANGE,
    VARIANTS_RANGE,
    FeaturesName,
    Format,
    KeepMetadata,
    MethodName,
    Options,
    PreserveColor,
    Quality,
    Size,
)
from stylizer_service.files import SentFile

Status = Literal["queued", "running", "succeeded", "failed", "canceled", "expired"]
Backend = Literal["queue", "gpu"]
"""How jobs reach painters: through the queue, or through a GPU endpoint."""
MediaType = Literal[
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/avif",
    "image/tiff",
    "image/gif",
    "image/heic",
    "image/heif",
    "video/mp4",
    "video/webm",
]
FileFormat = Literal[Format, ClipFormat]
"""File format of a result: of a painting, or of a clip."""

FINAL: tuple[Status, ...] = ("succeeded", "failed", "canceled")
MEDIA_TYPES: tuple[MediaType, ...] = get_args(MediaType)
IMAGE_MEDIA_TYPES: tuple[MediaType, ...] = tuple(name for name in MEDIA_TYPES if name.startswith("image/"))
RESULT_MEDIA_TYPES: dict[FileFormat, str] = {
    **{name: f"image/{name}" for name in FORMATS},
    "gif": "image/gif",
    "mp4": "video/mp4",
}
"""By format; an animated PNG is served as image/png, which every program knows."""
MAX_VARIANTS = VARIANTS_RANGE[1]
_DEFAULTS = Options()

UPLOAD_ID = re.compile(r"upl_[a-z2-7]{26}")
STYLE_ID = re.compile(r"sty_[a-z2-7]{26}")
SENT_FILE = re.compile(r"sha256:[0-9a-f]{64}")
"""Names of files that came with the request; see `SentFile.name`."""
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

Prefix = Literal["upl", "stz", "sty"]
UploadId = Annotated[str, StringConstraints(pattern=rf"^{UPLOAD_ID.pattern}$")]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
ERASED_URL = "url:erased"
"""In the place of a URL whose job has been deleted or has expired."""
StyleName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


def _name_of_sent(value: object, validate: ValidatorFunctionWrapHandler) -> str:
    return value.name if isinstance(value, SentFile) else validate(value)


StyleMask = Annotated[str, StringConstraints(pattern=rf"^({UPLOAD_ID.pattern}|{SENT_FILE.pattern})$")]
"""An upload; in jobs, which have the same model, a sent file as well."""
OrSentFile = WrapValidator(_name_of_sent)
"""Accept a `SentFile` too, and keep its name. No text of a caller becomes such a file: the contract does not change."""


def new_id(prefix: Prefix) -> str:
    """Return an unguessable identifier: the prefix and 130 random bits in lower-case base32."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(26))}"


def style_mask_field(index: int) -> str:
    """Return the name of the field with the mask of entry `index` of `styles`, in errors and forms."""
    return f"styles[{index}].mask"


STYLE_MASK_FIELDS: dict[str, int] = {style_mask_field(index): index for index in range(MAX_STYLES)}
"""Index in `styles` by the name of the mask's field."""


def names_file(style: str) -> bool:
    """Return whether a style name is a file's, sent, uploaded, fetched or of a custom style, not a built-in style's."""
    return is_url(style) or any(pattern.fullmatch(style) for pattern in (SENT_FILE, UPLOAD_ID, STYLE_ID))


def is_url(name: str) -> bool:
    """Return whether a photo or style is named by the URL to fetch it from, also by one that has been erased."""
    return name == ERASED_URL or "://" in name


def _original_or_number(value: object, validate: Callable[[object], int]) -> Size:
    return ORIGINAL if value == ORIGINAL else validate(value)


_PixelSize = Annotated[int, Field(ge=SIZE_RANGE[0], le=SIZE_RANGE[1])]
# One validator instead of a union's two, whose errors would name the branches in the field.
_SizeOption = Annotated[
    Size,
    GetPydanticSchema(lambda _, handler: handler(_PixelSize)),
    WrapValidator(_original_or_number),
    PlainSerializer(lambda size: size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": SIZE_RANGE[0], "maximum": SIZE_RANGE[1]},
                {"type": "string", "const": ORIGINAL},
            ]
        }
    ),
]


class StyleWeight(BaseModel):
    """One of several styles, with its weight and its region."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: Url = Field(
        description="Id of a built-in style, of your own style, or of an upload; or the https URL of an image, see "
        "`style_url`.",
        examples=["woodcut"],
    )
    weight: float = Field(
        default=1.0, gt=0, le=1000, allow_inf_nan=False, description="Share of the blend; only ratios matter."
    )
    mask: Annotated[StyleMask, OrSentFile] | None = Field(
        default=None,
        description="Upload, white where this style is painted. Same width and height as the photo. Styles without a "
        "mask are painted where no mask is white; if every style has one, the photo remains there.",
    )


class PaintingOptions(BaseModel):
    """Options of a painting; responses include the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: _SizeOption = Field(
        default=_DEFAULTS.size,
        description="Long side of the painting in pixels: up to 8192 with methods neighbor, feedforward and color, up "
        'to 2048 with the others; or "original" for the size of the photo, within the same limits.',
    )
    strength: float = Field(
        default=_DEFAULTS.strength,
        ge=STRENGTH_RANGE[0],
        le=STRENGTH_RANGE[1],
        allow_inf_nan=False,
        description="0 returns the photo, 1 is the full style.",
    )
    style_scale: float = Field(
        default=_DEFAULTS.style_scale,
        ge=STYLE_SCALE_RANGE[0],
        le=STYLE_SCALE_RANGE[1],
        allow_inf_nan=False,
        description="Stroke size; 2 doubles it. Method color has no strokes and accepts 1 only.",
    )
    preserve_color: PreserveColor = Field(
        default=_DEFAULTS.preserve_color,
        description='"none" uses the colors of the style, "luminance" keeps those of the photo, "histogram" gives the '
        "style the palette of the photo before painting (all methods except color).",
    )
    quality: Quality = Field(default=_DEFAULTS.quality, description="Trade-off between time and quality.")
    features: FeaturesName | None = Field(
        default=None,
        description='Encoder whose features are compared. "compact" is always available, and the default of methods '
        'with an encoder; "vgg19", for optimization only, is slower, paints up to 1024 pixels, and has to be installed '
        "by the operator of this service. Methods texture and color use none.",
    )
    seed: int = Field(
        default=_DEFAULTS.seed,
        ge=SEED_RANGE[0],
        le=SEED_RANGE[1],
        description="The same inputs, options and seed produce the same painting.",
    )
    animate: bool | None = Field(
        default=None,
        description="Whether to paint every frame of an animated GIF, WebP or PNG. By default only the first frame is "
        "painted, unless `format` is gif or mp4. Videos are always painted with every frame.",
    )
    format: FileFormat = Field(
        default="jpeg",
        description="File format of the painting. Clips: gif, webp, png or mp4, by default the format of `content`. "
        "Images: jpeg, png, webp, avif or tiff.",
    )
    format_quality: int = Field(
        default=DEFAULT_FORMAT_QUALITY,
        ge=FORMAT_QUALITY_RANGE[0],
        le=FORMAT_QUALITY_RANGE[1],
        description="Encoder quality of jpeg, webp, avif and mp4; png and tiff are lossless.",
    )
    keep_metadata: KeepMetadata = Field(
        default=_DEFAULTS.keep_metadata,
        description='Metadata of the photo to keep in the file: "exif" is camera, lens, exposure, times, author, '
        'copyright and resolution, never a thumbnail or serial number; "exif+gps" also the location. Clips keep none.',
    )


class StylizationRequest(PaintingOptions):
    """A stylization request: a photo, one style or a blend of up to four, and options."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content": "upl_abcdefghijklmnopqrstuvwxyz", "style": "woodcut", "size": 768}]}
    )

    content: Annotated[UploadId, OrSentFile] | None = Field(
        default=None, description="Upload with the photo. Pass this or `content_url`."
    )
    content_url: Url | None = Field(
        default=None,
        description="https URL of the photo, on a public host. An invalid file fails the job. Not every service "
        "downloads images; see `url_inputs` of `GET /healthz`.",
        examples=["https://example.com/cat.jpg"],
        json_schema_extra={"format": "uri"},
    )
    style: Annotated[StyleName, OrSentFile] | None = Field(
        default=None,
        description="Short for `styles` with one entry: id of a built-in style, of your own style, or of an upload.",
    )
    style_url: Url | None = Field(
        default=None,
        description="https URL of the style image, like `content_url`. Pass this, `style` or `styles`.",
        examples=["https://example.com/quilt.jpg"],
        json_schema_extra={"format": "uri"},
    )
    styles: list[StyleWeight] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_STYLES,
        description="A weighted blend, or a style for each region. Pass this or `style`.",
    )
    mask: Annotated[UploadId, OrSentFile] | None = Field(
        default=None, description="Paint only where this image is white. Same width and height as the photo."
    )
    content_mask: Annotated[UploadId, OrSentFile] | None = Field(
        default=None,
        description="Methods neighbor, feedforward and texture: white preserves the photo's structure, black may "
        "become pure style.",
    )
    method: MethodName = Field(
        default=DEFAULT_METHOD,
        description='"neighbor" assembles patches of the style matched by learned features, in one or two seconds, up '
        'to 8192 pixels; "feedforward" takes a few passes of a neural network, about a second; "optimization" '
        'optimizes the pixels with a neural network, and takes longest; "texture" assembles patches of the style '
        'matched by pixels, without a network; "color" transfers only the palette of the style, in an instant.',
    )
    variants: int = Field(
        default=VARIANTS_RANGE[0],
        ge=VARIANTS_RANGE[0],
        le=VARIANTS_RANGE[1],
        description="Number of paintings to choose from. The first uses the given options, the others use the next "
        "seeds and other style scales; see `results`.",
    )
    webhook: str | None = Field(
        default=None,
        max_length=2000,
        description="Public https URL that receives the finished stylization, signed as in Standard Webhooks. "
        "`GET /v1/webhook-secret` returns the secret to verify it.",
        examples=["https://example.com/painted"],
        json_schema_extra={"format": "uri"},
    )

    @model_validator(mode="after")
    def _one_way_to_name_styles(self) -> Self:
        if (self.content is None) == (self.content_url is None):
            detail = "content is missing" if self.content is None else "give either content or content_url"
            raise ValueError("content", detail, "exactly one of content and content_url")
        if [self.style, self.style_url, self.styles].count(None) != 2:
            allowed = "exactly one of style, style_url and styles"
            raise ValueError("style", "give either style, style_url or styles", allowed)
        return self

    @property
    def photo(self) -> str:
        """What names the photo: `content` or `content_url`."""
        return self.content or self.content_url or ""

    @property
    def urls(self) -> dict[str, str]:
        """The URLs to fetch, by field."""
        styles = {self.style_field(index): entry.style for index, entry in enumerate(self.blend)}
        return {field: name for field, name in {"content_url": self.photo, **styles}.items() if is_url(name)}

    @property
    def blend(self) -> list[StyleWeight]:
        """The styles as a blend, whether given as `style` or `styles`."""
        return self.styles or [StyleWeight(style=self.style or self.style_url or "")]

    def style_field(self, index: int) -> str:
        """Return the name of the request field for entry `index` of the blend, for errors."""
        if self.styles is not None:
            return f"styles[{index}].style"
        return "style" if self.style_url is None else "style_url"

    def style_masks(self) -> list[tuple[int, str]]:
        """Return the index and the mask's upload of each style that has a mask."""
        return [(index, entry.mask) for index, entry in enumerate(self.blend) if entry.mask is not None]

    @property
    def region_count(self) -> int:
        """Number of regions with styles of their own; the styles without a mask are one."""
        masks = len(self.style_masks())
        return masks + (masks < len(self.blend))

    @property
    def wants_clip(self) -> bool | None:
        """Whether every frame is painted; None for what is usual for the content."""
        return True if self.animate is None and self.format in ("gif", "mp4") else self.animate

    @property
    def options(self) -> PaintingOptions:
        """The painting options only."""
        return PaintingOptions.model_validate(self.model_dump(include=set(PaintingOptions.model_fields)))


class StyleRequest(BaseModel):
    """Request to create a custom style from an upload."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    upload: UploadId = Field(description="Upload with the style image.")
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = Field(
        examples=["Grandma's quilt"]
    )


_MISNOMERS = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "image/apng": "image/png",
    "video/quicktime": "video/mp4",
    "video/x-m4v": "video/mp4",
    "video/x-matroska": "video/webm",
    "video/matroska": "video/webm",
}


def _registered(media_type: object) -> object:
    """Normalize a media type: case-insensitive (RFC 2045), with common misnomers and close relatives mapped."""
    if not isinstance(media_type, str):
        return media_type
    name = media_type.strip().lower()
    return _MISNOMERS.get(name, name)


class UploadRequest(BaseModel):
    """Request to create an upload."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    media_type: Annotated[MediaType, BeforeValidator(_registered)] = Field(description="Media type of the file.")
