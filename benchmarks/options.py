"""Command line options that the benchmarks share."""

import argparse

from benchmarks.systems.registry import PEERS


def parser(command: str, description: str, runs: int, runs_help: str) -> argparse.ArgumentParser:
    """A parser with the shared options.

    Args:
        command: The module, as `python -m` is given it.
        description: What the command measures.
        runs: Default of `--runs`.
        runs_help: What `--runs` counts.
    """
    made = argparse.ArgumentParser(f"python -m {command}", description=description)
    made.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    made.add_argument(
        "--peers", default=",".join(PEERS), help="names separated by commas, or none (default %(default)s)"
    )
    made.add_argument("--runs", type=int, default=runs, help=f"{runs_help} (default %(default)s)")
    made.add_argument("--rounds", type=int, help="how often each system is started and measured")
    made.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    return made
