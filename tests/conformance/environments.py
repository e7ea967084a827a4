"""Virtual environments holding one published Render SDK each, installed from pinned and hashed requirements."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements" / "conformance"
ENVIRONMENTS = ROOT / ".venv" / "conformance"
BIN = ROOT / ".venv" / "bin"
INSTALL_SECONDS = 300


def installed_environment(name: str) -> Path:
    """Return the folder of the environment `name`, creating it when its requirements have changed.

    The stamp is written last, so an interrupted installation is started again. Test processes take turns.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    folder = ENVIRONMENTS / name
    stamp = folder / ".requirements-sha256"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == digest):
            shutil.rmtree(folder, ignore_errors=True)
            _install(requirements, folder)
            stamp.write_text(digest)
    return folder


def clean_variables() -> dict[str, str]:
    """This process's variables without any that would configure an SDK or the server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RENDER_", "SKERRY_"))}


def _install(requirements: Path, folder: Path) -> None:
    uv = [str(BIN / "uv"), "--quiet"]
    _run([*uv, "venv", "--python", str(BIN / "python"), str(folder)])
    _run(
        [
            *uv,
            "pip",
            "install",
            "--compile-bytecode",
            "--python",
            str(folder),
            "--require-hashes",
            "--requirement",
            str(requirements),
        ]
    )


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stderr}")
