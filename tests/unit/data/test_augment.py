"""Augmentations: positions stay over their pixels, and nothing depends on hidden state."""

import pytest
import torch

from gair_cli.data.augment import (
    Augment,
    change_bands,
    change_photos,
    crop,
    displace,
    draws,
    turn_places,
    turn_tiles,
)
from gair_cli.errors import UsageError

FLIPS = [(x, y, s) for x in (0.0, 0.9) for y in (0.0, 0.9) for s in (0.0, 0.9)]


def pixel_at(tile, xy):
    size = tile.shape[-1]
    column, row = ((xy + 1) / 2 * size).long().tolist()
    return tile[:, row, column]


@pytest.mark.parametrize("numbers", FLIPS)
def test_a_turned_tile_has_the_same_pixel_under_the_turned_position(numbers):
    rs = torch.arange(2 * 3 * 6 * 6, dtype=torch.float32).reshape(2, 3, 6, 6)
    xy = torch.tensor([[-0.9, 0.2], [0.55, -0.3], [0.1, 0.9]])
    tile_of = torch.tensor([0, 1, 1])
    sizes = torch.tensor([[960.0, 480.0], [700.0, 700.0]])
    both = torch.tensor([numbers, numbers[::-1]])
    turned = turn_tiles(rs, numbers=both)
    moved, turned_sizes = turn_places(xy, tile_of, sizes, numbers=both)
    swapped = [480.0, 960.0] if numbers[2] else [960.0, 480.0]
    assert turned_sizes[0].tolist() == swapped
    for before, after, tile in zip(xy, moved, tile_of, strict=True):
        assert torch.equal(pixel_at(turned[tile], after), pixel_at(rs[tile], before))


def test_the_eight_orientations_are_different():
    rs = torch.arange(36.0).reshape(1, 1, 6, 6)
    turned = [turn_tiles(rs, numbers=torch.tensor([one])) for one in FLIPS]
    assert len({tuple(one.flatten().tolist()) for one in turned}) == 8


def test_panorama_is_rolled_around_and_a_plain_photo_is_not():
    sv = torch.arange(8.0).expand(1, 3, 4, 8)
    numbers = torch.tensor([[0.25, 0.0, 0.0, 0.0]], dtype=torch.float64)
    rolled = change_photos(sv, Augment(roll_panoramas=True), numbers=numbers)
    assert rolled[0, 0, 0].tolist() == [2, 3, 4, 5, 6, 7, 0, 1]
    square = sv[..., :4]
    assert torch.equal(change_photos(square, Augment(roll_panoramas=True), numbers=numbers), square)


def test_colour_changes_contrast_and_brightness_within_its_bounds():
    sv = torch.ones(2, 3, 2, 2)
    numbers = torch.tensor([[0, 0, 0.0, 0.0], [0, 0, 1.0, 1.0]], dtype=torch.float64)
    changed = change_photos(sv, Augment(colour=0.2), numbers=numbers)
    assert changed[:, 0, 0, 0].tolist() == pytest.approx([0.8 - 0.2, 1.2 + 0.2])


def test_nothing_is_changed_by_default():
    sv = torch.randn(3, 3, 4, 8)
    assert torch.equal(change_photos(sv, Augment(), numbers=torch.rand(3, 4)), sv)


def test_draws_depend_on_seed_epoch_purpose_and_id_only():
    torch.manual_seed(1)
    first = draws(["a", "b"], 2, seed=0, epoch=1, purpose="turn")
    torch.manual_seed(2)
    again = draws(["b", "c", "a"], 2, seed=0, epoch=1, purpose="turn")
    assert torch.equal(first[0], again[2])
    assert torch.equal(first[1], again[0])
    for other in (
        draws(["a"], 2, seed=1, epoch=1, purpose="turn"),
        draws(["a"], 2, seed=0, epoch=2, purpose="turn"),
        draws(["a"], 2, seed=0, epoch=1, purpose="photo"),
    ):
        assert not torch.equal(first[:1], other)


def test_a_contrast_that_makes_negatives_is_refused():
    with pytest.raises(UsageError, match=r"augment\.colour"):
        Augment(colour=1.0)


def test_a_photo_is_moved_by_its_drawn_radius_and_stays_in_its_tile():
    generator = torch.Generator().manual_seed(0)
    xy = torch.rand(400, 2, generator=generator) * 2 - 1
    numbers = torch.rand(400, 2, generator=generator, dtype=torch.float64)
    size_m = torch.tensor([[960.0, 480.0]]).expand(400, 2)
    radii = (0.0, 10.0, 100.0)
    moved, told = displace(xy, torch.zeros(400), size_m, radii=radii, numbers=numbers)
    assert set(told.tolist()) == set(radii)
    assert (moved.abs() <= 1).all()
    metres = ((moved - xy) * size_m / 2).norm(dim=1)
    torch.testing.assert_close(metres, told, atol=1e-2, rtol=1e-4)


def test_a_photo_with_an_accuracy_of_its_own_keeps_it_and_its_place():
    xy, accuracy = torch.zeros(2, 2), torch.tensor([7.0, 0.0])
    numbers = torch.tensor([[0.9, 0.0], [0.9, 0.0]], dtype=torch.float64)
    size_m = torch.full((2, 2), 200.0)
    moved, told = displace(xy, accuracy, size_m, radii=(50.0,), numbers=numbers)
    assert told.tolist() == [7.0, 50.0]
    torch.testing.assert_close(moved, torch.tensor([[0.0, 0.0], [0.5, 0.0]]))


def test_negative_radii_are_refused():
    with pytest.raises(UsageError, match="radii_m"):
        Augment(radii_m=(10.0, -1.0))


def test_each_band_is_changed_by_itself_within_its_bounds():
    rs = torch.ones(1, 3, 2, 2)
    numbers = torch.tensor([[0.0, 0.5, 1.0, 0.5, 0.5, 1.0]], dtype=torch.float64)
    changed = change_bands(rs, most=0.2, numbers=numbers)[0, :, 0, 0]
    assert changed.tolist() == pytest.approx([0.8, 1.0, 1.2 + 0.2])


def test_a_crop_of_everything_is_the_picture_and_a_corner_is_the_corner():
    picture = torch.arange(64.0).reshape(1, 1, 8, 8)
    whole = crop(picture, keep=1.0, size=(8, 8), numbers=torch.rand(1, 4))
    torch.testing.assert_close(whole, picture, atol=1e-4, rtol=0)
    corner = crop(picture, keep=0.5, size=(4, 4), numbers=torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
    torch.testing.assert_close(corner, picture[:, :, 4:, :4], atol=1e-4, rtol=0)


@pytest.mark.parametrize("wrong", [{"crop": 0.0}, {"bands": 1.0}, {"crop_tiles": 1.5}])
def test_changes_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Augment(**wrong)
