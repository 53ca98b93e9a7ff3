"""Who the workers are, and what they tell each other before TensorFlow connects them."""

import importlib.util
import json
import socket
import threading

import pytest

from pix2pix_tf.errors import InputError
from pix2pix_tf.training import cluster, meeting

WORKERS = ["one:1", "two:2"]


def config(spec, kind, index):
    return json.dumps({"cluster": spec, "task": {"type": kind, "index": index}})


def find(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    return cluster.find("tf_config", pods="")


@pytest.mark.parametrize(
    ("spec", "task", "index"),
    [
        ({"worker": WORKERS}, ("worker", 0), 0),
        ({"worker": WORKERS}, ("worker", 1), 1),
        ({"worker": WORKERS[1:], "chief": WORKERS[:1]}, ("chief", 0), 0),
        ({"worker": WORKERS[1:], "chief": WORKERS[:1]}, ("worker", 0), 1),
    ],
)
def test_the_chief_comes_first(monkeypatch, spec, task, index):
    found = find(monkeypatch, config(spec, *task))
    assert list(found.addresses) == WORKERS
    assert (found.index, found.leads) == (index, index == 0)
    assert (found.resolver.task_type, found.resolver.task_id) == task


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected TF_CONFIG to be JSON such as .* Received:  .nothing"),
        ("{", "Received: { .JSONDecodeError"),
        ("[]", "Received: .. .TypeError"),
        ('{"cluster": {"worker": ["a:1"]}}', "KeyError: 'task'"),
        (config({"worker": WORKERS}, "worker", "x"), "says nothing"),
        (config({"worker": []}, "worker", 0), "says nothing"),
        (config({"worker": WORKERS}, "worker", 2), "holds this task. Received: worker 2"),
        (config({"ps": WORKERS}, "ps", 0), "chief and worker"),
        (config({"worker": WORKERS}, "evaluator", 0), "holds this task. Received: evaluator 0"),
    ],
)
def test_what_tells_no_cluster_is_one_line(monkeypatch, text, message):
    with pytest.raises(InputError, match=message) as caught:
        find(monkeypatch, text)
    assert "\n" not in str(caught.value)


def test_slurm_tells_its_tasks(monkeypatch):
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(InputError, match="within srun. Received: SLURM_PROCID not found"):
        cluster.find("slurm", pods="")
    step = {"PROCID": "2", "STEP_NUM_TASKS": "3", "STEP_NODELIST": "n[1-2]"}
    for name, value in {**step, "STEP_TASKS_PER_NODE": "2,1"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    found = cluster.find("slurm", pods="")
    assert found.addresses == ("n1:8888", "n1:8889", "n2:8888")
    assert found.index == 2 and not found.leads


def test_kubernetes_needs_its_package(monkeypatch):
    if importlib.util.find_spec("kubernetes"):
        pytest.skip("the package is installed")
    with pytest.raises(InputError, match="pip install kubernetes"):
        cluster.find("kubernetes", pods="job-name=x")


def members(count):
    """Clusters of `count` workers on this machine, one for each."""
    servers = [socket.create_server(("", 0)) for _ in range(count)]
    addresses = tuple(f"127.0.0.1:{server.getsockname()[1]}" for server in servers)
    for server in servers:
        server.close()
    return [cluster.Cluster(addresses, index, None) for index in range(count)]


def act(work, who):
    """Runs a worker's part; returns its result or the line that it ends with."""
    try:
        with meeting.together(who) as met:
            return work(met)
    except InputError as error:
        return str(error)


def together(*parts):
    """What each of several workers comes to, by the functions of a `Meeting` that they run."""
    results = {}

    def run(who, work):
        results[who.index] = act(work, who)

    threads = [
        threading.Thread(target=run, args=pair)
        for pair in zip(members(len(parts)), parts, strict=True)
    ]
    # The others first: they wait for the chief.
    for thread in reversed(threads):
        thread.start()
    for thread in threads:
        thread.join(60)
    return [results[index] for index in range(len(parts))]


def test_the_chief_tells_and_all_compare():
    def chief(met):
        met.tell({"step": 3})
        met.compare(["/a/1.png", "/a/2.png"])

    def other(met):
        told = met.hear()
        met.compare(["/b/1.png", "/b/2.png"])
        return told

    assert together(chief, other, other) == [None, {"step": 3}, {"step": 3}]


def test_other_images_are_one_line_on_all_workers():
    parts = [lambda met, names=names: met.compare(names) for names in (["1"], ["1"], ["2"])]
    lines = together(*parts)
    assert len(set(lines)) == 1
    assert "Expected the same training images on all workers. Received: others" in lines[0]


def test_a_worker_that_ends_is_noticed():
    def fails(met):
        met.hear()
        raise InputError("Expected a folder")

    def chief(met):
        met.tell(1)
        met.compare(["1"])

    def other(met):
        met.hear()
        met.compare(["1"])

    lines = together(chief, fails, other)
    assert lines[1] == "Expected a folder"
    assert all("to take part. Received: its end" in lines[i] for i in (0, 2))


def test_strangers_at_the_chiefs_port_are_sent_away(monkeypatch):
    monkeypatch.setattr(meeting, "_GREETING", 0.5)
    chief, other = members(2)
    results = []
    with meeting.together(chief) as met:
        thread = threading.Thread(target=lambda: results.append(act(lambda m: m.hear(), other)))
        host, port = chief.addresses[0].split(":")
        silent = socket.create_connection((host, int(port)))
        rude = socket.create_connection((host, int(port)))
        rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        thread.start()
        met.tell("hello")
        thread.join(60)
    silent.close()
    rude.close()
    assert results == ["hello"]


def test_a_port_that_is_taken_and_workers_that_do_not_come(monkeypatch):
    chief, other = members(2)
    port = int(chief.addresses[0].split(":")[1])
    with socket.create_server(("", port)):
        assert f"Expected the chief's port {port} to be free" in act(lambda met: met.tell(1), chief)
    monkeypatch.setattr(meeting, "PATIENCE", 0)
    assert f"nothing from {other.addresses[1]}" in act(lambda met: met.tell(1), chief)
    assert f"Expected the chief at {chief.addresses[0]}" in act(lambda met: met.hear(), other)
