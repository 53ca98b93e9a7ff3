"""Sends images to a running server for a while; prints the response times.

Usage: python benchmarks/load_test.py --url http://127.0.0.1:8000/NAME --file IN.png [flags]

Each client sends its next request when its last one was answered. Exit code 1 if a request failed.
"""

from __future__ import annotations

import http.client
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from absl import flags

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import _cli

FLAGS = flags.FlagValues()
flags.DEFINE_string("url", None, "address of a model, as in POST /NAME", flag_values=FLAGS)
flags.DEFINE_string("file", None, "what each request sends", flag_values=FLAGS)
flags.DEFINE_integer("clients", 4, "at the same time", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_float("seconds", 60, "how long", lower_bound=0, flag_values=FLAGS)


def ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> bool:
    """Sends one request; returns whether it was answered with 200."""
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200
    except (OSError, http.client.HTTPException):
        connection.close()
        return False


def load(
    client: Callable[[], Callable[[], bool]], *, clients: int, seconds: float
) -> tuple[list[float], int]:
    """Calls what `client` returns, each in a thread of its own, until the time is over.

    Returns:
        (seconds of each success, sorted; number of failures).
    """
    took, failed, end = [], [], time.monotonic() + seconds

    def work(once: Callable[[], bool]) -> None:
        while (start := time.monotonic()) < end:
            done = once()
            (took if done else failed).append(time.monotonic() - start)

    threads = [threading.Thread(target=work, args=(client(),)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(took), len(failed)


def main() -> int:
    """Loads the server that the flags name."""
    url, body = urlsplit(FLAGS.url), Path(FLAGS.file).read_bytes()
    if url.scheme != "http" or not url.hostname:
        raise ValueError(f"expected --url http://HOST:PORT/NAME, received {FLAGS.url!r}")

    def client() -> Callable[[], bool]:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
        return lambda: ask(connection, url.path, body)

    took, failed = load(client, clients=FLAGS.clients, seconds=FLAGS.seconds)
    print(f"{FLAGS.clients} clients: {len(took) / FLAGS.seconds:.1f} answers/s, {failed} failed")
    if took:
        shown = (f"{p}% {1000 * took[int(p / 100 * (len(took) - 1))]:.0f}" for p in (50, 90, 99))
        print(f"ms: {', '.join(shown)}, longest {1000 * took[-1]:.0f}")
    return 1 if failed or not took else 0


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["url", "file"])
