//! The configuration file of `phalanx serve`.

use phalanx_engine::Address;
use serde::{Deserialize, Deserializer, de};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::access::{Access, Principal, Role, Senders};
use crate::exit::Failure;
use crate::hex::{parse_address, parse_hex};

/// What the file may hold. Paths in it are relative to it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where gRPC is served.
    pub(crate) listen: Option<SocketAddr>,
    /// Where metrics, health and version are served over HTTP; nowhere if missing.
    pub(crate) admin: Option<SocketAddr>,
    /// Tells the chain from others: 0x and 64 hex digits. It is the log's for good.
    #[serde(deserialize_with = "chain_id")]
    pub(crate) chain_id: Option<Address>,
    /// Whether every call that is submitted must be signed.
    pub(crate) require_signatures: bool,
    /// Roles of whoever shows neither token nor certificate, and acts as those who signed its calls; none if missing.
    pub(crate) public: Option<HashSet<Role>>,
    /// Certificates; without them, connections are not encrypted.
    pub(crate) tls: Option<Tls>,
    /// Who may do what; without any, everybody may do everything, on loopback only.
    #[serde(rename = "principal")]
    pub(crate) principals: Vec<PrincipalEntry>,
}

/// Certificates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The server's certificate chain, PEM.
    pub(crate) certificate: PathBuf,
    /// Its private key, PEM.
    pub(crate) key: PathBuf,
    /// Authorities of client certificates, PEM. A client may then show a certificate instead of a token.
    pub(crate) client_authorities: Option<PathBuf>,
}

/// A principal.
#[derive(Debug, Deserialize)]
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

fn chain_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    parse_address(&text).map(Some).map_err(|_| de::Error::custom("a chain id is 0x and 64 hex digits"))
}

/// `"any"`, `"signed"`, or a list of addresses.
#[derive(Debug)]
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

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Exit code 2, with the place of what is wrong.
    pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
        let failure = |error: &dyn std::fmt::Display| {
            Failure::usage(
                format_args!("{}: {error}", path.display()),
                "the keys are listen, admin, chain_id, require_signatures, public, [tls] and [[principal]]; README.md shows them",
            )
        };
        let text = fs::read_to_string(path).map_err(|error| failure(&error))?;
        let mut config: Config = toml::from_str(&text).map_err(|error| failure(&error))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        if let Some(tls) = &mut config.tls {
            let files = [Some(&mut tls.certificate), Some(&mut tls.key), tls.client_authorities.as_mut()];
            files.into_iter().flatten().for_each(|file| *file = directory.join(&*file));
        }
        Ok(config)
    }

    /// Who may do what.
    ///
    /// # Errors
    /// Exit code 2: two principals that could not be told apart, or one that nobody could be.
    pub(crate) fn access(&mut self) -> Result<Access, Failure> {
        if self.principals.is_empty() && self.public.is_none() {
            return Ok(Access::open());
        }
        let usage = |what: String| Failure::usage(what, "correct the [[principal]] in the configuration file");
        let public = self.public.take().map(|roles| {
            let name = "public".to_owned();
            Arc::new(Principal { name, roles, senders: Senders::Signed, may_have_sessions: false })
        });
        let mut access = Access { public, ..Access::default() };
        let mut names = HashSet::new();
        for PrincipalEntry { name, roles, senders, token_sha256, certificate } in std::mem::take(&mut self.principals) {
            if token_sha256.is_none() && certificate.is_none() {
                return Err(usage(format!("principal {name}: there is neither token_sha256 nor certificate")));
            }
            if certificate.is_some() && self.tls.as_ref().is_none_or(|tls| tls.client_authorities.is_none()) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(text: &str) -> Result<Access, String> {
        let mut config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.access().map_err(|failure| failure.cause)
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
