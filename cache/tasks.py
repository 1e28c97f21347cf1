"""The background jobs of this app: thin wrappers around the services."""

from django.db import DatabaseError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cache import eviction, verify
from vsadmin.lib import files, locks, sizes
from vsadmin.lib.jobs.runner import JobFailed, Outcome, Progress, job

ENFORCE = "cache_enforce_limit"
VERIFY = "cache_verify"


@job(ENFORCE, gettext_lazy("Keep the download cache within its limit"))
def cache_enforce_limit(progress: Progress) -> Outcome:
    """Evict the least recently used files if the cache is over its limit."""
    try:
        done = eviction.enforce_limit()
    except locks.Busy:
        raise JobFailed(_("Others kept changing the cache for two minutes; the next run tries again.")) from None
    fields = {
        "files": done.files,
        "bytes_freed": done.bytes_freed,
        "bytes_left": done.bytes_left,
        "failed_files": done.failed,
    }
    if done.failed:
        raise JobFailed(
            ngettext(
                "%d file couldn't be removed; the log names it. Make it removable for the user running vsadmin.",
                "%d files couldn't be removed; the log names them. Make them removable for the user running vsadmin.",
                done.failed,
            )
            % done.failed,
            **fields,
        )
    if not done.files:
        return Outcome(_("within its limit, nothing to do"), fields)
    message = ngettext("%(count)d file removed, %(size)s freed", "%(count)d files removed, %(size)s freed", done.files)
    return Outcome(message % {"count": done.files, "size": sizes.in_words(done.bytes_freed)}, fields)


@job(VERIFY, gettext_lazy("Verify the download cache"))
def cache_verify(progress: Progress, rehash: bool = True, repair: bool = True) -> Outcome:
    """Compare the cache's rows with its files (by default every byte), and mend what differs."""
    try:
        found = verify.verify(rehash=rehash, repair=repair, report=progress.report, stop=progress.stop)
    except locks.Busy:
        raise JobFailed(_("Others kept changing the cache for two minutes; try again.")) from None
    except OSError as error:
        raise JobFailed(files.in_words(error)) from error
    except DatabaseError as error:
        raise JobFailed(_("The database can't be read or written: %s") % error) from error
    fields = {"entries": found.entries, "problems": found.problems, "left": found.left, "stopped": found.stopped}
    return Outcome(verify.in_words(found), fields)
