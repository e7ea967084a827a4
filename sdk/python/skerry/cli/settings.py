"""Which server to talk to and with which key: `--url`, then the environment, then what `skerry login` stored."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from skerry.cli import problems

DEFAULT_URL = "http://127.0.0.1:8120"
"""Where `skerry dev` listens unless told otherwise."""


@dataclass(frozen=True)
class Settings:
    """A server and the key for it.

    Attributes:
        url: The server's address without a trailing slash and without `/v1`.
        api_key: The key sent as `Authorization: Bearer`, or None to send none.
    """

    url: str
    api_key: str | None = None


def config_path() -> Path:
    """Return the file `skerry login` writes: `skerry/config.json` in the XDG config folder."""
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "skerry" / "config.json"


def resolve(url: str | None = None) -> Settings:
    """Return the server and key a command should use.

    A stored key is used only with the URL it was stored for, so that `--url` cannot send it elsewhere.

    Args:
        url: The `--url` option.

    Raises:
        Problem: The URL or the stored file is malformed.
    """
    stored = load()
    chosen = url or os.environ.get("SKERRY_URL") or (stored.url if stored else DEFAULT_URL)
    chosen = normalized(chosen)
    key = os.environ.get("SKERRY_API_KEY") or None
    if key is None and stored is not None and stored.url == chosen:
        key = stored.api_key
    return Settings(chosen, key)


def normalized(url: str) -> str:
    """Return a server URL in the one form used everywhere.

    Raises:
        Problem: It is not an http or https URL.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise problems.Problem(
            f"{url!r} is not a server URL.", "Write it like https://skerry.example.com.", problems.USAGE
        )
    return url.strip().rstrip("/").removesuffix("/v1")


def load() -> Settings | None:
    """Return what `skerry login` stored, or None if nothing is.

    Raises:
        Problem: The file exists but cannot be understood.
    """
    path = config_path()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Settings(normalized(values["url"]), values.get("api_key") or None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise problems.Problem(
            f"Cannot read {path}: {error}.", "Run `skerry login` again, or delete the file."
        ) from None


def save(settings: Settings) -> Path:
    """Store a server and its key where only this user can read them, and return the file.

    Raises:
        Problem: The file cannot be written.
    """
    path = config_path()
    content = json.dumps({"url": settings.url, "api_key": settings.api_key}, indent=2) + "\n"
    draft = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        # Created private: a file made readable first and restricted later can be read in between.
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        raise problems.Problem(f"Cannot write {path}: {error.strerror}.") from None
    return path
