"""What may be the matter with an installed mod: the tabs' counts, the lists behind them and the figures agree."""

from typing import Any

import pytest
from django.test import Client

from mods import figures
from mods.models import STATES, InstalledMod, Lookup, NewerWhy
from mods.tests.rows import install, make_mod, make_server

pytestmark = pytest.mark.django_db

LIST = "/admin/mods/installedmod/"


def test_each_tab_counts_what_its_list_shows(admin_client: Client) -> None:
    server = make_server()
    make_mod("failing")
    Lookup.objects.filter(key="failing").update(error="It didn't answer.")
    make_mod("unknown")
    Lookup.objects.filter(key="unknown").update(state=Lookup.State.ABSENT)
    fields: dict[str, dict[str, Any]] = {
        "fine": {}, "outdated": {"outdated": True}, "back": {"back_to": "0.9.0"},
        "newer": {"newer": "2.0.0", "newer_why": NewerWhy.PRERELEASE},
        "incompatible": {"compatibility": "incompatible"}, "retracted": {"retracted": True}, "gone": {"gone": True},
        "problem": {"problems": ["Broken."]}, "disabled": {"enabled": False}, "off": {"disabled_by_config": True},
        "unknown": {}, "failing": {},
    }  # fmt: skip
    for modid, more in fields.items():
        install(server, modid, **more)
    install(server, "", "", file_name="nameless.zip")
    expected = {
        "attention": {"outdated", "incompatible", "retracted", "gone", "problem"},
        "disabled": {"disabled", "off"}, "absent": {"unknown"}, "failed": {"failing"},
    }  # fmt: skip
    changelist = admin_client.get(LIST).context["cl"]
    (spec,) = [one for one in changelist.filter_specs if one.parameter_name == "state"]
    counts = spec.get_facet_queryset(changelist)
    for number, state in enumerate(STATES):
        shown = {row.modid for row in admin_client.get(f"{LIST}?state={state}").context["cl"].result_list}
        assert shown == expected.get(state, {state}), state
        assert counts[f"{number}__c"] == len(shown), state
    figure = figures.of(InstalledMod.objects.all())
    assert (figure.mods, figure.attention, figure.to_go_back) == (13, 5, 1)
    assert [figure.outdated, figure.incompatible, figure.retracted, figure.gone, figure.problems] == [1] * 5
