//! `connect proxy` as far as it goes without connections.

use serde_json::json;

use super::server::{Ran, Server, alone, command, ran};

fn proxy(words: &[&str]) -> Ran {
    alone(&[&["connect", "proxy"], words].concat())
}

fn fails(text: &str) -> Ran {
    ran(1, "", &format!("==> {text}\n"))
}

fn one_sidecar(line: &str) -> (u16, String) {
    let sidecar = |id: &str, of: &str| {
        json!({
            "Kind": "connect-proxy", "ID": id, "Service": "sidecar", "Port": 1,
            "Proxy": {"DestinationServiceName": of, "DestinationServiceID": of},
        })
    };
    match line {
        "GET /v1/agent/services" => {
            let services = json!({"a": sidecar("a", "twice"), "b": sidecar("b", "twice")});
            (200, services.to_string())
        }
        _ => (500, "it broke".to_owned()),
    }
}

#[test]
fn help_goes_to_standard_output() {
    for word in ["-h", "-help", "--help"] {
        let help = proxy(&[word]);
        assert_eq!((help.code, help.err.as_str()), (0, ""), "{word}");
        assert!(help.out.contains("--sidecar-for"), "{}", help.out);
        assert!(!help.out.contains("pprof"), "{}", help.out);
    }
}

#[test]
fn a_wrong_flag_is_named_and_help_follows() {
    let wrong = proxy(&["-nonsense"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (1, ""));
    let (line, help) = wrong.err.split_once('\n').unwrap();
    assert_eq!(line, "flag provided but not defined: -nonsense");
    assert!(help.contains("Usage: chancery connect proxy"), "{help}");
}

#[test]
fn what_cannot_be_run_is_told_in_consuls_words() {
    assert_eq!(
        proxy(&[]),
        fails(
            "Error preparing configuration: -service or -proxy-id must be specified so that \
             proxy can configure itself."
        )
    );
    assert_eq!(
        proxy(&["extra"]),
        fails("Should have no non-flag arguments.")
    );
    assert_eq!(
        proxy(&["-service=web", "-register"]),
        fails(
            "Failed initializing registration: -register may only be specified with -service \
             and -listen"
        )
    );
    assert_eq!(
        proxy(&["-http-addr=ftp://x:1"]),
        fails(
            "Error connecting to Consul agent: cannot use the address \"ftp://x:1\": allowed are \
             host:port, http://host:port, https://host:port and unix://path"
        )
    );
    assert_eq!(
        proxy(&["-token-file=/missing"]),
        fails(
            "Error connecting to Consul agent: Error loading token file: open /missing: no such \
             file or directory"
        )
    );
}

#[test]
fn flags_that_mean_nothing_are_accepted_with_a_warning_each() {
    let ran = proxy(&["-pprof-addr", ":6060", "-datacenter=dc1", "extra"]);
    assert_eq!(
        ran.err,
        "warning: -datacenter means nothing to this proxy\n\
         warning: -pprof-addr means nothing to this proxy\n\
         ==> Should have no non-flag arguments.\n"
    );
}

#[test]
fn the_sidecar_is_looked_up_with_our_variables_before_consuls() {
    let server = Server::start(one_sidecar);
    let address = server.address.clone();
    let variable = move |name: &str| match name {
        "CHANCERY_HTTP_ADDR" => Some(address.clone()),
        "CONSUL_HTTP_ADDR" => Some("127.0.0.1:1".to_owned()),
        "CHANCERY_HTTP_TOKEN" => Some("ours".to_owned()),
        "CONSUL_HTTP_TOKEN" => Some("theirs".to_owned()),
        _ => None,
    };
    let look = |service: &str| {
        let words = ["connect", "proxy", "-datacenter=dc9", "-sidecar-for"];
        command(&[&words[..], &[service]].concat(), &variable).err
    };
    let warning = "warning: -datacenter means nothing to this proxy\n";
    assert_eq!(
        look("nosuch"),
        format!(
            "{warning}==> Error preparing configuration: No sidecar proxy registered for nosuch\n"
        )
    );
    assert!(look("twice").contains("one of the following IDs: a, b\n"));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    for asked in asked {
        assert_eq!(asked.line, "GET /v1/agent/services");
        assert_eq!(asked.token.as_deref(), Some("ours"));
    }
}
