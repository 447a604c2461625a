"""Image header inspection; run by `probe`, in sandbox workers only.

No pixels are decoded, except of a JPEG without EOI, but parsing alone is attack surface enough: wrong lengths, a
million segments, tables as long as the file.
"""

from __future__ import annotations

from typing import Any

from pillow_heif import as_plugin  # noqa: F401 - imported before the zygote forks

from stylizer.images.boxes import declared_sizes
from stylizer.images.signatures import NotDecoded
from stylizer.images.size_readers import is_complete, read_size


def examine(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Inspect an image header.

    Args:
        request: "format", as `identify` returns it, and "max_pixels".
        data: The file.

    Returns:
        "size" after applying the orientation, None if the file cannot be opened, and "whole", whether it is complete.
        A size above max_pixels may be that of a component image. "unsupported" describes a complete file of a kind that
        is not decoded. The body is empty.
    """
    name = request["format"]
    if name in ("avif", "heic"):  # libraries allocate memory for these, or reject the file, before reporting them
        for width, height in declared_sizes(data):
            if width * height > request["max_pixels"]:
                return {"size": (width, height), "whole": True}, b""
    try:
        return {"size": read_size(data, name), "whole": is_complete(data, name)}, b""
    except MemoryError:
        raise
    except NotDecoded as error:
        return {"size": None, "whole": True, "unsupported": str(error)}, b""
    except Exception:  # Decoders raise almost any exception type.
        return {"size": None, "whole": False}, b""
