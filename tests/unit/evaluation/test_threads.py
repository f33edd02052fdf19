import numpy as np
from threadpoolctl import threadpool_info

from gair_cli.evaluation.threads import one_blas_thread


def threads():
    np.linalg.eigvalsh(np.eye(3))
    return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]


def test_blas_has_one_thread_inside_and_as_many_as_before_outside():
    before = threads()
    with one_blas_thread():
        assert set(threads()) == {1}
    assert threads() == before
