"""Painting on a GPU: on a pretended one, so that mistakes are found on any machine, and on a real one if there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from stylizer import METHOD_NAMES, Options, Painting, Progress, compute, features, strips, stylize
from stylizer.capabilities import STROKE_METHODS
from stylizer.features import vgg19, weights_file
from stylizer.feedforward import network as networks
from stylizer.images import ImageSource
from stylizer.methods import feedforward, optimization
from stylizer.options import FeaturesName, MethodName
from stylizer.synthesis import bank_cache

# Of this type torch knows the shapes alone, and has no values; here they are kept for it.
AWAY = torch.device("meta", 0)
WHOLE = torch._C.DispatchKey.CompositeImplicitAutograd  # an operation that is made of others
# Mean difference, of 255. A real GPU adds in another order and in bfloat16; a processor doing so was off by up to 9.
TOLERANCE = {AWAY.type: 0, "cuda": 20}
DEVICES = [AWAY, *([torch.device("cuda", 0)] if torch.cuda.is_available() else [])]


class AwayTensor(Tensor):
    """Says of itself that it is on the pretended device; its values are in an ordinary tensor."""

    held: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> AwayTensor:
        tensor: AwayTensor = Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=AWAY,
        )
        tensor.held = values
        return tensor

    def tolist(self) -> Any:
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: Any) -> Any:
        raise AssertionError(f"{func} where no device is pretended")


class PretendedDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Computes on the processor, and refuses what a GPU would refuse: tensors from two places, or chance from one."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), WHOLE):  # as it comes in inference mode
            with self:
                return func._op_dk(WHOLE, *args, **kwargs)
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        away = [x for x in given if isinstance(x, AwayTensor)]
        to = kwargs.get("device")
        lands_away = bool(away) if to is None else to == AWAY
        _refuse_what_a_gpu_would(func, given, away, kwargs.get("generator") if lands_away else None)
        if torch.Tag.inplace_view in func.tags:  # turns a tensor in place: so must be turned what stands for it
            with no_dispatch():
                func(*args, **kwargs)
        known = {id(x.held): x for x in away}
        args, kwargs = tree_map(lambda x: x.held if isinstance(x, AwayTensor) else x, (args, kwargs))
        if to == AWAY:
            kwargs["device"] = torch.device("cpu")
        done = func(*args, **kwargs)
        if not lands_away:
            return done
        # What an operation changed in place is the tensor that it was.
        return tree_map(lambda x: _away(x, known) if isinstance(x, Tensor) else x, done)


def _away(values: Tensor, known: dict[int, AwayTensor]) -> AwayTensor:
    if id(values) in known:
        return known[id(values)]
    with torch.inference_mode(values.is_inference()):
        return AwayTensor(values)


def _refuse_what_a_gpu_would(func: Any, given: list[Tensor], away: list[AwayTensor], chance: object) -> None:
    if chance is not None:
        raise RuntimeError(f"{func} is given a generator of the processor")
    copies = func.overloadpacket in (torch.ops.aten.copy_, torch.ops.aten._to_copy)
    if away and not copies and any(x.dim() or x.is_meta for x in given if not isinstance(x, AwayTensor)):
        raise RuntimeError(f"{func} is given tensors on {AWAY} and from elsewhere")


@contextmanager
def _painting_on(device: torch.device) -> Iterator[None]:
    """Let `stylize` paint on a device, the pretended one too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compute, "device", lambda: device)
        if device != AWAY:
            yield
            return

        def autocast(place: str, *_: object, **__: object) -> nullcontext[None]:
            assert place == AWAY.type
            return nullcontext()

        patch.setattr(torch, "autocast", autocast)
        patch.setattr(torch.cpu, "get_capabilities", lambda: pytest.fail("asks the processor what is fast on a GPU"))
        with PretendedDevice():  # type: ignore[no-untyped-call]
            yield


@pytest.fixture(autouse=True)
def small_and_exact(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is done for large pictures is done for small ones too, and the processor paints in float32."""
    monkeypatch.setattr(feedforward, "MAX_STYLE_SIDE", 32)
    monkeypatch.setattr(feedforward, "TILE", 48)
    monkeypatch.setattr(feedforward, "STEPS", 3)
    monkeypatch.setattr(strips, "STRIP_PIXELS", 2000)
    monkeypatch.setattr(optimization, "COARSEST_SIDE", 32)
    monkeypatch.setattr(optimization, "STEPS", {"draft": (4, 4), "standard": (12, 2)})
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    _forget_networks()
    yield
    _forget_networks()


def _forget_networks() -> None:
    networks.load.cache_clear()
    features.load.cache_clear()
    bank_cache._cache.clear()  # banks of other tests may have been computed in bfloat16


def _picture(seed: int, mode: str = "RGB") -> Image.Image:
    """Soft spots, of a shape with an odd side."""
    shape = (9, 12) if mode == "L" else (9, 12, 3)
    spots = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(spots).resize((64, 49), Image.Resampling.BICUBIC)


def _look(progress: Progress) -> None:
    assert progress.preview().width


def _paint(device: torch.device, method: MethodName, masks: dict[str, Image.Image], **options: Any) -> Painting:
    styles: list[tuple[ImageSource, float]] = [(_picture(1), 2.0), (_picture(2), 1.0), ("woodcut", 1.0)]
    given: dict[str, Any] = {"size": 64, "quality": "draft"} | options
    with _painting_on(device):
        return stylize(
            _picture(0),
            styles,
            method=method,
            options=Options(**given),
            on_progress=_look,
            **masks,  # type: ignore[arg-type]
        )


REQUESTS: list[dict[str, Any]] = [
    {"mask": True, "preserve_color": "luminance", "strength": 0.7},
    {"quality": "standard", "preserve_color": "histogram", "style_scale": 1.5, "seed": 3},
]


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("requested", REQUESTS, ids=str)
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_painting_on_a_device_is_the_painting_of_the_processor(
    method: MethodName, requested: dict[str, Any], device: torch.device
) -> None:
    for_strokes = () if method in STROKE_METHODS else ("style_scale", "preserve_color")
    options = {key: value for key, value in requested.items() if key not in ("mask", *for_strokes)}
    masks = {"mask": _picture(4, "L")} if "mask" in requested else {}

    here, there = (
        np.asarray(_paint(on, method, masks, **options).image, np.float64) for on in (torch.device("cpu"), device)
    )

    assert np.abs(here - np.asarray(_picture(0))).mean() > 2
    assert np.abs(here - there).mean() <= TOLERANCE[device.type]


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_the_rarer_ways_of_painting_lead_to_the_same_too(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    cases: list[tuple[MethodName, dict[str, Image.Image], dict[str, Any]]] = [
        ("feedforward", {}, {"quality": "high"}),
        ("feedforward", {}, {"strength": 0.1}),
        ("optimization", {}, {"features": "vgg19"}),
        ("texture", {"content_mask": _picture(5, "L")}, {"strength": 0.5}),
    ]
    monkeypatch.setattr(weights_file, "read", _random_weights)
    for method, masks, options in cases:
        here, there = (
            np.asarray(_paint(on, method, masks, **options).image, np.float64) for on in (torch.device("cpu"), device)
        )
        assert np.abs(here - there).mean() <= TOLERANCE[device.type]


def test_pretended_device_refuses_what_a_gpu_refuses() -> None:
    with PretendedDevice():  # type: ignore[no-untyped-call]
        there = torch.arange(6.0).to(AWAY)
        for mistake in (
            lambda: there + torch.ones(6),
            lambda: there[torch.tensor([0])],
            lambda: torch.where(torch.ones(6) > 0, there, 0.0),
            lambda: there.add_(torch.ones(6)),
            lambda: torch.randn(6, generator=torch.Generator(), device=AWAY),
            lambda: there * there.new_tensor(2.0),  # which torch makes without anyone noticing
            lambda: there.numpy(),
        ):
            with pytest.raises(RuntimeError):
                mistake()
        assert (there + torch.tensor(1.0)).device == AWAY
        assert there.add_(torch.ones(6, device=AWAY)) is there
        assert there.view(2, 3)[1].tolist() == [4, 5, 6]
        assert there.cpu().numpy().tolist() == [1, 2, 3, 4, 5, 6]


def _random_weights(*_: object) -> dict[str, Tensor]:
    with torch.device("meta"):
        shapes = vgg19._chain().state_dict()
    generator = torch.Generator().manual_seed(0)
    return {f"features.{key}": 0.05 * torch.randn(value.shape, generator=generator) for key, value in shapes.items()}


def _places(network: object) -> set[torch.device]:
    assert isinstance(network, torch.nn.Module)
    return {tensor.device for tensor in (*network.parameters(), *network.buffers())}


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_networks_are_loaded_once_for_each_device_and_stay_there(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_file, "read", _random_weights)
    names: tuple[FeaturesName, ...] = ("compact", "vgg19")
    with _painting_on(device):
        there = [networks.load(device=device), *(features.load(name, device) for name in names)]
        assert [networks.load(device=device), *(features.load(name, device) for name in names)] == there
        assert [features.load(name) for name in names] != there[1:]
        network, *encoders = there
        assert isinstance(network, networks.Network)
        for module in (network.encoder, network.decoder, *encoders):
            assert _places(module) == {device}
    for name in names:
        assert _places(features.load(name)) == {torch.device("cpu")}
