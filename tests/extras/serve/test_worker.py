"""The thread that calls the models."""

import threading

import numpy as np
import pytest

from pix2pix_tf.extras.serve.worker import Worker


class Model:
    """Doubles arrays, notes the batches, and waits at the first call until it may go on."""

    def __init__(self):
        self.batches, self.begun, self.go = [], threading.Event(), threading.Event()

    def __call__(self, x):
        self.begun.set()
        assert self.go.wait(10)
        self.batches.append(x.shape)
        if (x < 0).any():
            raise ValueError("negative")
        return {"y": 2 * x}


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def worker(model):
    worker = Worker(max_batch=4, max_pixels=100)
    yield worker
    model.go.set()
    worker.close()


def submit(worker, model, values, *, pixels=1):
    return worker.submit(model, {"x": np.array(values, float)}, pixels=pixels)


def occupied(worker, model):
    """A job that occupies the worker, so that the next ones wait."""
    first = submit(worker, model, [[0]])
    assert model.begun.wait(10)
    return first


def test_waiting_jobs_of_one_shape_are_joined_and_cut_apart(worker, model):
    occupied(worker, model)
    jobs = [submit(worker, model, rows) for rows in ([[1]], [[2], [3]], [[4, 5]], [[6]], [[7]])]
    model.go.set()
    results = [job.result(10)["y"].tolist() for job in jobs]
    assert results == [[[2]], [[4], [6]], [[8, 10]], [[12]], [[14]]]
    # At most four rows; another shape in a call of its own; nobody is forgotten.
    assert model.batches == [(1, 1), (4, 1), (1, 2), (1, 1)]


def test_pixels_bound_a_call_as_well(worker, model):
    occupied(worker, model)
    jobs = [submit(worker, model, [[n]], pixels=60) for n in range(3)]
    model.go.set()
    assert [job.result(10)["y"].item() for job in jobs] == [0, 2, 4]
    assert model.batches == [(1, 1)] * 4


def test_a_bad_job_fails_alone(worker, model):
    occupied(worker, model)
    good, bad, also_good = (submit(worker, model, [[n]]) for n in (1, -1, 2))
    model.go.set()
    assert good.result(10)["y"].item() == 2 and also_good.result(10)["y"].item() == 4
    with pytest.raises(ValueError, match="negative"):
        bad.result(10)


def test_a_cancelled_job_is_not_done(worker, model):
    occupied(worker, model)
    given_up, wanted = submit(worker, model, [[1]]), submit(worker, model, [[2]])
    assert given_up.cancel()
    model.go.set()
    assert wanted.result(10)["y"].item() == 4
    assert model.batches == [(1, 1), (1, 1)]


def test_closing_finishes_what_waits(model):
    worker = Worker(max_batch=4, max_pixels=100)
    jobs = [occupied(worker, model), submit(worker, model, [[1]])]
    model.go.set()
    worker.close()
    assert all(job.done() for job in jobs)
