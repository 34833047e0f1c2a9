import pytest

from edgewise.foundation import RecordError
from edgewise.records import Series


def test_columns_are_legible_in_sql() -> None:
    assert Series("loss").columns(1) == ('"loss"',)
    assert Series("sharpness", ("rank",)).columns(3) == ('"sharpness[1]"', '"sharpness[2]"', '"sharpness[3]"')


@pytest.mark.parametrize("name", ["", "step", "Process", 'a"b', "a[1]", "tab\tin it"])
def test_a_name_that_cannot_be_a_column_is_refused(name: str) -> None:
    with pytest.raises(RecordError, match="cannot name a series") as caught:
        Series(name)
    assert "the words process and step are taken" in caught.value.fix


@pytest.mark.parametrize(("name", "dims"), [("ntk", ("row", "column")), ("rank", ("rank",)), ("time", ("rank",))])
def test_a_shape_that_does_not_fit_a_row_is_refused(name: str, dims: tuple[str, ...]) -> None:
    with pytest.raises(RecordError, match="a number or one vector") as caught:
        Series(name, dims)
    assert "checkpoint" in caught.value.fix


def test_a_dimension_cannot_take_an_axis_of_every_reading() -> None:
    with pytest.raises(RecordError, match="'step' cannot name"):
        Series("loss", ("step",))
