"""Skerry's operator: TaskRun → Pod, RunnerPool → idle Pods, and the `status` of both. It talks to the Kubernetes API only.

Everything is derived from what the API server shows, so that a restart loses nothing.
"""

__version__ = "0.1.0"
