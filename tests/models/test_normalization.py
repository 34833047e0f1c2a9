import pytest
import torch
import torch.nn.functional as F

from edgewise.models import BatchNorm, LayerNorm


def test_layer_norm_equals_pytorchs() -> None:
    draw = torch.Generator().manual_seed(0)
    norm = LayerNorm(7).double()
    for parameter in norm.parameters():
        parameter.data.normal_(generator=draw)
    x = 3 + 2 * torch.randn(4, 5, 7, generator=draw, dtype=torch.float64)
    torch.testing.assert_close(norm(x), F.layer_norm(x, (7,), norm.weight, norm.bias))


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3), (6, 5, 3, 4)])
def test_batch_norm_equals_pytorchs_in_train_mode_and_has_no_state(shape: tuple[int, ...]) -> None:
    draw = torch.Generator().manual_seed(0)
    norm = BatchNorm(5).double()
    for parameter in norm.parameters():
        parameter.data.normal_(generator=draw)
    x = 3 + 2 * torch.randn(*shape, generator=draw, dtype=torch.float64)
    expected = F.batch_norm(x, None, None, norm.weight, norm.bias, training=True)
    torch.testing.assert_close(norm(x), expected)
    assert torch.equal(norm.eval()(x), norm.train()(x))
    assert not list(norm.buffers())


def test_batch_norm_says_that_it_mixes_samples() -> None:
    assert BatchNorm(3).mixes_samples
    assert not hasattr(LayerNorm(3), "mixes_samples")
