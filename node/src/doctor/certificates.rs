//! The certificates that a node would show, and their key.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Finding, Status};
use crate::serve::certificate_expires;
use crate::serve::settings::Tls;

const DAY_SECONDS: u64 = 86_400;
/// Days before its end from which on a certificate should have been renewed.
const RENEWED_DAYS: u64 = 14;

/// Whether they can be read, belong together, and are not over.
pub(super) fn usable(files: &Tls) -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    of_expiry(certificate_expires(files), now)
}

fn of_expiry(expires: Result<u64, String>, now: u64) -> Finding {
    const CHECK: &str = "certificates";
    let renew = "renew it; a node that runs takes files that change by itself";
    match expires {
        Err(error) => Finding::new(CHECK, Status::Fail, error, "name PEM files that belong together"),
        Ok(expires) if expires <= now => {
            let days = (now - expires) / DAY_SECONDS;
            Finding::new(CHECK, Status::Fail, format!("expired {days} days ago: clients refuse it"), renew)
        }
        Ok(expires) => {
            let days = (expires - now) / DAY_SECONDS;
            let status = if days < RENEWED_DAYS { Status::Warn } else { Status::Ok };
            Finding::new(CHECK, status, format!("certificate and key belong together; {days} days to go"), renew)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_expires_soon_is_warned_of_and_what_has_fails() {
        let status = |expires| of_expiry(Ok(expires), 1_000 * DAY_SECONDS).status;
        assert_eq!(status(1_000 * DAY_SECONDS), Status::Fail);
        assert_eq!(status(1_000 * DAY_SECONDS + 1), Status::Warn);
        assert_eq!(status(1_014 * DAY_SECONDS - 1), Status::Warn);
        assert_eq!(status(1_014 * DAY_SECONDS), Status::Ok);
        assert_eq!(of_expiry(Err("no key".into()), 0).status, Status::Fail);
    }
}
