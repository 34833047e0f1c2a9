"""What is shown of wang2023good."""

from edgewise.gallery.wang2023good import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="wang2023good",
    title="Good regularity creates large learning rate implicit biases: "
    "edge of stability, balancing, and catapult",
    authors="Wang, Xu, Zhao, Tao",
    exhibits=(
        Exhibit(
            name="regularity",
            title="What a large step size does depends on how the loss grows",
            recipe=recipe.regularity,
            claims=claims.REGULARITY,
            figure=figure.regularity,
        ),
    ),
)
