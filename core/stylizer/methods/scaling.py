"""Rescaling a task, for methods that work at another size than the output's."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor
from torch.nn import functional

from stylizer.methods import Task
from stylizer.synthesis.pyramid import resize
from stylizer.tensors import spatial_size


def resize_task(task: Task, size: tuple[int, int]) -> Task:
    """Return `task` with its photo and masks resampled to `size` (height, width); styles keep their size."""

    def at_size(picture: Tensor) -> Tensor:
        return resize(picture[0], size)[None]

    return replace(
        task,
        photo=at_size(task.photo),
        mask=None if task.mask is None else at_size(task.mask),
        content_mask=None if task.content_mask is None else at_size(task.content_mask),
    )


def upsample_like(picture: Tensor, like: Tensor) -> Tensor:
    """Upsample `picture` (1, 3, h, w) to the size of `like`."""
    size = spatial_size(like)
    return picture if spatial_size(picture) == size else functional.interpolate(picture, size, mode="bicubic")
