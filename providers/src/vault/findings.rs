//! What an operator should know in time: the token, and the rights that a rotation takes.

use super::session::Session;
use crate::{Finding, Stops};

pub(super) async fn of(session: &Session, any_root: bool) -> Vec<Finding> {
    let mut findings = vec![match session.outlook().await {
        Ok(None) => Finding::new(
            "Vault token",
            "it is renewed by itself, or does not end",
            "",
            None,
            Stops::Nothing,
        ),
        Ok(Some(left)) => Finding::new(
            "Vault token",
            "it ends and is not renewed",
            "give another token, best a periodic one, or an auth method: \
             `chancery connect ca set-config`",
            Some(left),
            Stops::Signing,
        ),
        Err(error) => Finding::new(
            "Vault",
            format!("it does not answer as it should: {error}"),
            "see that it runs, is unsealed and can be reached, and that the token is good; cached \
             leafs go on until they end",
            None,
            Stops::Signing,
        ),
    }];
    if !any_root {
        findings.push(Finding::new(
            "Vault token",
            "it signs roots of other CAs only from a request made with their key: a change to a \
             CA that makes none, as an offline root or a plugin, is refused",
            "before such a change, add the policy line for `sign-self-issued` \
             (providers/docs/vault.md)",
            None,
            Stops::Rotation,
        ));
    }
    findings
}
