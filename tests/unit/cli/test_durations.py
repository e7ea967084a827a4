from datetime import UTC, datetime

import pytest

from skerry.cli import durations

NOW = datetime(2026, 11, 22, 10, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-0.2, "0 ms"),
        (0.0124, "12 ms"),
        (0.9996, "1.0 s"),
        (3.25, "3.2 s"),
        (59.99, "1 min"),
        (250, "4 min 10 s"),
        (3_700, "1 h 2 min"),
        (7_200, "2 h"),
        (3_599.7, "1 h"),
        (172_799, "2 d"),
        (200_000, "2 d 8 h"),
    ],
)
def test_durations_are_told_in_two_units(seconds: float, text: str) -> None:
    assert durations.human(seconds) == text


def test_what_has_not_ended_lasts_until_now() -> None:
    assert durations.between("2026-11-22T10:00:07.000Z", None, NOW) == "3.0 s"
    assert durations.between("2026-11-22T10:00:07.000Z", "2026-11-22T10:00:08.000Z", NOW) == "1.0 s"
    assert durations.between(None, None, NOW) == ""


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        ("2026-11-22T10:00:08Z", "2 s ago"),
        ("2026-11-22T10:00:12Z", "0 s ago"),
        ("2026-11-22T09:00:00+00:00", "1 h ago"),
        ("2026-11-20T09:00:00", "2 d ago"),
        (None, ""),
    ],
)
def test_moments_are_told_as_ages(timestamp: str | None, text: str) -> None:
    assert durations.ago(timestamp, NOW) == text


@pytest.mark.parametrize(("size", "text"), [(512 << 20, "512 MiB"), (2 << 30, "2 GiB"), (1536, "1.5 KiB"), (7, "7 B")])
def test_memory_is_told_in_binary_units(size: int, text: str) -> None:
    assert durations.memory(size) == text
