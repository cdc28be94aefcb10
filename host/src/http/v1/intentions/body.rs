//! The body of a write.

use chancery_core::IntentionDraft;

use crate::http::decode::{DecodeError, Object};

/// How Go names what a body is decoded into.
const GO_TYPE: &str = "struct { Hash string; CreatedAt string; UpdatedAt string; *structs.Alias }";

/// Reads an intention; nothing for `null`. What the server decides is read and dropped, so that
/// an answer can be sent back.
pub(super) fn draft(body: &[u8]) -> Result<Option<IntentionDraft>, DecodeError> {
    let Some(mut fields) = Object::read(body, GO_TYPE, "")? else {
        return Ok(None);
    };
    let draft = IntentionDraft {
        id: fields.text("ID", "string")?,
        description: fields.text("Description", "string")?,
        source_ns: fields.text("SourceNS", "string")?,
        source_name: fields.text("SourceName", "string")?,
        destination_ns: fields.text("DestinationNS", "string")?,
        destination_name: fields.text("DestinationName", "string")?,
        source_type: fields.text("SourceType", "structs.IntentionSourceType")?,
        action: fields.text("Action", "structs.IntentionAction")?,
        default_addr: fields.text("DefaultAddr", "string")?,
        default_port: fields.integer("DefaultPort")?,
        meta: fields.text_map("Meta")?,
    };
    fields.integer("Precedence")?;
    for dropped in ["CreatedAt", "UpdatedAt", "Hash"] {
        fields.text(dropped, "string")?;
    }
    for dropped in ["CreateIndex", "ModifyIndex"] {
        fields.unsigned(dropped)?;
    }
    fields.finish()?;
    Ok(Some(draft))
}
