"""Lists the agents of a simulated IXON cloud with the vendor's client, and provokes its errors."""

import ssl
import subprocess
import sys
import time
import urllib.request
import warnings

from ixoncdkingress.function.api_client import ApiClient

APPLICATION = "VpnctlDemo01"
COMPANY = "1111-2222-3333-4444-5555"


def check(what, holds, seen):
    """Tells how a check went; the first that fails ends the run."""
    print(("ok    " if holds else "FAIL  ") + what)
    if not holds:
        sys.exit(f"seen: {seen}")


def message(answer):
    """Gives type and first error of an envelope, as the vendor's components read it."""
    return answer["type"], answer["status"], answer["data"][0]["message"], answer["data"][0].get("propertyName")


def every_agent(client, verify):
    """Follows the cursor; a page of two makes it work."""
    query = {"fields": "name,activeVpnSession(vpnAddress)", "page-size": "2"}
    agents, pages = [], 0
    while True:
        answer = client.get("AgentList", query=dict(query), verify=verify)
        pages += 1
        agents += answer["data"]
        if not answer["moreAfter"]:
            return agents, pages
        query["page-after"] = answer["moreAfter"]


def fault(base_url, method, written):
    """Switches a fault; the simulator's certificate is not what is judged by that."""
    url = base_url.rsplit("/api", 1)[0] + "/__simulate/faults/" + written
    request = urllib.request.Request(url, method=method)
    urllib.request.urlopen(request, context=ssl._create_unverified_context()).close()


def beside_vpnctl(client, verify, agent, program, config):
    """Lets vpnctl connect and disconnect; the cloud must tell who is connected to the agent."""
    def users():
        answer = client.get("Agent", {"publicId": agent}, {"fields": "connectedUsers(name)"}, verify=verify)
        return [user["name"] for user in answer["data"]["connectedUsers"]]

    def vpnctl(*words):
        command = [program, "--config", config, "--no-input", "-b", "ixon", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        check("vpnctl " + " ".join(words), done.returncode == 0, done.stderr)

    check("nobody is connected at first", users() == [], users())
    vpnctl("connect", "--id", "ixon/" + agent)
    check("a connect of vpnctl is seen in the cloud", users() == ["Example User"], users())
    vpnctl("disconnect")
    check("a disconnect too", users() == [], users())


def wake(client, verify, base_url):
    """Switches on a router that takes its time."""
    def session():
        query = {"fields": "activeVpnSession(vpnAddress),mdrServer(name)"}
        data = client.get("Agent", {"publicId": "AAAAAAAAAAAC"}, query, verify=verify)["data"]
        return data["mdrServer"] is not None, data["activeVpnSession"]

    fault(base_url, "PUT", "no-mqtt")
    deaf = client.post("AgentOpenVpnConnection", {"action": "connect"}, {"publicId": "AAAAAAAAAAAC"}, verify=verify)
    check("a router without link can't be told", deaf["status"] == "error", deaf)
    fault(base_url, "DELETE", "no-mqtt")
    fault(base_url, "PUT", "wake-delay=300")
    check("a sleeping router is online without a session", session() == (True, None), session())
    client.post("AgentOpenVpnConnection", {"action": "connect"}, {"publicId": "AAAAAAAAAAAC"}, verify=verify)
    end = time.monotonic() + 10
    while session()[1] is None and time.monotonic() < end:
        time.sleep(0.05)
    check("told to connect it has one some time later", session()[1] is not None, session())
    fault(base_url, "DELETE", "wake-delay")


def main():
    base_url, token_file = sys.argv[1:3]
    verify = sys.argv[3] if len(sys.argv) > 3 else False
    if not verify:
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    with open(token_file, encoding="utf-8") as file:
        bearer = "Bearer " + file.read().strip()

    client = ApiClient(base_url, APPLICATION, COMPANY, bearer)
    agents, pages = every_agent(client, verify)
    ids = [agent["publicId"] for agent in agents]
    check("agents are listed over several pages", pages > 1 and len(set(ids)) == len(ids) >= 7, agents)
    names = [agent["name"] for agent in agents]
    check("a name may be null, and two agents may share one", None in names and names.count("Pump") == 2, names)

    one = client.get("Agent", {"publicId": ids[0]}, {"fields": "name"}, verify=verify)
    check("a template of the discovery is filled", one["data"] == {"publicId": ids[0], "name": "Press 7"}, one)
    sector = client.get("MySector", verify=verify)
    check("the sector has an id", len(sector["data"]["publicId"]) == 12, sector)

    switched = client.post("AgentOpenVpnConnection", {"action": "connect"}, {"publicId": ids[0]}, verify=verify)
    check("a router's VPN is switched on", switched["status"] == "success", switched)

    wake(client, verify, base_url)
    custom = client.get("AgentList", query={"fields": "custom,serialNumber,mdrServer(name)", "page-size": "1"}, verify=verify)
    check("sub-fields and custom properties come", custom["data"][0]["custom"]["commission"] == "C-4001", custom)
    tokens = client.get("AccessTokenList", query={"fields": "expiresOn"}, verify=verify)
    check("tokens are listed without their secrets", "secretId" not in tokens["data"][0], tokens)

    missing = ApiClient(base_url, APPLICATION, None, bearer).get("AgentList", verify=verify)
    expected = ("Error", "error", "Required header", "Api-Company")
    check("a missing company is an error envelope", message(missing) == expected, missing)
    stranger = ApiClient(base_url, APPLICATION, COMPANY, "Bearer " + "x" * 32).get("AgentList", verify=verify)
    expected = ("Error", "error", "Invalid Authorization: token does not exist or has expired", None)
    check("an unknown token is an error envelope", message(stranger) == expected, stranger)
    if len(sys.argv) > 5:
        beside_vpnctl(client, verify, ids[0], *sys.argv[4:6])


main()
