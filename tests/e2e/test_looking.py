"""What looks at every page sees each kind of fault: else a clean page would mean nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.e2e.looking import faults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: What is put into a page, its attributes and style, and how the fault is told.
FAULTS: tuple[tuple[str, dict[str, str], dict[str, str], str], ...] = (
    ("evil-mark", {}, {}, "not harmless: <evil-mark"),
    ("img", {"src": "/static/vsadmin/icon.svg", "alt": "", "onerror": ""}, {}, "not harmless: <img"),
    ("a", {"href": "javascript:void 0"}, {}, "not harmless: <a"),
    ("form", {"action": "javascript:void 0"}, {}, "not harmless: <form"),
    ("p", {}, {"width": "1500px"}, "at 1280: the page is"),
    ("p", {}, {"width": "2500px"}, "at 1920: the page is"),
    ("button", {}, {"position": "fixed", "left": "-20px"}, "at 360: <button"),
    ("a", {"class": "btn", "href": "/"}, {"minHeight": "0", "height": "20px"}, "on a phone: <a"),
    ("input", {}, {}, "light: label: <input"),
    ("p", {}, {"color": "#bcbdbe"}, "light: color-contrast: <p"),
    ("p", {}, {"color": "#31302f"}, "dark: color-contrast: <p"),
)
_ADD = """([name, attributes, style]) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  Object.assign(element.style, style);
  if (!["img", "input"].includes(name)) element.append("Words");
  document.querySelector("main").append(element);
}"""


def test_each_kind_of_fault_is_seen(visit: Callable[[str], Page], complaints: list[str]) -> None:
    page = visit("/admin/password_change/")
    assert not faults(page)
    for name, attributes, style, told in FAULTS:
        page = visit("/admin/password_change/")
        page.evaluate(_ADD, [name, attributes, style])
        assert any(one.startswith(told) for one in faults(page)), told
        complaints.clear()  # of the policy, about what was put in
