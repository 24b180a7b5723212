#!/bin/sh
# Drives the simulated IXON cloud with the vendor's own Python client.
#
#     tests/interop/ixon.sh https://localhost:PORT/api TOKEN_FILE [CA_FILE [VPNCTL CONFIG]]
#
# With VPNCTL and CONFIG, vpnctl connects beside it, and what it does must be seen in the cloud.
#
# Needs python3 and a package index; leaves nothing behind.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: $0 CLOUD_URL TOKEN_FILE [CA_FILE [VPNCTL CONFIG]]" >&2
    exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM

export VPNCTL_STATE_DIR="$folder/state"
python3 -m venv "$folder/venv"
# Its pinned dependencies serve other modules; the client needs requests only, in whatever version.
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install --no-deps ixoncdkingress==0.0.21
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install requests 2>"$folder/pip.log" || {
    cat "$folder/pip.log" >&2
    exit 1
}
"$folder/venv/bin/python" "$here/ixon_cdkingress.py" "$@"
