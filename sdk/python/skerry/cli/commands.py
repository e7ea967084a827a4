"""The root command: which commands exist and which module each of them comes from."""

import difflib
import importlib
from dataclasses import dataclass
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from skerry.cli import problems


@dataclass(frozen=True)
class Entry:
    """One command of the root.

    Attributes:
        module: The module of this package that defines the command as `app`.
        help: The line `skerry --help` shows, known without importing the module.
    """

    module: str
    help: str


COMMANDS = {
    "init": Entry("projects", "Write a small project to start from."),
    "dev": Entry("developments", "Run your tasks on this machine, and follow every run."),
    "deploy": Entry("deployments", "Release an image as a new version of a workflow."),
    "tasks": Entry("tasks", "List tasks and start runs of them."),
    "runs": Entry("runs", "List, watch, cancel and retry runs, and read their logs."),
    "workflows": Entry("workflows", "List workflows and their versions."),
    "plans": Entry("plans", "List the compute plans a task can ask for."),
    "pools": Entry("pools", "List the pools of runners, and how many wait for work."),
    "usage": Entry("usages", "Show what attempts used, and how long Pods waited for work."),
    "keys": Entry("keys", "Create, list and revoke API keys."),
    "login": Entry("logins", "Store the server's URL and your API key."),
}

_EPILOG = """\b
Start here:
  skerry init hello          a project with a few tasks
  skerry dev                 run it; leave this open
  skerry tasks start hello World

\b
Environment:
  SKERRY_URL                 the server (default http://127.0.0.1:8120, where `skerry dev` listens)
  SKERRY_API_KEY             your API key; both win over what `skerry login` stored
"""


class LazyGroup(TyperGroup):
    """The root group: imports a command's module when the command is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """Import and build one command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"skerry.cli.{entry.module}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command  # type: ignore[return-value]  # Typer builds only these two kinds

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or say which ones are near."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=2)
            ctx.fail(
                f"There is no command {name!r}."
                + (f" Did you mean {' or '.join(map(repr, near))}?" if near else " See skerry --help.")
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a `Problem` becomes one line on stderr and the exit status."""
        try:
            return super().invoke(ctx)
        except problems.Problem as problem:
            from skerry.cli import outputs

            outputs.report(problem)
            raise typer.Exit(problem.exit_status) from None


app = typer.Typer(
    cls=LazyGroup,
    help="Durable tasks in plain Python, on your own Kubernetes or on this machine.",
    epilog=_EPILOG,
    no_args_is_help=True,
    # Rich's help pages cost more start-up time than everything else together.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"skerry {version('skerry')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Durable tasks in plain Python, on your own Kubernetes or on this machine."""
