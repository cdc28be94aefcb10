use serde_json::json;

use super::server::{Server, alone, ran};

fn agent(line: &str) -> (u16, String) {
    let node = |name: &str| {
        json!({
            "ID": "4e45cce3-fcf7-6233-5924-e0173e2b4679", "Node": name, "Address": "10.0.0.1",
            "Datacenter": "dc1", "TaggedAddresses": {"lan": "10.0.0.1"},
            "Meta": {"b": "2", "a": "1"},
        })
    };
    let instance = |id: &str| {
        json!({"ID": "4e45cce3", "Node": "n1", "Address": "10.0.0.1", "Datacenter": "dc1",
            "NodeMeta": {"k": "v"}, "ServiceID": id, "ServiceName": "web"})
    };
    let body = match line {
        "GET /v1/catalog/datacenters" => json!(["dc1", "dc2"]),
        "GET /v1/catalog/services" => json!({"web": ["b", "a"], "consul": [], "odd": null}),
        "GET /v1/catalog/services?node-meta=k%3Av" => json!({}),
        "GET /v1/catalog/node/n1" => json!({"Node": node("n1"), "Services": {
            "web1": {"Service": "web", "Tags": ["b"]},
            "web2": {"Service": "web", "Tags": ["b", "a"]},
            "db": {"Service": "db", "Tags": null},
        }}),
        "GET /v1/catalog/node/none" => json!(null),
        "GET /v1/catalog/nodes" => json!([node("n1"), node("a-longer-one")]),
        "GET /v1/catalog/nodes?filter=x+%3D%3D+y&near=n1&node-meta=k%3Av" => json!([]),
        "GET /v1/catalog/service/web" => json!([instance("web1"), instance("web2")]),
        _ => return (500, "it broke\n".to_owned()),
    };
    (200, body.to_string())
}

#[test]
fn services_are_listed_with_their_tags() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["catalog", "services"]),
        ran(0, "consul\nodd\nweb\n", "")
    );
    assert_eq!(
        server.run(&["catalog", "services", "-tags"]),
        ran(0, "consul\nodd\nweb         a,b\n", "")
    );
    assert_eq!(
        server.run(&["catalog", "services", "-tags", "-node=n1"]),
        ran(0, "db\nweb      a,b\n", "")
    );
    let nothing = "No services match the given query - try expanding your search.\n";
    for words in [&["-node", "none"], &["-node-meta", "k=v"]] {
        let words = [&["catalog", "services"][..], words].concat();
        assert_eq!(server.run(&words), ran(0, "", nothing), "{words:?}");
    }
    assert_eq!(
        server.run(&["catalog", "services", "-node", "bad"]),
        ran(
            1,
            "",
            "Error listing services for node: Unexpected response code: 500 (it broke)\n"
        )
    );
    assert_eq!(
        server.run(&["catalog", "services", "-node=n1", "-format", "json"]),
        ran(
            0,
            "{\n  \"db\": [],\n  \"web\": [\n    \"a\",\n    \"b\"\n  ]\n}\n",
            ""
        )
    );
}

#[test]
fn nodes_are_listed_once_each() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["catalog", "nodes"]),
        ran(
            0,
            "Node          ID        Address   DC\n\
             n1            4e45cce3  10.0.0.1  dc1\n\
             a-longer-one  4e45cce3  10.0.0.1  dc1\n",
            ""
        )
    );
    assert_eq!(
        server.run(&["catalog", "nodes", "-service=web", "-detailed"]),
        ran(
            0,
            "Node  ID        Address   DC   TaggedAddresses  Meta\n\
             n1    4e45cce3  10.0.0.1  dc1                   k=v\n",
            ""
        )
    );
    let words = ["-filter", "x == y", "-near=n1", "-node-meta", "k=v"];
    let words = [&["catalog", "nodes"][..], &words].concat();
    let nothing = "No nodes match the given query - try expanding your search.\n";
    assert_eq!(server.run(&words), ran(0, "", nothing));
    let json = server.run(&["catalog", "nodes", "-service=web", "-format=json"]);
    let nodes: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(nodes.as_array().map(Vec::len), Some(1));
    assert_eq!(nodes[0]["Meta"], json!({"k": "v"}));
}

#[test]
fn datacenters_are_listed_as_they_come() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["catalog", "datacenters"]),
        ran(0, "dc1\ndc2\n", "")
    );
    assert_eq!(
        alone(&["catalog", "services", "-node-meta", "nokv"]),
        ran(
            1,
            "",
            "invalid value \"nokv\" for flag -node-meta: Missing \"=\" value in argument: nokv\n"
        )
    );
}
