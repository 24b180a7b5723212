"""Drives a simulated Freebox with pyfbx, a client that was not written by us.

Usage: freebox_pyfbx.py http://127.0.0.1:PORT v4 v16
"""

import sys
import time
import urllib.request

from pyfbx import Fbx
from pyfbx.client import RequestError, ResponseError

BASE = sys.argv[1].rstrip("/")


def fault(method, written):
    request = urllib.request.Request(f"{BASE}/__simulate/faults/{written}", method=method)
    urllib.request.urlopen(request).close()


def check(what, holds, seen=None):
    print(("ok   " if holds else "FAIL ") + what + ("" if holds else f": {seen!r}"))
    if not holds:
        sys.exit(1)


def wait(what, look, wanted):
    end = time.monotonic() + 15
    seen = look()
    while not wanted(seen) and time.monotonic() < end:
        time.sleep(0.05)
        seen = look()
    check(what, wanted(seen), seen)
    return seen


def refused(what, kind, call, holds):
    try:
        seen = call()
    except kind as error:
        check(what, holds(error), str(error))
    else:
        check(what, False, seen)


def drive(version):
    url = f"{BASE}/api/{version}"
    app = f"org.vpnctl.interop.{version}"
    print(f"-- pyfbx against {url}")

    fbx = Fbx(url, nomdns=True)
    token = fbx.register(app, "vpnctl interop", "test machine")
    check("register gives a token of 64 characters", bool(token) and len(token) == 64, token)
    rights = fbx.mksession()
    check("mksession gives 14 rights, settings not among those granted",
          len(rights) == 14 and rights["settings"] is False and rights["downloader"] is True, rights)
    vpn = fbx.Vpn_Client
    refused("a write without the settings right is refused with 403", RequestError,
            lambda: vpn.Update_the_VPN_client_configuration({"active": True}, "vpn0"), lambda e: "403" in str(e))

    # A right is seen by the next session only, and pyfbx opens none while its session is alive.
    fault("PUT", "grant-settings")
    fbx = Fbx(url, nomdns=True)
    rights = fbx.mksession(app, token)
    check("the next session has the settings right", rights["settings"] is True, rights)
    vpn = fbx.Vpn_Client

    configs = vpn.Get_VPN_Client_configuration_list()
    check("list has the three tunnels", [c["id"] for c in configs][:3] == ["vpn0", "vpn1", "vpn2"], configs)
    one = vpn.Get_a_VPN_client_config("vpn0")
    check("get gives the first of them", one["description"] == configs[0]["description"], one)

    changed = vpn.Update_the_VPN_client_configuration({"active": True}, "vpn0")
    check("activate answers the full object", changed["active"] is True and "conf_pptp" in changed, changed)
    status = wait("status comes to up", vpn.Get_the_VPN_client_status,
                  lambda s: s.get("state") == "up" and s.get("active_vpn") == "vpn0")
    check("status has stats, ipv4 and times", status["ipv4"]["ip_mask"]["ip"].count(".") == 3
          and status["stats"]["bytes_down"] > 0 and status["last_up"] >= status["last_try"] > 0, status)
    active = [c["id"] for c in vpn.Get_VPN_Client_configuration_list() if c["active"]]
    check("activating deactivated the others", active == ["vpn0"], active)
    log = vpn.Get_the_VPN_client_logs()
    check("log tells of the activation", "vpn0 activation requested" in log and "vpn0 connected" in log, log)
    vpn.Update_the_VPN_client_configuration({"active": False}, "vpn0")
    status = wait("deactivate comes to not enabled", vpn.Get_the_VPN_client_status, lambda s: not s["enabled"])
    check("status is then enabled:false alone", status == {"enabled": False}, status)

    added = vpn.Add_a_VPN_client_configuration({
        "type": "pptp", "description": "interop", "active": False,
        "conf_pptp": {"mppe": "require", "username": "fbxtest", "password": "", "remote_host": "test.example.org",
                      "allowed_auth": {"mschapv2": True}}})
    check("add gives an id and five methods", len(added["conf_pptp"]["allowed_auth"]) == 5, added)
    check("delete answers nothing", vpn.Delete_a_VPN_client_Configuration(added["id"]) is None)
    refused("a bad id is noent", ResponseError, lambda: vpn.Get_a_VPN_client_config("vpn99"),
            lambda e: e.error_code == "noent")

    fault("PUT", "expire-sessions")
    refused("a dead session is refused with 403", RequestError, vpn.Get_the_VPN_client_status,
            lambda e: "403" in str(e))
    check("mksession opens another", fbx.mksession() is not None)
    check("and the list is there again", len(vpn.Get_VPN_Client_configuration_list()) == len(configs))


def main():
    for version in sys.argv[2:]:
        drive(version)
        fault("DELETE", "grant-settings")


main()
