use serde_json::json;
use tempfile::TempDir;

use super::server::{Server, agent, alone, ran};

#[test]
fn services_are_registered_from_files_and_flags() {
    let server = Server::start(agent);
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("web.hcl");
    let text = "service { name = \"web\" id = \"web-1\" port = 80 connect { sidecar_service {} } } services { name = \"db\" token = \"t\" }";
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("a path");
    assert_eq!(
        server.run(&["services", "register", file]),
        ran(0, "Registered service: web\nRegistered service: db\n", "")
    );
    assert_eq!(
        server.run(&[
            "services",
            "register",
            "-name",
            "api",
            "-id=api-1",
            "-port",
            "9",
            "-address",
            "10.0.0.1",
            "-tag",
            "a",
            "-tag",
            "b",
            "-meta",
            "k=v",
            "-tagged-address",
            "lan=[::1]:8",
            "-kind=mesh-gateway",
        ]),
        ran(0, "Registered service: api\n", "")
    );
    assert_eq!(
        server.run(&["services", "deregister", file]),
        ran(
            0,
            "Deregistered service: web-1\nDeregistered service: db\n",
            ""
        )
    );
    assert_eq!(
        server.run(&["services", "deregister", "-id", "a/b"]),
        ran(0, "Deregistered service: a/b\n", "")
    );
    assert_eq!(
        server.run(&["services", "deregister", "-id=bad"]),
        ran(
            1,
            "",
            "Error deregistering service \"bad\": Unexpected response code: 500 (it broke)\n"
        )
    );
    let asked = server.asked();
    let bodies: Vec<_> = asked
        .iter()
        .take(3)
        .map(|asked| asked.body.clone())
        .collect();
    assert_eq!(
        bodies,
        [
            json!({"ID": "web-1", "Name": "web", "Port": 80, "Connect": {"SidecarService": {}}}),
            json!({"Name": "db", "Token": "t"}),
            json!({"Kind": "mesh-gateway", "ID": "api-1", "Name": "api", "Port": 9, "Address": "10.0.0.1",
                "Tags": ["a", "b"], "Meta": {"k": "v"}, "TaggedAddresses": {"lan": {"Address": "::1", "Port": 8}}}),
        ]
    );
    assert_eq!(asked[5].line, "PUT /v1/agent/service/deregister/a%2Fb");
}

#[test]
fn services_refuse_wrong_arguments() {
    for (words, err) in [
        (
            &["register"][..],
            "Service registration requires at least one argument or flags.\n",
        ),
        (
            &["register", "-id", "x", "file"],
            "Service registration requires arguments or -id, not both.\n",
        ),
        (
            &["deregister"],
            "Service deregistration requires at least one argument or -id.\n",
        ),
        (
            &["deregister", "-id=x", "file"],
            "Service deregistration requires arguments or -id, not both.\n",
        ),
        (
            &["register", "-name=a", "-tagged-address", "lan=bad"],
            "Invalid Tagged Address: address bad: missing port in address\n",
        ),
        (
            &["register", "-name=a", "-kind", "bogus"],
            "invalid value \"bogus\" for flag -kind: allowed are connect-proxy, ingress-gateway, mesh-gateway, terminating-gateway\n",
        ),
        (
            &["register", "/missing.hcl"],
            "Error: /missing.hcl: cannot read the file: No such file or directory (os error 2)\n",
        ),
    ] {
        let words = [&["services"], words].concat();
        assert_eq!(alone(&words), ran(1, "", err), "{words:?}");
    }
}
