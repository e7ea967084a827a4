"""The figures on the terminal, beside what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.operator import claim_tables
from benchmarks.operator.claims import Stretch
from benchmarks.operator.contenders import CONTENDERS, JOBS, SKERRY, Contender, Round
from benchmarks.operator.layouts import MEGABYTE, PARTS, each_ms, table
from benchmarks.operator.restarts import Restart
from benchmarks.tables import FILE_WIDTH, figure

CREATED, COMPLETED = "Pod", "end recorded"
# The bound of agent-sandbox's CI, with nodes that only pretend.
CLAIM_P99_MS = 500


@dataclass
class Found:
    """All that was measured.

    Attributes:
        rounds: By contender's name; as many for each unless something failed.
        claims: By contender's name, those stretches that came to their end.
        problem: Why something is missing.
    """

    runs: int
    conditions: dict[str, Any]
    rounds: dict[str, list[Round]] = field(default_factory=lambda: {each.name: [] for each in CONTENDERS})
    restart: Restart | None = None
    claims: dict[str, list[Stretch]] = field(default_factory=lambda: {each.name: [] for each in CONTENDERS})
    problem: str | None = None

    def json(self) -> dict[str, Any]:
        """Plain figures."""
        return {
            "runs": self.runs,
            "conditions": self.conditions,
            "rounds": {name: [each.json() for each in rounds] for name, rounds in self.rounds.items()},
            "restart": self.restart and self.restart.json(),
            "claims": {name: [each.json() for each in stretches] for name, stretches in self.claims.items()},
            "aims": [{**vars(aim), "met": aim.met} for aim in aims(self)],
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Aim:
    """A figure and what it should be."""

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def aims(found: Found) -> list[Aim]:
    """Those whose figures were measured."""
    rounds, restart = found.rounds[SKERRY.name], found.restart
    small = found.runs <= 1000
    memory = 130 if small else 300
    made = []
    if rounds:
        made += [
            Aim("Pods created a second", median(each.rate(CREATED) for each in rounds), 150, at_least=True),
            Aim("operator, CPU ms/run", median(_cpu(each, SKERRY.part) for each in rounds), 6),
            Aim("operator, writes/run", median(one.needed() for one in rounds), 3),
            Aim("operator, peak MB", max(each.peak_bytes for each in rounds) / MEGABYTE, memory),
        ]
    if pairs := list(zip(rounds, found.rounds[JOBS.name], strict=False)):
        ratios = [own.rate(COMPLETED) / theirs.rate(COMPLETED) for own, theirs in pairs]
        made.insert(1, Aim("completed a second, x Jobs", median(ratios), 1.2, at_least=True))
    if restart is not None:
        made += [
            Aim("restart, seconds until settled", restart.settled_seconds, 10),
            Aim("restart, needless writes", restart.needless(), 0),
            Aim("restart, peak MB", restart.peak_bytes / MEGABYTE, memory),
        ]
    return made + _claim_aims(found)


def _claim_aims(found: Found) -> list[Aim]:
    own, theirs = (claim_tables.steady(found.claims, each) for each in (SKERRY, JOBS))
    made = []
    if own is not None and own.lags is not None and own.lags.pod is not None:
        made.append(Aim("claims, steady, lag p99 ms", own.lags.pod.p99, CLAIM_P99_MS))
    if own is not None and theirs is not None:
        made.append(Aim("claims, peak MB, x Jobs'", own.peak_bytes / theirs.peak_bytes, 1))
    return made


def show(found: Found) -> None:
    """Print tables."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    measured = [(each, rounds) for each in CONTENDERS if (rounds := found.rounds[each.name])]
    if measured:
        for each in (_rates(found.runs, measured), _costs(measured), _steps(measured)):
            console.print(each)
        for line in _writes(measured) + _shared(found):
            console.print(line, highlight=False)
    if found.restart is not None:
        console.print(_restart(found.restart), highlight=False)
    for told in claim_tables.tables(found.claims):
        console.print(told)
    for line in claim_tables.lines(found.claims):
        console.print(line, highlight=False)
    if made := aims(found):
        console.print(_aims(made))
    if found.problem:
        console.print(found.problem, markup=False, style="yellow")
    console.print(", ".join(str(value) for value in found.conditions.values()), highlight=False, style="dim")


Measured = Sequence[tuple[Contender, Sequence[Round]]]


def _rates(runs: int, measured: Measured) -> Table:
    made = table(
        f"{runs:,} runs, {max(len(rounds) for _, rounds in measured)} round(s)",
        "objects\ncreated/s",
        "Pods created/s\nmedian (range)",
        "completed/s\nmedian (range)",
        "its process\nCPU ms/run",
        "its writes\n/run",
        "Events\n/run",
        "refused\n/run",
        "its process\npeak MB",
    )
    for each, rounds in measured:
        made.add_row(
            each.name,
            figure(median(one.rate("object") for one in rounds)),
            _spread(rounds, CREATED),
            _spread(rounds, COMPLETED),
            figure(median(_cpu(one, each.part) for one in rounds)),
            figure(median(one.needed() for one in rounds)),
            figure(median(one.writes.get("create events", 0) / one.runs for one in rounds)),
            figure(median(one.refused / one.runs for one in rounds)),
            figure(max(one.peak_bytes for one in rounds) / MEGABYTE),
        )
    return made


def _costs(measured: Measured) -> Table:
    made = table("CPU ms/run of each process, median", *PARTS, "all", "others, % of\none core")
    for each, rounds in measured:
        made.add_row(
            each.name,
            *(figure(median(_cpu(one, part) for one in rounds)) for part in PARTS),
            figure(median(each_ms(sum(one.spent.values()), one.runs) for one in rounds)),
            figure(median(one.others * 100 / one.seconds for one in rounds)),
        )
    return made


def _steps(measured: Measured) -> Table:
    names = list(measured[0][1][0].steps)
    made = table("Seconds until half / all had come so far, median", *names)
    for each, rounds in measured:
        cells = []
        for name in names:
            half = median(one.steps[name].half for one in rounds)
            last = median(one.steps[name].last for one in rounds)
            cells.append(f"{figure(half)} / {figure(last)}")
        made.add_row(each.name, *cells)
    return made


def _writes(measured: Measured) -> list[str]:
    lines = []
    for each, rounds in measured:
        last = rounds[-1]
        said = ", ".join(f"{what} {figure(count / last.runs)}" for what, count in last.writes.items())
        lines.append(f"{each.name}, writes/run of {each.user}: {said}")
    return lines


def _shared(found: Found) -> list[str]:
    if not all(found.rounds.values()):
        return []
    with_jobs, without = (median(_cpu(one, JOBS.part) for one in found.rounds[each.name]) for each in (JOBS, SKERRY))
    return [
        f"The controller manager runs all its controllers: it takes {figure(without)} ms/run where there are no Jobs; "
        f"{figure(with_jobs - without)} ms/run more is what Jobs cost it."
    ]


def _restart(restart: Restart) -> str:
    writes = ", ".join(f"{what} {count}" for what, count in restart.writes.items()) or "none"
    return (
        f"Restart with {restart.runs:,} runs under way: stopped in {figure(restart.stop_seconds)} s, "
        f"first comparison after {figure(restart.listed_seconds)} s, settled after {figure(restart.settled_seconds)} s "
        f"with {figure(restart.cpu_seconds)} s of CPU and {figure(restart.resident_bytes / MEGABYTE)} MB "
        f"(peak {figure(restart.peak_bytes / MEGABYTE)} MB; before the restart {figure(restart.before_bytes / MEGABYTE)} MB), "
        f"then {figure(restart.watching * 100)} % of a core. Writes: {writes}"
    )


def _aims(aimed: Sequence[Aim]) -> Table:
    made = table("Aims on two cores", "figure", "aim", "met")
    for aim in aimed:
        sign = "≥" if aim.at_least else "≤"
        made.add_row(aim.name, figure(aim.value), f"{sign} {aim.limit:g}", "yes" if aim.met else "no")
    return made


def _spread(rounds: Sequence[Round], step: str) -> str:
    rates = [each.rate(step) for each in rounds]
    spread = f" ({figure(min(rates))} to {figure(max(rates))})" if len(rates) > 1 else ""
    return figure(median(rates)) + spread


def _cpu(one: Round, part: str) -> float:
    return each_ms(one.spent.get(part, 0.0), one.runs)
