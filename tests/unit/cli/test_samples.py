import shlex

from rich.console import Console

from skerry.cli import greetings, samples
from tests.unit.cli.samples import a_task

URL = "http://127.0.0.1:8120"


def test_required_parameters_get_values_of_their_type() -> None:
    types = ["int", "str", "list[int]", "dict[str, int]", "bool", "float", "Order", "list[str]"]
    parameters = [{"name": f"p{index}", "type": kind, "hasDefault": False} for index, kind in enumerate(types)]
    parameters.append({"name": "last", "type": "int", "hasDefault": True, "defaultValue": "1"})
    assert samples.arguments_for(a_task(parameters=parameters)) == [2, "text", [1, 2, 3], {}, True, 1.5, "text", []]


def test_example_commands_survive_a_shell() -> None:
    task = a_task(parameters=[{"name": "numbers", "type": "list[int]", "hasDefault": False}])
    assert shlex.split(samples.start_command(task, URL)) == ["skerry", "tasks", "start", "hello", "[1, 2, 3]"]
    assert shlex.split(samples.start_command(task, "http://127.0.0.1:9000"))[-2:] == ["--url", "http://127.0.0.1:9000"]
    words = shlex.split(samples.curl_command(task, URL))
    assert words[:2] == ["curl", f"{URL}/v1/task-runs?wait=10"]
    assert words[-1] == '{"task": "shop/hello", "input": [[1, 2, 3]]}'


def test_the_opening_page_shows_how_to_start_the_easiest_task() -> None:
    easy, hard = a_task("easy", parameters=[]), a_task("hard")
    console = Console(width=200)
    with console.capture() as captured:
        console.print(greetings.greeting([easy, a_task("last", parameters=[]), hard], URL, watching=False))
    page = captured.get()
    assert "skerry tasks start last\n" in page
    assert "Watching your files" not in page
    assert f"{URL}/openapi.json" in page
