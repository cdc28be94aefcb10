//! Reads a distinguished name so that rcgen can write it again.

use rcgen::string::{BmpString, Ia5String, PrintableString, TeletexString, UniversalString};
use rcgen::{DistinguishedName, DnType, DnValue};
use x509_parser::der_parser::asn1_rs::Tag;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::ProviderError;

/// The name as rcgen holds it: one attribute a set, no type twice.
///
/// Anything else is refused, because rcgen would drop or join attributes (it panics on an
/// empty set), and a chain matches names byte for byte.
pub(super) fn read(name: &X509Name<'_>) -> Result<DistinguishedName, ProviderError> {
    let mut read = DistinguishedName::new();
    for set in name.iter() {
        let mut attributes = set.iter();
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
            return Err(refused());
        };
        let kind = attribute
            .attr_type()
            .iter()
            .map(|arcs| DnType::from_oid(&arcs.collect::<Vec<_>>()))
            .ok_or_else(refused)?;
        if read.get(&kind).is_some() {
            return Err(refused());
        }
        read.push(kind, value(attribute).ok_or_else(refused)?);
    }
    Ok(read)
}

/// The error for a name that would come out changed.
pub(super) fn refused() -> ProviderError {
    ProviderError::refused(
        "the built-in CA cannot keep this subject name byte for byte: \
         it needs one attribute in each part and no attribute twice",
    )
}

fn value(attribute: &AttributeTypeAndValue<'_>) -> Option<DnValue> {
    let value = attribute.attr_value();
    let text = || std::str::from_utf8(value.data).ok();
    match value.header.tag() {
        Tag::BmpString => BmpString::from_utf16be(value.data.to_vec())
            .ok()
            .map(DnValue::BmpString),
        Tag::Ia5String => Ia5String::try_from(text()?).ok().map(DnValue::Ia5String),
        Tag::PrintableString => PrintableString::try_from(text()?)
            .ok()
            .map(DnValue::PrintableString),
        Tag::T61String => TeletexString::try_from(text()?)
            .ok()
            .map(DnValue::TeletexString),
        Tag::UniversalString => UniversalString::from_utf32be(value.data.to_vec())
            .ok()
            .map(DnValue::UniversalString),
        Tag::Utf8String => Some(DnValue::Utf8String(text()?.to_owned())),
        _ => None,
    }
}
