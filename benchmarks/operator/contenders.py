"""Skerry's operator and Kubernetes' Job controller, measured the same way: each alone, on a control plane of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import usages
from benchmarks.operator import audits, credentials, operators, planes, workloads
from benchmarks.operator.audits import Step
from benchmarks.operator.benches import bench
from benchmarks.operator.loads import Load
from benchmarks.stages import Stage
from skerry_objects.clients import TASK_RUNS, Resource

RUN_SECONDS = 1.0
WARM_UP_RUNS = 30
CLIENT = "client"


@dataclass(frozen=True)
class Contender:
    """Something that makes a Pod for each object.

    Attributes:
        part: The process that does it.
        user: Who that is for the API server.
    """

    name: str
    resource: Resource
    part: str
    user: str


SKERRY = Contender("Skerry, a TaskRun per run", TASK_RUNS, operators.PART, credentials.OPERATOR)
JOBS = Contender("Kubernetes, a Job per run", workloads.JOBS, "controller manager", credentials.JOB_CONTROLLER)
CONTENDERS = (SKERRY, JOBS)


@dataclass(frozen=True)
class Load_:
    """placeholder"""
