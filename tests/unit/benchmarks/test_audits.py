from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.operator.audits import Trail, Write

EVENT: dict[str, Any] = {
    "user": {"username": "somebody"},
    "verb": "create",
    "objectRef": {"resource": "pods", "namespace": "benchmark"},
    "responseStatus": {"code": 201},
    "stageTimestamp": "1970-01-01T00:00:10.5Z",
}
OWNERS = [{"name": "other"}, {"name": "mine", "controller": True}]


@pytest.mark.parametrize(
    ("change", "write"),
    [
        pytest.param({}, Write("somebody", "create", "pods", "", True, 10.5), id="named by the API server"),
        pytest.param(
            {"objectRef": {"resource": "pods", "subresource": "status", "name": "a"}, "verb": "patch"},
            Write("somebody", "patch", "pods/status", "a", True, 10.5),
            id="subresource",
        ),
        pytest.param(
            {"responseStatus": {"code": 409}}, Write("somebody", "create", "pods", "", False, 10.5), id="refused"
        ),
        pytest.param({"responseStatus": {}}, Write("somebody", "create", "pods", "", False, 10.5), id="no answer"),
        pytest.param(
            {"requestObject": {"metadata": {"ownerReferences": OWNERS}}},
            Write("somebody", "create", "pods", "", True, 10.5, "mine"),
            id="owned",
        ),
        pytest.param({"requestObject": {}}, Write("somebody", "create", "pods", "", True, 10.5), id="owned by nobody"),
    ],
)
def test_write_as_the_log_tells_it(tmp_path: Path, change: dict[str, Any], write: Write) -> None:
    trail = Trail(tmp_path / "audit.log")
    (tmp_path / "audit.log").write_text(json.dumps(EVENT | change) + "\n")
    assert trail.read() == [write]


def test_trail_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    log, line = tmp_path / "audit.log", json.dumps(EVENT) + "\n"
    log.write_text(line)
    trail = Trail(log)
    log.write_text(line + line + line[:20])
    assert len(trail.read()) == 1
    log.write_text(line + line + line)
    assert len(trail.read()) == 1
