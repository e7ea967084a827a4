from skerry.cli import changes
from tests.unit.cli.samples import a_task


def test_added_removed_and_changed_tasks_are_told() -> None:
    before = [a_task("kept"), a_task("gone"), a_task("altered")]
    after = [a_task("kept"), a_task("altered", timeoutSeconds=5), a_task("fresh")]
    found = changes.compare(before, after)
    assert found == changes.Changes(added=("fresh",), removed=("gone",), changed=("altered",))
    assert changes.line_for(found).plain == "Reloaded  + fresh  - gone  ~ altered"


def test_new_ids_alone_are_no_change() -> None:
    found = changes.compare([a_task()], [a_task(id="tsk-9", workflowVersionId="wfv-9")])
    assert found == changes.Changes()
    assert "as before" in changes.line_for(found).plain
