from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from stylizer.features.compact import RGB_MEAN, RGB_STD
from stylizer.features.zoo import torchvision_models
from training.teachers import LAYERS, Teachers, load_teachers

Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def weights() -> dict[str, Weights]:
    """State dicts of random weights with the names that torchvision gives them, and one that no teacher needs."""
    models, random = torchvision_models(), torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = {
            "vgg19": models.vgg19(weights=None).features[:12].state_dict(),
            "squeezenet1_0": models.squeezenet1_0(weights=None).features.state_dict(),
        }
    return {
        network: {"classifier.0.bias": torch.zeros(3)}
        | {f"features.{key}": 0.05 * torch.randn(value.shape, generator=random) for key, value in state.items()}
        for network, state in shapes.items()
    }


@pytest.fixture(autouse=True)
def quick_to_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the random initialization of weights that are replaced at once."""
    for name in ("normal_", "kaiming_normal_", "kaiming_uniform_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)


def _assert_are(teachers: Teachers, weights: dict[str, Weights]) -> None:
    for chain, given in zip(teachers.chains, weights.values(), strict=True):
        state = chain.state_dict()
        assert state.keys() == {key.removeprefix("features.") for key in given if key.startswith("features.")}
        for key, value in state.items():
            assert torch.equal(value, given[f"features.{key}"]), key


def test_teachers_of_the_folder_expose_the_learned_layers(weights: dict[str, Weights], tmp_path: Path) -> None:
    for name, state in weights.items():
        save_file(state, tmp_path / f"{name}-of-somewhere.safetensors")
    teachers = load_teachers(tmp_path)
    _assert_are(teachers, weights)
    assert not any(parameter.requires_grad for parameter in teachers.parameters())

    image = torch.rand(1, 3, 64, 48)
    seen = teachers(image)
    assert {name: features.shape[1] for name, features in seen.items()} == {
        layer.name: layer.channels for layer in LAYERS
    }

    def convolved(x: Tensor, index: int) -> Tensor:
        kernel, bias = (weights["vgg19"][f"features.{index}.{part}"] for part in ("weight", "bias"))
        return functional.conv2d(x, kernel, bias, padding=1).relu()

    first = convolved((image - torch.tensor(RGB_MEAN).view(3, 1, 1)) / torch.tensor(RGB_STD).view(3, 1, 1), 0)
    torch.testing.assert_close(seen["relu1_1"], first)
    torch.testing.assert_close(seen["relu2_1"], convolved(functional.max_pool2d(convolved(first, 2), 2), 5))


def test_default_teachers_are_torchvisions_verified_weights(
    weights: dict[str, Weights], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, object, object]] = []

    def fetch(url: str, *, check_hash: bool = False, weights_only: bool = False) -> Weights:
        asked.append((url, check_hash, weights_only))
        return weights["vgg19" if "vgg19" in url else "squeezenet1_0"]

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fetch)
    _assert_are(load_teachers(), weights)
    assert asked == [
        ("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", True, True),
        ("https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth", True, True),
    ]


def test_a_teacher_that_is_not_in_the_folder_is_named(weights: dict[str, Weights], tmp_path: Path) -> None:
    save_file(weights["vgg19"], tmp_path / "vgg19.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no squeezenet1_0\*.safetensors in"):
        load_teachers(tmp_path)
