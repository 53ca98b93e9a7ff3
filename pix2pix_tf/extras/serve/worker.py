"""One thread that calls the models; requests that fit together go in one call."""

import collections
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import numpy as np

Function = Callable[..., dict[str, np.ndarray]]


class _Job:
    def __init__(self, function: Function, inputs: dict[str, np.ndarray], pixels: int) -> None:
        self.function, self.inputs, self.pixels = function, inputs, pixels
        self.future: Future[dict[str, np.ndarray]] = Future()
        self.rows = len(next(iter(inputs.values())))
        shapes = tuple((name, array.shape[1:]) for name, array in inputs.items())
        self.kind = (function, shapes)


class Worker:
    """Calls functions of batches, one at a time, in the order in which they were asked for.

    TensorFlow uses every core for one call, so a second call at the same time only makes both
    slower. Jobs of the same function and the same shapes that wait at the same time are joined
    along the first axis.

    Args:
        max_batch: Rows that one call may have; a single job may have more.
        max_pixels: Pixels that one call may have, likewise.
    """

    def __init__(self, *, max_batch: int, max_pixels: int) -> None:
        self._max_batch, self._max_pixels = max_batch, max_pixels
        self._waiting: collections.deque[_Job] = collections.deque()
        self._changed, self._open = threading.Condition(), True
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._thread.start()

    def submit(
        self, function: Function, inputs: dict[str, np.ndarray], *, pixels: int
    ) -> Future[dict[str, np.ndarray]]:
        """Asks for `function(**inputs)`.

        Args:
            function: Takes arrays by name and returns a dict of arrays; the first axis of each of
                them is the batch.
            inputs: Dict from names to arrays of one length.
            pixels: Size of the job, an int.

        Returns:
            `concurrent.futures.Future` of the dict; a job that is cancelled in time is not done.
        """
        job = _Job(function, inputs, pixels)
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Finishes the jobs that wait and ends the thread."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._take():
            self._run(jobs)

    def _take(self) -> list[_Job]:
        """The next job and all that fit with it; nothing when the worker was closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or not self._open)
                if not self._waiting:
                    return []
                first = self._waiting.popleft()
                if first.future.set_running_or_notify_cancel():
                    return [first, *self._take_fitting(first)]

    def _take_fitting(self, first: _Job) -> Iterator[_Job]:
        rest: collections.deque[_Job] = collections.deque()
        rows, pixels = first.rows, first.pixels
        for job in self._waiting:
            fits = job.kind == first.kind and rows + job.rows <= self._max_batch
            if not fits or pixels + job.pixels > self._max_pixels:
                rest.append(job)
            elif job.future.set_running_or_notify_cancel():
                rows, pixels = rows + job.rows, pixels + job.pixels
                yield job
        self._waiting = rest

    def _run(self, jobs: list[_Job]) -> None:
        try:
            joined = {
                name: np.concatenate([job.inputs[name] for job in jobs]) for name in jobs[0].inputs
            }
            outputs = jobs[0].function(**joined)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
                return
            for job in jobs:  # one of them is to blame, the others shall not suffer
                self._run([job])
            return
        ends = np.cumsum([job.rows for job in jobs])
        for job, end in zip(jobs, ends, strict=True):
            part = slice(end - job.rows, end)
            job.future.set_result({name: array[part] for name, array in outputs.items()})
