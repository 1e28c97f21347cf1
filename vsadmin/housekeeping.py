"""What piles up in the database and is of no use any more: sessions that are over, counts of failed logins."""

from datetime import timedelta

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from vsadmin.lib.jobs.runner import Outcome, Progress, job

TIDY = "tidy_up"

#: In seconds.
EVERY = 86_400
#: Failed logins count for minutes (AXES_COOLOFF_TIME); older ones are kept a while for who wonders.
ATTEMPTS_KEPT = timedelta(days=30)


@job(TIDY, gettext_lazy("Tidying up"))
def tidy_up(progress: Progress) -> Outcome:
    """Remove sessions that are over and failed logins of long ago."""
    sessions = Session.objects.filter(expire_date__lt=timezone.now()).count()
    SessionStore.clear_expired()
    before = timezone.now() - max(ATTEMPTS_KEPT, settings.AXES_COOLOFF_TIME)
    attempts = AccessAttempt.objects.filter(attempt_time__lt=before).delete()[0]
    words = [
        ngettext("%d session that was over", "%d sessions that were over", sessions) % sessions,
        ngettext("%d failed login of long ago", "%d failed logins of long ago", attempts) % attempts,
    ]
    said = _("Removed: %s.") % ", ".join(words) if sessions or attempts else _("Nothing was to be tidied up.")
    return Outcome(said, {"sessions": sessions, "failed_logins": attempts})
