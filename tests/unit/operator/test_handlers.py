"""What kopf keeps of an object: so little that the object goes with its last user, and not when garbage is collected."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import kopf

from skerry_operator import handlers


class Part(dict[str, Any]):
    """A part of an object, of which one can see when it is gone."""


def test_an_object_goes_with_its_last_user() -> None:
    part = Part(nodeName="one")
    item: dict[str, Any] = {"metadata": {"name": "pod", "uid": "u", "managedFields": [{}]}, "spec": part}
    body, seen = kopf.Body(item), weakref.ref(part)
    gc.disable()
    try:
        whole = handlers._taken(item)
        assert whole["spec"] is part
        assert "managedFields" in whole["metadata"]
        assert dict(body.metadata) == {"name": "pod", "uid": "u"}
        del part, whole
        assert seen() is None
    finally:
        gc.enable()
