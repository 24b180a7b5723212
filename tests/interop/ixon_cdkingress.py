"""Lists the agents of a simulated IXON cloud with the vendor's client, and provokes its errors."""

import sys
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

    missing = ApiClient(base_url, APPLICATION, None, bearer).get("AgentList", verify=verify)
    expected = ("Error", "error", "Required header", "Api-Company")
    check("a missing company is an error envelope", message(missing) == expected, missing)
    stranger = ApiClient(base_url, APPLICATION, COMPANY, "Bearer " + "x" * 32).get("AgentList", verify=verify)
    expected = ("Error", "error", "Invalid Authorization: token does not exist or has expired", None)
    check("an unknown token is an error envelope", message(stranger) == expected, stranger)


main()
