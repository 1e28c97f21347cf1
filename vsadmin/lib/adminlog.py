"""Lines of Django's admin log: who did what to which thing."""

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

__all__ = ["ADDITION", "CHANGE", "DELETION", "record"]


def record(user: Any, about: Model | type[Model], kind: int, text: str, *, name: str = "") -> None:
    """Write that `user` (a saved account) did `text` to `about`: a row, or a model where no row of it is meant.

    `kind`: ADDITION, CHANGE or DELETION. `name`: what people call the thing, where its own text isn't it.
    """
    row = about if isinstance(about, Model) else None
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(about),
        object_id=str(row.pk) if row is not None else None,
        object_repr=(name or str(row or ""))[:200],
        action_flag=kind,
        change_message=text,
    )
