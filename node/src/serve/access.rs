//! Who may do what. A principal is known by a bearer token or by the name in its client certificate; it has roles, and
//! senders that it may act as.

use clap::ValueEnum;
use phalanx_engine::Address;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tonic::Request;
use tonic::metadata::MetadataMap;
use webpki::EndEntityCert;

use super::refusal::Refusal;
use super::wire::Calls;
use crate::hex::hex;

/// What a principal may do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Query, simulate, look up, subscribe.
    Read,
    /// Submit calls.
    Submit,
    /// Deploy and upgrade contracts.
    Deploy,
}

impl Role {
    /// Its name in the configuration.
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Submit => "submit",
            Role::Deploy => "deploy",
        }
    }
}

/// Senders that a principal may act as.
#[derive(Clone, Debug)]
pub(crate) enum Senders {
    /// Any.
    Any,
    /// These.
    Listed(HashSet<Address>),
    /// Whoever has signed the call.
    Signed,
}

/// Somebody who may do something.
#[derive(Debug)]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) roles: HashSet<Role>,
    pub(crate) senders: Senders,
    /// Whether it may have sessions. They are few, and strangers could take them all.
    pub(crate) may_have_sessions: bool,
}

/// All principals, by what they are known by.
#[derive(Default)]
pub(crate) struct Access {
    /// By the SHA-256 of their tokens: who reads the configuration does not read tokens, and looking one up takes as long
    /// whatever of it is right.
    pub(crate) by_token: HashMap<[u8; 32], Arc<Principal>>,
    /// By a DNS name or URI of their certificates.
    pub(crate) by_certificate: HashMap<String, Arc<Principal>>,
    /// Everybody else, if nobody is configured.
    pub(crate) everybody: Option<Arc<Principal>>,
    /// Whoever shows neither token nor certificate, if such may do anything.
    pub(crate) public: Option<Arc<Principal>>,
}

impl Access {
    /// Everybody may do everything.
    pub(crate) fn open() -> Access {
        let roles = HashSet::from([Role::Read, Role::Submit, Role::Deploy]);
        let name = "everybody".to_owned();
        let everybody = Principal { name, roles, senders: Senders::Any, may_have_sessions: true };
        Access { everybody: Some(Arc::new(everybody)), ..Access::default() }
    }

    /// Whether whoever connects may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.everybody.is_some()
    }

    /// The principal of a request, if it has a role.
    pub(crate) fn check<T>(&self, request: &Request<T>, role: Role) -> Result<Arc<Principal>, Refusal> {
        let principal = self.principal(request)?;
        principal.check(role)?;
        Ok(principal)
    }

    fn principal<T>(&self, request: &Request<T>) -> Result<Arc<Principal>, Refusal> {
        if let Some(everybody) = &self.everybody {
            return Ok(Arc::clone(everybody));
        }
        if let Some(token) = bearer_token(request.metadata())? {
            let hash: [u8; 32] = Sha256::digest(token).into();
            let known = self.by_token.get(&hash).map(Arc::clone);
            return known.ok_or_else(|| Refusal::unauthenticated("the token is not known"));
        }
        let certificates = request.peer_certs();
        let of_certificate = certificates.as_ref().and_then(|chain| self.of_certificate(chain.first()?));
        // Not who shows a certificate that names nobody: that is a mistake, and better said.
        let of_public = if certificates.is_none() { self.public.as_ref().map(Arc::clone) } else { None };
        of_certificate.or(of_public).ok_or_else(|| match certificates {
            Some(_) => Refusal::unauthenticated("no principal has a name of the client's certificate"),
            None => Refusal::unauthenticated("say `authorization: Bearer TOKEN`, or use a client certificate"),
        })
    }

    /// The chain was verified by the handshake; here only names are read.
    fn of_certificate(&self, certificate: &CertificateDer<'_>) -> Option<Arc<Principal>> {
        let certificate = EndEntityCert::try_from(certificate).ok()?;
        let names = certificate.valid_dns_names().chain(certificate.valid_uri_names());
        names.filter_map(|name| self.by_certificate.get(name)).next().map(Arc::clone)
    }
}

fn bearer_token(metadata: &MetadataMap) -> Result<Option<&[u8]>, Refusal> {
    let Some(value) = metadata.get("authorization") else { return Ok(None) };
    let (scheme, token) = value.as_bytes().split_at_checked(7).unwrap_or_default();
    match scheme.eq_ignore_ascii_case(b"bearer ") {
        true => Ok(Some(token)),
        false => Err(Refusal::unauthenticated("authorization is something other than `Bearer TOKEN`")),
    }
}

impl Principal {
    fn check(&self, role: Role) -> Result<(), Refusal> {
        match self.roles.contains(&role) {
            true => Ok(()),
            false => {
                let (name, role) = (&self.name, role.name());
                Err(Refusal::not_permitted("ROLE", format_args!("principal {name} does not have the role {role}")))
            }
        }
    }

    /// Checks that the principal may act as the senders of calls, and deploy if one of them does.
    pub(crate) fn check_calls(&self, calls: &Calls) -> Result<(), Refusal> {
        if calls.reach_system() {
            self.check(Role::Deploy)?;
        }
        match &self.senders {
            Senders::Any => Ok(()),
            Senders::Signed if calls.signed() == calls.len() => Ok(()),
            Senders::Signed => {
                let what =
                    format_args!("principal {} acts as whoever has signed, each call has a signature", self.name);
                Err(Refusal::not_permitted("UNSIGNED", what))
            }
            Senders::Listed(listed) => calls.check_senders(|sender| listed.contains(sender)).map_err(|sender| {
                let (name, sender) = (&self.name, hex(&sender));
                Refusal::not_permitted("SENDER", format_args!("principal {name} may not act as {sender}"))
            }),
        }
    }

    /// Checks that the principal may ask in the name of a call's sender. Nothing is done in it, so whoever acts as those who
    /// sign may ask in any name.
    pub(crate) fn check_question(&self, calls: &Calls) -> Result<(), Refusal> {
        match self.senders {
            Senders::Any | Senders::Signed => Ok(()),
            Senders::Listed(_) => self.check_calls(calls),
        }
    }

    /// Checks that the principal may have sessions.
    pub(crate) fn check_sessions(&self) -> Result<(), Refusal> {
        match self.may_have_sessions {
            true => Ok(()),
            false => Err(Refusal::not_permitted("SESSION", "who shows neither token nor certificate has no sessions")),
        }
    }

    /// The name under which a client's session stands in the log: no two principals share one.
    pub(crate) fn session(&self, session: &[u8; 16]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_derive_key("phalanx 1 session");
        hasher.update(session).update(self.name.as_bytes());
        *hasher.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes")
    }
}
