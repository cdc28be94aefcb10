"""What a program with py-consul sees of the agent at the port given, one line a step.

Nothing that differs from run to run is printed, so that two agents can be compared.
"""

import sys
import threading
import time

import consul

client = consul.Consul(port=int(sys.argv[1]))


def show(step, *seen):
    print(step, *seen, flush=True)


def refused(step, call):
    try:
        show(step, "answered", call())
    except consul.ConsulException as error:
        show(step, type(error).__name__, error)


def settled(call, wanted):
    """Asks with long polls until the answer is as wanted, as programs that discover do."""
    index = None
    end = time.monotonic() + 20
    while time.monotonic() < end:
        index, found = call(index)
        if wanted(found):
            return found
    raise SystemExit(f"never settled: {found}")


def instances(found):
    return [(one["Service"]["ID"], one["Service"]["Port"]) for one in found]


show("leader", bool(client.status.leader()), len(client.status.peers()))
show("datacenters", client.catalog.datacenters())
me = client.agent.self()
show("self", me["Config"]["Datacenter"], me["Config"]["NodeName"], me["Member"]["Name"])
show("members", [(one["Name"], one["Status"]) for one in client.agent.members()])

show("register", client.agent.service.register(
    "web", service_id="web1", port=8080, tags=["a", "b"], meta={"v": "1"},
    check=consul.Check.ttl("600s")))
service = client.agent.services()["web1"]
show("service", service["Service"], service["Port"], service["Tags"], service["Meta"])
show("filtered", list(client.agent.services('Port == 8080')), list(client.agent.services('Port == 1')))
show("definition", client.agent.service_definition("web1")["Port"])
check = client.agent.checks()["service:web1"]
show("check", check["Status"], check["ServiceName"], check["ServiceTags"])


def health(passing, index):
    return client.health.service("web", index=index, wait="5s", passing=passing)


found = settled(
    lambda index: health(False, index),
    lambda found: len(found) == 1 and len(found[0]["Checks"]) == 2)
show("health", instances(found), [one["Status"] for one in found[0]["Checks"]])
show("passing", instances(client.health.service("web", passing=True)[1]))

# Somebody waits until the service is well; then it gets well.
timer = threading.Timer(0.1, lambda: client.agent.check.ttl_pass("service:web1", "all well"))
timer.start()
show("waited", instances(settled(lambda index: health(True, index), lambda found: len(found) == 1)))
timer.join()
show("checks", [(one["CheckID"], one["Status"], one["Output"]) for one in client.health.checks("web")[1]])
show("state", [one["CheckID"] for one in client.health.state("passing")[1] if one["ServiceName"]])

show("maintenance", client.agent.service.maintenance("web1", True, "moving"))
settled(lambda index: health(True, index), lambda found: not found)
show("maintenance ends", client.agent.service.maintenance("web1", False))
settled(lambda index: health(True, index), lambda found: found)

show("catalog", sorted(name for name in client.catalog.services()[1] if name != "consul"))
one = client.catalog.service("web", tag="a")[1][0]
show("catalog service", one["ServiceID"], one["ServiceTags"], one["Node"])
show("node", client.catalog.node(one["Node"])[1]["Services"]["web1"]["Port"])
show("nodes", len(client.catalog.nodes()[1]))
show("foreign", client.catalog.register("other", "10.0.0.9", service={"Service": "db", "Port": 5432}))
show("foreign service", [(one["Node"], one["ServicePort"]) for one in client.catalog.service("db")[1]])
show("foreign gone", client.catalog.deregister("other"), client.catalog.service("db")[1])

roots = client.connect.ca.roots()
show("roots", len(roots["Roots"]), roots["Roots"][0]["Active"])
show("configuration", client.connect.ca.configuration()["Provider"])
show("agent roots", client.agent.connect.ca.roots()["ActiveRootID"] == roots["ActiveRootID"])
leaf = client.agent.connect.ca.leaf("web")
show("leaf", leaf["Service"], leaf["ServiceURI"].split("/", 3)[3])

# This client asks with PUT, which Consul has never taken.
refused("authorize", lambda: client.agent.connect.authorize("db", leaf["ServiceURI"], leaf["SerialNumber"]))
refused("unknown check", lambda: client.agent.check.ttl_pass("nope"))
refused("bad filter", lambda: bool(client.agent.services("Nope == 1")))
refused("foreign datacenter", lambda: client.catalog.nodes(dc="nowhere"))

show("deregister", client.agent.service.deregister("web1"))
show("services", client.agent.services())
settled(lambda index: health(False, index), lambda found: not found)
show("gone")
