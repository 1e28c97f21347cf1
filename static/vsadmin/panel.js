// Small comforts; every page works without this file.
"use strict";
(() => {
  // Times in the reader's own zone: tooltips, and times of day.
  // The page's language decides how they are written, as on the server: "21:04", "3 Nov, 21:04".
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang || undefined;
  const minutes = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const written = (parts) => new Intl.DateTimeFormat(language, parts);
  const full = written({ day: "numeric", month: "short", year: "numeric", second: "2-digit", timeZoneName: "short", ...minutes });
  const clock = written(minutes);
  const dayAndClock = written({ day: "numeric", month: "short", ...minutes });
  const weekday = written({ weekday: "short", ...minutes });
  const DAY = 86400000;

  function localTimes(root) {
    root.querySelectorAll("time[datetime]").forEach((element) => {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) return;
      element.title = full.format(moment);
      if (!element.dataset.clock) return;
      const today = moment.toDateString() === new Date().toDateString();
      const age = Date.now() - moment.getTime();
      const lately = element.dataset.clock === "weekday" && age > 0 && age < 6 * DAY;
      element.textContent = (today ? clock : lately ? weekday : dayAndClock).format(moment);
    });
  }

  // A button beside each command that copies it.
  function copyButtons(root) {
    root.querySelectorAll(".command:not([data-copy])").forEach((block) => {
      block.dataset.copy = "yes";
      if (!navigator.clipboard) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "btn small";
      button.textContent = document.body.dataset.copy;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
        button.textContent = document.body.dataset.copied;
      });
      block.append(button);
    });
  }

  // What acts on ticked rows is off while none is ticked.
  function offWhileNoneIsTicked() {
    document.querySelectorAll("button[data-needs]").forEach((button) => {
      button.disabled = !button.form.querySelector(`input[name="${button.dataset.needs}"]:checked`);
    });
  }
  // After the list's own script: it ticks others without an event of theirs. A page that is gone back to keeps its ticks.
  ["change", "click"].forEach((name) => document.addEventListener(name, offWhileNoneIsTicked));
  window.addEventListener("pageshow", offWhileNoneIsTicked);

  function prepare(root) {
    localTimes(root);
    copyButtons(root);
    offWhileNoneIsTicked();
  }

  // Where a strip of links is wider than the screen, begin at the current one.
  function showCurrent() {
    document.querySelectorAll(".places, .tabs, .chips").forEach((strip) => {
      const current = strip.querySelector("[aria-current]");
      if (current && strip.scrollWidth > strip.clientWidth) {
        strip.scrollLeft = current.offsetLeft - strip.offsetLeft - (strip.clientWidth - current.offsetWidth) / 2;
      }
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    prepare(document);
    showCurrent();
  });
  document.addEventListener("htmx:afterSettle", () => prepare(document));

  // Menus close on Escape and on a click elsewhere; a finished run's box can be put away.
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    const dismiss = event.target.closest("[data-dismiss]");
    if (dismiss) {
      event.preventDefault();
      document.getElementById(dismiss.dataset.dismiss)?.remove();
      const address = new URL(location.href);
      address.searchParams.delete("run");
      history.replaceState(history.state, "", address);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
})();
