"""Where finished projects go: the preview host that `$PREVIEW_URL` names, and archives below `$PROJECT_STORE`."""

from __future__ import annotations

import io
import json
import os
import tempfile
import urllib.request
import zipfile
from hashlib import sha256
from pathlib import Path

Files = dict[str, str]


def publish(path: str, files: Files) -> str:
    """Put a project online and return its address; without a preview host, put it into a folder.

    Raises:
        OSError: The preview host cannot be reached or refuses the project; worth another attempt.
    """
    host = os.environ.get("PREVIEW_URL")
    if host is None:
        return _written(_store() / "previews" / path, files).as_uri()
    url = f"{host}/{path}/"
    body = json.dumps(files).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT"), timeout=10):
        print(f"published {url}")
    return url


def archive(name: str, files: Files) -> str:
    """Keep a project as a zip file whose name ends in the digest of its content, and return that name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as project:
        for file_name, text in sorted(files.items()):
            project.writestr(zipfile.ZipInfo(file_name), text)  # ZipInfo has no clock: same project, same bytes
    target = _store() / "snapshots" / f"{name}-{sha256(content.getvalue()).hexdigest()[:12]}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.getvalue())
    print(f"saved {target.name}")
    return target.name


def _store() -> Path:
    return Path(os.environ.get("PROJECT_STORE", Path(tempfile.gettempdir(), "skerry-generation-loop")))


def _written(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder
