"""What is shown of li2022analyzing."""

from edgewise.gallery.li2022analyzing import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

REPRODUCTION = Reproduction(
    key="li2022analyzing",
    title="Analyzing Sharpness along GD Trajectory: Progressive Sharpening and Edge of Stability",
    authors="Li, Wang, Li",
    url="https://arxiv.org/abs/2207.12678",
    exhibits=(
        Exhibit(
            name="proxy",
            title="The norm of the output layer moves with the sharpness",
            recipe=recipe.proxy,
            claims=claims.PROXY,
            figure=figure.proxy,
            scales=(Scale.SMOKE,),
            # The eigenvalues are good to 10⁻⁶, and at the edge small differences grow.
            golden_rtol=1e-2,
        ),
    ),
)
