"""What each family computes, against literal transcriptions and known answers."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.models import ACTIVATIONS, CNN, MLP, VGG11, DeepLinear, OneHiddenLayer, ResNet, Transformer, ViT


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def parameters(module: nn.Module) -> list[Tensor]:
    return [p.detach() for p in module.parameters()]


def test_mlp_is_the_papers_network() -> None:
    module = MLP(widths=(5, 4)).build((2, 3), 3, seed=7).double()
    W1, b1, W2, b2, W3, b3 = parameters(module)
    x = normal(6, 2, 3)
    hidden = torch.tanh(torch.tanh(x.flatten(1) @ W1.T + b1) @ W2.T + b2)
    torch.testing.assert_close(module(x), hidden @ W3.T + b3)


def test_the_standard_initialisation_is_pytorchs_own_for_the_same_seed() -> None:
    module = MLP(widths=(5, 4)).build((6,), 3, seed=7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        reference = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4), nn.Linear(4, 3))
    for ours, theirs in zip(parameters(module), parameters(reference), strict=True):
        assert torch.equal(ours, theirs)


def test_without_hidden_layers_and_bias_an_mlp_is_a_matrix() -> None:
    module = MLP(widths=(), bias=False).build((6,), 3, seed=0).double()
    (W,) = parameters(module)
    x = normal(4, 6)
    torch.testing.assert_close(module(x), x @ W.T)


def test_ntk_layers_divide_by_the_root_of_their_fan_in() -> None:
    module = MLP(widths=(5,), parameterization="ntk").build((6,), 3, seed=0).double()
    W1, b1, W2, b2 = parameters(module)
    x = normal(4, 6)
    expected = torch.tanh(x @ W1.T / 6**0.5 + 0.1 * b1) @ W2.T / 5**0.5 + 0.1 * b2
    torch.testing.assert_close(module(x), expected)


def test_ntk_outputs_have_the_variance_of_the_gaussian_process() -> None:
    # A linear model with 20,000 outputs: f_k ~ N(0, |x|²/d + β²) independently.
    module = MLP(widths=(), parameterization="ntk").build((8,), 20_000, seed=0).double()
    x = normal(1, 8)
    variance = float((x**2).sum() / 8 + 0.01)
    outputs = module(x).detach().flatten()
    standard_error = variance * (2 / 20_000) ** 0.5
    assert float(outputs.var()) == pytest.approx(variance, abs=4 * standard_error)
    assert abs(float(outputs.mean())) < 4 * (variance / 20_000) ** 0.5


@pytest.mark.parametrize("width", [50, 3200])
def test_the_tangent_kernel_does_not_grow_with_the_width(width: int) -> None:
    # One hidden layer, φ = identity: Θ(x, x) → |x|²/d + β² (last layer) + |x|²/d + β² (first) + β².
    module = MLP(widths=(width,), parameterization="ntk", activation="identity").build((8,), 1, seed=0).double()
    x = normal(1, 8)
    gradients = torch.autograd.grad(module(x).sum(), list(module.parameters()))
    kernel = float(sum((g**2).sum() for g in gradients))
    layer = float((x**2).sum() / 8 + 0.01)
    assert kernel == pytest.approx(2 * layer + 0.01, rel=6 * (2 / width) ** 0.5)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_is_applied_where_it_should_be(name: str) -> None:
    module = MLP(widths=(5,), activation=name).build((6,), 3, seed=0).double()
    W1, b1, W2, b2 = parameters(module)
    x = normal(4, 6)
    formulas = {
        "elu": lambda z: torch.where(z > 0, z, z.exp() - 1),
        "gelu": lambda z: z * 0.5 * (1 + torch.erf(z / 2**0.5)),
        "hardtanh": lambda z: z.clamp(-1, 1),
        "identity": lambda z: z,
        "leaky_relu": lambda z: torch.where(z > 0, z, 0.01 * z),
        "relu": lambda z: z.clamp(min=0),
        "selu": lambda z: 1.0507009873554805 * torch.where(z > 0, z, 1.6732632423543772 * (z.exp() - 1)),
        "sigmoid": lambda z: 1 / (1 + (-z).exp()),
        "silu": lambda z: z / (1 + (-z).exp()),
        "softplus": lambda z: (1 + z.exp()).log(),
        "swish": lambda z: z / (1 + (-z).exp()),
        "tanh": lambda z: (z.exp() - (-z).exp()) / (z.exp() + (-z).exp()),
    }
    torch.testing.assert_close(module(x), formulas[name](x @ W1.T + b1) @ W2.T + b2)


def test_one_hidden_layer_has_the_papers_initialisation() -> None:
    module = OneHiddenLayer(width=4000).build((1,), 1, seed=0).double()
    W, b, V = parameters(module)
    assert torch.equal(b, torch.zeros(4000, dtype=torch.float64))
    # Xavier: variance 2 gain² / (fan_in + fan_out); four standard errors of a variance of 4,000 normals.
    for weight, gain in ((W, 1.9), (V, 1.0)):
        assert float(weight.var()) == pytest.approx(2 * gain**2 / 4001, rel=4 * (2 / 4000) ** 0.5)
    x = normal(5, 1)
    torch.testing.assert_close(module(x), torch.tanh(x @ W.T) @ V.T)


def test_deep_linear_is_a_product_of_matrices() -> None:
    module = DeepLinear(depth=4, width=7).build((6,), 3, seed=0).double()
    matrices = parameters(module)
    assert [tuple(W.shape) for W in matrices] == [(7, 6), (7, 7), (7, 7), (3, 7)]
    x = normal(5, 6)
    product = torch.linalg.multi_dot(matrices[::-1])
    torch.testing.assert_close(module(x), x @ product.T)
    matrices = parameters(DeepLinear(depth=20).build((50,), 50, seed=0))
    assert [tuple(W.shape) for W in matrices] == [(50, 50)] * 20
    entries = torch.cat([W.flatten() for W in matrices])
    assert float(entries.var()) == pytest.approx(2 / 100, rel=4 * (2 / 50_000) ** 0.5)


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_cnn_is_the_papers_network(pooling: str, batch_norm: bool) -> None:
    module = CNN(channels=(2, 3), pooling=pooling, batch_norm=batch_norm).build((1, 9, 8), 4, seed=0).double()
    values = iter(parameters(module))
    pool = {"max": F.max_pool2d, "average": F.avg_pool2d}[pooling]
    x = normal(5, 1, 9, 8)
    z = x
    for _ in range(2):
        z = torch.tanh(F.conv2d(z, next(values), next(values), padding=1))
        if batch_norm:
            z = F.batch_norm(z, None, None, next(values), next(values), training=True)
        z = pool(z, 2)
    torch.testing.assert_close(module(x), z.flatten(1) @ next(values).T + next(values))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_vgg_is_configuration_a_with_the_papers_initialisation(batch_norm: bool) -> None:
    module = VGG11(width=2, batch_norm=batch_norm).build((3, 32, 32), 10, seed=0).double()
    values = iter(parameters(module))
    x = z = normal(4, 3, 32, 32)
    for multiple in (1, 0, 2, 0, 4, 4, 0, 8, 8, 0, 8, 8, 0):
        if multiple == 0:
            z = F.max_pool2d(z, 2)
            continue
        weight, bias = next(values), next(values)
        assert weight.shape[0] == 2 * multiple
        assert not bias.any()
        z = F.conv2d(z, weight, bias, padding=1)
        if batch_norm:
            z = F.batch_norm(z, None, None, next(values), next(values), training=True)
        z = z.relu()
    z = z.flatten(1)
    for _ in range(2):
        z = (z @ next(values).T + next(values)).relu()
    torch.testing.assert_close(module(x), z @ next(values).T + next(values))
    widest = parameters(VGG11().build((3, 32, 32), 10, seed=0))[-8]  # the last convolution: 512 × 512 × 9
    assert float(widest.var()) == pytest.approx(2 / (9 * 512), rel=0.01)


def test_resnet_is_shortcuts_around_pairs_of_convolutions() -> None:
    module = ResNet(blocks=1, width=2, batch_norm=False).build((3, 8, 8), 4, seed=0).double()
    values = iter(parameters(module))

    def convolution(z: Tensor, stride: int) -> Tensor:
        return F.conv2d(z, next(values), next(values), stride=stride, padding=1)

    x = normal(5, 3, 8, 8)
    z = convolution(x, 1).relu()
    for stride in (1, 2, 2):
        inner = convolution(convolution(z, stride).relu(), 1)
        shortcut = torch.zeros_like(inner)
        shortcut[:, : z.shape[1]] = z[:, :, ::stride, ::stride]
        z = (shortcut + inner).relu()
    torch.testing.assert_close(module(x), z.mean((2, 3)) @ next(values).T + next(values))


def test_resnet_with_batch_norm_has_no_biases_before_it() -> None:
    names = dict(ResNet(blocks=1, width=2).build((3, 8, 8), 4, seed=0).named_modules())
    convolutions = [module for module in names.values() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 7
    assert all(convolution.bias is None for convolution in convolutions)


def test_vit_is_a_pre_norm_transformer_over_patches() -> None:
    module = ViT(patch=4, layers=1, width=6, heads=2, expansion=2).build((3, 8, 12), 5, seed=0).double()
    values = iter(parameters(module))
    x = normal(2, 3, 8, 12)
    positions, projection, shift = next(values), next(values), next(values)
    # A linear map of patches is a convolution with stride.
    tokens = F.conv2d(x, projection.view(6, 3, 4, 4), shift, stride=4).flatten(2).transpose(1, 2) + positions
    tokens = reference_block(tokens, values, heads=2, causal=False)
    tokens = F.layer_norm(tokens, (6,), next(values), next(values)).mean(1)
    torch.testing.assert_close(module(x), tokens @ next(values).T + next(values))


def test_the_transformer_is_a_pre_norm_decoder() -> None:
    module = Transformer(layers=2, width=6, heads=3, expansion=2).build((5,), 7, seed=0).double()
    values = iter(parameters(module))
    tokens = torch.randint(7, (2, 5), generator=torch.Generator().manual_seed(0))
    positions, table = next(values), next(values)
    z = table[tokens] + positions
    for _ in range(2):
        z = reference_block(z, values, heads=3, causal=True)
    z = F.layer_norm(z, (6,), next(values), next(values))
    torch.testing.assert_close(module(tokens), z @ next(values).T + next(values))


def reference_block(x: Tensor, draw: Iterator[Tensor], heads: int, causal: bool) -> Tensor:
    """The same block with PyTorch's fused kernels."""
    width = x.shape[-1]
    z = F.layer_norm(x, (width,), next(draw), next(draw))
    q, k, v = (z @ next(draw).T + next(draw)).chunk(3, dim=-1)
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)
    x = x + mixed @ next(draw).T + next(draw)
    z = F.layer_norm(x, (width,), next(draw), next(draw))
    hidden = F.gelu(z @ next(draw).T + next(draw))
    return x + hidden @ next(draw).T + next(draw)


def test_no_token_sees_a_later_one() -> None:
    module = Transformer(layers=2, width=8, heads=2).build((6,), 9, seed=0)
    tokens = torch.randint(9, (1, 6), generator=torch.Generator().manual_seed(0))
    changed = tokens.clone()
    changed[0, 3:] = (tokens[0, 3:] + 1) % 9
    before, after = module(tokens), module(changed)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])
