//! Leafs whose names are wrong: everything an identity parser can be tricked with.

use rcgen::{Error, OtherNameValue, SanType};

use super::ca::uri;
use super::{HostileCase, TestCa, leaf_case};

pub(super) fn cases(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    let mut cases = Vec::new();
    for (name, rule, template) in URIS {
        let text = template.replace("TD", ca.trust_domain());
        let san = uri(&text)?;
        cases.push(leaf_case(ca, name, rule, |leaf| {
            leaf.subject_alt_names = vec![san];
        })?);
    }
    let long = uri(&ca.uri(&"x".repeat(2048)))?;
    cases.push(leaf_case(ca, "URI over 2048 bytes", "Identity", |leaf| {
        leaf.subject_alt_names = vec![long];
    })?);
    cases.extend(many_names(ca)?);
    // Bytes that no Rust string holds: the URI's last letter becomes 0xff.
    let (leaf, key_pkcs8) = ca.leaf(|_| {})?;
    let forged = ca.forge(&leaf, b"/svc/web", b"/svc/we\xff")?;
    cases.push(HostileCase {
        name: "URI that is not text".to_owned(),
        rule: "UriCount",
        chain: vec![forged],
        key_pkcs8,
    });
    Ok(cases)
}

fn many_names(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    let second = uri(&ca.uri("db"))?;
    let same = uri(&ca.uri("web"))?;
    let dns = SanType::DnsName("web.svc".try_into()?);
    let mail = SanType::Rfc822Name("web@example.com".try_into()?);
    let other = SanType::OtherName((vec![1, 3, 6, 1], OtherNameValue::Utf8String("web".into())));
    Ok(vec![
        leaf_case(ca, "two URIs", "UriCount", |leaf| {
            leaf.subject_alt_names.push(second);
        })?,
        leaf_case(ca, "one URI twice", "UriCount", |leaf| {
            leaf.subject_alt_names.push(same);
        })?,
        leaf_case(ca, "no names", "UriCount", |leaf| {
            leaf.subject_alt_names.clear();
        })?,
        leaf_case(ca, "a DNS name only", "UriCount", |leaf| {
            leaf.subject_alt_names = vec![dns];
        })?,
        leaf_case(ca, "an e-mail address beside", "OtherName", |leaf| {
            leaf.subject_alt_names.push(mail);
        })?,
        leaf_case(ca, "an otherName beside", "OtherName", |leaf| {
            leaf.subject_alt_names.push(other);
        })?,
    ])
}

/// Name, rule, and a URI in which `TD` stands for the trust domain.
const URIS: &[(&str, &str, &str)] = &[
    (
        "foreign trust domain",
        "TrustDomain",
        "spiffe://evil.consul/ns/default/dc/dc1/svc/web",
    ),
    (
        "trust domain with a tail",
        "TrustDomain",
        "spiffe://TD.evil.com/ns/default/dc/dc1/svc/web",
    ),
    (
        "trust domain with a head",
        "TrustDomain",
        "spiffe://evil.TD/ns/default/dc/dc1/svc/web",
    ),
    (
        "trust domain with a final dot",
        "TrustDomain",
        "spiffe://TD./ns/default/dc/dc1/svc/web",
    ),
    (
        "upper-case trust domain",
        "Identity",
        "spiffe://EVIL.consul/ns/default/dc/dc1/svc/web",
    ),
    (
        "encoded trust domain",
        "Identity",
        "spiffe://%54D/ns/default/dc/dc1/svc/web",
    ),
    (
        "empty trust domain",
        "Identity",
        "spiffe:///ns/default/dc/dc1/svc/web",
    ),
    (
        "scheme https",
        "Identity",
        "https://TD/ns/default/dc/dc1/svc/web",
    ),
    (
        "scheme in upper case",
        "Identity",
        "SPIFFE://TD/ns/default/dc/dc1/svc/web",
    ),
    ("no scheme", "Identity", "//TD/ns/default/dc/dc1/svc/web"),
    (
        "user information",
        "Identity",
        "spiffe://web@TD/ns/default/dc/dc1/svc/web",
    ),
    (
        "foreign host behind user information",
        "Identity",
        "spiffe://TD@evil/ns/default/dc/dc1/svc/web",
    ),
    (
        "port",
        "Identity",
        "spiffe://TD:443/ns/default/dc/dc1/svc/web",
    ),
    (
        "query",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web?x=1",
    ),
    (
        "fragment",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web#x",
    ),
    (
        "needless escape",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/%77eb",
    ),
    (
        "lower-case escape",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/%2a",
    ),
    (
        "encoded slash",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/db%2Fweb",
    ),
    (
        "encoded percent",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/db%252Fweb",
    ),
    (
        "encoded NUL",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web%00",
    ),
    (
        "encoded line break",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web%0D%0A",
    ),
    (
        "encoded broken UTF-8",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/%C0%AF",
    ),
    (
        "cut escape",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web%2",
    ),
    (
        "raw NUL",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web\u{0}.evil",
    ),
    (
        "raw line break",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web\r\nx: y",
    ),
    (
        "raw terminal escape",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/\u{1b}[31mweb",
    ),
    (
        "raw wildcard",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/*",
    ),
    (
        "raw space",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web ",
    ),
    (
        "raw backslash",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/db\\web",
    ),
    (
        "dot segment",
        "Identity",
        "spiffe://TD/./ns/default/dc/dc1/svc/web",
    ),
    (
        "step up",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/db/../web",
    ),
    (
        "encoded step up",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/%2E%2E",
    ),
    (
        "service named ..",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/..",
    ),
    (
        "empty segment",
        "Identity",
        "spiffe://TD//ns/default/dc/dc1/svc/web",
    ),
    (
        "trailing slash",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web/",
    ),
    (
        "empty service",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/",
    ),
    (
        "one segment more",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/svc/web/db",
    ),
    (
        "one segment less",
        "Identity",
        "spiffe://TD/ns/default/dc/dc1/web",
    ),
    (
        "other namespace",
        "Identity",
        "spiffe://TD/ns/team/dc/dc1/svc/web",
    ),
    (
        "partition",
        "Identity",
        "spiffe://TD/ap/x/ns/default/dc/dc1/svc/web",
    ),
    (
        "upper-case datacenter",
        "Identity",
        "spiffe://TD/ns/default/dc/DC1/svc/web",
    ),
    ("gateway", "Identity", "spiffe://TD/gateway/mesh/dc/dc1"),
    (
        "agent as service",
        "NotService",
        "spiffe://TD/agent/client/dc/dc1/id/web",
    ),
    ("authority as service", "NotService", "spiffe://TD"),
];
