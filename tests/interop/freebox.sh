#!/bin/sh
# Drives a simulated Freebox with two clients that were not written by us, pyfbx and freebox-cli.
#
# Usage: freebox.sh http://127.0.0.1:PORT https://localhost:PORT CA_FILE VPNCTL CONFIG
#
# The simulator must be fresh (its three tunnels untouched), announced by mDNS, and answer pairings as it does by
# default; CONFIG is the one that it wrote. Both clients
# come from PyPI into a folder that is removed afterwards; nothing is written outside of it.
set -eu

if [ $# -ne 5 ]; then
    echo "usage: $0 http://127.0.0.1:PORT https://localhost:PORT CA_FILE VPNCTL CONFIG" >&2
    exit 2
fi
base=$1 https=$2 ca=$3 vpnctl=$4 config=$5
base=${base%/}
host=${base#http://}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CONFIG_HOME="$work/config"
mkdir "$XDG_CONFIG_HOME"

# Two environments: what they depend on is not made to live together.
python3 -m venv "$work/pyfbx"
"$work/pyfbx/bin/pip" install --quiet pyfbx==0.0.8
python3 -m venv "$work/fbx"
"$work/fbx/bin/pip" install --quiet freebox-cli==0.8.0

"$work/pyfbx/bin/python" "$here/freebox_pyfbx.py" "$base" "$https" "$ca" v4 v16

fbx() {
    "$work/fbx/bin/fbx" --no-color --host "$host" "$@"
}
fault() {
    curl --silent --show-error --fail --request "$1" "$base/__simulate/faults/$2"
}
# has WHAT TEXT: the last output, in $out, must hold TEXT.
has() {
    case $out in
    *"$2"*) echo "ok   $1" ;;
    *)
        printf 'FAIL %s: no %s in:\n%s\n' "$1" "$2" "$out"
        exit 1
        ;;
    esac
}
# fails WHAT CODE COMMAND…: the command must fail with that exit code.
fails() {
    what=$1 code=$2
    shift 2
    got=0
    out=$("$@" 2>&1) || got=$?
    if [ "$got" -ne "$code" ]; then
        printf 'FAIL %s: exit %s, not %s:\n%s\n' "$what" "$got" "$code" "$out"
        exit 1
    fi
    echo "ok   $what"
}

echo "-- freebox-cli against $host"
fails "before pairing it says so" 3 fbx api GET vpn_client/status
out=$(fbx auth login 2>&1) || { printf 'FAIL auth login:\n%s\n' "$out" && exit 1; }
echo "ok   auth login pairs"
out=$(fbx --json auth status)
has "auth status finds the box" fbxgw9-r1
out=$(fbx api GET vpn_client/status)
has "status is enabled:false" '"enabled": false'
out=$(fbx api GET vpn_client/config/)
has "list has a tunnel" '"vpn2"'
fails "a write without the settings right is an error of the API" 1 fbx api PUT vpn_client/config/vpn2 --data '{"active":true}'
has "and names what is missing" insufficient_rights
fault PUT grant-settings
out=$(fbx api PUT vpn_client/config/vpn2 --data '{"active":true}')
has "activate answers the object" '"conf_wireguard"'
tries=0
until out=$(fbx api GET vpn_client/status) && case $out in *'"state": "up"'*) true ;; *) false ;; esac; do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || break
done
has "status comes to up" '"state": "up"'
has "status names the tunnel" '"active_vpn": "vpn2"'
out=$(fbx api GET vpn_client/log)
has "log tells of the activation" "vpn2 activation requested"
out=$(fbx api PUT vpn_client/config/vpn2 --data '{"active":false}')
has "deactivate answers the object" '"active": false'
fails "a bad id is an error of the API" 1 fbx api GET vpn_client/config/vpn99
has "with the code noent" noent
# Each run logs in anew, so it is its first call that dies; the client opens another session and repeats it.
fault PUT expire-sessions
out=$(fbx api GET vpn_client/apps/)
has "a dead session is renewed" fbxgrabberd
fault PUT web-ui-challenge
fails "an array for a challenge is an error of authentication" 2 fbx api GET vpn_client/status
fault DELETE web-ui-challenge
fault PUT invalid-token
fails "a revoked token is an error of authentication" 2 fbx api GET vpn_client/status
fault DELETE invalid-token
fault DELETE grant-settings

echo "-- vpnctl beside pyfbx"
export VPNCTL_STATE_DIR="$work/state"
"$work/pyfbx/bin/python" "$here/freebox_side_by_side.py" "$base" "$vpnctl" "$config"
fault DELETE grant-settings
echo "all of it passed"
