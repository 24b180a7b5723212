"""Drives vpnctl and pyfbx against one simulated Freebox: what the one does the other must see.

Usage: freebox_side_by_side.py http://127.0.0.1:PORT VPNCTL CONFIG
"""

import json
import subprocess
import sys
import time
import urllib.request

from pyfbx import Fbx
from pyfbx.client import ResponseError

BASE, VPNCTL, CONFIG = sys.argv[1].rstrip("/"), sys.argv[2], sys.argv[3]
NAME = "side by side"


def check(what, holds, seen=None):
    print(("ok   " if holds else "FAIL ") + what + ("" if holds else f": {seen!r}"))
    if not holds:
        sys.exit(1)


def run(*words, stdin=""):
    command = [VPNCTL, "--config", CONFIG, "--no-input", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def vpnctl(*words, stdin=""):
    """Gives the items of a command that must succeed."""
    done = run("-b", "freebox", "-o", "json", *words, stdin=stdin)
    check("vpnctl " + " ".join(words), done.returncode == 0, done.stderr)
    return json.loads(done.stdout)["items"]


def names():
    return [item["target"]["name"] for item in vpnctl("list")]


def paired():
    urllib.request.urlopen(urllib.request.Request(f"{BASE}/__simulate/faults/grant-settings", method="PUT")).close()
    fbx = Fbx(f"{BASE}/api/v16", nomdns=True)
    fbx.register("org.vpnctl.interop.beside", "vpnctl interop", "test machine")
    fbx.mksession()
    return fbx.Vpn_Client


def wait(what, look, wanted):
    end = time.monotonic() + 15
    seen = look()
    while not wanted(seen) and time.monotonic() < end:
        time.sleep(0.05)
        seen = look()
    check(what, wanted(seen), seen)


def main():
    vpn = paired()
    added = vpn.Add_a_VPN_client_configuration({
        "type": "pptp", "description": NAME, "active": False,
        "conf_pptp": {"remote_host": "test.example.org", "username": "u", "password": "only-written"}})
    check("a tunnel that pyfbx adds is listed by vpnctl", NAME in names())

    vpnctl("connect", NAME, "--switch")
    status = vpn.Get_the_VPN_client_status()
    check("a connect of vpnctl is seen by pyfbx",
          (status.get("state"), status.get("active_vpn")) == ("up", added["id"]), status)
    item = vpnctl("status")[0]
    check("both see one address", item["ip_address"] == status["ipv4"]["ip_mask"]["ip"], item)

    vpn.Update_the_VPN_client_configuration({"active": False}, added["id"])
    wait("a deactivation by pyfbx is seen by vpnctl", lambda: vpnctl("status")[0]["state"],
         lambda state: state == "disconnected")

    vpnctl("connect", NAME)
    vpnctl("disconnect")
    status = vpn.Get_the_VPN_client_status()
    check("a disconnect of vpnctl is seen by pyfbx", status == {"enabled": False}, status)

    # What vpnctl can't do yet is not judged here.
    if run("-b", "freebox", "tunnel", "list").returncode == 0:
        by_tunnel(vpn, added["id"])
    else:
        print("--   vpnctl tunnel is not there: not held against pyfbx")
        vpn.Delete_a_VPN_client_Configuration(added["id"])
    check("a tunnel that is deleted is listed no more", NAME not in names())


def by_tunnel(vpn, known):
    shown = run("-b", "freebox", "-o", "json", "tunnel", "show", NAME)
    check("vpnctl tunnel show shows what pyfbx added, without its password",
          shown.returncode == 0 and "test.example.org" in shown.stdout and "only-written" not in shown.stdout,
          shown.stdout + shown.stderr)
    before = {one["id"] for one in vpn.Get_VPN_Client_configuration_list()}
    vpnctl("tunnel", "add", "--type", "pptp", "--name", "by vpnctl", "--host", "test.example.org",
           "--username", "u", "--password-stdin", stdin="only-written\n")
    new = [one for one in vpn.Get_VPN_Client_configuration_list() if one["id"] not in before]
    check("a tunnel that vpnctl adds is seen by pyfbx",
          len(new) == 1 and new[0]["description"] == "by vpnctl" and new[0]["type"] == "pptp"
          and new[0]["conf_pptp"]["remote_host"] == "test.example.org", new)
    vpnctl("tunnel", "rm", "by vpnctl", "--yes")
    vpnctl("tunnel", "rm", NAME, "--yes")
    try:
        check("a tunnel that vpnctl removes is gone", False, vpn.Get_a_VPN_client_config(known))
    except ResponseError as error:
        check("a tunnel that vpnctl removes is gone", error.error_code == "noent", str(error))


main()
