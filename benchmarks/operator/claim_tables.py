"""The figures of claims at scale, beside those of Jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from benchmarks.operator.claims import STEADY, Stretch
from benchmarks.operator.contenders import CONTENDERS, Contender
from benchmarks.operator.layouts import MEGABYTE, PARTS, each_ms, table
from benchmarks.tables import figure, pair

COMPARED = (
    "A TaskRun that claims has its Pod when the one that waited is adopted; its cost includes the Pod that takes that one's "
    "place. A Job has no Pods that wait: it has its Pod when that is created. Pods that wait take room, which Jobs do not."
)
Told = Mapping[str, Sequence[Stretch]]


def tables(told: Told) -> list[Table]:
    """Those whose figures were measured."""
    found = [(contender, stretch) for contender in CONTENDERS for stretch in told[contender.name]]
    return [_lags(found), _costs(found)] if found else []


def lines(told: Told) -> list[str]:
    """What goes below the tables."""
    said = [COMPARED]
    for contender in CONTENDERS:
        for stretch in told[contender.name]:
            writes = ", ".join(f"{what} {figure(count / stretch.asked)}" for what, count in stretch.writes.items())
            said.append(f"{contender.name}, {stretch.name}, writes/object of {contender.user}: {writes}")
    return said if len(said) > 1 else []


def steady(told: Told, contender: Contender) -> Stretch | None:
    """The stretch at the steady rate, if it came to its end."""
    return next((stretch for stretch in told[contender.name] if stretch.name == STEADY), None)


def _lags(found: Sequence[tuple[Contender, Stretch]]) -> Table:
    made = table(
        "Claims beside Jobs",
        "objects",
        "taken/s",
        "Pods\ncreated/s",
        "until its Pod\np50 / p99 ms",
        "\nmax ms",
        "until it is said to run\np50 / p99 ms",
        "its writes\neach",
        "refused\neach",
        "its process\nMB (peak)",
    )
    for contender, stretch in found:
        lags = stretch.lags
        made.add_row(
            f"{contender.name}: {stretch.name}",
            f"{stretch.asked:,}",
            figure(stretch.rate),
            figure(stretch.created),
            pair(lags.pod if lags else None),
            figure(lags.pod.most if lags and lags.pod else None),
            pair(lags.said if lags else None),
            figure(stretch.needed()),
            figure(stretch.refused / stretch.asked),
            f"{figure(stretch.resident_bytes / MEGABYTE)} ({figure(stretch.peak_bytes / MEGABYTE)})",
        )
    return made


def _costs(found: Sequence[tuple[Contender, Stretch]]) -> Table:
    made = table("CPU ms/object of each process", *PARTS, "all", "others, % of\none core", "seconds")
    for contender, stretch in found:
        made.add_row(
            f"{contender.name}: {stretch.name}",
            *(figure(each_ms(stretch.spent.get(part, 0.0), stretch.asked)) for part in PARTS),
            figure(each_ms(sum(stretch.spent.values()), stretch.asked)),
            figure(stretch.others * 100 / stretch.seconds),
            figure(stretch.seconds),
        )
    return made
