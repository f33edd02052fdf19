"""A fixed encoding by name and options: what `gair encode` and `encode_points` compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from gair_cli.errors import UsageError
from gair_cli.geo import encodings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from gair_cli.geo.encodings import Floats, Width

    Fill: TypeAlias = Callable[[NDArray[np.float64], Width], Floats]

SPHERE_FORMS: Final[dict[str, encodings.SphereForm]] = {
    "sphere2vec-c": "c",
    "sphere2vec-c+": "c+",
    "sphere2vec-m": "m",
    "sphere2vec-m+": "m+",
    "sphere2vec-dfs": "dfs",
}
ENCODINGS: Final = ("equal-earth", "rff", "harmonics", "xyz", *SPHERE_FORMS)
_OWN_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "equal-earth": (),
    "xyz": (),
    "rff": ("sigmas", "features", "seed", "matrices"),
    "harmonics": ("degree",),
    **dict.fromkeys(SPHERE_FORMS, ("scales", "min_radius", "max_radius")),
}
_FLAGS: Final = {
    "sigmas": "--sigma",
    "features": "--features",
    "seed": "--seed",
    "matrices": "--model",
    "degree": "--degree",
    "scales": "--scales",
    "min_radius": "--min-radius",
    "max_radius": "--max-radius",
}


@dataclass(frozen=True, slots=True)
class EncodingOptions:
    """Which encoding is asked for; None is that encoding's default.

    Attributes:
        name: One of `ENCODINGS`.
        sigmas: Scales of Fourier features; default 1, 16 and 256, as released.
        features: Numbers a scale, half cosines and half sines; default 512.
        seed: Seed of the Fourier features' directions; default 0.
        matrices: (S, F, 2) directions of a model instead of drawn ones.
        degree: The highest degree of harmonics; default 39 (SatCLIP's L = 40).
        scales: Radii of a Sphere2Vec form; default 16.
        min_radius: The smallest of them; default 0.001.
        max_radius: The largest; default 1.
    """

    name: str = "rff"
    sigmas: tuple[float, ...] | None = None
    features: int | None = None
    seed: int | None = None
    matrices: NDArray[np.float64] | None = None
    degree: int | None = None
    scales: int | None = None
    min_radius: float | None = None
    max_radius: float | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown name, and options of another encoding."""
        if self.name not in ENCODINGS:
            raise UsageError(
                f"encoding {self.name!r} is not known", hint=f"one of {', '.join(ENCODINGS)}"
            )
        given = [name for name in _FLAGS if getattr(self, name) is not None]
        foreign = [name for name in given if name not in _OWN_OPTIONS[self.name]]
        if foreign:
            own = ", ".join(_FLAGS[name] for name in _OWN_OPTIONS[self.name]) or "none"
            raise UsageError(
                f"{_FLAGS[foreign[0]]} is no option of the encoding {self.name}",
                hint=f"its own options: {own}",
            )
        drawn = [name for name in ("sigmas", "features", "seed") if name in given]
        if self.matrices is not None and drawn:
            raise UsageError(
                f"{_FLAGS[drawn[0]]} does not go with --model, whose directions are fixed"
            )


@dataclass(frozen=True, slots=True)
class FixedEncoding:
    """A fixed function from coordinates to rows of numbers.

    Attributes:
        name: One of `ENCODINGS`.
        width: How many numbers a row has.
        facts: Options that made it, as files state them.
        fill: Encodes (N, 2) degrees as (N, width).
    """

    name: str
    width: int
    facts: Mapping[str, Any]
    fill: Fill


def fixed_encoding(options: EncodingOptions) -> FixedEncoding:
    """Return the encoding that the options ask for.

    Raises:
        UsageError: If a value makes no sense.
        DataError: If a degree, a number of scales or a radius is out of range.
    """
    if options.name == "rff":
        return _fourier(options)
    if options.name in SPHERE_FORMS:
        return _sphere(options, SPHERE_FORMS[options.name])
    if options.name == "harmonics":
        degree = 39 if options.degree is None else options.degree
        return _made(
            options.name,
            {"degree": degree},
            lambda points, dtype: encodings.spherical_harmonics(points, degree, dtype=dtype),
        )
    plain = encodings.unit_sphere_xyz if options.name == "xyz" else encodings.equal_earth
    return _made(options.name, {}, lambda points, dtype: plain(points, dtype=dtype))


def _made(name: str, facts: Mapping[str, Any], fill: Fill) -> FixedEncoding:
    width = fill(np.empty((0, 2)), "float32").shape[1]  # an array of no rows knows its width
    return FixedEncoding(name, width, facts, fill)


def _fourier(options: EncodingOptions) -> FixedEncoding:
    facts: dict[str, Any] = {"features": 0, "scales": 0}
    if options.matrices is None:
        sigmas = (1.0, 16.0, 256.0) if options.sigmas is None else options.sigmas
        features = 512 if options.features is None else options.features
        if features % 2 or features < 1:
            raise UsageError(f"{features} features: half are cosines, so they must be even")
        seed = options.seed or 0
        matrices = encodings.fourier_directions(sigmas, features // 2, seed=seed)
        facts |= {"sigmas": list(sigmas), "seed": seed}
    else:
        matrices = options.matrices
    facts |= {"features": 2 * matrices.shape[1], "scales": matrices.shape[0]}
    return _made(
        options.name,
        facts,
        lambda points, dtype: encodings.random_fourier_features(points, matrices, dtype=dtype),
    )


def _sphere(options: EncodingOptions, form: encodings.SphereForm) -> FixedEncoding:
    given = {"scales": options.scales, "min_radius": options.min_radius,
             "max_radius": options.max_radius}  # fmt: skip
    defaults = {"scales": 16, "min_radius": 1e-3, "max_radius": 1.0}
    facts: dict[str, Any] = {
        name: defaults[name] if value is None else value for name, value in given.items()
    }
    return _made(
        options.name,
        facts,
        lambda points, dtype: encodings.sphere2vec(points, form, dtype=dtype, **facts),
    )
