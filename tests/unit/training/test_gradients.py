"""One loss and one gradient, however a batch is cut: whole, tiled, in parts, in processes."""

import json

import pytest
import step_gradients
import torch
import torch_processes

from gair_cli.errors import DataError
from gair_cli.training.gradients import Cut
from gair_cli.training.processes import Processes, tree_sum

ALONE = Processes()


@pytest.fixture(scope="module")
def dense():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = step_gradients.compute(ALONE, chunks=1)
    yield found
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def assert_same(found, wanted, *, exactly=False):
    """To 1e-6 of the whole gradient, 1e-5 of each part of it: what float32 holds."""
    assert found.keys() == wanted.keys()
    if exactly:
        assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []
        return
    off, size = 0.0, 0.0
    for name, value in wanted.items():
        apart, norm = (float(torch.linalg.vector_norm(one)) for one in (found[name] - value, value))
        assert apart <= 1e-5 * max(norm, 0.1), name
        if name.startswith("loss"):
            assert apart <= 1e-6 * norm, name
        off, size = off + apart**2, size + norm**2
    assert off**0.5 <= 1e-6 * size**0.5


CASES = {
    "plain": {"chunks": 1},
    "all": {"chunks": 4, "grad_cache": True, "tile_rows": 4},
    "parts": {"chunks": 4},
    "sigmoid": {"chunks": 1, "form": "sigmoid"},
    "global": {"chunks": 1, "form": "global"},
    "sharded": {"chunks": 1, "parallel": "fsdp"},
    "sharded parts": {"chunks": 4, "parallel": "fsdp"},
}


def in_processes(folder, count, cases):
    """Compute cases in several processes at once; return what each process found, by case."""
    words = ("-m", "step_gradients", folder / "found", json.dumps(cases))
    codes, told = torch_processes.run(words, count)
    assert codes == [0] * count, told
    each = [torch.load(f"{folder / 'found'}.{rank}") for rank in range(count)]
    return {name: [found[name] for found in each] for name in cases}


@pytest.fixture(scope="module")
def of_two(dense, tmp_path_factory):
    del dense  # only for its number of threads
    return in_processes(tmp_path_factory.mktemp("two"), 2, CASES)


def test_every_part_of_the_model_gets_a_gradient(dense):
    starts = {name.partition(".")[0] for name in dense if not name.startswith("loss")}
    assert starts == {"rs", "sv", "location", "nili", "fine", "head", "logit_scale"}
    assert {"loss incl", "loss secl_sv", "loss secl_rs", "loss total"} <= set(dense)


@pytest.mark.parametrize("chunks", [2, 3, 5])
@pytest.mark.parametrize("grad_cache", [False, True])
def test_a_batch_in_parts_is_the_batch_whole(dense, chunks, grad_cache):
    assert_same(step_gradients.compute(ALONE, chunks=chunks, grad_cache=grad_cache), dense)


def test_a_tiled_loss_is_the_whole_loss(dense):
    assert_same(step_gradients.compute(ALONE, chunks=1, tile_rows=4), dense)
    assert_same(step_gradients.compute(ALONE, chunks=2, tile_rows=4, grad_cache=True), dense)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "all", "sharded", "sharded parts"])
def test_two_processes_are_one(dense, of_two, name):
    first, second = of_two[name]
    assert_same(first, dense)
    assert_same(second, first, exactly=True)


@pytest.mark.slow
def test_with_the_same_parts_any_number_of_processes_gives_the_same_bits(of_two, tmp_path):
    alone = step_gradients.compute(ALONE, chunks=4)
    of_four = in_processes(tmp_path, 4, {"parts": CASES["parts"]})
    for found in (*of_two["parts"], *of_four["parts"]):
        assert_same(found, alone, exactly=True)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["sigmoid", "global"])
def test_other_forms_are_the_same_in_two_processes(of_two, form):
    alone = step_gradients.compute(ALONE, chunks=1, form=form)
    assert ("objective.bias.incl" in alone) == (form == "sigmoid")
    for found in of_two[form]:
        assert_same(found, alone)


def test_parts_are_dealt_evenly_and_in_order():
    cut = Cut.of(13, 7, chunks=3, processes=2)
    assert cut.parts == 4
    assert cut.rows == (4, 3, 3, 3)
    assert cut.bank == (2, 2, 2, 1)
    assert [list(cut.own(rank, 2)) for rank in (0, 1)] == [[0, 1], [2, 3]]
    assert [cut.span(part) for part in range(4)] == [(0, 4), (4, 7), (7, 10), (10, 13)]
    assert cut.span(3, bank=True) == (6, 7)


def test_more_parts_than_rows_become_fewer():
    assert Cut.of(3, 0, chunks=8, processes=1).rows == (1, 1, 1)
    assert Cut.of(3, 0, chunks=8, processes=2).rows == (2, 1)
    with pytest.raises(DataError, match="2 rows cannot be shared by 3 processes"):
        Cut.of(2, 0, chunks=1, processes=3)


def test_a_sum_is_made_neighbours_first():
    parts = [torch.tensor(value) for value in (1e8, 1.0, -1e8, 1.0)]
    assert tree_sum(parts).item() == 0.0  # (1e8 + 1) + (-1e8 + 1): the ones are lost
    assert tree_sum(parts[:1]).item() == 1e8
    assert tree_sum([torch.tensor(2.0)] * 5).item() == 10.0
