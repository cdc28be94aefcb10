use std::net::TcpListener;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{ID, Server, agent, alone, ran, row};

#[test]
fn create_sends_every_field_and_says_what_it_made() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&[
            "intention",
            "create",
            "-deny",
            "-meta",
            "a=b",
            "-meta=c=d=e",
            "api",
            "db"
        ]),
        ran(0, "Created: api => db (deny)\n", "")
    );
    assert_eq!(
        server.run(&["intention", "create", "ns1/web", "ns2/db"]),
        ran(0, "Created: ns1/web => ns2/db (allow)\n", "")
    );
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /v1/connect/intentions");
    assert_eq!(
        asked[0].body,
        json!({
            "ID": "", "Description": "", "SourceNS": "default", "SourceName": "api",
            "DestinationNS": "default", "DestinationName": "db", "SourceType": "consul",
            "Action": "deny", "DefaultAddr": "", "DefaultPort": 0, "Meta": {"a": "b", "c": "d=e"},
            "Precedence": 0, "CreatedAt": "0001-01-01T00:00:00Z",
            "UpdatedAt": "0001-01-01T00:00:00Z", "Hash": null, "CreateIndex": 0, "ModifyIndex": 0,
        })
    );
    assert_eq!(asked[1].body["Meta"], Value::Null);
}

#[test]
fn create_replaces_by_id_and_says_so() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["intention", "create", "-replace", "web", "db"]),
        ran(0, "Replaced: web => db (allow)\n", "")
    );
    assert_eq!(
        server.run(&["intention", "create", "-replace", "web", "other"]),
        ran(0, "Created: web => other (allow)\n", "")
    );
    assert_eq!(
        server.lines(),
        [
            "GET /v1/connect/intentions".to_owned(),
            format!("PUT /v1/connect/intentions/{ID}"),
            "GET /v1/connect/intentions".to_owned(),
            "POST /v1/connect/intentions".to_owned(),
        ]
    );
}

#[test]
fn create_reads_files_and_leaves_unknown_keys_out() {
    let server = Server::start(agent);
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("one.json");
    let text = r#"{"SourceName":"a","destinationname":"b","Action":"allow","Bogus":1}"#;
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("a path");
    assert_eq!(
        server.run(&["intention", "create", "-file", file]),
        ran(0, "Created: a => b (allow)\n", "")
    );
    assert_eq!(server.asked()[0].body.get("Bogus"), None);
    assert_eq!(server.asked()[0].body["DestinationName"], "b");
    assert_eq!(
        server.run(&["intention", "create", "-file"]),
        ran(1, "", "Error: -file needs at least one file\n")
    );
    let missing = server.run(&["intention", "create", "-file", "/missing.json"]);
    assert_eq!(missing.code, 1);
    assert!(
        missing
            .err
            .starts_with("Error: open /missing.json: no such file"),
        "{missing:?}"
    );
}

#[test]
fn create_refuses_wrong_arguments() {
    for (words, err) in [
        (
            &["web"][..],
            "Error: Must specify two arguments: source and destination\n",
        ),
        (
            &["-allow", "-deny", "a", "b"],
            "Only one of -allow or -deny may be specified.\n",
        ),
        (
            &["a/b/c", "db"],
            "Error: Invalid intention source: target can contain at most one '/'\n",
        ),
        (
            &["-meta", "nokv", "a", "b"],
            "invalid value \"nokv\" for flag -meta: Missing \"=\" value in argument: nokv\n",
        ),
        (&["-zzz", "a", "b"], "flag provided but not defined: -zzz\n"),
        (&["a", "b", "-meta"], "flag needs an argument: -meta\n"),
    ] {
        let words = [&["intention", "create"], words].concat();
        assert_eq!(alone(&words), ran(1, "", err), "{words:?}");
    }
}

#[test]
fn a_servers_error_is_told_with_its_code() {
    let server = Server::start(|_| (500, "duplicate intention found: x".to_owned()));
    assert_eq!(
        server.run(&["intention", "create", "web", "db"]),
        ran(
            1,
            "",
            "Error creating intention \"web => db (allow)\": Unexpected response code: 500 (duplicate intention found: x)\n"
        )
    );
}

#[test]
fn nobody_listening_is_told_as_go_tells_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let flag = format!("-http-addr={address}");
    assert_eq!(
        alone(&["intention", "list", &flag]),
        ran(
            1,
            "",
            &format!(
                "Error listing intentions: Get \"http://{address}/v1/connect/intentions\": dial tcp {address}: connect: connection refused\n"
            )
        )
    );
}

#[test]
fn check_answers_by_exit_code() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["intention", "check", "web", "db"]),
        ran(0, "Allowed\n", "")
    );
    assert_eq!(
        server.run(&["intention", "check", "api", "db"]),
        ran(1, "Denied\n", "")
    );
    assert_eq!(
        server.run(&["intention", "check", "-explain", "a b", "db"]),
        ran(1, "Denied\n  because\n", "")
    );
    assert_eq!(
        server.run(&["intention", "check", "-format=json", "web", "db"]),
        ran(0, "{\n  \"Allowed\": true\n}\n", "")
    );
    assert_eq!(
        server.lines()[..3],
        [
            "GET /v1/connect/intentions/check?destination=db&source=web&source-type=consul",
            "GET /v1/connect/intentions/check?destination=db&source=api&source-type=consul",
            "GET /v1/chancery/intentions/explain?destination=db&source=a+b",
        ]
    );
    assert_eq!(
        alone(&["intention", "check", "web"]),
        ran(
            2,
            "",
            "Error: command requires exactly two arguments: src and dst\n"
        )
    );
    assert_eq!(
        alone(&["intention", "check", "-zzz"]),
        ran(2, "", "flag provided but not defined: -zzz\n")
    );
    let broken = Server::start(|_| (500, "x".to_owned()));
    assert_eq!(
        broken.run(&["intention", "check", "web", "db"]),
        ran(
            2,
            "",
            "Error checking the connection: Unexpected response code: 500 (x)\n"
        )
    );
}

#[test]
fn match_lists_in_order_by_either_side() {
    let server = Server::start(agent);
    let twice = "web => db (deny)\nweb => db (deny)\n";
    assert_eq!(server.run(&["intention", "match", "db"]), ran(0, twice, ""));
    assert_eq!(
        server.run(&["intention", "match", "-source", "web"]),
        ran(0, twice, "")
    );
    assert_eq!(server.run(&["intention", "match", "none"]), ran(0, "", ""));
    assert_eq!(
        server.lines(),
        [
            "GET /v1/connect/intentions/match?by=destination&name=db",
            "GET /v1/connect/intentions/match?by=source&name=web",
            "GET /v1/connect/intentions/match?by=destination&name=none",
        ]
    );
    assert_eq!(
        alone(&["intention", "match"]),
        ran(
            1,
            "",
            "Error: command requires exactly one argument: src or dst\n"
        )
    );
    assert_eq!(
        alone(&["intention", "match", "-source", "-destination", "x"]),
        ran(
            1,
            "",
            "Error: only one of -source or -destination may be specified\n"
        )
    );
}

#[test]
fn get_shows_two_columns() {
    let server = Server::start(agent);
    let shown = "Source:       web\nDestination:  db\nAction:       deny\nID:           eb1c4a24-083e-3036-f6c3-7cf98ae4689e\nDescription:  d1\nMeta[k]:      v\nCreated At:   Tuesday, 24-Nov-26 16:35:01 UTC\n";
    assert_eq!(
        server.run(&["intention", "get", "web", "default/db"]),
        ran(0, shown, "")
    );
    assert_eq!(server.run(&["intention", "get", ID]), ran(0, shown, ""));
    let json = server.run(&["intention", "get", "-format", "json", ID]);
    assert_eq!(
        serde_json::from_str::<Value>(&json.out).expect("JSON"),
        row()
    );
    for (words, err) in [
        (
            &["no", "db"][..],
            "Error: Intention with source \"no\" and destination \"db\" not found.\n",
        ),
        (
            &["WEB", "db"],
            "Error: Intention with source \"WEB\" and destination \"db\" not found.\n",
        ),
        (
            &["a", "b", "c"],
            "Error: command requires exactly 1 or 2 arguments\n",
        ),
        (&["ffff"], "Error: Intention with ID \"ffff\" not found.\n"),
        (
            &["x"],
            "Error reading the intention: Unexpected response 400: Bad request: failed intention lookup\n",
        ),
    ] {
        let words = [&["intention", "get"], words].concat();
        assert_eq!(server.run(&words), ran(1, "", err), "{words:?}");
    }
}

#[test]
fn what_a_stranger_stored_writes_no_escapes_to_a_terminal() {
    let server = Server::start(|_| {
        let mut row = row();
        row["Description"] = json!("a\u{1b}[2J\nb");
        row["Meta"] = json!({"k\r": "v\u{202e}"});
        (200, row.to_string())
    });
    let shown = server.run(&["intention", "get", ID]);
    assert_eq!(shown.out.lines().count(), 7, "{shown:?}");
    assert!(shown.out.contains("a\\u{1b}[2J\\nb"), "{shown:?}");
    assert!(
        !shown.out.contains(['\u{1b}', '\r', '\u{202e}']),
        "{shown:?}"
    );
}

#[test]
fn delete_goes_by_names_or_id() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["intention", "delete", "web", "db"]),
        ran(0, "Intention deleted.\n", "")
    );
    assert_eq!(
        server.run(&["intention", "delete", ID]),
        ran(0, "Intention deleted.\n", "")
    );
    assert_eq!(
        server.run(&["intention", "delete", "a b"]),
        ran(
            1,
            "",
            "Error deleting the intention: Unexpected response code: 500 (it broke)\n"
        )
    );
    assert_eq!(server.lines()[3], "DELETE /v1/connect/intentions/a%20b");
}

#[test]
fn list_is_a_table_or_json() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["intention", "list"]),
        ran(
            0,
            "ID                                    Source  Action  Destination  Precedence\neb1c4a24-083e-3036-f6c3-7cf98ae4689e  web     deny    db           9\n",
            ""
        )
    );
    let json = server.run(&["intention", "list", "-format=json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&json.out).expect("JSON"),
        json!([row()])
    );
    let empty = Server::start(|_| (200, "[]".to_owned()));
    assert_eq!(
        empty.run(&["intention", "list"]),
        ran(0, "", "There are no intentions.\n")
    );
}
