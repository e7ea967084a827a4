"""Virtual environments of the peers: made on demand, pinned with hashes, kept under `.venv/benchmarks`."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.processes import BenchmarkError

REQUIREMENTS = Path(__file__).parent / "requirements"
ENVIRONMENTS = Path(sys.prefix) / "benchmarks"
INSTALL_SECONDS = 600


def python_of(peer: str) -> Path:
    """The Python of a peer's environment, installed first if it is missing or its requirements changed.

    Raises:
        BenchmarkError: It could not be installed, with the installer's last words.
    """
    requirements = REQUIREMENTS / f"{peer}.txt"
    folder = ENVIRONMENTS / peer
    python = folder / "bin" / "python"
    if _is_current(folder, requirements):
        return python
    uv = Path(sys.executable).parent / "uv"
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
    _run(
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            python,
            "--require-hashes",
            "-r",
            requirements,
        ]
    )
    _mark(folder, requirements)
    return python


def node_modules_of(peer: str) -> Path:
    """The `node_modules` folder of a peer that is also published for Node.js, installed the same way.

    Install scripts of packages are not run.

    Raises:
        BenchmarkError: npm is missing, or it could not be installed.
    """
    sources = REQUIREMENTS / peer
    lock = sources / "package-lock.json"
    folder = ENVIRONMENTS / f"{peer}-node"
    if not _is_current(folder, lock):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", lock.name):
            shutil.copy(sources / name, folder / name)
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder])
        _mark(folder, lock)
    return folder / "node_modules"


def _is_current(folder: Path, source: Path) -> bool:
    mark = folder / ".installed"
    return mark.exists() and mark.read_text() == _digest(source)


def _mark(folder: Path, source: Path) -> None:
    (folder / ".installed").write_text(_digest(source))


def _digest(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()


def _run(command: list[str | Path]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise BenchmarkError(f"not installed: {problem}") from problem
    if done.returncode:
        raise BenchmarkError(f"not installed: {' '.join(done.stderr.split())[-300:]}")
