"""Every address of the panel."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from vsadmin import health

handler400 = "vsadmin.badrequest.page"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    # Asked for by browsers that haven't read yet which icon the page names.
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("vsadmin/icon.svg")), name="favicon"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/", admin.site.urls),
]
