"""Every address of the panel."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from vsadmin import health

handler400 = "vsadmin.badrequest.page"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/", admin.site.urls),
]
