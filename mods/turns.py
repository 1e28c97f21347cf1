"""Whose turn it is: the locks around planning and changes, and the tasks that wait for the worker."""

from django_q.tasks import async_task

from vsadmin.lib.jobs.runner import queued_tasks

__all__ = ["changing", "plan_later", "plan_task", "planning", "queued_tasks", "run_later", "run_task"]

#: Lock files are never removed, so plans share this many. Two with one lock wait for each other: rare, harmless.
_PLANNING_LOCKS = 256


def changing(server_id: int) -> str:
    """The lock that whoever carries out or mends a change of this server holds from beginning to end.

    Where it is free, no process works on a change of the server, whatever the rows say.
    """
    return f"change-{server_id}"


def planning(operation_id: int) -> str:
    """The lock that whoever makes this operation's plan holds."""
    return f"planning-{operation_id % _PLANNING_LOCKS}"


def plan_later(operation_id: int) -> None:
    """Let the worker make the plan."""
    async_task("mods.tasks.plan_operation", operation_id, q_options={"task_name": plan_task(operation_id)})


def run_later(operation_id: int) -> None:
    """Let the worker carry it out."""
    async_task("mods.tasks.run_operation", operation_id, q_options={"task_name": run_task(operation_id)})


def plan_task(operation_id: int) -> str:
    return f"plan-change-{operation_id}"


def run_task(operation_id: int) -> str:
    return f"change-{operation_id}"
