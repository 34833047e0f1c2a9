from typing import Any

import pytest
import torch

from edgewise.foundation import SettingError, decode, encode
from edgewise.models import CNN, MLP, VGG11, DeepLinear, Model, OneHiddenLayer, ResNet, Transformer, ViT

IMAGE_MODELS = [
    MLP(widths=(7,)),
    MLP(widths=(), bias=False),
    MLP(widths=(7, 5), parameterization="ntk", activation="relu"),
    OneHiddenLayer(width=7),
    DeepLinear(depth=3),
    CNN(channels=(2, 3)),
    CNN(channels=(2,), pooling="average", activation="elu", batch_norm=True),
    VGG11(width=1),
    VGG11(width=1, batch_norm=True, activation="gelu", pooling="average"),
    ResNet(blocks=1, width=2),
    ResNet(blocks=2, width=2, batch_norm=False, activation="tanh"),
    ViT(patch=8, layers=1, width=8, heads=2),
]


@pytest.mark.parametrize("model", IMAGE_MODELS, ids=repr)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 40, 32)])
def test_image_models_give_one_row_of_outputs_per_sample(model: Model, shape: tuple[int, ...]) -> None:
    module = model.build(shape, 4, seed=0)
    outputs = module(torch.randn(5, *shape, generator=torch.Generator().manual_seed(0)))
    assert outputs.shape == (5, 4)
    assert outputs.isfinite().all()
    assert {p.dtype for p in module.parameters()} == {torch.float32}


def test_the_transformer_gives_logits_at_every_position() -> None:
    module = Transformer(layers=2, width=8, heads=2).build((6,), 11, seed=0)
    assert module(torch.randint(11, (3, 6))).shape == (3, 6, 11)


@pytest.mark.parametrize("model", [*IMAGE_MODELS, Transformer(layers=1, width=8, heads=2)], ids=repr)
def test_the_same_seed_gives_the_same_parameters_whatever_the_global_state(model: Model) -> None:
    shape = (6,) if isinstance(model, Transformer) else (3, 32, 32)
    first = model.build(shape, 4, seed=3).state_dict()
    torch.manual_seed(12345)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    before = torch.get_rng_state()
    try:
        second = model.build(shape, 4, seed=3).state_dict()
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_default_device() == torch.device("meta")
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert torch.equal(before, torch.get_rng_state())
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = model.build(shape, 4, seed=4).state_dict()
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("model", [*IMAGE_MODELS, Transformer()], ids=repr)
def test_models_can_be_written_down(model: Model) -> None:
    assert decode(encode(model)) == model


@pytest.mark.parametrize(
    ("noun", "setting", "sentence"),
    [
        (MLP, {"widths": (3, 0)}, r"MLP\(widths\[1\]=0\): it counts something"),
        (MLP, {"activation": "step"}, "activation='step': .*Choose from elu, gelu"),
        (MLP, {"parameterization": "mup"}, "parameterization='mup': .*Choose from standard, ntk"),
        (OneHiddenLayer, {"width": 0}, "width=0"),
        (OneHiddenLayer, {"gain": 0.0}, "gain=0.0: it scales"),
        (OneHiddenLayer, {"activation": "step"}, "activation='step'"),
        (DeepLinear, {"depth": 0}, "depth=0"),
        (DeepLinear, {"width": 0}, "width=0"),
        (CNN, {"channels": (0,)}, r"channels\[0\]=0"),
        (CNN, {"pooling": "median"}, "pooling='median': .*Choose from average, max"),
        (CNN, {"activation": "step"}, "activation='step'"),
        (VGG11, {"width": 0}, "width=0"),
        (VGG11, {"pooling": "median"}, "pooling='median'"),
        (VGG11, {"activation": "step"}, "activation='step'"),
        (ResNet, {"blocks": 0}, "blocks=0"),
        (ResNet, {"activation": "step"}, "activation='step'"),
        (ViT, {"patch": 0}, "patch=0"),
        (ViT, {"layers": 0}, "layers=0"),
        (ViT, {"activation": "step"}, "activation='step'"),
        (Transformer, {"width": 10, "heads": 4}, r"Transformer\(width=10, heads=4\): .*Type width=12"),
        (Transformer, {"expansion": 0}, "expansion=0"),
    ],
)
def test_impossible_settings_are_refused_at_once(noun: Any, setting: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        noun(**setting)


@pytest.mark.parametrize(
    ("model", "shape", "sentence"),
    [
        (CNN(), (64,), r"CNN for inputs of shape \(64,\): it takes images"),
        (CNN(channels=(1, 1, 1)), (1, 7, 9), "CNN for images of 7 × 9: .*below 8 × 8"),
        (VGG11(), (3, 28, 28), "VGG11 for images of 28 × 28: .*below 32 × 32"),
        (ResNet(), (8, 8), "ResNet for inputs"),
        (ViT(), (3, 30, 32), r"ViT\(patch=4\) for images of 30 × 32"),
        (Transformer(), (3, 8, 8), r"Transformer for inputs of shape \(3, 8, 8\)"),
        (MLP(), (), r"inputs of shape \(\) and 2 outputs"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(model: Model, shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        model.build(shape, 2, seed=0)


def test_a_negative_seed_and_no_outputs_are_refused() -> None:
    with pytest.raises(SettingError, match="seed=-1"):
        MLP().build((3,), 2, seed=-1)
    with pytest.raises(SettingError, match=r"inputs of shape \(3,\) and 0 outputs"):
        MLP().build((3,), 0, seed=0)
