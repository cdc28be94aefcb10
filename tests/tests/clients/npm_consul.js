// What a program with the npm package `consul` sees of the agent at the port given, one line a
// step. Nothing that differs from run to run is printed, so that two agents can be compared.

const Consul = require("consul");

const client = new Consul({ port: process.argv[2] });

function show(step, ...seen) {
  console.log(step, ...seen.map((one) => JSON.stringify(one)));
}

async function refused(step, call) {
  try {
    show(step, "answered", await call());
  } catch (error) {
    show(step, error.statusCode, error.message);
  }
}

// Follows the service with long polls, as a load balancer does, until `wanted` is seen.
function seen(options, wanted) {
  return new Promise((resolve, reject) => {
    const watch = client.watch({ method: client.health.service, options });
    const end = setTimeout(() => {
      watch.end();
      reject(new Error("never seen"));
    }, 20000);
    watch.on("error", reject);
    watch.on("change", (found) => {
      if (wanted(found)) {
        clearTimeout(end);
        watch.end();
        resolve(found);
      }
    });
  });
}

async function main() {
  show("leader", (await client.status.leader()).length > 0);
  show("peers", (await client.status.peers()).length);
  show("datacenters", await client.catalog.datacenters());
  const me = await client.agent.self();
  show("self", me.Config.Datacenter, me.Config.NodeName);
  show("members", (await client.agent.members()).map((one) => [one.Name, one.Status]));

  await client.agent.service.register({
    name: "web",
    id: "web1",
    port: 8080,
    tags: ["a"],
    meta: { v: "1" },
    check: { ttl: "600s", notes: "n" },
  });
  const service = (await client.agent.service.list()).web1;
  show("service", service.Service, service.Port, service.Tags, service.Meta);
  const check = (await client.agent.check.list())["service:web1"];
  show("check", check.Status, check.Notes);

  const whole = (found) => found.length === 1 && found[0].Checks.length === 2;
  const critical = await seen({ service: "web" }, whole);
  show("health", critical[0].Service.ID, critical[0].Checks.map((one) => one.Status));
  const well = seen({ service: "web", passing: true }, (found) => found.length === 1);
  await client.agent.check.pass({ id: "service:web1", note: "all well" });
  show("passing", (await well)[0].Service.Port);
  const sick = seen({ service: "web", passing: true }, (found) => found.length === 0);
  await client.agent.service.maintenance({ id: "web1", enable: true, reason: "moving" });
  show("maintenance", await sick);
  await client.agent.service.maintenance({ id: "web1", enable: false });

  await client.agent.check.register({ name: "disk", ttl: "600s", serviceid: "web1" });
  await client.agent.check.warn("disk");
  show("own check", (await client.agent.check.list()).disk.Status);
  await client.agent.check.fail("disk");
  await client.agent.check.deregister("disk");

  const names = Object.keys(await client.catalog.service.list()).filter((name) => name !== "consul");
  show("catalog", names.sort());
  const nodes = await client.catalog.service.nodes("web");
  show("catalog service", nodes.map((one) => [one.Node, one.ServicePort, one.ServiceTags]));
  show("nodes", (await client.catalog.node.list()).length);
  const node = await client.catalog.node.services(nodes[0].Node);
  show("node", node.Services.web1.Meta);
  const checks = (await client.health.checks("web")).map((one) => one.CheckID);
  show("checks", checks.includes("service:web1"));
  show("state", (await client.health.state("any")).some((one) => one.ServiceName === "web"));

  await refused("unknown check", () => client.agent.check.pass("nope"));
  await refused("bad state", () => client.health.state("good"));
  await refused("foreign datacenter", () => client.catalog.node.list({ dc: "nowhere" }));

  await client.agent.maintenance({ enable: true, reason: "reboot" });
  show("node maintenance", Object.keys(await client.agent.check.list()).sort());
  await client.agent.maintenance({ enable: false });

  await client.agent.service.deregister("web1");
  show("services", await client.agent.service.list());
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
