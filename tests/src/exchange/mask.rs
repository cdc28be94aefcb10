//! Bodies without what differs from run to run.

/// Fields whose values differ from run to run.
const VOLATILE: &[&str] = &[
    "CertPEM",
    "ContentHash",
    "CreateIndex",
    "CreatedAt",
    "Hash",
    "ModifyIndex",
    "NotAfter",
    "NotBefore",
    "Output",
    "PrivateKeyPEM",
    "RootCert",
    "SerialNumber",
    "ServiceURI",
    "SigningKeyID",
    "UpdatedAt",
    "ValidAfter",
    "ValidBefore",
];

/// The text without what differs from run to run: certificates and keys, the values of volatile
/// fields and of those in `more`, identifiers. Bodies are indented, one field a line.
#[must_use]
pub fn masked(text: &str, more: &[String]) -> String {
    let mut in_certificate = false;
    let mut lines = Vec::new();
    for line in text.split('\n') {
        if line.starts_with("-----") {
            in_certificate = line.starts_with("-----BEGIN");
            lines.push(line.to_owned());
        } else if !in_certificate {
            lines.push(masked_identifiers(&masked_field(line, more)));
        }
    }
    lines.join("\n")
}

/// `"Key": *,` for a field whose value says nothing here.
fn masked_field(line: &str, more: &[String]) -> String {
    let field = line
        .trim_start()
        .strip_prefix('"')
        .and_then(|rest| rest.split_once("\": "));
    let Some((key, value)) = field else {
        return line.to_owned();
    };
    let is_volatile = VOLATILE.contains(&key) || more.iter().any(|name| name == key);
    if is_volatile && !value.starts_with(['{', '[']) {
        let (before, _) = line.split_at(line.len() - value.len());
        let comma = if value.ends_with(',') { "," } else { "" };
        return format!("{before}*{comma}");
    }
    line.to_owned()
}

/// Identifiers of 36 characters, and key identifiers in hex with colons, become `*`.
fn masked_identifiers(line: &str) -> String {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-' || byte == b':';
    let bytes = line.as_bytes();
    let mut shown = String::new();
    let mut start = 0;
    while start < bytes.len() {
        let length = bytes[start..]
            .iter()
            .take_while(|byte| is_part(**byte))
            .count();
        let token = &line[start..start + length];
        let dashes = token.bytes().filter(|byte| *byte == b'-').count();
        let colons = token.bytes().filter(|byte| *byte == b':').count();
        if (length == 36 && dashes == 4) || colons >= 10 {
            shown.push('*');
        } else if length > 0 {
            shown.push_str(token);
        } else {
            let character = line[start..].chars().next().unwrap();
            shown.push(character);
            start += character.len_utf8();
        }
        start += length;
    }
    shown
}
