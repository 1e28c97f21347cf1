"""A backup's database into ours: rows, never anybody's schema.

The tables are made by our own migrations, up to those that the backup had; its rows go into them, and then they are
brought up to date. So what a stranger's file has besides rows (triggers, views, indexes on expressions, SQL in a dump)
is never run. It is refused all the same: a backup of ours has none.
"""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, Error, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Field, JSONField, Model
from django.utils.translation import gettext as _

from vsadmin import dbcopy
from vsadmin.backup_archive import BackupError, growth_limit

#: django-q2's tables aren't in a backup: a task is code that runs.
QUEUE = "django_q"
_MIGRATIONS = "django_migrations"
_MAX_MIGRATIONS = 10_000
#: What `pg_restore --list` may name: tables, and what Django makes for them.
_DUMPED = {
    *("TABLE", "TABLE DATA", "SEQUENCE", "SEQUENCE OWNED BY", "SEQUENCE SET", "DEFAULT"),
    *("CONSTRAINT", "FK CONSTRAINT", "INDEX"),
    *("ACL", "DEFAULT ACL", "SCHEMA", "COMMENT"),  # of the schema around them
}
#: Number, numbers in the catalogue, kind, schema, name (of a constraint: the table's and its own), owner.
_ENTRY = re.compile(r"\d+; \d+ \d+ ([A-Z ]+) \S+ (\S+) (\S+)")
_COPY = re.compile(rb'COPY (?:\w+\.)?(\w+) \(([\w", ]+)\) FROM stdin;\n')
_END = b"\\.\n"

_DESCRIBING = (
    'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(%s, %s)',
    'SELECT "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(%s, %s)',
    'SELECT name, "unique", origin, partial FROM pragma_index_list(%s, %s)',
)

#: Letters of one value: much more than a plan has, and little enough to be read as JSON.
_MAX_VALUE = 16 * 1024 * 1024

Applied = set[tuple[str, str]]


def tables() -> list[str]:
    """The tables that a backup holds: all of ours, without the queue's. Raises `django.db.Error`."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return sorted({_MIGRATIONS, *(name for name in names if not name.startswith(QUEUE))})


def _migrate_to(applied: Applied) -> None:
    """Make the tables as they were with these migrations and no other. Raises BackupError."""
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    if applied - set(graph.nodes):
        raise BackupError(_("It was made by a newer vsadmin (%s). Upgrade first.") % _("its database is newer"))
    last = [one for one in applied if not any(child.key in applied for child in _later(graph.node_map[one]))]
    executor.migrate(sorted(last))
    if set(MigrationExecutor(connection).loader.applied_migrations) != applied:
        raise _differs(_MIGRATIONS)


def _later(node: Any) -> Iterator[Any]:
    return (child for child in node.children if child.key[0] == node.key[0])


def _differs(what: str) -> BackupError:
    return BackupError(_("It isn't a backup of vsadmin: its database isn't as vsadmin makes it (%r).") % what[:200])


#: Beyond it, rows to come might find no key any more: the largest one ends a table.
_LAST_KEY = 2**53


def check_values() -> None:
    """Read every row as pages do, so that no page meets what can't be read. Raises BackupError."""
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label == QUEUE or model._meta.proxy:
            continue  # the queue's are new and empty, and reading one would unpickle it
        if not _can_be_read(model):
            raise _differs(model._meta.db_table)


def _can_be_read(model: type[Model]) -> bool:
    """What was raised ends here, and with it a cursor that it held open, which would outlive the database."""
    fields = [field for field in model._meta.concrete_fields if field.flatchoices or isinstance(field, JSONField)]
    try:
        for row in model._base_manager.iterator(chunk_size=200):
            if isinstance(row.pk, int) and row.pk > _LAST_KEY:
                return False
            for field in fields:
                _check_value(field, getattr(row, field.attname))
    except (Error, ValueError, TypeError, ArithmeticError, RecursionError):
        return False
    return True


def _check_value(field: "Field[Any, Any]", value: object) -> None:
    """Raise ValueError for a word that is none of the field's, or for a list where a mapping should be."""
    if isinstance(field, JSONField):
        fits = field.default not in (dict, list) or isinstance(value, field.default)
    else:
        fits = value in dict(field.flatchoices) or (field.blank and value == "")
    if not fits:
        raise ValueError(field)


def _bring_up_to_date() -> None:
    ContentType.objects.clear_cache()  # it knows them by the keys they had in the database before
    call_command("migrate", interactive=False, verbosity=0)


# --- SQLite


def prepare_sqlite(given: Path, made: Path, settle: Callable[[], None]) -> None:
    """Make a database at `made` of the rows of the one at `given`, ready to take our own's place.

    `settle` is called on it. Raises BackupError, `django.db.Error`, `sqlite3.Error`.
    """
    try:
        applied = _applied_sqlite(given)
        with _instead(made):
            _migrate_to(applied)
            with connection.cursor() as cursor:
                cursor.execute("ATTACH %s AS given", [_uri(given)])
                _compare(cursor)
                _check_integrity(given)
                _take_rows(cursor)
                cursor.execute("DETACH given")
            _bring_up_to_date()
            with transaction.atomic():
                settle()
    except UnicodeDecodeError as error:  # SQLite's own message quotes the damaged bytes
        raise BackupError(_("The backup's database is damaged: %s") % error) from error
    finally:
        ContentType.objects.clear_cache()


@contextlib.contextmanager
def _instead(path: Path) -> Iterator[None]:
    """Inside, in this thread, `connection` is one to the SQLite database at `path`, which nobody else knows."""
    ours = connections[DEFAULT_DB_ALIAS]
    options = {**ours.settings_dict["OPTIONS"], "init_command": "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"}
    other = type(ours)({**ours.settings_dict, "NAME": str(path), "OPTIONS": options}, DEFAULT_DB_ALIAS)
    connections[DEFAULT_DB_ALIAS] = other
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = ours
        other.close()


def _applied_sqlite(given: Path) -> Applied:
    """The migrations that it names, once it is sure that asking it runs nothing. Raises BackupError."""
    with contextlib.closing(sqlite3.connect(_uri(given), uri=True)) as database:
        for kind, name, sql in database.execute("SELECT type, name, sql FROM sqlite_master"):
            if kind not in {"table", "index"} or str(sql or "").upper().startswith("CREATE VIRTUAL"):
                raise _differs(str(name))
        found = database.execute(f"SELECT app, name FROM {_MIGRATIONS} LIMIT {_MAX_MIGRATIONS}")  # noqa: S608  # constants
        return {(str(app), str(name)) for app, name in found if app != QUEUE}


def _uri(path: Path) -> str:
    return f"{path.as_uri()}?immutable=1"


def _compare(cursor: Any) -> None:
    ours, theirs = _described(cursor, "main"), _described(cursor, "given")
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise _differs(name or str(sorted({*ours[""]} ^ {*theirs[""]})[0]))


def _check_integrity(given: Path) -> None:
    """In a connection of its own, which knows none of Django's functions, so that the file's checks call none."""
    with contextlib.closing(sqlite3.connect(_uri(given), uri=True)) as database:
        database.execute("PRAGMA trusted_schema = OFF")
        found = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupError(_("The backup's database is damaged: %s") % found)


def _take_rows(cursor: Any) -> None:
    cursor.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite#_%%' ESCAPE '#'")
    quoted = {name: connection.ops.quote_name(name) for (name,) in cursor.fetchall() if name != _MIGRATIONS}
    connection.disable_constraint_checking()  # rows may point at later ones; all are checked at the end
    with transaction.atomic():
        for table in quoted.values():
            cursor.execute(f"DELETE FROM main.{table}")  # what migrations put in  # noqa: S608  # our own names
        for name, table in quoted.items():
            _take_table(cursor, name, table)
    connection.enable_constraint_checking()
    connection.check_constraints()


def _take_table(cursor: Any, name: str, table: str) -> None:
    cursor.execute("SELECT name, type FROM pragma_table_xinfo(%s, 'main')", [name])
    columns = {connection.ops.quote_name(column): kind for column, kind in cursor.fetchall()}
    names = ", ".join(columns)
    other = " OR ".join(
        f"typeof({column}) NOT IN {_stored_as(kind)} OR length({column}) > {_MAX_VALUE}"
        for column, kind in columns.items()
    )
    cursor.execute(f"SELECT 1 FROM given.{table} WHERE {other} LIMIT 1")  # noqa: S608  # our own names
    if cursor.fetchone():
        raise _differs(name)
    cursor.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM given.{table}")  # noqa: S608  # likewise


def _stored_as(kind: str) -> str:
    """SQLite takes any value in any column; Django reads these from one of that type."""
    kind = kind.lower()
    if "int" in kind or "bool" in kind:
        return "('integer', 'null')"
    if "real" in kind or "decimal" in kind:
        return "('integer', 'real', 'null')"
    return "('blob', 'null')" if "blob" in kind else "('text', 'null')"


def _described(cursor: Any, schema: str) -> dict[str, list[Any]]:
    """What there is, by table: its columns, its indexes, what it points at. Under "": all names."""
    cursor.execute(f"SELECT type, name, tbl_name FROM {schema}.sqlite_master")  # noqa: S608  # one of two constants
    rows = [tuple(map(str, row)) for row in cursor.fetchall()]  # somebody's file may have anything there
    names = sorted(row for row in rows if not row[1].startswith("sqlite_"))
    found: dict[str, list[Any]] = {"": names}
    for table in [name for kind, name, _table in names if kind == "table"]:
        columns, foreign, indexes = (_rows(cursor, query, table, schema) for query in _DESCRIBING)
        found[table] = [columns, foreign, sorted(_index(cursor, schema, row) for row in indexes)]
    return found


def _rows(cursor: Any, query: str, name: str, schema: str) -> list[tuple[Any, ...]]:
    cursor.execute(query, [name, schema])
    return sorted(cursor.fetchall(), key=repr)


def _index(cursor: Any, schema: str, row: tuple[Any, ...]) -> str:
    """Its kind, its columns in their order and, of a partial one, its condition."""
    name, *kind = row
    cursor.execute('SELECT seqno, name, "desc", coll FROM pragma_index_xinfo(%s, %s)', [name, schema])
    columns = sorted(cursor.fetchall(), key=repr)
    cursor.execute(f"SELECT sql FROM {schema}.sqlite_master WHERE name = %s", [name])  # noqa: S608  # a constant
    (sql,) = cursor.fetchone() or ("",)
    condition = str(sql or "").upper().partition(" WHERE ")[2]
    return repr((kind, columns, condition))


# --- PostgreSQL


def replace_postgresql(dump: Path, settle: Callable[[], None]) -> None:
    """Put the rows of a dump in the place of all that our tables hold, in one transaction.

    `settle` is called before it is committed. Raises BackupError, `django.db.Error`, OSError.
    """
    most = growth_limit(dump.stat().st_size)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _drop_tables(cursor)
            # A table with rows that are still to be checked can't be altered: they are checked at once, all along.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            _migrate_to(_applied_postgresql(dump, most))
            held = tables()
            _check_entries(cursor, dump, held)
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")  # rows may point at later ones
            for name in held:
                if name != _MIGRATIONS:
                    cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")  # noqa: S608  # our own names
            with dbcopy.script_of(dump, most) as lines:
                _load(cursor, lines, set(held))
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            _count_on(cursor, held)
            _bring_up_to_date()
            settle()
    except dbcopy.Failed as error:
        raise BackupError(_("It couldn't be restored: %s") % error) from error
    finally:
        ContentType.objects.clear_cache()


def _drop_tables(cursor: Any) -> None:
    there = set(connection.introspection.table_names(cursor))
    ours = {_MIGRATIONS, *connection.introspection.django_table_names(only_existing=True)}
    if names := sorted(there & ours):
        cursor.execute(f"DROP TABLE {', '.join(map(connection.ops.quote_name, names))}")


def _applied_postgresql(dump: Path, most: int) -> Applied:
    found: Applied = set()
    with dbcopy.script_of(dump, most, table=_MIGRATIONS) as lines:
        for name, columns, rows in _blocks(lines):
            if name != _MIGRATIONS or not {"app", "name"} <= set(columns):
                raise _differs(name)
            for row in rows:
                values = dict(zip(columns, row.decode(errors="replace").rstrip("\n").split("\t"), strict=False))
                if values["app"] != QUEUE:
                    found.add((values["app"], values.get("name", "")))
                if len(found) > _MAX_MIGRATIONS:
                    raise _differs(name)
    return found


def _check_entries(cursor: Any, dump: Path, held: Iterable[str]) -> None:
    """Refuse a dump that holds more than our tables and what belongs to them."""
    names = set(held)
    for table in held:
        names |= set(connection.introspection.get_constraints(cursor, table))
    for line in dbcopy.entries_of(dump):
        match = _ENTRY.match(line)
        if match is None or match[1] not in _DUMPED:
            raise _differs(line)
        kind, first, second = match.groups()
        if kind in {"TABLE", "TABLE DATA", "INDEX", "CONSTRAINT", "FK CONSTRAINT"} and first not in names:
            raise _differs(first)
        if kind in {"CONSTRAINT", "FK CONSTRAINT"} and second not in names:
            raise _differs(second)


def _load(cursor: Any, lines: Iterator[bytes], held: set[str]) -> None:
    loaded = set()
    for name, given, rows in _blocks(lines):
        if name == _MIGRATIONS:
            for _row in rows:
                pass  # ours are as they must be
            continue
        columns = (
            [column.name for column in connection.introspection.get_table_description(cursor, name)]
            if name in held
            else []
        )
        if sorted(given) != sorted(columns) or name in loaded:
            raise _differs(name)
        loaded.add(name)
        names = ", ".join(map(connection.ops.quote_name, given))
        with cursor.copy(f"COPY {connection.ops.quote_name(name)} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write(row)


def _count_on(cursor: Any, held: Iterable[str]) -> None:
    """New rows get keys after those that were loaded."""
    for name in held:
        for sequence in connection.introspection.get_sequences(cursor, name):
            table, column = (connection.ops.quote_name(sequence[part]) for part in ("table", "column"))
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence(%s, %s), COALESCE(MAX({column}), 1), MAX({column}) IS NOT NULL) "  # noqa: S608  # our own names
                f"FROM {table}",
                [table, sequence["column"]],
            )


def _blocks(lines: Iterator[bytes]) -> Iterator[tuple[str, list[str], Iterator[bytes]]]:
    """Of each table its name, its columns and its rows as they stand in the script; read the rows to their end.

    Whatever else the script says is left unread.
    """
    for line in lines:
        if match := _COPY.fullmatch(line):
            columns = [column.strip().strip('"') for column in match[2].decode().split(",")]
            yield match[1].decode(), columns, _rows_of(lines)


def _rows_of(lines: Iterator[bytes]) -> Iterator[bytes]:
    begins = True
    for line in lines:
        if begins and line == _END:
            return
        begins = line.endswith(b"\n")
        yield line
