"""The fine path: what a position and a radius read, beside a slow reference."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from gair_cli.errors import UsageError
from gair_cli.models.config import FineConfig
from gair_cli.models.field import TileField
from gair_cli.models.fine import FinePath, beyond, disc, footprint
from gair_cli.models.gair import new_model


@pytest.fixture
def fine_model(small_config):
    """Make a model of query nili-fine whose fine path says something."""
    fine = FineConfig(channels=(4, 5, 6), hidden=7)
    model = new_model(small_config(query="nili-fine", fine=fine, nili_start="random"), seed=0)
    with torch.no_grad():
        model.fine.down.weight.normal_()
    return model.eval()


def encoded(model, *, size_m=(160.0, 160.0), tiles=3, seed=0):
    rs = torch.randn(tiles, 2, 16, 16, generator=torch.Generator().manual_seed(seed))
    return model.encode_tiles(rs, size_m=torch.tensor(size_m).expand(tiles, 2))


def positions(count=40):
    xy = torch.rand(count, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return xy, torch.arange(count) % 3


def test_the_disc_is_even_and_centred():
    points = disc(12).double()
    assert points.norm(dim=1).max() <= 1
    assert points.mean(dim=0).abs().max() < 1e-6
    # the mean square radius of an even disc is 1/2
    assert abs(float((disc(500).double() ** 2).sum(dim=1).mean()) - 0.5) < 0.01


def test_maps_are_read_where_their_pixels_lie():
    """A map that is the coordinate of its pixels reads as the position, at every level."""
    path = FinePath(1, 8, FineConfig(channels=(1, 1, 1)))
    maps = []
    for level in range(3):
        cells = 16 // 2**level
        centres = (torch.arange(cells) + 0.5) * 2**level  # in pixels of the tile
        maps.append(centres.expand(cells, cells)[None, None])
    xy = torch.tensor([[-0.5, 0.3], [0.25, -0.7], [0.0, 0.0]])
    read = path.read(maps, xy, torch.zeros(3, dtype=torch.long))
    wanted = ((xy[:, 0] + 1) * 8)[:, None].expand(3, 3)
    torch.testing.assert_close(read, wanted)


def test_reading_equals_grid_sample(fine_model):
    field = encoded(fine_model)
    xy, tile_of = positions()
    read = fine_model.fine.read(field.fine, xy, tile_of)
    parts = []
    for one in field.fine:
        sampled = functional.grid_sample(
            one[tile_of], xy[:, None, None], padding_mode="border", align_corners=False
        )
        parts.append(sampled[:, :, 0, 0])
    torch.testing.assert_close(read, torch.cat(parts, dim=1), atol=1e-5, rtol=1e-5)


def test_radius_zero_is_the_plain_point(fine_model):
    field = encoded(fine_model)
    xy, tile_of = positions()
    plain = fine_model.localize(field, xy, tile_of=tile_of)
    told = fine_model.localize(field, xy, tile_of=tile_of, radius_m=torch.zeros(len(xy)))
    torch.testing.assert_close(told, plain, atol=1e-5, rtol=1e-5)


def test_a_huge_radius_tends_to_the_tiles_mean(fine_model):
    field = encoded(fine_model)
    xy, tile_of = positions()
    far = fine_model.localize(field, xy, tile_of=tile_of, radius_m=torch.full((len(xy),), 1e6))
    means = fine_model.nili.mean(field.tokens)[tile_of]
    torch.testing.assert_close(far, means, atol=1e-5, rtol=1e-5)


def test_a_huge_radius_forgets_the_position(fine_model):
    field = encoded(fine_model)
    xy, _ = positions()
    tile = torch.zeros(len(xy), dtype=torch.long)
    far = fine_model.localize(field, xy, tile_of=tile, radius_m=torch.full((len(xy),), 1e6))
    assert (far - far[0]).abs().max() < 1e-5


def test_a_footprint_is_the_mean_over_its_disc(fine_model):
    """By the definition: every point of the disc read by itself, coarse and fine, then averaged."""
    field = encoded(fine_model, size_m=(320.0, 160.0))
    xy, tile_of = positions()
    radius = torch.full((len(xy),), 30.0)
    found = fine_model.localize(field, xy, tile_of=tile_of, radius_m=radius)
    fine, nili = fine_model.fine, fine_model.nili
    coarse, finer = 0, 0
    for step in fine.spiral:
        at = (xy + 2 * 30.0 * step / torch.tensor([320.0, 160.0])).clamp(-1, 1)
        coarse = coarse + nili.corners(field.tokens, at, tile_of) / len(fine.spiral)
        finer = finer + fine.read(field.fine, at, tile_of) / len(fine.spiral)
    pixels = torch.full((len(xy),), 30.0 / 20.0)  # 16 px are 320 m
    wanted = coarse + fine(coarse, finer, pixels)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_the_radius_is_in_metres_of_the_tile(fine_model):
    xy, tile_of = positions()
    radius = torch.full((len(xy),), 20.0)
    small = fine_model.localize(encoded(fine_model), xy, tile_of=tile_of, radius_m=radius)
    large = encoded(fine_model, size_m=(1600.0, 1600.0))
    same = fine_model.localize(large, xy, tile_of=tile_of, radius_m=10 * radius)
    torch.testing.assert_close(small, same, atol=1e-5, rtol=1e-5)


def test_dense_reading_equals_one_by_one(fine_model):
    field = encoded(fine_model, tiles=1)
    lines = torch.linspace(-0.95, 0.95, 20)
    xy = torch.cartesian_prod(lines, lines)
    tile = torch.zeros(len(xy), dtype=torch.long)
    for radius in (None, torch.full((len(xy),), 25.0)):
        dense = fine_model.localize(field, xy, tile_of=tile, radius_m=radius)
        parts = [
            fine_model.localize(
                field, xy[i : i + 3], tile_of=tile[i : i + 3],
                radius_m=None if radius is None else radius[i : i + 3],
            )
            for i in range(0, len(xy), 3)
        ]  # fmt: skip
        torch.testing.assert_close(dense, torch.cat(parts), atol=1e-5, rtol=1e-5)


def test_it_starts_as_nili_reads(small_config):
    fine = new_model(small_config(query="nili-fine", fine=FineConfig((4,), 3)), seed=0)
    field = encoded(fine)
    xy, tile_of = positions()
    plain = fine.nili(field.tokens, xy, tile_of)
    torch.testing.assert_close(fine.localize(field, xy, tile_of=tile_of), plain)


def test_tokens_alone_are_refused(fine_model):
    with pytest.raises(ValueError, match="encode_tiles"):
        fine_model.localize(torch.zeros(1, 8, 4, 4), torch.zeros(2, 2))


def test_footprints_stay_inside_the_tile():
    xy = torch.tensor([[0.99, -1.0]])
    points = footprint(xy, torch.tensor([500.0]), torch.tensor([[960.0, 960.0]]), disc(12))
    assert points.shape == (1, 12, 2)
    assert points.abs().max() == 1


def test_the_blend_into_the_mean_starts_at_half_a_tile():
    size = torch.tensor([[960.0, 480.0]]).expand(4, 2)
    shares = beyond(torch.tensor([0.0, 240.0, 360.0, 480.0]), size)
    assert shares[:, 0].tolist() == [0.0, 0.0, 0.5, 1.0]


def test_fields_are_taken_apart_and_joined(fine_model):
    field = encoded(fine_model)
    again = TileField.join([field.take(0, 1), field.take(1, 3)])
    assert torch.equal(again.tokens, field.tokens)
    assert torch.equal(again.size_m, field.size_m)
    for one, other in zip(again.fine, field.fine, strict=True):
        assert torch.equal(one, other)
    assert field.nbytes == 3 * field.take(0, 1).nbytes


def test_maps_that_a_tile_is_too_small_for_are_refused(small_config):
    with pytest.raises(UsageError, match="too many for tiles"):
        small_config(query="nili-fine", fine=FineConfig((4,) * 6))
    for wrong in ({"channels": ()}, {"points": 0}, {"pixel_m": math.nan}):
        with pytest.raises(UsageError, match="fine"):
            FineConfig(**wrong)


def test_a_vertical_edge_is_found_to_a_fraction_of_a_token():
    """What the path is for: a step inside a token, which tokens alone blend away."""
    path = FinePath(1, 8, FineConfig(channels=(1, 1)))
    with torch.no_grad():
        for convolution in path.maps:
            convolution.weight.fill_(1 / convolution.weight.numel())
            convolution.bias.zero_()
    step = (torch.arange(16) >= 9).float().expand(1, 1, 16, 16)
    line = torch.stack([torch.linspace(-1, 1, 161), torch.zeros(161)], dim=1)
    read = path.read(path.encode(step), line, torch.zeros(161, dtype=torch.long))
    steepest = line[read[:, 0].diff().argmax(), 0]
    assert abs(float(steepest) - (2 * 9 / 16 - 1)) < 2 / 16
    assert np.isfinite(read.detach().numpy()).all()
