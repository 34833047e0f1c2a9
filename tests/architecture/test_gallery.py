"""The shape of the gallery: every paper is a folder that holds its recipe, its claims, its figure and its gold."""

import json
import re

import pytest

from edgewise.claims import Claim
from edgewise.gallery import exhibits, folder_of, keys, reproduction
from edgewise.reproduction import Scale

KEY = re.compile(r"[a-z]+\d{4}[a-z]+")
FILES = ("README.md", "__init__.py", "exhibits.py")


@pytest.mark.parametrize("key", keys())
class TestPaper:
    def test_its_folder_is_complete(self, key: str) -> None:
        folder = folder_of(key)
        for name in FILES:
            assert (folder / name).exists(), name
        for part in ("recipe", "claims", "figure"):
            assert (folder / f"{part}.py").exists() or (folder / part).is_dir(), part

    def test_its_key_is_that_of_a_bibliography(self, key: str) -> None:
        assert KEY.fullmatch(key)
        assert reproduction(key).key == key

    def test_it_says_what_differs_and_what_it_costs(self, key: str) -> None:
        text = (folder_of(key) / "README.md").read_text()
        assert text.startswith(f"# {key}: ")
        assert "Differs from the paper" in text
        assert "Cost" in text
        for exhibit in reproduction(key).exhibits:
            assert exhibit.name in text, exhibit.name

    def test_its_claims_name_their_source_and_are_told_apart(self, key: str) -> None:
        for exhibit in reproduction(key).exhibits:
            assert exhibit.claims
            sentences = [claim.sentence for claim in exhibit.claims]
            assert len(set(sentences)) == len(sentences)
            for claim in exhibit.claims:
                assert isinstance(claim, Claim)
                assert KEY.match(claim.source), claim.source

    def test_it_has_gold_for_every_claim(self, key: str) -> None:
        golden = json.loads((folder_of(key) / "golden.json").read_text())
        smoke = [exhibit for exhibit in reproduction(key).exhibits if Scale.SMOKE in exhibit.scales]
        assert set(golden) == {exhibit.name for exhibit in smoke}
        for exhibit in smoke:
            assert set(golden[exhibit.name]) == {claim.sentence for claim in exhibit.claims}

    def test_the_same_is_asked_for_twice(self, key: str) -> None:
        """A recipe is a function of scale and seed, and of nothing else."""
        for exhibit in reproduction(key).exhibits:
            one, two = (exhibit.recipe(Scale.SMOKE, 0) for _ in range(2))
            assert [e.identity(0) for e in one.values()] == [e.identity(0) for e in two.values()]
            assert list(one) == list(two)


def test_the_whole_gallery_is_every_paper() -> None:
    assert {paper.key for paper, _ in exhibits()} == set(keys())


def test_an_address_is_a_paper_or_an_exhibit() -> None:
    key = keys()[0]
    first = reproduction(key).exhibits[0]
    assert exhibits([f"{key}/{first.name}"]) == ((reproduction(key), first),)
    # An exhibit that two addresses mean is there once.
    assert len(exhibits([key, f"{key}/{first.name}"])) == len(reproduction(key).exhibits)
