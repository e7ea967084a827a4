"""Memory of trees, and the kernel's own count of its kills."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skerry_runner.memory import OomCounter, process_children, tree_bytes


@pytest.mark.parametrize(
    ("membership", "counter", "limit"),
    [
        ("0::/pod/x\n", "pod/x/memory.events", "memory.max"),
        ("0::/pod/x\n", "memory.events", "memory.max"),
        ("5:cpu,cpuacct:/a\n4:memory:/pod/x\n0::/\n", "memory/pod/x/memory.oom_control", "memory.limit_in_bytes"),
        ("4:memory:/pod/x\n", "memory/memory.oom_control", "memory.limit_in_bytes"),
    ],
)
def test_kills_are_noticed_once(tmp_path: Path, membership: str, counter: str, limit: str) -> None:
    (tmp_path / "cgroup").write_text(membership)
    file = tmp_path / counter
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("oom 0\noom_kill 3\n")
    file.with_name(limit).write_text("1048576\n")
    oom = OomCounter(tmp_path, tmp_path / "cgroup")
    assert not oom.grew()
    file.write_text("oom 1\noom_kill 4\n")
    assert oom.grew()
    assert not oom.grew()
    assert oom.allowed_bytes() == 1048576


@pytest.mark.parametrize("text", ["max", "9223372036854771712"])
def test_no_limit_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "memory.events").write_text("oom_kill 0\n")
    (tmp_path / "memory.max").write_text(text)
    assert OomCounter(tmp_path, tmp_path / "cgroup").allowed_bytes() is None


def test_without_cgroups_nothing_is_noticed(tmp_path: Path) -> None:
    oom = OomCounter(tmp_path, tmp_path / "absent")
    assert not oom.grew()
    assert oom.allowed_bytes() is None


def test_tree_counts_this_process_and_its_children() -> None:
    children = process_children()
    assert os.getpid() in children[os.getppid()]
    assert tree_bytes(os.getpid(), children) > 5_000_000
    assert tree_bytes(2**22, children) == 0
