"""Kinds of Kubernetes' own that the measurement makes."""

from __future__ import annotations

from skerry_objects.clients import Resource

JOBS = Resource("batch/v1", "jobs")
NAMESPACES = Resource("v1", "namespaces")
NODES = Resource("v1", "nodes")
SERVICE_ACCOUNTS = Resource("v1", "serviceaccounts")
DEFINITIONS = Resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io/v1", "rolebindings")
