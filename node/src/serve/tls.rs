//! TLS with certificates that can change while the node runs.
//!
//! A handshake uses the certificates of its time; a connection keeps those that it began with. Files are looked at every
//! [`LOOK_INTERVAL`], and at once on SIGHUP. What cannot be used changes nothing: it is an event and counted, and the
//! certificates before stay.

use futures_util::{Stream, StreamExt};
use parking_lot::RwLock;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::limits::CONNECTIONS_MAX;
use super::settings::Tls;
use super::{supervision, telemetry, validity};
use crate::exit::Failure;

/// Time for a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How often it is looked whether SIGHUP came.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);
/// What is spoken within, the best first: HTTP/1.1 for JSON alone.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificates in use, and the files that they come from.
pub(super) struct Certificates {
    files: Tls,
    current: RwLock<Arc<ServerConfig>>,
    /// Hash of the contents that were read at the start.
    first: [u8; 32],
    /// When the certificate in use expires, in seconds from 1970 on.
    not_after_seconds: AtomicU64,
}

/// The contents of all files.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_authorities: Option<Vec<u8>>,
}

/// Contents that belong together.
struct Usable {
    config: ServerConfig,
    not_after_seconds: u64,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// Exit code 2, with what is wrong.
    pub(super) fn load(files: Tls) -> Result<Certificates, Failure> {
        let failure = |error| Failure::usage(error, "name PEM files that belong together");
        let contents = Contents::read(&files).map_err(failure)?;
        let first = contents.hash();
        let usable = contents.usable(&files).map_err(failure)?;
        let not_after_seconds = AtomicU64::new(usable.not_after_seconds);
        Ok(Certificates { files, current: RwLock::new(Arc::new(usable.config)), first, not_after_seconds })
    }

    /// Tells the metrics when the certificate in use expires.
    pub(super) fn note_expiry(&self) {
        telemetry::tls_certificate(self.not_after_seconds.load(Ordering::Relaxed));
    }

    /// Looks after the files until the future is dropped; `asked` is set by SIGHUP.
    pub(super) async fn keep_up(&self, asked: &AtomicBool) -> Infallible {
        // What was last tried, so that a broken file is complained of once.
        let mut tried = Some(self.first);
        let mut before = tried;
        let mut interval = tokio::time::interval(SIGNAL_INTERVAL);
        let mut ticks = 0u32;
        loop {
            interval.tick().await;
            ticks = ticks.wrapping_add(1);
            // The flag guards no other memory.
            let asked = asked.swap(false, Ordering::Relaxed);
            if !asked && !ticks.is_multiple_of((LOOK_INTERVAL.as_millis() / SIGNAL_INTERVAL.as_millis()) as u32) {
                continue;
            }
            let contents = Contents::read(&self.files);
            let hash = contents.as_ref().ok().map(Contents::hash);
            if asked {
                supervision::reloading();
                self.take(&contents);
                supervision::ready();
                tried = hash;
                continue;
            }
            // Files are written one after the other: only what no longer changes is tried. One that stays unreadable, as a
            // renewed key that root keeps to itself, has settled too, and is complained of.
            let is_settled = hash == before;
            if is_settled && hash != tried {
                self.take(&contents);
                tried = hash;
            }
            before = hash;
        }
    }

    /// Uses other contents, or stays with what is there.
    fn take(&self, contents: &Result<Contents, String>) {
        let usable = contents.as_ref().map_err(String::clone).and_then(|contents| contents.usable(&self.files));
        let could_be_used = usable.is_ok();
        match usable {
            Ok(Usable { config, not_after_seconds }) => {
                *self.current.write() = Arc::new(config);
                self.not_after_seconds.store(not_after_seconds, Ordering::Relaxed);
                self.note_expiry();
                tracing::info!(certificate = %self.files.certificate.display(), "certificates reloaded");
            }
            Err(error) => tracing::error!(%error, "certificates not reloaded, those before stay in use"),
        }
        telemetry::tls_reloaded(could_be_used);
    }
}

/// When the certificate that the files hold expires, in seconds from 1970 on.
///
/// # Errors
/// What is wrong with the files: a node would not start with them.
pub(crate) fn certificate_expires(files: &Tls) -> Result<u64, String> {
    Ok(Contents::read(files)?.usable(files)?.not_after_seconds)
}

impl Contents {
    fn read(files: &Tls) -> Result<Contents, String> {
        let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        Ok(Contents {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
            client_authorities: files.client_authorities.as_deref().map(read).transpose()?,
        })
    }

    /// Tells contents from others.
    fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for part in [Some(&self.certificate), Some(&self.key), self.client_authorities.as_ref()].into_iter().flatten() {
            hasher.update(blake3::hash(part).as_bytes());
        }
        hasher.finalize().into()
    }

    fn usable(&self, files: &Tls) -> Result<Usable, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let builder = match (&self.client_authorities, &files.client_authorities) {
            (Some(authorities), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(authorities, path)? {
                    roots.add(authority).map_err(|error| format!("{}: {error}", path.display()))?;
                }
                // Optional: who shows no certificate has to have a token.
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                let verifier = verifier.allow_unauthenticated().build();
                builder.with_client_cert_verifier(verifier.map_err(|error| format!("{}: {error}", path.display()))?)
            }
            _ => builder.with_no_client_auth(),
        };
        let chain = certificates(&self.certificate, &files.certificate)?;
        let not_after_seconds = chain.first().and_then(|certificate| validity::not_after_seconds(certificate));
        let no_end = || format!("{}: it does not say when it expires", files.certificate.display());
        let not_after_seconds = not_after_seconds.ok_or_else(no_end)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key);
        let key = key.map_err(|error| format!("{}: {error}", files.key.display()))?;
        let config = builder.with_single_cert(chain, key);
        let mut config =
            config.map_err(|error| format!("{} with {}: {error}", files.certificate.display(), files.key.display()))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Usable { config, not_after_seconds })
    }
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("{}: there is no certificate", path.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Connections within TLS. Handshakes run beside each other, each in its time.
pub(super) fn accept<S>(
    connections: impl Stream<Item = io::Result<S>>,
    certificates: Arc<Certificates>,
) -> impl Stream<Item = io::Result<TlsStream<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = move |connection: io::Result<S>| {
        let acceptor = TlsAcceptor::from(Arc::clone(&certificates.current.read()));
        let handshake = async move {
            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(connection?)).await;
            handshake.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        // On any thread: signing takes long enough to hold up who only accepts.
        let handshake = tokio::spawn(handshake);
        async move { handshake.await.unwrap_or_else(|error| Err(io::Error::other(error))) }
    };
    connections.map(handshake).buffer_unordered(CONNECTIONS_MAX)
}
