"""Stands in for a language model, so that the example runs anywhere and the same way every time.

It writes one kind of web app, a page that shares a bill. Like a real model it gets details wrong at first, and it
repairs what a build's output shows it: nothing here knows which attempt or round it is in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Files = dict[str, str]
"""A project: file name to text."""

WEB_APP = '''\
"""A web app that shares a bill."""

from html import escape
from urllib.parse import parse_qs

TITLE = {title!r}


def shares(cents, people):
    """Share a bill: one amount per person, in cents."""
    return [cents // people] * people


def application(environ, start_response):
    """WSGI: `/?cents=1000&people=3&occasion=lunch` shows who pays what."""
    query = {{key: values[0] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()}}
    amounts = shares(int(query.get("cents", 9000)), int(query.get("people", 4)))
    occasion = query.get("occasion", "dinner")
    items = "".join(f"<li>{{amount / 100:.2f}}</li>" for amount in amounts)
    title = escape(TITLE)
    page = f"<!doctype html><title>{{title}}</title><h1>{{title}}</h1><p>{{occasion}}</p><ol>{{items}}</ol>"
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [page.encode()]
'''

TESTS = """\
import unittest
from wsgiref.util import setup_testing_defaults

import webapp


def page(query):
    environ = {"QUERY_STRING": query}
    setup_testing_defaults(environ)
    return b"".join(webapp.application(environ, lambda status, headers: None)).decode()


class WebAppTest(unittest.TestCase):
    def test_every_share_is_on_the_page(self):
        self.assertEqual(page("cents=1000&people=4").count("<li>2.50</li>"), 4)

    def test_nobody_can_put_markup_on_the_page(self):
        self.assertNotIn("<script>", page("occasion=%3Cscript%3E"))

    def test_shares_add_up_to_the_bill(self):
        self.assertEqual(sum(webapp.shares(1000, 3)), 1000)
"""

CURRENCY_TEST = """\

    def test_the_bill_can_be_paid_in_dollars(self):
        self.assertIn("$", page("cents=1000&people=4&currency=usd"))
"""


@dataclass(frozen=True)
class Repair:
    """What to change when a build shows a certain symptom."""

    symptom: str
    lesson: str
    wrong: str
    right: str


REPAIRS = (
    Repair(
        symptom=r"AssertionError: '<script>' unexpectedly found",
        lesson="escape whatever a visitor can type",
        wrong="<p>{occasion}</p>",
        right="<p>{escape(occasion)}</p>",
    ),
    Repair(
        symptom=r"AssertionError: \d+ != \d+",
        lesson="the cents left over by a division belong to somebody",
        wrong="    return [cents // people] * people\n",
        right="    share, rest = divmod(cents, people)\n    return [share + 1] * rest + [share] * (people - rest)\n",
    ),
)


def outline(prompt: str) -> tuple[str, list[str]]:
    """Read a prompt: the app's title and the features asked for."""
    title = prompt.strip().rstrip(".").capitalize()
    wanted = {"shares": True, "currencies": re.search(r"currenc|dollar", prompt, re.IGNORECASE) is not None}
    return title, [feature for feature, is_wanted in wanted.items() if is_wanted]


def first_draft(title: str, features: list[str]) -> Files:
    """Write the app and the tests that say what it must do."""
    tests = TESTS + (CURRENCY_TEST if "currencies" in features else "")
    return {"webapp.py": WEB_APP.format(title=title), "test_webapp.py": tests}


def lesson_from(output: str) -> str:
    """What a failed build's output teaches."""
    repair = _repair_for(output)
    return repair.lesson if repair else "nothing this model has seen before"


def repaired(files: Files, output: str) -> Files:
    """The project with the defect that the output shows put right, or unchanged if that is beyond this model."""
    repair = _repair_for(output)
    if repair is None:
        return files
    return {**files, "webapp.py": files["webapp.py"].replace(repair.wrong, repair.right, 1)}


def _repair_for(output: str) -> Repair | None:
    return next((repair for repair in REPAIRS if re.search(repair.symptom, output)), None)
