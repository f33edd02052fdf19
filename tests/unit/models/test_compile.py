"""torch.compile takes each part in one graph, without a break."""

from dataclasses import replace

import pytest
import torch

from gair_cli.models.config import FineConfig, LocationConfig
from gair_cli.models.gair import new_model

KINDS = ["rff", "rff-transformer", "sh-siren", "sphere2vec", "xyz", "grid"]


def whole(function):
    """Compile without code generation: only the graph is of interest, and a break is an error."""
    torch.compiler.reset()
    return torch.compile(function, backend="eager", fullgraph=True)


@pytest.mark.parametrize("query", ["nili", "nili-fine", "bilinear", "bicubic", "mean"])
def test_encoding_and_reading_tiles(small_config, small_batch, query):
    config = small_config(query=query, fine=FineConfig((3, 4), 5))
    model = new_model(config, seed=0).eval()
    radius = torch.linspace(0, 60, 4)

    def read(rs, xy, tile_of):
        return model.localize(model.encode_tiles(rs), xy, tile_of=tile_of, radius_m=radius)

    given = (small_batch.rs, small_batch.xy, small_batch.tile_of)
    torch.testing.assert_close(whole(read)(*given), read(*given))


@pytest.mark.parametrize("kind", KINDS)
def test_location_towers(small_config, small_batch, kind):
    location = LocationConfig(
        (1.0, 256.0), 4, 8, 1, 6, kind=kind, degree=4, scales=3, heads=2, min_radius=0.0013
    )
    model = new_model(small_config(location=location).only(["location"]), seed=0).eval()
    compiled = whole(model.encode_location)(small_batch.lonlat)
    torch.testing.assert_close(compiled, model.encode_location(small_batch.lonlat))


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_photo_towers(small_config, small_batch, name):
    config = small_config()
    config = replace(config, sv=replace(config.sv, name=name)).only(["sv"])
    model = new_model(config, seed=0).eval()
    torch.testing.assert_close(
        whole(model.encode_sv)(small_batch.sv), model.encode_sv(small_batch.sv)
    )
