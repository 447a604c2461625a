from __future__ import annotations

import torch
from torch import Tensor

from stylizer.descent import MEMORY, PATIENCE, RATE, Descent


def _target() -> Tensor:
    return 0.2 + 0.6 * torch.rand(1, 3, 5, 4, generator=torch.Generator().manual_seed(0))


def _toward(target: Tensor, image: Tensor) -> Tensor:
    return (image - target).square().mean()


def test_the_picture_goes_where_the_loss_is_least() -> None:
    target, descent = _target(), Descent(torch.zeros(1, 3, 5, 4))
    for _ in range(200):
        descent.step(lambda image: _toward(target, image))
    torch.testing.assert_close(descent.image, target, atol=0.01, rtol=0)


def test_before_the_first_step_the_picture_is_the_one_that_was_given_which_stays_as_it_is() -> None:
    given = _target()
    kept, descent = given.clone(), Descent(given)
    assert torch.equal(descent.image, given)
    descent.step(lambda image: image.sum())
    assert torch.equal(given, kept)
    assert not torch.equal(descent.image, given)


def test_the_steps_are_adams_and_the_picture_is_the_average_of_where_they_led() -> None:
    target, start = _target(), torch.full((1, 3, 5, 4), 0.5)
    descent = Descent(start)
    image = start.clone().requires_grad_()
    plain = torch.optim.Adam([image], lr=RATE, betas=(0.9, 0.99))
    visited: list[Tensor] = []
    for _ in range(12):
        descent.step(lambda picture: _toward(target, picture))
        plain.zero_grad()
        _toward(target, image).backward()  # type: ignore[no-untyped-call]
        plain.step()
        visited.append(image.detach().clone())
    weights = torch.tensor([MEMORY**age for age in range(len(visited))]).flip(0)
    average = sum(w * x for w, x in zip(weights / weights.sum(), visited, strict=True))
    torch.testing.assert_close(descent.image, average, atol=1e-5, rtol=0)


def test_no_pixel_leaves_its_range() -> None:
    descent = Descent(torch.full((1, 3, 5, 4), 0.99))
    for _ in range(5):
        descent.step(lambda image: -image.sum())
    assert float(descent.image.max()) <= 1 + 1e-6


def test_it_has_arrived_when_steps_bring_nothing_and_not_while_they_do() -> None:
    falling, level = Descent(_target()), Descent(_target())
    for step in range(3 * PATIENCE):
        falling.step(lambda image, step=step: image.sum() * 0 + 1 / (1 + step))  # type: ignore[misc]
        level.step(lambda image: image.sum() * 0 + 1.0)
        assert level.has_arrived == (step + 1 >= 2 * PATIENCE)
        assert not falling.has_arrived
