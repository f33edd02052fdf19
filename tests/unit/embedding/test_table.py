import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from gair_cli.embedding.table import BLOCK_ROWS, read_embeddings


@pytest.fixture
def without_ids():
    """A table of another program: vectors alone, more than a block of them."""
    rows = BLOCK_ROWS + 7
    flat = pa.array(np.zeros(2 * rows, np.float32))
    return pa.table({"embedding": pa.FixedSizeListArray.from_arrays(flat, 2)})


def test_rows_without_ids_are_numbered_through_the_whole_parquet_file(without_ids, tmp_path):
    pq.write_table(without_ids, tmp_path / "emb.parquet")
    found = read_embeddings(tmp_path / "emb.parquet")
    assert found.ids == [str(row) for row in range(without_ids.num_rows)]


def test_rows_without_ids_are_numbered_through_all_arrow_batches(without_ids, tmp_path):
    with pa.ipc.new_file(tmp_path / "emb.arrow", without_ids.schema) as writer:
        writer.write_table(without_ids.slice(0, 20), max_chunksize=6)
    assert read_embeddings(tmp_path / "emb.arrow").ids == [str(row) for row in range(20)]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_only_a_newline_ends_an_id_beside_an_array(tmp_path, end):
    np.save(tmp_path / "emb.npy", np.zeros((3, 2), np.float32))
    ids = ["a\u2028b", "c\x85d", "e\x0cf"]
    text = ("\r\n" if end == "\r\n" else "\n").join(ids) + end
    (tmp_path / "emb.npy.ids.txt").write_bytes(text.encode())
    assert read_embeddings(tmp_path / "emb.npy").ids == ids
