"""The gallery: papers of the field, one folder each, that re-run what they claim and say whether it holds.

    cohen2021gradient/
        README.md     the claims, what differs from the paper, what it costs, what did not reproduce
        recipe.py     functions from (scale, seed) to experiments
        claims.py     the sentences, and what is measured for them
        figure.py     records → pictures
        exhibits.py   which recipe, claims and figure belong together: REPRODUCTION
        golden.json   the numbers of the smoke scale

A paper is removed by deleting its folder.
"""

from edgewise.gallery.catalogue import exhibits, folder_of, keys, reproduction

__all__ = [
    "exhibits",
    "folder_of",
    "keys",
    "reproduction",
]
