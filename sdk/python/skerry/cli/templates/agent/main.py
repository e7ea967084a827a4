"""An agent: a loop that asks a model what to do next, runs the tools it picks, and stops when it has an answer.

The model here is a small stand-in, so that the project runs without any account. Replace the body of `ask_model`
with a call to a real one; everything around it stays as it is.
"""

import asyncio
import random
from typing import Any, TypedDict

from skerry import NonRetryable, Retry, Workflows

app = Workflows()


class Step(TypedDict):
    """What the model wants: to use a tool, or to answer."""

    tool: str | None
    argument: str
    answer: str | None


@app.task(retry=Retry(max_retries=5, wait_duration_ms=500, backoff_scaling=2), timeout_seconds=60)
async def ask_model(question: str, notes: list[str]) -> Step:
    """Return the model's next step. Models are busy at times, so this is retried."""
    await asyncio.sleep(0.3)
    if random.random() < 0.25:
        raise ConnectionError("the model is busy")
    if len(notes) < 2:
        tool = ("look_up", "count_words")[len(notes)]
        return {"tool": tool, "argument": question, "answer": None}
    return {"tool": None, "argument": "", "answer": f"{question} Here is what I found: {'; '.join(notes)}."}


@app.task(timeout_seconds=60)
async def look_up(argument: str) -> str:
    """Pretend to search."""
    await asyncio.sleep(0.5)
    return f"{len(argument) * 7} pages mention it"


@app.task(timeout_seconds=60)
async def count_words(argument: str) -> str:
    """Count the words of a text."""
    return f"the question has {len(argument.split())} words"


TOOLS: dict[str, Any] = {"look_up": look_up, "count_words": count_words}


@app.task(timeout_seconds=600)
async def agent(question: str, max_steps: int = 8) -> str:
    """Answer a question, one step after another; every step and every tool is a run of its own."""
    notes: list[str] = []
    for number in range(1, max_steps + 1):
        step = await ask_model(question, notes)
        if step["answer"] is not None:
            return step["answer"]
        tool = TOOLS.get(step["tool"] or "")
        if tool is None:
            raise NonRetryable(f"the model asked for {step['tool']!r}, which is not one of its tools")
        print(f"step {number}: {step['tool']}")
        notes.append(await tool(step["argument"]))
    raise NonRetryable(f"no answer after {max_steps} steps")
