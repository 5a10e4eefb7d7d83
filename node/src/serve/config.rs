//! Principals of `phalanx serve`, as configuration files have them.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::access::{Access, Principal, Role, Senders};
use crate::exit::Failure;
use crate::hex::{hex, parse_address, parse_hex};

/// A principal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrincipalEntry {
    name: String,
    roles: HashSet<Role>,
    #[serde(default)]
    senders: SendersEntry,
    /// SHA-256 of its token: `printf %s "$TOKEN" | sha256sum`.
    #[serde(default, deserialize_with = "sha256")]
    token_sha256: Option<[u8; 32]>,
    /// A DNS name or URI in its client certificate.
    certificate: Option<String>,
}

/// `"any"`, `"signed"`, or a list of addresses.
#[derive(Clone, Debug)]
struct SendersEntry(Senders);

impl Default for SendersEntry {
    fn default() -> SendersEntry {
        SendersEntry(Senders::Listed(HashSet::new()))
    }
}

impl<'de> Deserialize<'de> for SendersEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SendersEntry, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "senders are \"any\", \"signed\" or a list of addresses")]
        enum Entry {
            Word(String),
            List(Vec<String>),
        }
        match Entry::deserialize(deserializer)? {
            Entry::Word(word) if word == "any" => Ok(SendersEntry(Senders::Any)),
            Entry::Word(word) if word == "signed" => Ok(SendersEntry(Senders::Signed)),
            Entry::Word(_) => Err(de::Error::custom("senders are \"any\", \"signed\" or a list of addresses")),
            Entry::List(list) => {
                let addresses = list.iter().map(|text| parse_address(text)).collect::<Result<_, _>>();
                addresses.map(|listed| SendersEntry(Senders::Listed(listed))).map_err(de::Error::custom)
            }
        }
    }
}

fn sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let bytes = parse_hex(&format!("0x{}", text.trim_start_matches("0x"))).map_err(de::Error::custom)?;
    let length = bytes.len();
    let hash = bytes.try_into().map_err(|_| de::Error::custom(format_args!("{length} bytes, a SHA-256 has 32")))?;
    Ok(Some(hash))
}

impl PrincipalEntry {
    /// What may be shown of it: all but what its token is found by.
    pub(crate) fn shown(&self) -> ShownPrincipal<'_> {
        let senders = match &self.senders.0 {
            Senders::Any => serde_json::Value::from("any"),
            Senders::Signed => "signed".into(),
            Senders::Listed(listed) => {
                let mut senders: Vec<_> = listed.iter().map(|sender| hex(sender)).collect();
                senders.sort_unstable();
                senders.into()
            }
        };
        let token_sha256 = self.token_sha256.is_some().then_some("redacted");
        let (name, roles) = (&self.name, role_names(&self.roles));
        ShownPrincipal { name, roles, senders, token_sha256, certificate: self.certificate.as_deref() }
    }
}

/// Roles as they are shown.
pub(crate) fn role_names(roles: &HashSet<Role>) -> Vec<&'static str> {
    let mut names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    names.sort_unstable();
    names
}

/// A principal as it is shown.
#[derive(Serialize)]
pub(crate) struct ShownPrincipal<'a> {
    pub(crate) name: &'a str,
    pub(crate) roles: Vec<&'static str>,
    pub(crate) senders: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_sha256: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<&'a str>,
}

/// Who may do what. `public` are the roles of whoever shows neither token nor certificate, if such may do anything;
/// `certificates` says whether clients' are verified.
///
/// # Errors
/// Exit code 2: two principals that could not be told apart, or one that nobody could be.
pub(crate) fn access(
    principals: &[PrincipalEntry],
    public: Option<HashSet<Role>>,
    certificates: bool,
) -> Result<Access, Failure> {
    if principals.is_empty() && public.is_none() {
        return Ok(Access::open());
    }
    let usage = |what: String| Failure::usage(what, "correct the [[principal]] in the configuration file");
    let public = public.map(|roles| {
        let name = "public".to_owned();
        Arc::new(Principal { name, roles, senders: Senders::Signed, may_have_sessions: false })
    });
    let mut access = Access { public, ..Access::default() };
    let mut names = HashSet::new();
    for PrincipalEntry { name, roles, senders, token_sha256, certificate } in principals.iter().cloned() {
        if token_sha256.is_none() && certificate.is_none() {
            return Err(usage(format!("principal {name}: there is neither token_sha256 nor certificate")));
        }
        if certificate.is_some() && !certificates {
            return Err(usage(format!("principal {name}: certificate needs tls.client_authorities")));
        }
        if !names.insert(name.clone()) {
            return Err(usage(format!("principal {name}: there are two of this name")));
        }
        let principal = Arc::new(Principal { name, roles, senders: senders.0, may_have_sessions: true });
        let twice = |what| Err(usage(format!("principal {}: another one has its {what}", principal.name)));
        if let Some(token) = token_sha256
            && access.by_token.insert(token, Arc::clone(&principal)).is_some()
        {
            return twice("token_sha256");
        }
        if let Some(certificate) = certificate
            && access.by_certificate.insert(certificate, Arc::clone(&principal)).is_some()
        {
            return twice("certificate");
        }
    }
    Ok(access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        principal: Vec<PrincipalEntry>,
    }

    fn access(text: &str) -> Result<Access, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        super::access(&file.principal, None, false).map_err(|failure| failure.cause)
    }

    const TOKEN: &str = "token_sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"";

    #[test]
    fn nobody_configured_means_everybody() {
        assert!(access("").is_ok_and(|access| access.is_open()));
        let one = access(&format!("[[principal]]\nname = \"a\"\nroles = [\"read\"]\n{TOKEN}")).expect("it is complete");
        let principal = &one.by_token.values().next().expect("there is one");
        assert!(!one.is_open() && principal.roles == HashSet::from([Role::Read]));
        assert!(matches!(&principal.senders, Senders::Listed(listed) if listed.is_empty()));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let principal = |rest: &str| access(&format!("[[principal]]\nname = \"a\"\nroles = [\"submit\"]\n{rest}"));
        let cases = [
            (principal(""), "neither token_sha256 nor certificate"),
            (principal("certificate = \"a.example\""), "needs tls.client_authorities"),
            (principal("token_sha256 = \"00\""), "1 bytes, a SHA-256 has 32"),
            (principal("senders = \"all\""), "\"any\", \"signed\" or a list"),
            (principal("colour = 1"), "unknown field `colour`"),
            (
                principal(&format!("{TOKEN}\n[[principal]]\nname = \"b\"\nroles = []\n{TOKEN}")),
                "another one has its token",
            ),
        ];
        for (found, expected) in cases {
            let found = found.err().expect("it is refused");
            assert!(found.contains(expected), "{found}");
        }
    }
}
