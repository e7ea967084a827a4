"""Output of user code on its way to the control plane."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.integration.runner.control_planes import PROGRAM, ControlPlane, running


async def test_lines_carry_stream_and_time_and_precede_completion(control_plane: ControlPlane) -> None:
    async with running(control_plane):
        await control_plane.assign("a", "prints", 3)
        await control_plane.outcome("a")
    lines = control_plane.lines("a")
    expected = ["line 0", "line 1", "line 2", "unfinished"]
    assert [line for stream, line in lines if stream == "stdout"] == expected
    assert [line for stream, line in lines if stream == "stderr"] == ["to stderr"]
    kinds = [message["type"] for message in control_plane.messages if message.get("attempt") == "a"]
    assert kinds[-1] == "complete"
    entry = next(m for m in control_plane.messages if m["type"] == "logs")["entries"][0]
    assert abs(datetime.fromisoformat(entry["time"]) - datetime.now(UTC)) < timedelta(seconds=20)


async def test_output_of_one_run_never_shows_up_in_the_next(control_plane: ControlPlane) -> None:
    async with running(control_plane, capacity=1):
        for number in range(10):
            await control_plane.assign(f"a{number}", "prints", number)
            await control_plane.outcome(f"a{number}")
    for number in range(10):
        lines = [line for stream, line in control_plane.lines(f"a{number}") if line.startswith("line")]
        assert lines == [f"line {count}" for count in range(number)]


async def test_long_lines_are_cut_and_too_many_are_counted(control_plane: ControlPlane) -> None:
    control_plane.limits = {"log_line_bytes": 100, "log_lines_per_second": 50}
    async with running(control_plane):
        await control_plane.assign("long", "prints_long", 200_000)
        await control_plane.assign("many", "prints_much", 5000)
        await control_plane.outcome("long")
        await control_plane.outcome("many")
    assert control_plane.lines("long") == [("stdout", "y" * 100 + " … 199,900 bytes cut")]
    lines = [line for _, line in control_plane.lines("many")]
    assert lines[0] == "line 0"
    kept = [line for line in lines if line.startswith("line")]
    assert 50 <= len(kept) <= 100
    assert lines[-1].endswith("lines dropped: more than 50 in a second, or nobody to take them")


async def test_output_of_an_import_belongs_to_the_attempt(control_plane: ControlPlane) -> None:
    command = ["sh", "-c", "echo importing; exec " + " ".join(PROGRAM)]
    async with running(control_plane, command=command):
        await control_plane.assign("a", "prints", 1)
        await control_plane.outcome("a")
    assert [line for stream, line in control_plane.lines("a") if stream == "stdout"] == [
        "importing",
        "line 0",
        "unfinished",
    ]
