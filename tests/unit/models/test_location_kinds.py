"""Every coordinate tower: its fixed encoding by torch and by the Rust core, precision, edges."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from gair_cli.embedding.extract import embed_points
from gair_cli.errors import MissingPackageError, ModelError, UsageError
from gair_cli.geo.encodings import spherical_harmonics
from gair_cli.models import location_kinds
from gair_cli.models.config import LocationConfig
from gair_cli.models.gair import new_model
from gair_cli.models.location_kinds import geoclip_state, new_location_encoder
from gair_cli.models.location_sphere import harmonics

KINDS = ["rff", "rff-transformer", "sh-siren", "sphere2vec", "xyz", "grid"]
SMALL = LocationConfig(
    sigmas=(1.0, 32768.0),
    frequencies=8,
    hidden=16,
    depth=2,
    width=8,
    degree=6,
    scales=4,
    heads=2,
    min_radius=0.0013,
)


def places(count=200):
    rng = np.random.default_rng(0)
    lonlat = rng.uniform((-180, -90), (180, 90), (count, 2))
    edges = [(0, 90), (0, -90), (180, 0), (-180, 0), (179.999999, 52.5)]
    lonlat[:5] = edges
    return lonlat


def encoder_of(kind, **changes):
    torch.manual_seed(0)
    return new_location_encoder(replace(SMALL, kind=kind, **changes)).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_torch_and_the_rust_core_encode_alike(kind):
    encoder = encoder_of(kind)
    by_torch = encoder.features(torch.from_numpy(places()))
    assert by_torch.dtype == torch.float32
    by_rust = encoder.quick_features(places())
    if by_rust is None:
        assert kind == "grid"
        return
    assert np.abs(by_torch.numpy() - by_rust).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_embeds_trains_and_ignores_autocast(kind):
    encoder, lonlat = encoder_of(kind), torch.from_numpy(places())
    found = encoder(lonlat)
    assert found.shape == (200, encoder.width)
    assert torch.isfinite(found).all()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(encoder(lonlat), found)
    found.square().sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []
    with pytest.raises(ValueError, match="float64"):
        encoder(lonlat.float())


@pytest.mark.parametrize("kind", KINDS)
def test_the_antimeridian_is_as_the_kind_says(kind):
    encoder = encoder_of(kind)
    step = 1e-7
    west, east = (torch.tensor([[lon, 10.0]], dtype=torch.float64) for lon in (-180, 180 - step))
    gap = (encoder.features(west) - encoder.features(east)).abs().max()
    assert (gap < 1e-4) == encoder.meets_itself


def test_harmonics_are_scipys():
    lonlat = places(40)
    found = harmonics(torch.from_numpy(lonlat), 8).numpy()
    colatitude, longitude = np.radians(90 - lonlat[:, 1]), np.radians(lonlat[:, 0])
    for degree in range(9):
        for order in range(degree + 1):
            value = sph_harm_y(degree, order, colatitude, longitude) * (-1) ** order
            cosine = value.real * (math.sqrt(2) if order else 1)
            at = degree * degree + degree
            np.testing.assert_allclose(found[:, at + order], cosine, atol=1e-12)
            if order:
                sine = value.imag * math.sqrt(2)
                np.testing.assert_allclose(found[:, at - order], sine, atol=1e-12)


def test_forty_degrees_of_harmonics_equal_the_rust_core():
    lonlat = places()
    found = harmonics(torch.from_numpy(lonlat), 40).numpy()
    np.testing.assert_allclose(found, spherical_harmonics(lonlat, 40, dtype="float64"), atol=1e-9)


def test_scales_look_at_each_other():
    """A change of one scale's vector moves more than its own share of the sum."""
    encoder = encoder_of("rff-transformer")
    features = encoder.features(torch.from_numpy(places(5)))
    changed = features.clone()
    changed[:, :16] = 0
    plain = encoder_of("rff")
    plain.load_state_dict(
        {k: v for k, v in encoder.state_dict().items() if k in plain.state_dict()}
    )
    kept = plain.parts(changed)[1] - plain.parts(features)[1]
    assert kept.abs().max() == 0  # in rff the other scale does not notice
    one, other = encoder.embed(features), encoder.embed(changed)
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_embedding_points_is_the_tower(kind, small_config):
    model = new_model(small_config(location=replace(SMALL, kind=kind)).only(["location"]), seed=0)
    found = embed_points(model, places(), space="encoder", batch_size=64)
    with torch.no_grad():
        wanted = model.eval().encode_location(torch.from_numpy(places())).numpy()
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_sizes_that_make_no_sense_are_refused():
    for changes in (
        {"degree": -1},
        {"min_radius": 0.0},
        {"min_radius": 2.0},
        {"scales": 0},
        {"kind": "rff-transformer", "heads": 3},
    ):
        with pytest.raises(UsageError, match=r"model\.location"):
            replace(SMALL, **changes)


GEOCLIP = LocationConfig((1.0, 16.0, 256.0), 256, 1024, 3, 512, kind="geoclip")


def test_geoclip_without_its_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(location_kinds, "find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match="geoclip"):
        new_location_encoder(GEOCLIP)


def test_geoclip_of_another_size_is_refused():
    with pytest.raises(ModelError, match="GeoCLIP's sizes"):
        new_location_encoder(replace(GEOCLIP, width=256))


def test_geoclip_weights_of_another_layout_are_refused():
    with pytest.raises(ModelError, match="another layout"):
        geoclip_state({"LocEnc0.capsule.0.b": torch.zeros(256, 2)})


def test_geoclip_reads_its_packages_file(monkeypatch, tmp_path):
    """The layout of the file, with made numbers."""
    torch.manual_seed(0)
    rff = new_location_encoder(replace(GEOCLIP, kind="rff"))
    tensors = {}
    for scale in range(3):
        part, name = rff.scales[scale], f"LocEnc{scale}"
        tensors[f"{name}.capsule.0.b"] = part.frequencies
        for layer in range(3):
            for kind in ("weight", "bias"):
                value = getattr(part.hidden[layer], kind)
                tensors[f"{name}.capsule.{2 * layer + 1}.{kind}"] = value.detach()
        tensors[f"{name}.head.0.weight"] = part.out.weight.detach()
        tensors[f"{name}.head.0.bias"] = part.out.bias.detach()
    folder = tmp_path / "geoclip" / "model" / "weights"
    folder.mkdir(parents=True)
    torch.save(tensors, folder / "location_encoder_weights.pth")
    origin = type("Spec", (), {"origin": str(tmp_path / "geoclip" / "__init__.py")})
    monkeypatch.setattr(location_kinds, "find_spec", lambda _: origin)
    lonlat = torch.from_numpy(places(10))
    assert torch.equal(new_location_encoder(GEOCLIP)(lonlat), rff(lonlat))
