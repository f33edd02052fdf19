"""Reading a grid by taps against torch's own grid_sample."""

import pytest
import torch
from torch.nn import functional

from gair_cli.models.sampling import cell_units, read_bicubic, read_bilinear


def by_grid_sample(grid, xy, tile_of, mode, padding):
    rows = [
        functional.grid_sample(
            grid[tile][None], point.view(1, 1, 1, 2), mode=mode, padding_mode=padding,
            align_corners=False,
        ).flatten()
        for tile, point in zip(tile_of, xy, strict=True)
    ]  # fmt: skip
    return torch.stack(rows)


def case(rows, columns):
    torch.manual_seed(5)
    corners = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [0.0, 0.0]])
    xy = torch.cat([corners, torch.rand(40, 2) * 2 - 1])
    return torch.randn(3, 4, rows, columns), xy, torch.arange(44) % 3


@pytest.mark.parametrize("shape", [(5, 7), (2, 2), (1, 3), (1, 1)])
def test_bilinear_with_zeros_outside_equals_grid_sample(shape):
    grid, xy, tile_of = case(*shape)
    wanted = by_grid_sample(grid, xy, tile_of, "bilinear", "zeros")
    torch.testing.assert_close(read_bilinear(grid, xy, tile_of), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(5, 7), (2, 2), (1, 3), (1, 1)])
def test_bilinear_with_a_border_equals_grid_sample(shape):
    grid, xy, tile_of = case(*shape)
    wanted = by_grid_sample(grid, xy, tile_of, "bilinear", "border")
    found = read_bilinear(grid, xy, tile_of, border=True)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(5, 7), (2, 2), (1, 3), (1, 1)])
def test_bicubic_equals_grid_sample(shape):
    grid, xy, tile_of = case(*shape)
    wanted = by_grid_sample(grid, xy, tile_of, "bicubic", "zeros")
    torch.testing.assert_close(read_bicubic(grid, xy, tile_of), wanted, atol=1e-5, rtol=0)


def test_cells_count_from_the_first_centre():
    position = torch.tensor([-1.0, -0.75, 0.0, 1.0])
    assert cell_units(position, 4).tolist() == [-0.5, 0.0, 1.5, 3.5]
