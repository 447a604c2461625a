from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import Tensor

from stylizer import styles
from stylizer.compute import autocast_dtype
from stylizer.features import compact
from stylizer.features.compact import STRIDES, WEIGHTS, CompactFeatures, View
from stylizer.tensors import to_tensor


@pytest.fixture(scope="module")
def features() -> CompactFeatures:
    return compact.load()


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def statistics(features: CompactFeatures, image: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    taps = [tap.flatten(2)[0] for tap in features(image)]
    return {
        name: view.map_statistics(taps[view.tap].mean(1), torch.cov(taps[view.tap], correction=0))
        for name, view in features.views.items()
        if isinstance(view, View)
    }


def distance(a: dict[str, tuple[Tensor, Tensor]], b: dict[str, tuple[Tensor, Tensor]]) -> float:
    return sum(
        float((x - y).square().sum() / y.square().sum()) for name in a for x, y in zip(a[name], b[name], strict=True)
    )


def test_shipped_encoder_is_small_frozen_and_deterministic(features: CompactFeatures) -> None:
    assert WEIGHTS.stat().st_size < 6 * 2**20
    assert not any(parameter.requires_grad for parameter in features.parameters())
    image = noise(48, 64)
    for first, second in zip(features(image), compact.load()(image), strict=True):
        assert torch.equal(first, second)


def test_features_are_equivariant_to_shifts_by_the_stride(features: CompactFeatures) -> None:
    wide = noise(160, 192)
    here, there = features(wide[..., :160]), features(wide[..., 8:168])
    for tap, moved, stride in zip(here, there, STRIDES, strict=True):
        # What a feature sees beyond the picture's edge differs: as far in as the deepest one looks, nothing does.
        rim = -(-65 // stride)
        step = 8 // stride
        inner = tap[..., rim:-rim, rim + step : -rim]
        assert inner.numel() > 0
        torch.testing.assert_close(inner, moved[..., rim:-rim, rim : -rim - step], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_flat_picture_has_finite_statistics(features: CompactFeatures, level: float) -> None:
    for mean, covariance in statistics(features, torch.full((1, 3, 64, 64), level)).values():
        assert mean.isfinite().all()
        assert covariance.isfinite().all()


def test_view_maps_statistics_as_it_maps_features(features: CompactFeatures) -> None:
    image = noise(64, 64)
    taps = features(image)
    for name, (mean, covariance) in statistics(features, image).items():
        view = features.views[name]
        assert isinstance(view, View)
        seen = (view.matrix @ taps[view.tap].flatten(2)[0] + view.offset[:, None]).double()
        scale = float(seen.std())
        torch.testing.assert_close(mean.double(), seen.mean(1), rtol=1e-4, atol=1e-4 * scale)
        torch.testing.assert_close(covariance.double(), torch.cov(seen, correction=0), rtol=1e-3, atol=1e-4 * scale**2)


def test_halves_of_one_style_are_nearer_than_of_two_styles(features: CompactFeatures) -> None:
    """Random features would tell colors apart; so every half is reduced to gray of the same brightness and contrast."""
    halves: dict[str, tuple[Tensor, Tensor]] = {}
    # Those painted by code are of one make all over; a work has a sky on this side and a tree on that.
    even = {name: style for name, style in styles.catalog().items() if style.artist == "Image Stylizer"}
    for name, style in even.items():
        gray = to_tensor(Image.open(style.swatch).convert("RGB"))[:, :, :192, :384].mean(1, keepdim=True)
        gray = ((gray - gray.mean()) / gray.std() * 0.2 + 0.5).clamp(0, 1).expand(-1, 3, -1, -1)
        halves[name] = (gray[..., :192], gray[..., 192:])
    seen = {name: [statistics(features, half) for half in pair] for name, pair in halves.items()}
    own = {name: distance(a, b) for name, (a, b) in seen.items()}
    nearest = {
        name: min(distance(a, seen[other][1]) for other in seen if other != name) for name, (a, _) in seen.items()
    }
    assert len(seen) == 8
    assert sum(own[name] < nearest[name] for name in seen) >= len(seen) - 1


def test_bfloat16_is_chosen_only_with_hardware_support(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    for abilities, expected in (
        ({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": False, "avx2": True}, torch.float32),
        ({"neon": True}, torch.float32),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda abilities=abilities: abilities)
        assert autocast_dtype() == expected


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        ("AVX2", torch.float32),
        ("avx512_core", torch.float32),
        ("AVX512_CORE_AMX", torch.bfloat16),
        ("", torch.bfloat16),
    ],
)
def test_bfloat16_is_left_where_onednn_may_not_use_it(
    most: str, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", most)
    assert autocast_dtype() == expected


@pytest.mark.skipif(autocast_dtype() != torch.bfloat16, reason="no bfloat16 in hardware: minutes")
def test_half_the_precision_sees_nearly_the_same(features: CompactFeatures) -> None:
    image = noise(64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = features(image)
    for tap, exact in zip(coarse, features(image), strict=True):
        assert float((tap.float() - exact).square().mean() / exact.var()) < 1e-3
