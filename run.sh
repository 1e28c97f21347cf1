#!/bin/sh
# Sets vsadmin up and runs it. Needs nothing but Python 3.11 or newer.
set -eu

usage() {
    cat <<'TEXT'
Usage: ./run.sh              sets up what is missing, then runs the panel and its background tasks
       ./run.sh test [...]   lint, types, checks and all tests; what follows goes to pytest
       ./run.sh manage ...   runs a management command; "./run.sh manage help" lists them
       ./run.sh service      prints a systemd unit for this folder, and how to install it
       ./run.sh demo         a panel with made-up servers and mods to look around in; leaves nothing behind
TEXT
}

say() { printf '%s\n' "$@"; }
fail() {
    say "$@" >&2
    exit 1
}

# The folder this file really lies in, also when called through a link or by a bare name.
find_home() {
    file=$0
    [ -e "$file" ] || file=$(command -v -- "$file")
    while [ -L "$file" ]; do
        target=$(readlink -- "$file")
        case $target in
            /*) file=$target ;;
            *) file=$(dirname -- "$file")/$target ;;
        esac
    done
    home=$(CDPATH='' cd -- "$(dirname -- "$file")" && pwd -P)
    venv=$home/.venv
}

find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            return
        fi
    done
    found=$(python3 -c 'import platform; print("The one here is " + platform.python_version() + ".")' 2>/dev/null) ||
        found="There is none here."
    fail "vsadmin needs Python 3.11 or newer. $found" \
        "Install it, for instance: sudo apt install python3 python3-venv" \
        "(Debian 12, Ubuntu 24.04 or newer; for others see https://www.python.org/downloads/)," \
        "then start ./run.sh again."
}

# What root installs, nobody else can change any more.
need_own() {
    { [ ! -e "$venv" ] || [ -O "$venv" ]; } && return
    owner=$(stat -c %U -- "$venv")
    if [ "$owner" = root ]; then
        remedy="Make it yours: sudo chown -Rh $(id -un) '$venv'"
    else
        remedy="Type: sudo -u $owner '$home/run.sh' $arguments"
    fi
    fail "$venv belongs to $owner, and this is run by $(id -un), so nothing is installed there." "$remedy"
}

need_writable() {
    need_own
    [ -w "$home" ] && { [ ! -e "$venv" ] || [ -w "$venv" ]; } && return
    fail "$(id -un) may not write to $home, where vsadmin installs what it needs (in .venv)." \
        "Start ./run.sh as the folder's owner, or make the folder yours: sudo chown -R \"$(id -un)\" '$home'"
}

make_venv() {
    find_python
    need_writable
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
        fail "Python's venv module is missing." \
            "Install it: sudo apt install $(basename -- "$python")-venv" \
            "(on other systems it comes with Python), then start ./run.sh again."
    say "Setting up vsadmin in $venv ..."
    "$python" -m venv --clear "$venv" ||
        fail "$venv couldn't be made; the lines above say why." \
            "Is the disk full? (df -h '$home') Mend it, then start ./run.sh again."
}

# Prints what an installation of the list $1 is known by: the Python it is for and the list itself.
# Fails where .venv is missing, broken, half made, or of another Python.
stamp_of() {
    "$venv/bin/python" -c '
import hashlib, pathlib, sys
import pip
assert sys.version_info >= (3, 11)
print(*sys.version_info[:2], hashlib.sha256(pathlib.Path(sys.argv[1]).read_bytes()).hexdigest())
' "$home/$1" 2>/dev/null
}

# Installs the pinned list $1 and records it for the lists named after it, unless it is there already.
install() {
    list=$1
    stamp=$(stamp_of "$list") || {
        make_venv
        stamp=$(stamp_of "$list") ||
            fail "$venv is broken and couldn't be mended. Remove it (rm -r '$venv'), then start ./run.sh again."
    }
    if [ "$stamp" = "$(cat "$venv/.installed-$list" 2>/dev/null)" ]; then
        return
    fi
    need_writable
    say "Installing what vsadmin needs (only when it changes; a minute or two) ..."
    # The record goes first and comes back last: an interrupted installation is repeated.
    rm -f "$venv"/.installed-*
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes -r "$home/$list" &&
        # Python 3.11 brings an old one along, which nothing needs; pip, as old, was replaced by the list.
        "$venv/bin/python" -m pip uninstall -qq --disable-pip-version-check --no-input --yes setuptools ||
        fail "Installing $list failed; the lines above say why." \
            "Most often there is no connection to the internet, or the disk is full (df -h '$home')." \
            "Mend it, then start ./run.sh again: nothing is lost."
    for list in "$@"; do
        stamp_of "$list" >"$venv/.installed-$list"
    done
}

manage() {
    install requirements.txt
    # The database, the secret key and what they hold are nobody else's.
    umask 077
    exec "$venv/bin/python" "$home/manage.py" "$@"
}

# It makes its own environment and folder; neither settings nor data of a panel that runs from here are touched.
run_demo() {
    install requirements.txt
    cd "$home"
    umask 077
    exec "$venv/bin/python" -m demo "$@"
}

step() {
    title=$1
    shift
    say "" "== $title"
    code=0
    "$venv/bin/python" "$@" || code=$?
    if [ "$code" -ne 0 ]; then
        say "" "$title: failed" >&2
        exit "$code"
    fi
}

run_tests() {
    install requirements-dev.txt requirements.txt
    cd "$home"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # Neither the settings nor the data of a panel that runs from this folder.
    VSADMIN_IGNORE_DOTENV=1
    VSADMIN_DATA_DIR=$scratch
    export VSADMIN_IGNORE_DOTENV VSADMIN_DATA_DIR
    step "Lint" -m ruff check .
    step "Format" -m ruff format --check .
    step "Types" -m mypy .
    step "System checks" manage.py check
    step "Migrations" manage.py makemigrations --check --dry-run
    step "Tests" -m pytest -n auto --dist loadgroup "$@"
}

find_home
arguments=$*
command=${1:-up}
[ $# -eq 0 ] || shift
case $command in
    up)
        [ $# -eq 0 ] || { usage >&2; exit 2; }
        cd "$home"
        manage up
        ;;
    test) run_tests "$@" ;;
    manage) manage "$@" ;;
    service) manage service "$@" ;;
    demo) run_demo "$@" ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
