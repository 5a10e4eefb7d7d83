//! Who is subscribed to the history: places, and what all of them choose.

use parking_lot::Mutex;
use std::sync::Arc;

use super::wire::{AUDIENCE_MAX, Audience, Filter};

/// Subscribers. Each holds the bytes of one height, which those at the same height share.
pub(crate) const SUBSCRIBERS_MAX: usize = 128;
const _: () = assert!(SUBSCRIBERS_MAX <= AUDIENCE_MAX);

/// Those that there are.
#[derive(Default)]
pub(crate) struct Subscribers(Mutex<State>);

#[derive(Default)]
struct State {
    filters: Vec<Arc<Filter>>,
    /// Of these filters, once somebody has asked for it.
    audience: Option<Arc<Audience>>,
}

/// One of them, as long as it is there.
pub(crate) struct Subscriber {
    subscribers: Arc<Subscribers>,
    filter: Arc<Filter>,
}

impl Subscribers {
    /// Takes a place, if there is one.
    pub(crate) fn join(self: &Arc<Self>, filter: Filter) -> Option<Subscriber> {
        let mut state = self.0.lock();
        if state.filters.len() == SUBSCRIBERS_MAX {
            return None;
        }
        let filter = Arc::new(filter);
        state.filters.push(Arc::clone(&filter));
        state.audience = None;
        Some(Subscriber { subscribers: Arc::clone(self), filter })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().filters.len()
    }

    /// What all of them choose.
    pub(crate) fn audience(&self) -> Arc<Audience> {
        let mut state = self.0.lock();
        let State { filters, audience } = &mut *state;
        Arc::clone(audience.get_or_insert_with(|| Arc::new(Audience::of(filters.clone()))))
    }
}

impl Subscriber {
    pub(crate) fn filter(&self) -> &Arc<Filter> {
        &self.filter
    }

    /// What all of them choose.
    pub(crate) fn audience(&self) -> Arc<Audience> {
        self.subscribers.audience()
    }

    /// How many others there are.
    pub(crate) fn others(&self) -> u32 {
        self.subscribers.count().saturating_sub(1) as u32
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut state = self.subscribers.0.lock();
        state.filters.retain(|filter| !Arc::ptr_eq(filter, &self.filter));
        state.audience = None;
    }
}
