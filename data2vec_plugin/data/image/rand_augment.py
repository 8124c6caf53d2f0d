"""RandAugment (Cubuk et al., 2020) with the strengths that are usual for fine-tuning on ImageNet.

Operations and ranges are those of `rand-m9-mstd0.5-inc1`: fifteen operations, none of them weaker at a higher level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Dict, Optional, Sequence, Tuple

from numpy.random import Generator

if TYPE_CHECKING:
    from PIL.Image import Image

    Operation = Callable[[Image, float, "Color", Generator], Image]

Color = Tuple[int, int, int]

TOP = 10.0
"""The highest level."""
SETTING = re.compile(r"(mstd|inc|m|n|p)(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class RandAugmentConfig:
    """``count`` operations, each done with ``probability``, at a level of ``magnitude`` ± ``noise``, from 0 to 10."""

    magnitude: float = 9.0
    noise: float = 0.5
    count: int = 2
    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.magnitude <= TOP or not 0 <= self.probability <= 1:
            raise ValueError(
                f"`task.auto_augment` has level {self.magnitude} and probability {self.probability}; "
                f"expected m0 to m10 and p0 to p1"
            )


def parse_rand_augment(text: Optional[str]) -> Optional[RandAugmentConfig]:
    """Parse a setting such as `rand-m9-mstd0.5-inc1`; return None for `none`. Raises ValueError for any other text.

    ``m`` is the level, ``mstd`` its deviation, ``n`` how many operations (2), ``p`` the probability of each (0.5).
    """
    if not text or text == "none":
        return None
    kind, *parts = text.split("-")
    found = [SETTING.fullmatch(part) for part in parts]
    if kind != "rand" or not all(found):
        raise ValueError(
            f"`task.auto_augment` is {text!r}; expected none, or rand followed by -m9 (level 0 to 10), -mstd0.5 "
            f"(its deviation), -inc1, -n2 (operations) and -p0.5 (probability), such as rand-m9-mstd0.5-inc1"
        )
    settings: Dict[str, float] = {match[1]: float(match[2]) for match in found if match}
    if settings.get("inc") != 1:
        raise ValueError(f"`task.auto_augment` is {text!r}; only increasing operations are supported: add -inc1")
    return RandAugmentConfig(
        magnitude=settings.get("m", TOP),
        noise=settings.get("mstd", 0.0),
        count=int(settings.get("n", 2)),
        probability=settings.get("p", 0.5),
    )


class RandAugment:
    """Applies operations drawn for every picture; ``fill`` (0 to 255) colours the areas that they leave empty."""

    def __init__(self, config: RandAugmentConfig, fill: Color) -> None:
        self.config = config
        self.fill = fill

    def __call__(self, picture: Image, rng: Generator) -> Image:
        """Return an RGB picture of the same size."""
        config = self.config
        for _ in range(config.count):
            operation = OPERATIONS[int(rng.integers(len(OPERATIONS)))]
            if rng.random() < config.probability:
                level = rng.normal(config.magnitude, config.noise)
                picture = operation(picture, min(max(float(level), 0.0), TOP) / TOP, self.fill, rng)
        return picture


def _either_way(value: float, rng: Generator) -> float:
    return value if rng.random() < 0.5 else -value


# each takes an RGB picture, a strength from 0 to 1, a color for empty areas, and a generator for the direction
def auto_contrast(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Stretch every channel to its full range."""
    from PIL import ImageOps

    return ImageOps.autocontrast(picture)


def equalize(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Make every channel's histogram flat."""
    from PIL import ImageOps

    return ImageOps.equalize(picture)


def invert(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Invert every channel."""
    from PIL import ImageOps

    return ImageOps.invert(picture)


def posterize(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Keep the highest bits of every channel: four at strength 0, one at the highest strengths."""
    from PIL import ImageOps

    return ImageOps.posterize(picture, max(4 - int(4 * strength), 1))


def solarize(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Invert values at or above a threshold, which falls from 256 at strength 0 (none) to 0 at strength 1 (all)."""
    from PIL import ImageOps

    return ImageOps.solarize(picture, 256 - int(256 * strength))


def solarize_add(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Add up to 110 to values below 128."""
    more = int(110 * strength)
    table = [min(value + more, 255) if value < 128 else value for value in range(256)]
    return picture.point(table * 3)


def _enhanced(name: str) -> Operation:
    def enhance(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
        from PIL import ImageEnhance

        factor = max(1 + _either_way(0.9 * strength, rng), 0.1)
        return getattr(ImageEnhance, name)(picture).enhance(factor)  # type: ignore[no-any-return]

    enhance.__doc__ = f"Pillow's {name} times 0.1 to 1.9."
    return enhance


def rotate(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Rotate by up to 30 degrees."""
    from PIL.Image import Resampling

    return picture.rotate(_either_way(30 * strength, rng), Resampling.BICUBIC, fillcolor=fill)


def _affine(picture: Image, matrix: Sequence[float], fill: Color) -> Image:
    from PIL.Image import Resampling, Transform

    return picture.transform(picture.size, Transform.AFFINE, matrix, Resampling.BICUBIC, fillcolor=fill)


def shear_x(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Shift every row sideways by up to 0.3 of its y coordinate."""
    return _affine(picture, (1, _either_way(0.3 * strength, rng), 0, 0, 1, 0), fill)


def shear_y(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Shift every column up or down by up to 0.3 of its x coordinate."""
    return _affine(picture, (1, 0, 0, _either_way(0.3 * strength, rng), 1, 0), fill)


def translate_x(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Shift sideways by up to 0.45 of the width."""
    return _affine(picture, (1, 0, _either_way(0.45 * strength, rng) * picture.width, 0, 1, 0), fill)


def translate_y(picture: Image, strength: float, fill: Color, rng: Generator) -> Image:
    """Shift up or down by up to 0.45 of the height."""
    return _affine(picture, (1, 0, 0, 0, 1, _either_way(0.45 * strength, rng) * picture.height), fill)


OPERATIONS: Tuple[Operation, ...] = (
    auto_contrast,
    equalize,
    invert,
    rotate,
    posterize,
    solarize,
    solarize_add,
    *map(_enhanced, ("Color", "Contrast", "Brightness", "Sharpness")),
    shear_x,
    shear_y,
    translate_x,
    translate_y,
)
