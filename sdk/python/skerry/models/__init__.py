"""What the server tells, as frozen values.

Every model keeps the server's JSON in `raw`, also what a newer server adds to it.
"""

from skerry.models.deployments import Plan, RegisteredTask, TaskParameter, Waiting, Workflow, WorkflowVersion
from skerry.models.keys import ApiKey, NewApiKey
from skerry.models.runs import Attempt, ErrorDetails, LogLine, Run, RunTree, ServerEvent, Timings, Usage
from skerry.models.values import Json, Model

__all__ = [
    "ApiKey",
    "Attempt",
    "ErrorDetails",
    "Json",
    "LogLine",
    "Model",
    "NewApiKey",
    "Plan",
    "RegisteredTask",
    "Run",
    "RunTree",
    "ServerEvent",
    "TaskParameter",
    "Timings",
    "Usage",
    "Waiting",
    "Workflow",
    "WorkflowVersion",
]
