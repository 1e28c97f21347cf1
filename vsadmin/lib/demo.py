"""Whether this is `./run.sh demo`, and the folder that is thrown away with it."""

import os
from pathlib import Path

from django.conf import settings


def folder() -> Path | None:
    """What the demo may touch; None in every normal start.

    A demo names its throw-away data folder, which is in that folder, once more. No other value does anything.
    """
    data = Path(settings.VSADMIN_DATA_DIR)
    return data.parent if os.environ.get("VSADMIN_DEMO") == str(data) else None
