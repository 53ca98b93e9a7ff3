"""What the workers of a cluster tell each other before TensorFlow connects them.

TensorFlow connects its workers in one call that waits for all of them and that nothing interrupts.
So they meet before it, at the address of the chief: it tells what it decided, all compare their
data, and a mistake on one of them is one line on each.
"""

import contextlib
import hashlib
import json
import os
import socket
import time

from pix2pix_tf.errors import InputError

# Seconds that workers wait for each other; a queue may start them minutes apart.
PATIENCE = 1800
# Bytes; no message of this protocol is longer. Seconds; a stranger may connect and say nothing.
_LONGEST, _GREETING = 2**20, 10


class Meeting:
    """The connections between the chief and the others; `together` makes one.

    Args:
        cluster: `cluster.Cluster`.
        listener: The chief's listening socket; None elsewhere.
    """

    def __init__(self, cluster, listener=None):
        self.cluster, self._listener, self._links = cluster, listener, None

    def tell(self, value):
        """The chief tells all others a value that JSON holds."""
        for link in self._met():
            link.send(value)

    def hear(self):
        """What the chief tells.

        Raises:
            InputError: If it has ended.
        """
        return self._met()[0].receive()

    def compare(self, files):
        """Makes sure that every worker has the same files; ends the meeting.

        Args:
            files: Paths of the training data, or pairs of them; their names count, not where
                they are.

        Raises:
            InputError: On all workers, if one of them has others or has ended.
        """
        flat = [part for file in files for part in ([file] if isinstance(file, str) else file)]
        names = "\0".join(map(os.path.basename, flat))
        mine = [len(files), hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()]
        if self.cluster.leads:
            theirs = {link.address: link.receive() for link in self._met()}
            odd = [address for address, other in theirs.items() if other != mine]
            self.tell(odd)
        else:
            self._met()[0].send(mine)
            odd = self.hear()
        self.close()
        if odd:
            raise InputError(
                "Expected the same training images on all workers. Received: others than the "
                f"chief's on {', '.join(odd)}"
            )

    def _met(self):
        if self._links is None:
            met = self._accept() if self.cluster.leads else [_connect(self.cluster)]
            self._links = list(met)
        return self._links

    def _accept(self):
        """The chief's links to the others."""
        waiting = dict(enumerate(self.cluster.addresses[1:], 1))
        end = time.monotonic() + PATIENCE
        while waiting:
            print(f"waiting for {', '.join(waiting.values())}", flush=True)
            self._listener.settimeout(max(end - time.monotonic(), 0.01))
            try:
                found, _ = self._listener.accept()
            except TimeoutError:
                absent = ", ".join(waiting.values())
                raise InputError(
                    f"Expected all workers within {PATIENCE // 60} minutes. "
                    f"Received: nothing from {absent}"
                ) from None
            link = Link(found, "somebody", timeout=_GREETING)
            with contextlib.suppress(InputError):
                if address := waiting.pop(link.receive(), None):
                    link.settle(address)
                    yield link

    def close(self):
        """Closes everything: who still listens to this process hears that it has ended."""
        for one in (*(self._links or ()), self._listener):
            if one is not None:
                one.close()
        self._links, self._listener = [], None


class Link:
    """A connection over which values go as lines of JSON.

    Args:
        connection: Socket.
        address: "HOST:PORT" of the other end, for messages.
        timeout: Seconds that the other end may take, or None.
    """

    def __init__(self, connection, address, *, timeout=None):
        self._socket, self.address = connection, address
        connection.settimeout(timeout)
        self._file = connection.makefile("rb")

    def settle(self, address):
        """From now on the other end is known and may take its time."""
        self.address = address
        self._socket.settimeout(None)

    def send(self, value):
        """Sends a value that JSON holds.

        Raises:
            InputError: If the other end has ended.
        """
        with self._named():
            self._socket.sendall(json.dumps(value).encode("ascii") + b"\n")

    def receive(self):
        """The next value.

        Raises:
            InputError: If the other end has ended, or sends something else.
        """
        with self._named():
            return json.loads(self._file.readline(_LONGEST))

    @contextlib.contextmanager
    def _named(self):
        try:
            yield
        except (OSError, ValueError):
            raise InputError(
                f"Expected the worker {self.address} to take part. Received: its end; it says why"
            ) from None

    def close(self):
        """Closes the connection."""
        self._file.close()
        self._socket.close()


@contextlib.contextmanager
def together(cluster):
    """Opens the meeting of a `cluster.Cluster`; closes it when the block ends.

    Raises:
        InputError: If the chief's port is taken.
    """
    meeting = Meeting(cluster, _listen(cluster) if cluster.leads else None)
    try:
        yield meeting
    finally:
        meeting.close()


def _split(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _listen(cluster):
    """Listens where TensorFlow's own server will, on all addresses of this machine."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    port = _split(cluster.addresses[0])[1]
    try:
        return socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise InputError(
            f"Expected the chief's port {port} to be free. Received: {error.strerror}"
        ) from None


def _connect(cluster):
    """Connects to the chief, however late it starts."""
    address, end, told = cluster.addresses[0], time.monotonic() + PATIENCE, False
    while True:
        try:
            link = Link(socket.create_connection(_split(address), timeout=_GREETING), address)
            link.send(cluster.index)
            return link
        except OSError as error:
            if time.monotonic() > end:
                raise InputError(
                    f"Expected the chief at {address} within {PATIENCE // 60} minutes. "
                    f"Received: {error.strerror or error}"
                ) from None
        if not told:
            print(f"waiting for the chief at {address}", flush=True)
            told = True
        time.sleep(0.5)
