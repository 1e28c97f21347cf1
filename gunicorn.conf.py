"""The web server's settings. gunicorn reads this file by itself when it is started in this folder."""

import os

worker_class = "gthread"
workers = 2
threads = 4
# Loaded once and then forked: a quicker start, less memory, and one plain message where it can't be loaded.
preload_app = True
# In seconds. The supervisor waits for 8 before it kills.
graceful_timeout = 6
timeout = 120
keepalive = 5
# Its workers' signs of life are files; on a disk they could wait for the disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # gunicorn makes safe names there
loglevel = "warning"
control_socket_disable = True


def post_worker_init(worker: object) -> None:
    """In each web process, once it is forked: somebody has to notice when the background worker is silent."""
    from vsadmin import watch

    watch.start()
