"""What of a task Pod can be chosen, by whom: an installation, a Workflow, a RunnerPool.

Each field is described once; the three templates differ in which of them they have. Security, identity and probes are in none:
they are the operator's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from skerry_objects.models import Model, Quantity
from skerry_objects.names import RUNNERS_VARIABLES
from skerry_objects.rules import VALIDATIONS, Keys, Rule, Unique

# Parts of a Pod that are passed through as the API server defines them.
Passed = dict[str, Any]
# What a runner in a Pod keeps apart: see `WorkflowSpec.isolation`.
Isolation = Literal["container", "process"]
Volume = Annotated[Passed, Keys({"name": "What volumeMounts call it."})]
VolumeMount = Annotated[
    Passed, Keys({"name": "The volume, as `volumes` names it.", "mountPath": "Where the container has it."})
]

# The rule of every supported Kubernetes; from 1.32 on more is allowed.
_VARIABLE = r"^([-_a-zA-Z]|\.[-_a-zA-Z0-9])[-._a-zA-Z0-9]*$"
# Bounds from which the API server can tell that a rule on every entry is cheap.
_MOST_VARIABLES = 1000
_LONGEST_NAME = 256

_RESERVED: Final = ", ".join(sorted(RUNNERS_VARIABLES))
_NOT_RESERVED: Final = Rule(
    f"!(self in [{', '.join(repr(name) for name in sorted(RUNNERS_VARIABLES))}])",
    f"the operator sets this variable itself ({_RESERVED}); choose another name",
    lambda name: name not in RUNNERS_VARIABLES,
)
_ONE_VALUE: Final = Rule(
    "!(has(self.valueFrom) && has(self.value) && size(self.value) > 0)",
    "give value or valueFrom, not both",
    lambda variable: not (variable.value_from and variable.value),
)
_ONE_PROGRAM: Final = Rule(
    "!(has(self.app) && has(self.command) && size(self.command) > 0)",
    "give app or command, not both; with neither, the image names its application in SKERRY_APP",
    lambda code: not (code.app and code.command),
)


class EnvironmentVariable(Model):
    """An environment variable of user code."""

    model_config = ConfigDict(json_schema_extra={VALIDATIONS: [_ONE_VALUE.to_json()]})

    name: Annotated[
        str,
        Field(
            description="Its name: letters, digits, '_', '-' or '.', not beginning with a digit. These are the operator's and"
            f" cannot be set: {_RESERVED}.",
            pattern=_VARIABLE,
            max_length=_LONGEST_NAME,
        ),
        _NOT_RESERVED,
    ]
    value: Annotated[str | None, Field(description="Its value; without it and `valueFrom`, empty.")] = None
    value_from: Annotated[
        Passed | None,
        Field(
            description="Where its value is, as in a Pod: one of secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef.",
            min_length=1,
            max_length=1,
        ),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ONE_VALUE.check(self)
        return self


class SecretReference(Model):
    """A Secret of the same namespace."""

    name: Annotated[str, Field(description="The Secret's name.", min_length=1)]


class Resources(Model):
    """CPU and memory of a container."""

    requests: Annotated[
        dict[str, Quantity], Field(description="What the scheduler sets aside, such as {cpu: 500m, memory: 1Gi}.")
    ] = Field(default_factory=dict)
    limits: Annotated[dict[str, Quantity], Field(description="What the container may use at most.")] = Field(
        default_factory=dict
    )


class Environment(Model):
    """What user code finds in its environment."""

    env: Annotated[
        Sequence[EnvironmentVariable],
        Field(
            description="Environment variables of user code. Those that tell a runner who it is are the operator's.",
            max_length=_MOST_VARIABLES,
        ),
        Unique("name"),
    ] = ()
    env_from: Annotated[
        Sequence[Passed],
        Field(
            description="Secrets and ConfigMaps whose every key becomes an environment variable, as in a Pod: secretRef or"
            " configMapRef. `env` and the operator's own variables go before them."
        ),
    ] = ()


class Code(Environment):
    """An image, and how its tasks are found."""

    model_config = ConfigDict(json_schema_extra={VALIDATIONS: [_ONE_PROGRAM.to_json()]})

    image: Annotated[
        str, Field(description="The image with the user's code and the runner.", min_length=1, pattern=r"^\S+$")
    ]
    app: Annotated[
        str | None,
        Field(
            description="The application, `module:attribute`. Without it and `command`, the image says it in SKERRY_APP.",
            min_length=1,
            pattern=r"^[^\s:]+:[^\s:]+$",
        ),
    ] = None
    command: Annotated[
        Sequence[str], Field(description="A program that speaks the socket protocol, in place of `app`.")
    ] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ONE_PROGRAM.check(self)
        return self


class PodSettings(Model):
    """Where and how a Pod runs, whatever its code."""

    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None,
        Field(
            description="When the image is pulled. Left out: Always for the tag `latest` or none, IfNotPresent for others."
        ),
    ] = None
    image_pull_secrets: Annotated[
        Sequence[SecretReference],
        Field(description="Secrets with credentials of the image's registry."),
        Unique("name"),
    ] = ()
    working_dir: Annotated[str | None, Field(description="Where user code runs, if not where the image says.")] = None
    service_account_name: Annotated[
        str | None, Field(description="Whose identity the Pod has, if not that of all task Pods.")
    ] = None
    node_selector: Annotated[dict[str, str], Field(description="Labels of the nodes it may run on.")] = Field(
        default_factory=dict
    )
    tolerations: Annotated[Sequence[Passed], Field(description="Taints of nodes that do not matter, as in a Pod.")] = ()
    volumes: Annotated[Sequence[Volume], Field(description="Volumes, as in a Pod."), Unique("name")] = ()
    volume_mounts: Annotated[
        Sequence[VolumeMount],
        Field(description="Where the container has the volumes, as in a Pod. /tmp is writable without one."),
        Unique("mountPath"),
    ] = ()
    runtime_class_name: Annotated[str | None, Field(description="The container runtime, such as gvisor.")] = None
    labels: Annotated[
        dict[str, str], Field(description="More labels for the Pod. Those of skerry.dev/ are the operator's.")
    ] = Field(default_factory=dict)
    annotations: Annotated[dict[str, str], Field(description="More annotations for the Pod.")] = Field(
        default_factory=dict
    )


class SharedTemplate(PodSettings, Environment):
    """What the Pods of all workflows of an installation have; a Workflow may say otherwise."""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """A template that people wrote where no API server looks at it: a key that is not known is a mistake.

        Raises:
            ValueError: it has such a key, or something in it is malformed.
        """
        try:
            return cls.model_validate(given, extra="forbid")
        except ValidationError as error:
            problems = (_problem(entry["loc"], entry["type"], entry["msg"]) for entry in error.errors())
            raise ValueError("; ".join(problems)) from error


class PodOverrides(PodSettings):
    """What the Pods of one workflow have beside its code; what is left out is as for all workflows."""

    resources: Annotated[
        Resources, Field(description="CPU and memory. In a Workflow they replace those of every plan.")
    ] = Resources()


class PodTemplate(PodOverrides, Code):
    """How Pods are made, complete."""


def _problem(place: Sequence[int | str], kind: str, message: str) -> str:
    words = "there is no such key" if kind == "extra_forbidden" else message.removeprefix("Value error, ")
    return f"{'.'.join(str(part) for part in place)}: {words}"
