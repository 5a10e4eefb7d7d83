//! What the service manager is told (systemd's `sd_notify`). Without one, nothing.

use std::convert::Infallible;
use std::time::Duration;

use super::node::Node;

/// After which time the thread that cuts batches is asked again, if its list of questions was full.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Requests are taken.
pub(super) fn ready() {
    notify(&[sd_notify::NotifyState::Ready]);
}

/// Certificates are being read again; [`ready`] follows.
pub(super) fn reloading() {
    if let Ok(now) = sd_notify::NotifyState::monotonic_usec_now() {
        notify(&[sd_notify::NotifyState::Reloading, now]);
    }
}

/// The node is about to end.
pub(super) fn stopping() {
    notify(&[sd_notify::NotifyState::Stopping]);
}

/// Tells the manager's watchdog, until the future is dropped, that batches are still being cut: the thread that cuts them
/// says so, between two of them.
pub(super) async fn feed_watchdog(node: &Node) -> Infallible {
    let Some(timeout) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    // Twice within the timeout, as the manager's documentation asks for.
    let mut interval = tokio::time::interval((timeout / 2).max(Duration::from_millis(1)));
    loop {
        interval.tick().await;
        // A full list of questions says that the node is busy, not that it is stuck. Asked again only at the next turn, who
        // keeps the list full could have the manager end the node.
        while node.ask_in_order(|_| ()).await.is_err() {
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
        notify(&[sd_notify::NotifyState::Watchdog]);
    }
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
