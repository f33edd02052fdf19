"""The three forms of NILI are one function; the definition is the oracle."""

import pytest
import torch

from gair_cli.models.nili import Nili, cell_centres, outer_offset
from gair_cli.models.sampling import read_bilinear

EDGES = [
    (-1, -1), (1, 1), (-1, 1), (1, -1), (0, 0), (-0.999, 0.3), (0.2, 0.9999), (0.5, -0.5), (1, 0),
    (-0.75, -0.75), (0.25, 0.25), (1 / 3, -1 / 3),
]  # fmt: skip


HEADS = [{}, {"hidden": 11}, {"frequencies": 3}, {"hidden": 11, "frequencies": 3}]


def field(rows, columns, *, tiles=2, width=5, identity=False, **head):
    torch.manual_seed(rows * 100 + columns)
    grid = torch.randn(tiles, width, rows, columns)
    xy = torch.cat([torch.tensor(EDGES, dtype=torch.float32), torch.rand(60, 2) * 2 - 1])
    tile_of = torch.arange(len(xy)) % tiles
    return Nili(width, identity=identity, **head), grid, xy, tile_of


@pytest.mark.parametrize("shape", [(12, 12), (3, 4), (7, 2), (2, 1), (1, 5), (1, 1), (25, 13)])
@pytest.mark.parametrize("form", ["gather", "convolve"])
@pytest.mark.parametrize("head", HEADS)
def test_fast_forms_equal_the_four_corner_definition(shape, form, head):
    nili, grid, xy, tile_of = field(*shape, **head)
    wanted = nili.corners(grid, xy, tile_of)
    found = getattr(nili, form)(grid, xy, tile_of)
    assert (found - wanted).abs().max() <= 1e-5


@pytest.mark.parametrize("form", ["gather", "convolve"])
@pytest.mark.parametrize("head", HEADS)
def test_gradients_of_fast_forms_equal_those_of_the_definition(form, head):
    nili, grid, xy, tile_of = field(4, 3, **head)
    grid.requires_grad_()
    weights = [grid, *nili.parameters()]
    pull = torch.randn(len(xy), 5)
    wanted = torch.autograd.grad((nili.corners(grid, xy, tile_of) * pull).sum(), weights)
    found = torch.autograd.grad((getattr(nili, form)(grid, xy, tile_of) * pull).sum(), weights)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("head", HEADS)
def test_identity_start_reads_like_bilinear_with_a_border(head):
    nili, grid, xy, tile_of = field(6, 5, identity=True, **head)
    wanted = read_bilinear(grid, xy, tile_of, border=True)
    torch.testing.assert_close(nili(grid, xy, tile_of), wanted, atol=1e-6, rtol=0)


def test_identity_start_at_a_cell_centre_is_the_token_itself():
    nili, grid, _, _ = field(4, 4, identity=True)
    centre = torch.tensor([[-0.75, 0.25]])  # column 0, row 2
    found = nili.gather(grid, centre, torch.tensor([1]))
    torch.testing.assert_close(found[0], grid[1, :, 2, 0])


def test_random_start_is_no_identity():
    assert Nili(4, identity=False).linear.weight.count_nonzero() == 4 * 38


def test_many_positions_take_the_convolution_and_few_the_gather(monkeypatch):
    nili, grid, xy, tile_of = field(3, 3)
    taken = []
    monkeypatch.setattr(nili, "gather", lambda *_: taken.append("gather"))
    monkeypatch.setattr(nili, "convolve", lambda *_: taken.append("convolve"))
    nili(grid, xy[:18], tile_of[:18])
    nili(grid, xy[:19], tile_of[:19])
    assert taken == ["gather", "convolve"]


def test_offset_is_zero_inside_and_one_half_cell_at_the_edge():
    xy = torch.tensor([[0.0, 0.0], [-1.0, 1.0], [-0.875, 0.0], [0.75, -0.75]])
    wanted = [[0, 0], [-1, 1], [-0.5, 0], [0, 0]]
    torch.testing.assert_close(outer_offset(xy, 4, 4), torch.tensor(wanted).float())


def test_dense_reading_is_continuous_across_cells():
    nili, grid, _, _ = field(4, 4, tiles=1)
    x = torch.linspace(-1, 1, 2001)
    line = torch.stack([x, torch.full_like(x, 0.3)], dim=1)
    with torch.no_grad():
        values = nili(grid, line, torch.zeros(2001, dtype=torch.long))
    assert values.diff(dim=0).abs().max() < 0.05


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("identity", [True, False])
def test_the_mean_is_that_of_all_cell_centres(head, identity):
    nili, grid, _, _ = field(3, 4, identity=identity, **head)
    centres = cell_centres(3, 4, grid.device)
    each = [nili.corners(grid, centres, torch.full((12,), tile)).mean(dim=0) for tile in (0, 1)]
    torch.testing.assert_close(nili.mean(grid), torch.stack(each), atol=1e-5, rtol=1e-5)


def test_a_hidden_layer_is_no_linear_map():
    nili, grid, xy, tile_of = field(4, 4, hidden=7)
    once, twice = nili(grid, xy, tile_of), nili(2 * grid, xy, tile_of)
    bias = nili(0 * grid, xy, tile_of)
    assert ((twice - bias) - 2 * (once - bias)).abs().max() > 1e-3
