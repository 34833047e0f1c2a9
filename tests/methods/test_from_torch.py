import pytest
import torch
from torch import nn

from edgewise.foundation import SettingError
from edgewise.methods import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    DecoupledWeightDecay,
    Muon,
    NAdam,
    ParameterGroups,
    RMSProp,
    WeightDecay,
    from_torch,
    state_from_torch,
)
from reference.bad_settings import as_a_user_types
from reference.beside_torch import tensors_of, wavy_gradient

has_muon = hasattr(torch.optim, "Muon")
optim = torch.optim


def tensors(*shapes, seed=0):
    numbers = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, generator=numbers, dtype=torch.float64).requires_grad_()
        for shape in shapes or ((4, 3), (3,), (2, 5))
    ]


def flat(parameters):
    return torch.cat([p.detach().reshape(-1) for p in parameters])


def torch_steps(optimizer, parameters, count):
    for _ in range(count):
        for p in parameters:
            p.grad = wavy_gradient(p.detach())
        optimizer.step()


OPTIMIZERS = {
    "sgd": (lambda p: optim.SGD(p, lr=0.02), SGD(0.02, None)),
    "momentum": (
        lambda p: optim.SGD(p, lr=0.02, momentum=0.9, dampening=0.3, weight_decay=0.1),
        SGD(0.02, None, momentum=0.9, dampening=0.3, weight_decay=0.1),
    ),
    "nesterov": (
        lambda p: optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True),
        SGD(0.02, None, momentum=0.9, nesterov=True),
    ),
    "adam": (lambda p: optim.Adam(p, lr=0.02, betas=(0.8, 0.9), eps=1e-6), Adam(0.02, (0.8, 0.9), 1e-6)),
    "adam, coupled": (lambda p: optim.Adam(p, lr=0.02, weight_decay=0.1), WeightDecay(Adam(0.02), 0.1)),
    "adam, decoupled": (
        lambda p: optim.Adam(p, lr=0.02, weight_decay=0.1, decoupled_weight_decay=True),
        AdamW(0.02, weight_decay=0.1),
    ),
    "adam, for-each": (lambda p: optim.Adam(p, lr=0.02, foreach=True), Adam(0.02)),
    "adam, tensor": (lambda p: optim.Adam(p, lr=torch.tensor(0.02, dtype=torch.float64)), Adam(0.02)),
    "adamw": (lambda p: optim.AdamW(p, lr=0.02), AdamW(0.02)),
    "nadam": (
        lambda p: optim.NAdam(p, lr=0.02, betas=(0.8, 0.9), eps=1e-6, momentum_decay=0.1),
        NAdam(0.02, (0.8, 0.9), 1e-6, 0.1),
    ),
    "nadam, coupled": (lambda p: optim.NAdam(p, lr=0.02, weight_decay=0.1), WeightDecay(NAdam(0.02), 0.1)),
    "nadam, decoupled": (
        lambda p: optim.NAdam(p, lr=0.02, weight_decay=0.1, decoupled_weight_decay=True),
        DecoupledWeightDecay(NAdam(0.02), 0.1),
    ),
    "adagrad": (
        lambda p: optim.Adagrad(p, lr=0.02, lr_decay=0.1, initial_accumulator_value=0.5, eps=1e-4),
        Adagrad(0.02, 0.1, 0.5, 1e-4),
    ),
    "adagrad, coupled": (lambda p: optim.Adagrad(p, lr=0.02, weight_decay=0.1), WeightDecay(Adagrad(0.02), 0.1)),
    "rmsprop": (lambda p: optim.RMSprop(p, lr=0.02, alpha=0.9, eps=1e-4), RMSProp(0.02, 0.9, 1e-4)),
    "rmsprop, coupled": (
        lambda p: optim.RMSprop(p, lr=0.02, weight_decay=0.1),
        WeightDecay(RMSProp(0.02), 0.1),
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_goes_on_where_pytorch_was(name):
    make, expected = OPTIMIZERS[name]
    parameters = tensors()
    optimizer = make(parameters)
    method = from_torch(optimizer)
    assert method == expected
    for before in (0, 20):  # a fresh optimiser, and one that has taken steps
        torch_steps(optimizer, parameters, before)
        w, state = flat(parameters), state_from_torch(optimizer)
        kept = {path: tensor.clone() for path, tensor in tensors_of(state).items()}
        if "adam" in name or "adagrad" in name or "rmsprop" in name:
            assert state.step == before
        for t in range(30):
            w, state = method.step(w, wavy_gradient(w), state)
            if t == 0:
                first = state_from_torch(optimizer)
        torch_steps(optimizer, parameters, 30)
        torch.testing.assert_close(w, flat(parameters), rtol=1e-13, atol=1e-14)
        # What was read is a copy: the optimiser's steps have not changed it.
        assert all(torch.equal(tensors_of(first)[path], kept[path]) for path in kept)
        parameters = tensors()
        optimizer = make(parameters)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if "for-each" not in name])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_tensor_goes_on_bit_for_bit(name, dtype):
    parameters = [p.detach().to(dtype).requires_grad_() for p in tensors((4, 3))]
    optimizer = OPTIMIZERS[name][0](parameters)
    torch_steps(optimizer, parameters, 5)
    method, w, state = from_torch(optimizer), flat(parameters), state_from_torch(optimizer)
    for _ in range(50):
        w, state = method.step(w, wavy_gradient(w), state)
        torch_steps(optimizer, parameters, 1)
        assert torch.equal(w, flat(parameters))


@pytest.mark.skipif(not has_muon, reason="came with PyTorch 2.9")
@pytest.mark.parametrize("adjust", [None, "original", "match_rms_adamw"])
def test_muon_goes_on_where_pytorch_was(adjust):
    parameters = tensors((4, 3), (2, 5))
    optimizer = optim.Muon(parameters, lr=0.02, ns_steps=4, nesterov=False, adjust_lr_fn=adjust)
    method = from_torch(optimizer)
    match = adjust == "match_rms_adamw"
    assert method == Muon(0.02, 0.95, False, 4, ((4, 3), (2, 5)), 0.1, match)
    torch_steps(optimizer, parameters, 20)
    w, state = flat(parameters), state_from_torch(optimizer)
    for _ in range(30):
        w, state = method.step(w, wavy_gradient(w), state)
    torch_steps(optimizer, parameters, 30)
    torch.testing.assert_close(w, flat(parameters), rtol=1e-13, atol=1e-14)


def test_param_groups_are_read_in_the_order_of_the_parameters():
    # As usual: weights decay, biases do not; in the module they alternate.
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    parameters = list(module.parameters())
    weights, biases = parameters[::2], parameters[1::2]
    optimizer = optim.AdamW([{"params": weights}, {"params": biases, "weight_decay": 0.0, "lr": 0.05}], lr=0.02)
    method = from_torch(optimizer, parameters)
    decayed, plain = AdamW(0.02), AdamW(0.05, weight_decay=0.0)
    assert method == ParameterGroups((decayed, plain, decayed, plain), (12, 4, 8, 2))
    torch_steps(optimizer, parameters, 20)
    w, state = flat(parameters), state_from_torch(optimizer, parameters)
    assert state.step == 20
    for _ in range(30):
        w, state = method.step(w, wavy_gradient(w), state)
    torch_steps(optimizer, parameters, 30)
    torch.testing.assert_close(w, flat(parameters), rtol=1e-13, atol=1e-14)
    # In its own order two slices are enough.
    assert from_torch(optimizer) == ParameterGroups((decayed, plain), (20, 6))


def test_groups_with_the_same_settings_are_one():
    parameters = tensors()
    optimizer = optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:]}], lr=0.1)
    assert from_torch(optimizer) == SGD(0.1, None)


def test_frozen_parameters_are_no_part_of_it():
    parameters = tensors()
    parameters[1].requires_grad_(False)
    optimizer = optim.Adam(parameters, lr=0.1)
    torch_steps(optimizer, [parameters[0], parameters[2]], 3)
    assert state_from_torch(optimizer).average.shape == (22,)
    assert from_torch(optimizer, [parameters[0], parameters[2]]) == Adam(0.1)


@pytest.mark.parametrize(
    ("make", "setting", "fix"),
    [
        (lambda p: optim.SGD(p, lr=0.1, maximize=True), "maximize=True", "maximize=False"),
        (lambda p: optim.Adam(p, amsgrad=True), "amsgrad=True", "amsgrad=False"),
        (lambda p: optim.RMSprop(p, centered=True), "centered=True", "centered=False"),
        (lambda p: optim.RMSprop(p, momentum=0.9), r"momentum=0\.9", "momentum=0"),
    ],
)
def test_settings_that_no_method_has_are_refused(make, setting, fix):
    with pytest.raises(SettingError, match=f"an optimiser with {setting}: no method here.*Make.* with {fix}"):
        from_torch(make(tensors()))


@pytest.mark.skipif(not has_muon, reason="came with PyTorch 2.9")
def test_another_newton_schulz_polynomial_is_refused():
    for settings in ({"ns_coefficients": (2.0, -1.5, 0.5)}, {"eps": 1e-3}):
        with pytest.raises(SettingError, match=f"an optimiser with {next(iter(settings))}="):
            from_torch(optim.Muon(tensors((2, 3)), **settings))


class Counting(optim.SGD):
    """Something more beside the step."""

    def reset(self):
        """Not a part of the step."""


class Nameless(optim.SGD):
    """Who overrides the step may do anything."""

    def step(self, closure=None):
        """Another step."""


class Around(optim.Optimizer):
    """As in a library that hides the device: a step is passed on."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def step(self, closure=None):
        """Pass it on."""


@pytest.mark.parametrize("kind", [optim.LBFGS, Nameless])
def test_an_optimiser_that_no_method_describes_is_refused_by_name(kind):
    known = "SGD, Adam, AdamW, NAdam, RMSprop, Adagrad" + (", Muon" if has_muon else "")
    with pytest.raises(SettingError, match=f"type {kind.__name__}: .*Give one of {known} from torch.optim"):
        from_torch(kind(tensors(), lr=0.1))


def test_a_class_that_leaves_the_step_as_it_is_is_what_it_is_derived_from():
    for parameters in (tensors(), tensors()):  # PyTorch wraps the step when the first of a class is made
        assert from_torch(Counting(parameters, lr=0.1, momentum=0.5)) == SGD(0.1, None, momentum=0.5)


def test_an_optimiser_around_another_says_which_to_give():
    sentence = r"of type Around: it is around another one.*Give the one inside, optimizer\.optimizer"
    with pytest.raises(SettingError, match=sentence):
        from_torch(Around(optim.SGD(tensors(), lr=0.1)))


def test_how_a_step_is_computed_is_no_part_of_it():
    assert from_torch(optim.Adam(tensors(), lr=0.1, differentiable=True)) == Adam(0.1)
    assert from_torch(optim.Adam(tensors(), lr=0.1, fused=True)) == Adam(0.1)
    assert from_torch(optim.Adam(tensors(), lr=0.1, capturable=True)) == Adam(0.1)


def test_parameters_have_to_be_those_of_the_optimiser():
    parameters = tensors()
    optimizer = optim.SGD(parameters, lr=0.1)
    for wrong in (parameters[:2], [*parameters, *tensors()], [*parameters, parameters[0]], tensors()):
        with pytest.raises(
            SettingError, match=rf"{len(wrong)} parameters for an optimiser of 3: .*in the order of w"
        ):
            from_torch(optimizer, wrong)


def test_a_module_is_not_its_parameters():
    layer = nn.Linear(3, 2)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    sentence = r"of type Linear: they are tensors.*Type from_torch\(optimizer, model\.parameters\(\)\)"
    with pytest.raises(SettingError, match=sentence), as_a_user_types():
        from_torch(optimizer, layer)
    with pytest.raises(SettingError, match="an optimiser of type Linear: no method here"), as_a_user_types():
        from_torch(layer)


def test_an_optimiser_whose_parameters_have_not_stepped_together_is_refused():
    for count in (1, 0):
        parameters = tensors()
        optimizer = optim.Adam(parameters, lr=0.1)
        torch_steps(optimizer, parameters, count)
        parameters[1].grad = None
        for p in (parameters[0], parameters[2]):
            p.grad = torch.ones_like(p)
        optimizer.step()
        with pytest.raises(SettingError, match=r"have taken steps that others have not.*line_from_torch\("):
            state_from_torch(optimizer)


def test_what_the_method_refuses_is_refused():
    with pytest.raises(SettingError, match=r"lr=0\.0"):
        from_torch(optim.SGD(tensors(), lr=0.0))
