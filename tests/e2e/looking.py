"""What is wrong with the page that the browser shows: clipped at some width, too small to hit, hard to read, not safe.

All of it in one visit: the viewport is resized and the colour scheme switched without loading anew.
"""

import json
from collections.abc import Iterable, Mapping

from django.templatetags.static import static
from playwright.sync_api import Page

#: From a small phone to a large screen, on all sides of where the layout changes (560 and 900 px).
WIDTHS = (360, 768, 1280, 1920)
PHONE = 360

#: Looks that axe found readable, or told of, by scheme: for all pages that this process looks at.
_KNOWN: dict[str, set[str]] = {"light": set(), "dark": set()}


def faults(page: Page) -> list[str]:
    """Of the page as it is shown in the light scheme; afterwards it is light and 1280 px wide."""
    found = [f"not harmless: {what}" for what in page.evaluate(_HARM)] + clipped(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    _load_axe(page)
    rest = {"rules": {"color-contrast": {"enabled": False}}}
    found += [f"light: {what}" for what in _violations(page, rest) + _unreadable(page, "light")]
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {what}" for what in _unreadable(page, "dark")]
    page.emulate_media(color_scheme="light")
    return found


def clipped(page: Page, widths: Iterable[int] = WIDTHS) -> list[str]:
    """What can't be seen whole at some of the widths, and on a phone what is too small to hit."""
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"at {width}: {what}" for what in page.evaluate(_CLIPPED)]
        if width == PHONE:
            found += [f"on a phone: {what}" for what in page.evaluate(_SMALL_TARGETS)]
    return found


def serious(page: Page, *rules: str) -> list[str]:
    """Axe's serious and critical findings on the page as it is, of all rules or of these."""
    _load_axe(page)
    return _violations(page, {"runOnly": list(rules)} if rules else {})


def _unreadable(page: Page, scheme: str) -> list[str]:
    """Contrast is what costs most: axe measures one text of each look (colour, size, weight, all that is behind)."""
    looks: list[str] = page.evaluate(_MARK_NEW_LOOKS, list(_KNOWN[scheme]))
    _KNOWN[scheme].update(looks)
    return _violations(page, {"runOnly": ["color-contrast"]}, "[data-look]") if looks else []


def _load_axe(page: Page) -> None:
    """From the panel's own address: so the policy allows it, and the browser keeps it, compiled."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(url=static("axe/axe.min.js"))


def _violations(page: Page, options: Mapping[str, object], where: str = "html") -> list[str]:
    wanted = json.dumps({"preload": False, "resultTypes": ["violations"], **options})
    violations = page.evaluate(f"axe.run({json.dumps(where)}, {wanted}).then((result) => result.violations)")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:140]} {one['nodes'][0].get('failureSummary', '')[:160]}"
        for one in violations
        if one["impact"] in {"serious", "critical"}
    ]


#: What reaches beyond the screen, or must be scrolled sideways; strips of links and long changelogs may.
_CLIPPED = """() => {
  const found = [], wide = document.documentElement.scrollWidth;
  const may = ".chips, .tabs, .prose, .visually-hidden, details:not([open]), .calendarbox, .clockbox";
  if (wide > innerWidth) found.push(`the page is ${wide} px`);
  for (const box of document.querySelectorAll(".results"))
    if (box.scrollWidth > box.clientWidth + 1) found.push(`a table is ${box.scrollWidth} px in ${box.clientWidth}`);
  for (const element of document.querySelectorAll("main :is(a, button, input:not([type=hidden]), td, th)")) {
    if (element.closest(may) || !element.checkVisibility()) continue;
    if (getComputedStyle(element.closest("thead") || element).position === "absolute") continue;
    const place = element.getBoundingClientRect();
    const out = place.width > 1 && (place.right > innerWidth + 1 || place.left < -1);
    if (out) found.push(element.outerHTML.slice(0, 90));
  }
  return found.slice(0, 3);
}"""

#: Buttons, menus and navigation lower than 40 px. Links within text and headings are as high as their lines.
_SMALL_TARGETS = """() => {
  const targets = ":is(.places, .tabs, .chips, .menu-list) a, .btn, summary, input[type=submit]";
  return [...document.querySelectorAll(targets)]
    .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 39.5)
    .map((element) => `${element.outerHTML.slice(0, 80)} ${element.getBoundingClientRect().height}`);
}"""

#: Elements and attributes that only a text taken for HTML can have made, links that run something, templates rendered.
_HARM = """() => {
  const made = "evil-mark, [evil-attr], [onerror], [onfocus], [onload], [srcdoc], iframe, object, embed, base, " +
    "main style, img[src='x'], script:not([src^='/'], [type='application/json'])";
  const safe = ["http:", "https:", "mailto:", ""];
  const goes = (element) => element.protocol ?? new URL(element.getAttribute("action"), location.href).protocol;
  return [
    ...[...document.querySelectorAll(made)].map((element) => element.outerHTML),
    ...[...document.querySelectorAll("a[href], area[href], form[action]")]
      .filter((element) => !safe.includes(goes(element))).map((element) => element.outerHTML),
    ...(document.body.textContent.includes("evil-14") ? ["a template within a text was rendered"] : []),
  ].map((text) => text.slice(0, 200)).slice(0, 3);
}"""

#: Marks one element of each look not seen before with `data-look`; returns those looks. What axe takes as disabled or
#: hidden has the same look only where it is disabled or hidden too.
_MARK_NEW_LOOKS = """(known) => {
  const seen = new Set(known), found = [];
  for (const old of document.querySelectorAll("[data-look]")) old.removeAttribute("data-look");
  const grounds = new Map([[null, ""]]);
  const ground = (element) => {
    if (!element) return "";
    if (grounds.has(element)) return grounds.get(element);
    const style = getComputedStyle(element);
    const behind = `${style.backgroundColor} ${style.backgroundImage.slice(0, 80)} ${style.opacity}`;
    const own = behind === "rgba(0, 0, 0, 0) none 1" ? "" : `/${behind}`;
    const whole = ground(element.parentElement) + own + (style.position === "static" ? "" : ` ${style.position}`);
    grounds.set(element, whole);
    return whole;
  };
  for (const element of document.body.querySelectorAll("*")) {
    const field = element.matches("input:not([type=hidden]), select, textarea");
    if (!field && ![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const look = [style.color, style.fontSize, style.fontWeight, style.textShadow, element.matches(":disabled"), field,
      element.classList.contains("visually-hidden"), ground(element)].join("|");
    if (seen.has(look)) continue;
    seen.add(look);
    found.push(look);
    element.dataset.look = "";
  }
  return found;
}"""
