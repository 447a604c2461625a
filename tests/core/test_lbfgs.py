from __future__ import annotations

import torch
from torch import Tensor

from stylizer.lbfgs import HISTORY, LBFGS, PATIENCE


def _target() -> Tensor:
    return 0.2 + 0.6 * torch.rand(1, 3, 5, 4, generator=torch.Generator().manual_seed(0))


def _valley(image: Tensor) -> Tensor:
    """Steep across and flat along, with the least at the target."""
    steepness = torch.logspace(0, 2, 60).view(1, 3, 5, 4)
    return (steepness * (image - _target()).square()).sum()


def test_descent_starts_at_a_copy_of_the_given_picture() -> None:
    given = _target()
    kept, descent = given.clone(), LBFGS(given)
    assert torch.equal(descent.image, given)
    for _ in range(3):
        descent.step(lambda image: image.square().sum())
    assert torch.equal(given, kept)
    assert not torch.equal(descent.image, given)


def test_step_by_step_it_goes_the_way_of_one_long_run_of_l_bfgs() -> None:
    start = torch.full((1, 3, 5, 4), 0.5)
    descent, plain = LBFGS(start), start.clone().requires_grad_()
    seen: list[Tensor] = []

    def evaluate() -> Tensor:
        optimizer.zero_grad()
        seen.append(plain.detach().clone())
        loss = _valley(plain)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer = torch.optim.LBFGS([plain], max_iter=12, history_size=HISTORY, tolerance_grad=0, tolerance_change=0)
    optimizer.step(evaluate)  # type: ignore[no-untyped-call]
    for _ in range(12):
        descent.step(_valley)
    best = min(seen, key=lambda image: float(_valley(image)))
    torch.testing.assert_close(descent.image, best.clamp(0, 1), atol=1e-5, rtol=0)


def test_diverging_step_is_undone_and_descent_continues() -> None:
    def cliff(image: Tensor) -> Tensor:
        """A valley from which a step of full length leads to where nothing is finite."""
        return torch.where((image - 0.5).abs() < 0.06, 30 * (image - 0.52).square(), torch.inf).sum()

    descent = LBFGS(torch.full((1, 3, 5, 4), 0.45))
    losses = []
    for _ in range(60):
        descent.step(cliff)
        losses.append(float(cliff(descent.image)))
    assert losses == sorted(losses, reverse=True)
    torch.testing.assert_close(descent.image, torch.full((1, 3, 5, 4), 0.52), atol=5e-3, rtol=0)


def test_descent_has_arrived_only_when_steps_gain_nothing() -> None:
    falling, level = LBFGS(_target()), LBFGS(_target())
    for step in range(3 * PATIENCE):
        falling.step(lambda image, step=step: image.sum() * 0 + 1 / (1 + step))  # type: ignore[misc]
        level.step(lambda image: image.sum() * 0 + 1.0)
        assert level.converged == (step >= PATIENCE)
        assert not falling.converged
