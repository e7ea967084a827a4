import pytest

from skerry import InvalidInput, NonRetryable, RunCanceled, TaskRunError, TaskTimeout
from skerry.errors import error_for_run
from skerry.runtime.failures import failure_of
from skerry.signatures import Signature
from tests.unit.sdk.programs import square


class CardDeclined(NonRetryable):
    """A user's own."""


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:
        return raised


def test_a_failure_has_message_type_and_trace() -> None:
    failure = failure_of(caught(ValueError("no")))
    assert failure["details"] == "no"
    assert failure["type"] == "ValueError"
    assert failure["stack_trace"].startswith("Traceback (most recent call last):")
    assert "retryable" not in failure


def test_a_failure_without_a_message_is_its_type() -> None:
    assert failure_of(caught(ValueError()))["details"] == "ValueError"


@pytest.mark.parametrize(
    "error", [CardDeclined("no"), InvalidInput("x"), ExceptionGroup("several", [NonRetryable("a")])]
)
def test_final_errors_are_not_retried(error: Exception) -> None:
    assert failure_of(caught(error))["retryable"] is False


def test_a_group_with_one_passing_failure_is_retried() -> None:
    group = ExceptionGroup("several", [NonRetryable("a"), OSError("b")])
    failure = failure_of(caught(group))
    assert "retryable" not in failure
    assert failure["details"] == "several (2 sub-exceptions): NonRetryable: a; OSError: b"


def test_our_own_frames_are_left_out() -> None:
    with pytest.raises(InvalidInput) as error:
        square.signature.decode_call(["x"])
    assert "skerry/signatures.py" not in failure_of(error.value)["stack_trace"]


def test_frames_of_causes_are_left_out_too() -> None:
    try:
        try:
            Signature("t", lambda x: x, takes_context=False).decode_call([])
        except InvalidInput as error:
            raise ValueError("outer") from error
    except ValueError as outer:
        trace = failure_of(outer)["stack_trace"]
    assert "skerry/signatures.py" not in trace
    assert "argument 'x' is missing" in trace


def test_a_failed_child_is_told_in_one_line_and_in_full() -> None:
    child = TaskRunError("no", run_id="trn-1", task="pay", type="CardDeclined", stack_trace="Traceback …\n")
    assert failure_of(caught(child))["details"] == "pay (trn-1) failed: CardDeclined: no"
    assert str(child) == "pay (trn-1) failed: CardDeclined: no\n\nRemote stack trace:\nTraceback …"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"status": "failed", "message": "no"}, TaskRunError),
        ({"status": "canceled", "message": None}, RunCanceled),
        ({"status": "failed", "message": "x", "reason": "timeout"}, TaskTimeout),
        ({"status": "failed", "message": "ran longer than its timeout of 60 s", "type": "TimeoutError"}, TaskTimeout),
        ({"status": "failed", "message": "own", "type": "TimeoutError"}, TaskRunError),
    ],
)
def test_how_a_run_ended_decides_the_error(fields: dict[str, str], kind: type[TaskRunError]) -> None:
    assert type(error_for_run(run_id="trn-1", task="t", **fields)) is kind
