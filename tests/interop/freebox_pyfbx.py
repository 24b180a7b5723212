"""Drives a simulated Freebox with pyfbx, a client that was not written by us.

Usage: freebox_pyfbx.py http://127.0.0.1:PORT https://localhost:PORT CA_FILE v4 v16
"""

import os
import ssl
import sys
import time
import urllib.error
import urllib.request

from pyfbx import Fbx
from pyfbx.client import RequestError, ResponseError
from zeroconf import ServiceBrowser, Zeroconf

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


# Each kind of VPN, its sub-object, and those of its fields that may never be read back.
KINDS = [
    ("pptp", {"mppe": "require", "username": "fbxtest", "password": "only-written", "remote_host": "test.example.org",
              "allowed_auth": {"mschapv2": True}}, ["password"]),
    ("openvpn", {"username": "fbxtest", "password": "only-written",
                 "config_file": "client\nremote test.example.org 1194\n# only-written\n"}, ["password", "config_file"]),
    ("wireguard", {"remote_addr": "192.0.2.1", "remote_port": 51820, "mtu": 1420, "remote_preshared_key": "",
                   "remote_public_key": "QZnLR0TYPbPbhfVWeLVRf1zsPC0JXG/woVmsmEkgsw8=",
                   "local_priv_key": "TdbS1Y0RHZ6rRNSxlEUssD/pnRDfrHMFfJPLl5icvQg=",
                   "local_addr": [{"ip": "198.51.100.10", "len": 24}], "dns": ["198.51.100.53", "2001:db8:100::53"]},
     []),
]


def of_each_kind(vpn, kind, conf, secrets):
    key = f"conf_{kind}"
    added = vpn.Add_a_VPN_client_configuration({"type": kind, "description": "interop", "active": False, key: conf})
    name = added["id"]
    check(f"{kind}: add gives an id and the object", name.startswith("vpn") and added["type"] == kind, added)
    if kind == "pptp":
        check("pptp: five methods, and the password echoed as nothing",
              len(added[key]["allowed_auth"]) == 5 and added[key]["password"] == "", added)
    one = vpn.Get_a_VPN_client_config(name)
    kept = {field: value for field, value in conf.items() if field not in secrets + ["allowed_auth"]}
    check(f"{kind}: get gives what was added but what is only written",
          all(one[key][field] == value for field, value in kept.items())
          and not any(field in one[key] for field in secrets) and "only-written" not in str(one), one)
    changed = vpn.Update_the_VPN_client_configuration({"description": "renamed"}, name)
    check(f"{kind}: update changes the description alone", changed == {**one, "description": "renamed"}, changed)
    vpn.Update_the_VPN_client_configuration({"active": True}, name)
    status = wait(f"{kind}: activate comes to up", vpn.Get_the_VPN_client_status,
                  lambda s: s.get("state") == "up" and s.get("active_vpn") == name)
    check(f"{kind}: status tells type and description",
          (status["type"], status["active_vpn_description"], status["last_error"]) == (kind, "renamed", "none"), status)
    check(f"{kind}: log tells of it", f"{name} connected" in vpn.Get_the_VPN_client_logs())
    check(f"{kind}: delete answers nothing", vpn.Delete_a_VPN_client_Configuration(name) is None)
    wait(f"{kind}: and takes it down", vpn.Get_the_VPN_client_status, lambda s: s == {"enabled": False})
    refused(f"{kind}: its id is gone", ResponseError, lambda: vpn.Get_a_VPN_client_config(name),
            lambda e: e.error_code == "noent")


def by_failure():
    """A tunnel that can't come up: the reason and the countdown."""
    print("-- pyfbx sees a failure")
    fault("PUT", "tunnel-fails=auth_failed")
    fault("PUT", "grant-settings")
    fbx = Fbx(f"{BASE}/api/v16", nomdns=True)
    fbx.register("org.vpnctl.interop.failure", "vpnctl interop", "test machine")
    fbx.mksession()
    vpn = fbx.Vpn_Client
    vpn.Update_the_VPN_client_configuration({"active": True}, "vpn0")
    status = wait("a failed attempt is down with its reason", vpn.Get_the_VPN_client_status,
                  lambda s: s.get("state") == "down" and s.get("last_error") == "auth_failed")
    first = status["next_try"]
    wait("next_try counts down", vpn.Get_the_VPN_client_status, lambda s: 0 <= s["next_try"] < first)
    fault("DELETE", "tunnel-fails")
    vpn.Update_the_VPN_client_configuration({"active": False}, "vpn0")
    wait("deactivate ends it", vpn.Get_the_VPN_client_status, lambda s: s == {"enabled": False})


def by_https(base, ca_file):
    """The same API by HTTPS; Python tells what it makes of a leaf without authority key identifier."""
    print(f"-- pyfbx against {base}, {ssl.OPENSSL_VERSION}")
    refused("the bundle of pyfbx, the vendor's roots, does not vouch for a test root", RequestError,
            lambda: Fbx(f"{base}/api/v16", nomdns=True)._trn.api_exec("GET", "login/"),
            lambda e: "CERTIFICATE_VERIFY_FAILED" in str(e))
    os.environ["REQUESTS_CA_BUNDLE"] = ca_file
    fbx = Fbx(f"{base}/api/v16", nomdns=True)
    token = fbx.register("org.vpnctl.interop.https", "vpnctl interop", "test machine")
    check("with the test root it pairs", bool(token), token)
    fbx.mksession()
    check("and lists", len(fbx.Vpn_Client.Get_VPN_Client_configuration_list()) == 3)
    version = urllib.request.urlopen(f"{base}/api_version", context=context(ca_file, False)).read().decode()
    check("/api_version names the TLS port", f'"https_port":{base.rsplit(":", 1)[1]}' in version, version)
    refused("a strict verifier misses the authority key identifier", urllib.error.URLError,
            lambda: urllib.request.urlopen(f"{base}/api_version", context=context(ca_file, True)),
            lambda e: print(f"     ({e.reason})") or "Authority Key Identifier" in str(e))
    for kind, text in [("expired-foobar", "CERTIFICATE_VERIFY_FAILED"), ("wrong-name", "ostname mismatch"),
                       ("self-signed", "self-signed certificate")]:
        fault("PUT", f"tls={kind}")
        refused(f"tls={kind} is refused", urllib.error.URLError,
                lambda: urllib.request.urlopen(f"{base}/api_version", context=context(ca_file, False)),
                lambda e: text in str(e))
    fault("PUT", "tls=with-intermediate")
    urllib.request.urlopen(f"{base}/api_version", context=context(ca_file, False)).close()
    check("an intermediate is taken", True)
    fault("DELETE", "tls")
    del os.environ["REQUESTS_CA_BUNDLE"]


def context(ca_file, strict):
    made = ssl.create_default_context(cafile=ca_file)
    # Python sets this from 3.13 on.
    if strict:
        made.verify_flags |= ssl.VERIFY_X509_STRICT
    else:
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made


def by_mdns():
    """Finds the box with the library that pyfbx itself looks with, on the loopback interface alone."""
    print("-- zeroconf on the loopback interface")
    found = []

    class Listener:
        def add_service(self, zeroconf, kind, name):
            info = zeroconf.get_service_info(kind, name)
            if info and info.port == int(BASE.rsplit(":", 1)[1]):
                found.append({key.decode(): value.decode() for key, value in info.properties.items()})

        def update_service(self, *_):
            pass

        def remove_service(self, *_):
            pass

    searcher = Zeroconf(interfaces=["127.0.0.1"])
    ServiceBrowser(searcher, "_fbx-api._tcp.local.", Listener())
    wait("the box is announced", lambda: found, lambda seen: seen)
    searcher.close()
    keys = {"api_version", "device_type", "api_base_url", "uid", "api_domain", "https_available", "https_port",
            "box_model", "box_model_name"}
    check("with the documented keys", set(found[0]) == keys and found[0]["https_available"] == "1", found)


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
    before = vpn.Get_VPN_Client_configuration_list()

    for kind, conf, secrets in KINDS:
        of_each_kind(vpn, kind, conf, secrets)
    check("the list is as it was", vpn.Get_VPN_Client_configuration_list() == before)
    refused("a bad id is noent", ResponseError, lambda: vpn.Get_a_VPN_client_config("vpn99"),
            lambda e: e.error_code == "noent")

    fault("PUT", "expire-sessions")
    refused("a dead session is refused with 403", RequestError, vpn.Get_the_VPN_client_status,
            lambda e: "403" in str(e))
    check("mksession opens another", fbx.mksession() is not None)
    check("and the list is there again", len(vpn.Get_VPN_Client_configuration_list()) == len(configs))


def main():
    by_https(sys.argv[2].rstrip("/"), sys.argv[3])
    by_mdns()
    for version in sys.argv[4:]:
        drive(version)
        fault("DELETE", "grant-settings")
    by_failure()
    fault("DELETE", "grant-settings")


main()
