"""The `skerry-api` command: serve, migrate, and the server behind `skerry dev`."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import structlog
import typer
from pydantic import ValidationError

from skerry_api.app import create_app
from skerry_api.domain.errors import Conflict, InvalidRequest, SkerryError, Unavailable
from skerry_api.domain.plans import define_plans, read_plans
from skerry_api.embedded import EmbeddedPostgres
from skerry_api.engine.engines import Engine
from skerry_api.engine.executions import Executor
from skerry_api.executors.local import LocalExecutor, LocalSource
from skerry_api.http.authorisations import Scope
from skerry_api.http.keys import key_row, new_key
from skerry_api.servers import bind, configure_logging, end_with, serve
from skerry_api.settings import Settings
from skerry_api.storage.databases import Database
from skerry_api.storage.keys import ensure_key, insert_key
from skerry_api.storage.schemas import current_revision, head_revision, is_behind, migrate

log = structlog.get_logger(__name__)
main = typer.Typer(help="Skerry's control plane.", no_args_is_help=True, add_completion=False)

DatabaseUrl = Annotated[
    str, typer.Option(envvar="SKERRY_DATABASE_URL", help="PostgreSQL 15 or newer: postgresql://user@host/name")
]
Host = Annotated[str, typer.Option(envvar="SKERRY_HOST", help="Address to listen on.")]
Port = Annotated[int, typer.Option(envvar="SKERRY_PORT", help="Port to listen on; 0 chooses a free one.")]
LogLevel = Annotated[str, typer.Option(envvar="SKERRY_LOG_LEVEL", help="debug, info, warning or error.")]


@contextmanager
def _fatal() -> Iterator[None]:
    """Turn a refusal into one line that a program can read, and exit status 1."""
    try:
        yield
    except SkerryError as error:
        line = {"event": "fatal", "code": error.code, "message": error.message}
        sys.stderr.write(json.dumps(line) + "\n")
        raise typer.Exit(1) from error


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"SKERRY_{str(entry['loc'][0]).upper()}: {entry['msg']}" for entry in error.errors())
        raise InvalidRequest(f"the environment has a setting that cannot be used: {problems}", code="usage") from error


@main.command("migrate")
def migrate_command(
    database_url: DatabaseUrl,
    wait_seconds: Annotated[
        float,
        typer.Option(envvar="SKERRY_MIGRATE_WAIT_SECONDS", min=0, help="How long to wait for a database that is away."),
    ] = 0.0,
    log_level: LogLevel = "info",
) -> None:
    """Bring the database's schema up to date; safe to run at any time and from several places at once.

    A key in SKERRY_ADMIN_KEY becomes an admin key, unless it is one already or was revoked.
    """
    configure_logging(log_level)
    with _fatal():
        asyncio.run(_migrate(database_url, wait_seconds, os.environ.get("SKERRY_ADMIN_KEY")))
    sys.stdout.write("The database is up to date.\n")


async def _migrate(database_url: str, wait_seconds: float = 0.0, admin_key: str | None = None) -> None:
    database = Database(database_url)
    deadline = time.monotonic() + wait_seconds
    try:
        while True:
            try:
                await migrate(database)
                break
            except Unavailable as away:
                if time.monotonic() >= deadline:
                    raise
                log.info("waiting_for_database", error=away.message)
                await asyncio.sleep(1)
        if admin_key:
            async with database.transaction() as connection:
                await ensure_key(connection, key_row(admin_key, "installation", [Scope.ADMIN.value]))
    finally:
        await database.close()


async def _require_migrated(database_url: str) -> None:
    database = Database(database_url)
    try:
        async with database.transaction() as connection:
            revision = await current_revision(connection)
    finally:
        await database.close()
    if is_behind(revision):
        raise Conflict(
            f"the database is at schema {revision or 'none'}, this release needs {head_revision()}: run `skerry-api migrate`",
            code="migrations_missing",
        )


@main.command("create-key")
def create_key_command(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    database_url: DatabaseUrl,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="read, trigger or admin (the default); may be given several times.")
    ] = None,
) -> None:
    """Make an API key and print it, once: the way to the first key of a new installation."""
    with _fatal():
        sys.stdout.write(
            asyncio.run(_create_key(database_url, name, [entry.value for entry in scope or [Scope.ADMIN]])) + "\n"
        )


async def _create_key(database_url: str, name: str, scopes: list[str]) -> str:
    secret, values = new_key(name, scopes)
    database = Database(database_url)
    try:
        async with database.transaction() as connection:
            await insert_key(connection, values)
    finally:
        await database.close()
    return secret


@main.command("serve")
def serve_command(
    database_url: DatabaseUrl,
    host: Host = "127.0.0.1",
    port: Port = 8120,
    require_keys: Annotated[
        bool, typer.Option(envvar="SKERRY_REQUIRE_KEYS", help="Ask for an API key on every request.")
    ] = True,
    log_level: LogLevel = "info",
) -> None:
    """Serve on a database that has been migrated."""
    configure_logging(log_level)
    with _fatal():
        if not require_keys:
            _check_loopback(host)
        chosen = _settings()
        settings = chosen.engine(dev=False, require_keys=require_keys)
        if chosen.plans is not None:
            define_plans(read_plans(chosen.plans))
        executor = _kubernetes(chosen) if chosen.executor == "kubernetes" else None
        asyncio.run(_require_migrated(database_url))
        serve(create_app(settings, database_url, executor), bind(host, port), settings.heartbeat_seconds)


def _kubernetes(chosen: Settings) -> Callable[[Engine], Executor]:
    # Only a control plane on Kubernetes pays for importing its client.
    from skerry_api.executors.kubernetes.executors import KubernetesExecutor
    from skerry_api.executors.kubernetes.templates import PodDefaults
    from skerry_objects.configurations import NoCluster, find_configuration

    try:
        configuration = find_configuration()
    except NoCluster as error:
        raise InvalidRequest(f"SKERRY_EXECUTOR is kubernetes, but there is {error}", code="no_cluster") from error
    namespace = chosen.tasks_namespace or configuration.namespace
    pods = PodDefaults(
        chosen.runner_service_account,
        chosen.cpu_request_ratio,
        chosen.memory_request_ratio,
        chosen.pod_template,
        chosen.idle_requests,
    )
    return lambda engine: KubernetesExecutor(engine, configuration, namespace, pods, chosen.warm)


@main.command(
    "dev",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": False, "allow_interspersed_args": False},
)
def dev_command(
    context: typer.Context,
    app: Annotated[str | None, typer.Option(help="The application, as module:attribute or a path.")] = None,
    host: Host = "127.0.0.1",
    port: Port = 8120,
    data: Annotated[Path, typer.Option(help="Folder for the database.")] = Path(".skerry"),
    database_url: Annotated[str | None, typer.Option(help="Use this database instead of one of our own.")] = None,
    workflow: Annotated[str | None, typer.Option(help="The workflow's name; default: the folder's.")] = None,
    workdir: Annotated[Path, typer.Option(help="Where the code is.")] = Path(),
    isolation: Annotated[str, typer.Option(help="process or worker.")] = "process",
    capacity: Annotated[
        int | None, typer.Option(help="Attempts at once, not counting those that wait for children.", min=1)
    ] = None,
    watch: Annotated[bool, typer.Option(help="Register tasks again when files change.")] = True,
    lifeline_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    log_level: LogLevel = "info",
) -> None:
    """Serve one application from this machine, with a PostgreSQL of its own (the server behind `skerry dev`)."""
    configure_logging(log_level)
    if lifeline_fd is not None:
        end_with(lifeline_fd)
    with _fatal():
        _check_loopback(host)
        command = context.args
        if bool(app) == bool(command):
            raise InvalidRequest("give either --app module:attribute or -- COMMAND", code="usage")
        arguments = ["--app", app] if app else ["--", *command]
        slug = _slug(workflow or workdir.resolve().name)
        source = LocalSource(slug, arguments, workdir.resolve(), isolation, capacity or _capacity(isolation), watch)
        listening = bind(host, port)
        url = f"http://{host}:{listening.getsockname()[1]}"
        settings = _settings().engine(dev=True, require_keys=False)
        with EmbeddedPostgres(data) if database_url is None else nullcontext(database_url) as chosen:
            asyncio.run(_migrate(chosen))
            application = create_app(settings, chosen, lambda engine: LocalExecutor(engine, source, url))
            serve(application, listening, settings.heartbeat_seconds)


def _check_loopback(host: str) -> None:
    """Refuse to serve other machines without keys."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise InvalidRequest(
            f"refusing to listen on {host} without API keys: anybody who can reach it could run code here."
            " Use 127.0.0.1, or `skerry-api serve`, which asks for keys",
            code="insecure_bind",
        )


def _capacity(isolation: str) -> int:
    """As many as keep the cores busy while some of them wait for something else."""
    return 64 if isolation == "worker" else 8 * (os.cpu_count() or 1)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63] or "workflow"


if __name__ == "__main__":
    main()
