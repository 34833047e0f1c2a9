import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewise.data.images import RawImages, Subset, check_choices, standardized
from edgewise.foundation import SettingError

NAMES = ("a", "b", "c", "d")


def raw(n: int = 30, shape: tuple[int, ...] = (2, 3, 4), seed: int = 0) -> RawImages:
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 256, (n, *shape), dtype=np.uint8)
    return RawImages(pixels=pixels, labels=draw.integers(0, 4, n), white=255)


@pytest.mark.parametrize(("how", "axes"), [("pixel", 0), ("channel", (0, 2, 3))])
def test_standardised_inputs_have_mean_zero_and_deviation_one(how: str, axes: object) -> None:
    images = raw(3000)  # more than one block
    x = standardized(images, np.arange(3000), train=images, how=how, dtype=torch.float64).numpy()
    np.testing.assert_allclose(x.mean(axes), 0.0, atol=1e-12)
    np.testing.assert_allclose(x.std(axes), 1.0, rtol=1e-12)


def test_statistics_are_those_of_the_training_images() -> None:
    train, test = raw(seed=0), raw(seed=1)
    x = standardized(test, np.array([3, 1]), train=train, how="channel", dtype=torch.float64)
    pixels = train.pixels / 255
    mean, deviation = pixels.mean((0, 2, 3))[:, None, None], pixels.std((0, 2, 3))[:, None, None]
    np.testing.assert_allclose(x.numpy(), (test.pixels[[3, 1]] / 255 - mean) / deviation, rtol=1e-12)


def test_without_standardisation_white_is_one() -> None:
    images = RawImages(pixels=np.array([[[[0, 8, 16]]]], dtype=np.uint8), labels=np.zeros(1, np.int64), white=16)
    x = standardized(images, np.arange(1), train=images, how=None, dtype=torch.float32)
    assert x.flatten().tolist() == [0.0, 0.5, 1.0]


def test_a_constant_pixel_is_centred_and_stays_finite() -> None:
    images = raw()
    images.pixels[:, 0, 0, 0] = 200
    x = standardized(images, np.arange(30), train=images, how="pixel", dtype=torch.float32)
    assert torch.equal(x[:, 0, 0, 0], torch.zeros(30))
    assert x.isfinite().all()


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    classes=st.none() | st.lists(st.sampled_from(NAMES), min_size=2, max_size=4, unique=True),
    n=st.none() | st.integers(1, 5),
)
def test_a_subset_is_the_first_n_of_the_classes(
    labels: list[int], classes: list[str] | None, n: int | None
) -> None:
    kept = [i for i, label in enumerate(labels) if classes is None or NAMES[label] in classes]
    subset = Subset(n, classes)
    if n is not None and n > len(kept):
        with pytest.raises(SettingError, match=f"n={n}: there are {len(kept)} images"):
            subset.of(np.array(labels), NAMES)
        return
    rows, relabelled, names = subset.of(np.array(labels), NAMES)
    assert rows.tolist() == kept[:n]
    assert [names[label] for label in relabelled] == [NAMES[labels[row]] for row in rows]
    assert names == (NAMES if classes is None else tuple(classes))


@pytest.mark.parametrize("n", [0, -3])
def test_no_images_are_refused(n: int) -> None:
    with pytest.raises(SettingError, match=f"n={n}: a data set has at least one sample"):
        Subset(n)


@pytest.mark.parametrize("classes", [(), ("a",), ("a", "a")])
def test_fewer_than_two_classes_are_refused(classes: tuple[str, ...]) -> None:
    with pytest.raises(SettingError, match="at least two different classes"):
        Subset(None, classes)


def test_a_class_named_twice_is_refused() -> None:
    with pytest.raises(SettingError, match="a class is named twice"):
        Subset(None, ("a", "b", 0)).of(np.arange(4), NAMES)


@pytest.mark.parametrize("name", ["e", 4, -1])
def test_an_unknown_class_is_refused_with_the_known_ones(name: str | int) -> None:
    with pytest.raises(SettingError, match=f"the class {name!r}: .* Choose from a, b, c, d, or 0 to 3"):
        Subset(None, ("a", name)).of(np.arange(4), NAMES)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(SettingError, match="standardize='row'"):
        check_choices(None, None, "row")
    with pytest.raises(SettingError, match="split='dev'"):
        check_choices(None, None, None, "dev")
