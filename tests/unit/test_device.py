import numpy as np
import psutil
import pytest
import torch

from course_lib import device
from course_lib.errors import CourseError


@pytest.fixture(autouse=True)
def no_wish(monkeypatch):
    monkeypatch.delenv("COURSE_DEVICE", raising=False)


def pretend_cuda(monkeypatch, failure):
    """A machine with an NVIDIA card on which the test computation ends with ``failure`` ("" = works)."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(device, "_has_nvidia", lambda: True)
    monkeypatch.setattr(device, "_failure", lambda name: failure if name == "cuda" else "no")


def test_a_cuda_that_works_is_chosen(monkeypatch):
    pretend_cuda(monkeypatch, "")
    choice = device.choose()
    assert choice.device.type == "cuda" and "works" in choice.why


@pytest.mark.parametrize(
    "failure",
    [
        "Found no NVIDIA driver on your system",
        "no kernel image is available for execution on the device",
        "CUDA out of memory. Tried to allocate 2.00 MiB",
    ],
)
def test_a_cuda_that_is_there_and_broken_falls_back_with_one_sentence(monkeypatch, failure):
    pretend_cuda(monkeypatch, failure)
    choice = device.choose()
    assert choice.device.type == "cpu" and failure in choice.why and "\n" not in choice.why


def test_an_explicit_wish_wins(monkeypatch):
    pretend_cuda(monkeypatch, "")
    assert device.choose("cpu") == device.Choice(torch.device("cpu"), "the parameter DEVICE asks for it")
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert device.choose().why == "COURSE_DEVICE asks for it"
    assert device.choose("cuda").device.type == "cuda"  # the parameter is more explicit than the variable


def test_a_wish_that_cannot_be_granted_says_why():
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA that works")
    choice = device.choose("cuda")
    assert choice.device.type == "cpu" and "cuda does not work here" in choice.why


def test_the_real_test_computation_reports_a_broken_device():
    assert device._failure("cpu") == ""
    assert device._failure("meta") != ""  # a device that holds no numbers


def test_an_unknown_device_is_refused_with_the_known_ones(monkeypatch):
    with pytest.raises(CourseError, match="auto, cuda, mps, cpu"):
        device.choose("gpu")
    monkeypatch.setenv("COURSE_DEVICE", "tpu")
    with pytest.raises(CourseError, match="'tpu' in COURSE_DEVICE"):
        device.choose()


def test_the_same_seed_gives_the_same_numbers():
    def draw():
        device.seed_everything(7)
        return torch.rand(3).tolist(), np.random.rand(3).tolist()  # noqa: NPY002

    assert draw() == draw()


def test_threads_follow_the_argument_then_the_variable_then_two(monkeypatch):
    before = torch.get_num_threads()
    try:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert device.set_threads() == torch.get_num_threads() == 1
        assert device.set_threads(2) == torch.get_num_threads() == 2
        monkeypatch.delenv("OMP_NUM_THREADS")
        assert device.set_threads() == min(2, psutil.cpu_count())
        monkeypatch.setenv("OMP_NUM_THREADS", "many")
        with pytest.raises(CourseError, match="OMP_NUM_THREADS"):
            device.set_threads()
    finally:
        torch.set_num_threads(before)


def test_the_memory_of_the_process_tree_counts_children():
    import subprocess
    import sys

    alone = device.tree_memory_mb()
    hold = "x = bytearray(300_000_000); print('ready', flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        assert device.tree_memory_mb() > alone + 250
    finally:
        child.kill()
        child.wait()
