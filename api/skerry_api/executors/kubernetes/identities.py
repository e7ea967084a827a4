"""Which Pod a runner's token belongs to: the projected service-account token, reviewed by the API server.

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
"""

from __future__ import annotations

import time

from skerry_api.domain.errors import Unavailable
from skerry_api.engine.executions import PodIdentity
from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.storage.runners import hash_secret
from skerry_objects.clients import TOKEN_REVIEWS, ApiError, Client, Unreachable

AUDIENCE = "skerry"
# A review costs a request to the API server; a Pod that was deleted keeps its access at most this much longer.
KEPT_SECONDS = 60.0
_MOST_KNOWN = 1000
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"
# From Kubernetes 1.30 on.
_NODE_NAME = "authentication.kubernetes.io/node-name"


class Identities:
    """Reviews tokens, and remembers the answers for a minute."""

    def __init__(self, client: Client, namespace: str, metrics: Metrics) -> None:
        """Believe Pods of `namespace`."""
        self._client = client
        self._namespace = namespace
        self._metrics = metrics
        self._known: dict[str, tuple[float, PodIdentity | None]] = {}

    async def identify(self, token: str) -> PodIdentity | None:
        """The Pod this token is bound to; None when it is no token for us.

        Raises:
            Unavailable: the API server cannot be asked now.
        """
        if token.count(".") != 2:
            return None  # No JSON Web Token: the API server need not be asked.
        now = time.monotonic()
        if len(self._known) >= _MOST_KNOWN:
            self._known = {key: entry for key, entry in self._known.items() if entry[0] > now}
        key = hash_secret(token)
        if key not in self._known or self._known[key][0] <= now:
            self._known[key] = (now + KEPT_SECONDS, await self._review(token))
        return self._known[key][1]

    async def _review(self, token: str) -> PodIdentity | None:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        try:
            with self._metrics.asking():
                status = (await self._client.create(TOKEN_REVIEWS, None, review))["status"]
        except (ApiError, Unreachable) as error:
            raise Unavailable(f"the runner's token cannot be checked now: {error}") from error
        if not status.get("authenticated") or AUDIENCE not in status.get("audiences", ()):
            return None
        return identity_of(status["user"], self._namespace)


def identity_of(user: dict[str, object], namespace: str) -> PodIdentity | None:
    """The Pod in a review's `user`; None for anything but a Pod of `namespace`."""
    kind, _, account = str(user.get("username", "")).partition(":serviceaccount:")
    where, _, name = account.partition(":")
    extra = user.get("extra")
    if kind != "system" or where != namespace or not isinstance(extra, dict):
        return None
    pod, uid, node = extra.get(_POD_NAME), extra.get(_POD_UID), extra.get(_NODE_NAME)
    if not pod or not uid:
        return None
    return PodIdentity(where, name, str(pod[0]), str(uid[0]), str(node[0]) if node else None)
