"""A change's page: the plan before, the progress meanwhile, the result afterwards; and the list of all changes."""

import re
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mods.models import GameServer, Operation, Step
from mods.plans import OLDER, RETRACTED, Offer, Plan, PlannedStep, Unmet, to_json
from mods.tests.change_rows import make_change, make_kept, make_step, new, old, replace
from mods.tests.rows import make_mod, make_release, make_server

pytestmark = pytest.mark.django_db

LIST = "/admin/mods/operation/"


def page(client: Client, change: Operation) -> str:
    response = client.get(f"{LIST}{change.pk}/change/")
    assert response.status_code == 200
    return response.text


def words(html: str) -> str:
    """The page's text without its tags, white space drawn together."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


@pytest.fixture
def server() -> GameServer:
    return make_server()


# The plan.


def test_the_plan_says_all_of_each_step(admin_client: Client, server: GameServer) -> None:
    plan = Plan(
        steps=(
            replace("alpha", "1.0.0", "1.1.0", group=1, notes=("It is two days old.",)),
            PlannedStep(
                "install", 1, "Alpha 1.1.0 needs it.", None, new("lib", "2.0.0", at_hand=True),
                compatibility="not_verified",
            ),
            replace("beta", "2.0.0", "1.5.0", group=2, compatibility="incompatible"),
            PlannedStep("remove", 3, "You asked for it.", old("gamma", keep_because="Nobody else has it.")),
            PlannedStep("disable", 4, "You asked for it.", old("delta"), rename_to="delta.zip.disabled"),
        ),
        warnings=("The world isn't rolled back.",),
        left_alone=("Epsilon 1.0.0 is held.",),
    )  # fmt: skip
    text = words(page(admin_client, make_change(server, plan=plan)))
    for expected in (
        "1 new mod, 1 update, 1 back to an older version, 1 removed, 1 disabled.",
        "4 MiB to download, in 2 files.",
        "Nothing has been changed yet.",
        "All of these or none",
        "update Alpha 1.0.0 → to 1.1.0 2 MiB, to download compatible",
        "alpha · 1.1.0 is recommended for 1.21.5. It is two days old.",
        "install Lib 2.0.0 2 MiB, in the cache not verified",
        "roll back Beta 2.0.0 → to 1.5.0 2 MiB, to download incompatible",
        "remove Gamma 1.0.0",
        "its old file is kept",
        "disable Delta 1.0.0",
        "The world isn't rolled back.",
        "1 left alone Epsilon 1.0.0 is held.",
        "asked for by ann",
    ):
        assert expected in text


def test_only_steps_of_one_group_stand_in_one_frame(admin_client: Client, server: GameServer) -> None:
    plan = Plan(steps=(replace("alpha", group=1), replace("beta", group=2), replace("gamma", group=3)))
    assert "All of these or none" not in page(admin_client, make_change(server, plan=plan))


def test_what_changed_stands_newest_first_and_clean(admin_client: Client, server: GameServer) -> None:
    mod = make_mod("alpha")
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        make_release(mod, version, changelog=f"<p onclick='x()'>In {version}<script>alert(1)</script></p>")
    text = page(admin_client, make_change(server, plan=Plan(steps=(replace("alpha", "1.0.0", "1.2.0"),))))
    assert text.index("<p>In 1.2.0</p>") < text.index("<p>In 1.1.0</p>")
    assert "In 1.0.0" not in text
    assert "In 1.3.0" not in text
    assert "onclick" not in text
    assert "alert(1)" not in text


def test_unmet_needs_ask_for_a_tick(admin_client: Client, server: GameServer) -> None:
    plan = Plan(steps=(replace("alpha"),), unmet=(Unmet("missing", "lib", "Alpha needs lib, which is nowhere."),))
    change = make_change(server, plan=plan)
    text = page(admin_client, change)
    assert "Alpha needs lib, which is nowhere." in text
    assert 'name="go_on" value="yes" required' in text
    refused = admin_client.post(f"{LIST}{change.pk}/confirm/", follow=True)
    assert "Tick “Go on anyway”" in refused.text
    change.refresh_from_db()
    assert change.state == "planned"
    assert change.planned_at
    admin_client.post(f"{LIST}{change.pk}/confirm/", {"go_on": "yes", "planned": change.planned_at.isoformat()})
    change.refresh_from_db()
    assert change.state == "queued"


def test_a_yes_is_for_the_plan_that_was_read(admin_client: Client, server: GameServer) -> None:
    """Somebody else ticked an older version meanwhile: it isn't carried out by whoever never saw it."""
    change = make_change(server, plan=Plan(steps=(replace("alpha"),)))
    seen = re.search(r'name="planned" value="([^"]+)"', page(admin_client, change))
    assert seen
    Operation.objects.update(planned_at=timezone.now(), plan=to_json(Plan(steps=(replace("beta"),))))
    stale = admin_client.post(f"{LIST}{change.pk}/confirm/", {"planned": seen[1]}, follow=True)
    assert "It was planned again in the meantime." in stale.text
    change.refresh_from_db()
    assert change.state == "planned"
    seen = re.search(r'name="planned" value="([^"]+)"', stale.text)
    assert seen
    admin_client.post(f"{LIST}{change.pk}/confirm/", {"planned": seen[1]})
    change.refresh_from_db()
    assert change.state == "queued"


def test_what_needs_a_tick_is_apart_and_unticked(admin_client: Client, server: GameServer) -> None:
    offers = (
        Offer(OLDER, "one", "One", "0.6.0", "0.5.1", "0.6.0 was retracted: keep it until 0.7."),
        Offer(RETRACTED, "two", "Two", "", "1.0.0", "1.0.0 was retracted: it eats chests."),
    )
    change = make_change(server, plan=Plan(steps=(replace("alpha"),), offers=offers))
    html = page(admin_client, change)
    assert "Back to an older version, only if you tick it One 0.6.0 → to 0.5.1 0.6.0 was retracted: keep" in words(html)
    assert "Retracted releases, only if you tick them Two 1.0.0 1.0.0 was retracted: it eats chests." in words(html)
    assert html.count('type="checkbox" name="agreed"') == 2
    assert " checked" not in html.partition("Back to an older")[2].partition("What will be done")[0]
    assert "1 update." in words(html)
    nothing = admin_client.post(f"{LIST}{change.pk}/agree/", follow=True)
    assert "Nothing was ticked" in nothing.text
    admin_client.post(f"{LIST}{change.pk}/agree/", {"agreed": ["one@0.5.1", "x@1"]})
    change.refresh_from_db()
    assert (change.state, change.wish["agreed"]) == ("planning", ["one@0.5.1"])


def test_a_plan_of_ticks_alone_can_be_put_away(admin_client: Client, server: GameServer) -> None:
    offers = (Offer(OLDER, "one", "One", "0.6.0", "0.5.1", "0.6.0 was retracted."),)
    text = page(admin_client, make_change(server, plan=Plan(offers=offers)))
    assert "Plan again with what is ticked" in text
    assert "Put it away" in text
    assert "Nothing can be done of it" not in text
    assert "Do it" not in text


def test_an_obstacle_shows_its_command_and_no_button(admin_client: Client, server: GameServer) -> None:
    change = make_change(
        server, plan=Plan(steps=(replace("alpha"),), obstacles=("It can't be written. Let it in:\nsetfacl x",))
    )
    text = page(admin_client, change)
    assert "<code>setfacl x</code>" in text
    assert "Do it" not in text
    assert "Plan it again" in text
    failed = make_change(
        server, state="failed", plan=Plan(obstacles=("Its disk is full.",)), message="Its disk is full."
    )
    assert page(admin_client, failed).count("Its disk is full.") == 1


def test_a_plan_without_steps(admin_client: Client, server: GameServer) -> None:
    unmet = (Unmet("missing", "arrivalquiz", "arrivalquiz is nowhere."), Unmet("missing", "x", "It is nowhere."))
    text = page(admin_client, make_change(server, plan=Plan(unmet=unmet)))
    assert text.count("arrivalquiz") == 1
    assert "<code>x</code>" in text
    assert "Nothing can be done of it" in text
    assert "Do it" not in text
    done = page(admin_client, make_change(server, state="done", plan=Plan(left_alone=("Alpha is up to date.",))))
    assert "Nothing to do." in done
    assert "Alpha is up to date." in done
    message = "Nothing to do. Alpha is up to date."
    told = make_change(server, state="done", plan=Plan(left_alone=("Alpha is up to date.",)), message=message)
    assert page(admin_client, told).count("Alpha is up to date.") == 1
    unknown = Plan(left_alone=("Alpha stays.",), warnings=("The game version isn't known.",))
    told = make_change(server, state="done", plan=unknown, message="Nothing to do. The game version isn't known.")
    assert page(admin_client, told).replace("&#x27;", "'").count("The game version isn't known.") == 1
    told = make_change(server, state="done", plan=Plan(), message="Nothing to do. All is up to date.")
    assert page(admin_client, told).count("Nothing to do.") == 1


def test_a_plan_of_another_vsadmin_is_no_error(admin_client: Client, server: GameServer) -> None:
    change = make_change(server)
    Operation.objects.update(plan={"steps": [{"unknown": 1}]})
    assert "Another version of vsadmin made this plan." in page(admin_client, change)
    answer = admin_client.post(f"{LIST}{change.pk}/confirm/", follow=True)
    assert "Another version of vsadmin made this plan." in answer.text
    Operation.objects.update(wish={"no": "wish"})
    page(admin_client, change)
    assert admin_client.post(f"{LIST}{change.pk}/confirm/").status_code == 403


def test_names_stay_text(admin_client: Client, server: GameServer) -> None:
    step = replace("<img src=x>", why="<b>why</b>", notes=("<i>note</i>",))
    change = make_change(server, plan=Plan(steps=(step,)), title="<u>title</u>")
    for text in (page(admin_client, change), admin_client.get(LIST).text):
        for tag in ("<img src=x>", "<b>why</b>", "<i>note</i>", "<u>title</u>"):
            assert tag not in text


# Meanwhile.


@pytest.mark.parametrize("state", ["planning", "queued", "running"])
def test_progress_is_asked_for_every_second(admin_client: Client, server: GameServer, state: str) -> None:
    plan = Plan(steps=(replace("alpha"),))
    change = make_change(server, state=state, plan=plan, done=3, total=12, doing="fetching lib 2.0.0")
    text = page(admin_client, change)
    assert f'hx-get="{LIST}{change.pk}/box/?state={state}" hx-trigger="every 1s"' in text
    assert '<progress value="3" max="12"' in text
    assert "fetching lib 2.0.0" in text
    assert "Reload the page" in text
    box = admin_client.get(f"{LIST}{change.pk}/box/?state={state}")
    assert "HX-Trigger-After-Settle" not in box
    moved_on = admin_client.get(f"{LIST}{change.pk}/box/?state=planned")
    assert moved_on["HX-Trigger-After-Settle"] == "run-finished"


def test_the_box_stops_asking(admin_client: Client, server: GameServer) -> None:
    done = admin_client.get(f"{LIST}{make_change(server, state='done').pk}/box/?state=running")
    assert "every 1s" not in done.text
    assert done["HX-Trigger-After-Settle"] == "run-finished"
    assert admin_client.get(f"{LIST}999/box/").status_code == 286


def test_cancelling_says_when_it_stops(admin_client: Client, server: GameServer) -> None:
    running = make_change(server, state="running", plan=Plan(steps=(replace("alpha"),)))
    assert "Stop after this step" in page(admin_client, running)
    assert "It stops after its current step." in admin_client.post(f"{LIST}{running.pk}/cancel/", follow=True).text
    assert "Stopping after the current step" in page(admin_client, running)
    waiting = make_change(server, state="queued")
    text = admin_client.post(f"{LIST}{waiting.pk}/cancel/", follow=True).text.partition("<main")[2]
    assert "It was cancelled before anything was changed." in text
    assert text.lower().count("cancelled") == 2, "the tag and the sentence"
    again = admin_client.post(f"{LIST}{waiting.pk}/cancel/", follow=True)
    assert "It is over already" in again.text


# Afterwards.


def test_the_result_says_how_each_step_went(admin_client: Client, server: GameServer) -> None:
    change = make_change(server, state="failed", message="1 of 2 done.", started_at=timezone.now())
    make_step(change, replace("alpha"), 0)
    make_step(change, replace("beta", group=1), 1, state=Step.State.FAILED, message="The disk is full.", done_at=None)
    make_kept(server, operation=change)
    text = words(page(admin_client, change))
    for expected in (
        "1 of 2 done.",
        "compatible done",
        "compatible failed The disk is full.",
        "was kept",
        "Plan it again",
    ):
        assert expected in text
    assert "to download" not in text, "that was before"


def test_a_change_that_is_done_can_be_rolled_back_once(admin_client: Client, server: GameServer) -> None:
    change = make_change(server, state="done", plan=Plan(steps=(replace("alpha"),)))
    assert f"{LIST}{change.pk}/undo/" in page(admin_client, change)
    response = admin_client.post(f"{LIST}{change.pk}/undo/")
    undo = Operation.objects.get(kind="undo")
    assert response["Location"] == f"{LIST}{undo.pk}/change/"
    text = page(admin_client, change)
    assert f"{LIST}{change.pk}/undo/" not in text
    assert "It is being rolled back by" in text
    assert "This rolls back" in page(admin_client, undo)
    Operation.objects.filter(pk=undo.pk).update(state="cancelled")
    assert f"{LIST}{change.pk}/undo/" in page(admin_client, change)


def test_what_was_done_in_part_can_be_rolled_back(admin_client: Client, server: GameServer) -> None:
    change = make_change(server, state="failed")
    make_step(change, replace("alpha"), 0)
    make_step(change, replace("beta"), 1, state=Step.State.FAILED, done_at=None)
    assert f"{LIST}{change.pk}/undo/" in page(admin_client, change)
    Step.objects.filter(state="done").update(state="skipped")
    assert f"{LIST}{change.pk}/undo/" not in page(admin_client, change)


def test_what_changed_nothing_can_t_be_rolled_back(admin_client: Client, server: GameServer) -> None:
    change = make_change(server, state="cancelled")
    response = admin_client.post(f"{LIST}{change.pk}/undo/", follow=True)
    assert "It changed nothing" in response.text
    assert Operation.objects.count() == 1


def test_planning_it_again_asks_for_the_same(admin_client: Client, server: GameServer) -> None:
    change = make_change(server, state="failed")
    admin_client.post(f"{LIST}{change.pk}/again/")
    newer = Operation.objects.exclude(pk=change.pk).get()
    change.refresh_from_db()
    assert newer.wish == change.wish
    assert newer.state == "planning"
    assert newer.asked_by_name == "admin"


@pytest.mark.parametrize("address", ["999/change/", "x/change/", "999/confirm/", "999/undo/"])
def test_a_change_that_isn_t_there(admin_client: Client, address: str) -> None:
    response = admin_client.post(LIST + address) if "change" not in address else admin_client.get(LIST + address)
    assert response.status_code in {302, 404}


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_queries_of_a_plan_don_t_follow_its_length(admin_client: Client, server: GameServer) -> None:
    for number in range(30):
        make_release(make_mod(f"m{number}"), "1.1.0", changelog="New")
    short = make_change(server, plan=Plan(steps=tuple(replace(f"m{n}", group=n) for n in range(3))))
    long = make_change(server, plan=Plan(steps=tuple(replace(f"m{n}", group=n) for n in range(30))))
    page(admin_client, short)
    counts = [queries(admin_client, f"{LIST}{change.pk}/change/") for change in (short, long)]
    assert counts[0] == counts[1] <= 14


# The list.


def titles(client: Client, query: str = "") -> list[str]:
    response = client.get(LIST + query)
    assert response.status_code == 200
    return [change.title for change in response.context["cl"].result_list]


def test_the_list_by_server_state_and_kind(admin_client: Client, server: GameServer) -> None:
    other = make_server("Testing")
    make_change(server, title="one")
    make_change(other, "install", "done", title="two", asked_by_name="bo")
    make_change(other, "remove", "failed", title="three", message="No space.")
    assert titles(admin_client) == ["three", "two", "one"]
    assert titles(admin_client, f"?server={server.pk}") == ["one"]
    assert titles(admin_client, "?state=waiting") == ["one"]
    assert titles(admin_client, "?state=done") == ["two"]
    assert titles(admin_client, "?state=nonsense") == ["three", "two", "one"]
    assert titles(admin_client, "?kind=remove") == ["three"]
    assert titles(admin_client, "?q=bo") == ["two"]
    text = admin_client.get(LIST).text
    for expected in ("No space.", "Waiting for you <span>1</span>", "Testing", "planned"):
        assert expected in text


def test_the_list_finds_by_mod(admin_client: Client, server: GameServer) -> None:
    make_change(server, state="done", title="one", plan=Plan(steps=(replace("alpha"), replace("alphabet"))))
    make_change(server, state="done", title="two", plan=Plan(steps=(replace("beta"),)))
    assert titles(admin_client, "?q=alpha") == ["one"]


def test_queries_of_the_list_don_t_follow_its_length(admin_client: Client, server: GameServer) -> None:
    def fill(count: int) -> None:
        for number in range(count):
            some: Any = make_server(f"S{GameServer.objects.count()}") if number % 5 == 0 else server
            make_change(some, state="done", plan=Plan(steps=(replace("alpha"),)))

    fill(5)
    queries(admin_client, LIST)
    few = queries(admin_client, LIST)
    fill(30)
    assert queries(admin_client, LIST) == few <= 10
