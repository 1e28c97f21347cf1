"""New files, fetched and staged in several threads, before anything of a server is changed."""

import os
import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO

from django.db import connection
from django.utils.translation import gettext as _

from cache import eviction
from cache.store import FetchError
from mods import downloads, keeping, placing
from mods.journal import Item
from mods.models import KeptCopy, Release
from mods.progress import Watch
from vsadmin.lib import files, locks
from vsadmin.lib.http import Client


@dataclass
class _Fetcher:
    """Fetches and stages new files in several threads."""

    items: Sequence[Item]
    watch: Watch
    client: Client
    releases: dict[int, Release]
    copies: dict[int, KeptCopy]
    waiting: "queue.SimpleQueue[Item]" = field(default_factory=queue.SimpleQueue)
    #: What a thread is about to fetch (False) or done with (True); None from each at its end.
    told: "queue.SimpleQueue[tuple[Item, bool] | None]" = field(default_factory=queue.SimpleQueue)

    def work(self) -> None:
        """One thread: fetch until nothing waits any more. The database connection is its own."""
        try:
            while not self.watch.halt.is_set():
                item = self.waiting.get_nowait()
                self.told.put((item, False))
                if not any(one.problem for one in self.items if one.step.group == item.step.group):
                    self._fetch(item)
                self.told.put((item, True))
        except queue.Empty:
            pass
        finally:
            connection.close()
            self.told.put(None)

    def _fetch(self, item: Item) -> None:
        assert item.change.new is not None
        try:
            looks = placing.looks_for(item.change.new.folder, item.change.old)
            with closing(self._open(item)) as file:
                size = os.fstat(file.fileno()).st_size
                eviction.give_way(item.change.staging.path, size)  # what isn't enough is said by `stage`
                placing.stage(file, item.change, looks, self.watch.halt)
        except FetchError as error:
            item.problem = "" if self.watch.halt.is_set() else error.text  # what was cut short didn't fail
        except OSError as error:
            item.problem = files.in_words(error)
        except placing.Refused as error:
            item.problem = str(error)
        except locks.Busy:
            item.problem = _("The download cache is busy for too long. Plan it again in a few minutes.")
        except placing.Stopped:
            pass  # nothing is placed any more, so it is skipped

    def _open(self, item: Item) -> BinaryIO:
        new = item.planned.new
        assert new is not None
        if new.release is not None and new.release in self.releases:
            return downloads.fetch_release(self.releases[new.release], client=self.client, stop=self.watch.halt)
        if new.kept is not None and new.kept in self.copies:
            return keeping.open(self.copies[new.kept])
        raise FetchError(_("What it was to be taken from is no longer known. Plan it again."), "source")


def fetch_all(items: Sequence[Item], watch: Watch) -> None:
    """Fetch and stage every new file; what goes wrong with one is its item's problem. Raises DatabaseError."""
    wanted = [item for item in items if item.planned.new is not None and not item.problem]
    if not wanted:
        return
    new = [item.planned.new for item in wanted if item.planned.new is not None]
    releases = Release.objects.select_related("mod").in_bulk([one.release for one in new if one.release is not None])
    copies = KeptCopy.objects.in_bulk([one.kept for one in new if one.kept is not None])
    with downloads.client(watch.halt) as client:
        fetcher = _Fetcher(items, watch, client, releases, copies)
        for item in wanted:
            fetcher.waiting.put(item)
        count = min(downloads.CONNECTIONS, len(wanted))
        with ThreadPoolExecutor(count) as pool:
            threads = [pool.submit(fetcher.work) for _number in range(count)]
            try:
                _follow(fetcher, count, watch)
            except BaseException:
                watch.halt.set()
                raise
        for thread in threads:
            thread.result()


def _follow(fetcher: _Fetcher, threads: int, watch: Watch) -> None:
    """Tell how far the threads are, until they are through."""
    doing = ""
    while threads:
        if watch.stop.is_set():
            watch.halt.set()
        try:
            told = fetcher.told.get(timeout=0.1)
        except queue.Empty:
            watch.tell(doing)
            continue
        if told is None:
            threads -= 1
            continue
        item, done = told
        doing = _("Fetching %(mod)s %(version)s") % {"mod": item.planned.name, "version": item.planned.to_version}
        watch.tell(doing, more=int(done))
