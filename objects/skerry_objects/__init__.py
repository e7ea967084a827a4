"""Skerry's Kubernetes objects: the control plane writes their `spec`, the operator their `status`; nothing else joins them.

The custom resource definitions are generated from these classes (`crds`), so that the two cannot drift.
"""

__version__ = "0.1.0"
