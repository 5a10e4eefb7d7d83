//! Who is subscribed to the history: places, and what all of them choose.

use parking_lot::Mutex;
use std::sync::Arc;

use super::wire::{AUDIENCE_MAX, Audience, Filter};

/// Subscribers. Those at the same height share its bytes.
pub(crate) const SUBSCRIBERS_MAX: usize = 128;
const _: () = assert!(SUBSCRIBERS_MAX <= AUDIENCE_MAX);

/// Some subscribers: all, or those that are behind.
#[derive(Default)]
pub(crate) struct Subscribers {
    state: Mutex<State>,
    /// Held by who makes an audience.
    making: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// One each. Equal ones are one filter.
    filters: Vec<Arc<Filter>>,
    /// What some of them chose, or all if these numbers are equal.
    audience: Arc<Audience>,
    changes: u64,
    changes_in_audience: u64,
}

/// One of them, as long as it is there.
pub(crate) struct Subscriber {
    subscribers: Arc<Subscribers>,
    filter: Arc<Filter>,
}

impl Subscribers {
    /// Takes a place, if there is one.
    pub(crate) fn join(self: &Arc<Self>, filter: Filter) -> Option<Subscriber> {
        let mut state = self.state.lock();
        if state.filters.len() == SUBSCRIBERS_MAX {
            return None;
        }
        let equal = state.filters.iter().find(|other| ***other == filter).cloned();
        Some(self.enter(&mut state, equal.unwrap_or_else(|| Arc::new(filter))))
    }

    /// Adds one of others.
    pub(crate) fn add(self: &Arc<Self>, filter: &Arc<Filter>) -> Subscriber {
        self.enter(&mut self.state.lock(), Arc::clone(filter))
    }

    fn enter(self: &Arc<Self>, state: &mut State, filter: Arc<Filter>) -> Subscriber {
        state.filters.push(Arc::clone(&filter));
        state.changes += 1;
        Subscriber { subscribers: Arc::clone(self), filter }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().filters.len()
    }

    /// What those chose who were there when it was last made.
    pub(crate) fn audience(&self) -> Arc<Audience> {
        Arc::clone(&self.state.lock().audience)
    }

    /// Makes an audience of those who are there. It can take milliseconds, in which nobody waits for the lock.
    pub(crate) fn refresh(&self) {
        let _one_at_a_time = self.making.lock();
        let (mut filters, changes) = {
            let state = self.state.lock();
            if state.changes == state.changes_in_audience {
                return;
            }
            (state.filters.clone(), state.changes)
        };
        filters.sort_unstable_by_key(Arc::as_ptr);
        filters.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let audience = Arc::new(Audience::of(filters));
        let mut state = self.state.lock();
        // The one before may be large.
        let _freed_without_the_lock = std::mem::replace(&mut state.audience, audience);
        state.changes_in_audience = changes;
        drop(state);
    }
}

impl Subscriber {
    pub(crate) fn filter(&self) -> &Arc<Filter> {
        &self.filter
    }

    /// How many others there are.
    pub(crate) fn others(&self) -> u32 {
        self.subscribers.count().saturating_sub(1) as u32
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut state = self.subscribers.state.lock();
        if let Some(place) = state.filters.iter().position(|filter| Arc::ptr_eq(filter, &self.filter)) {
            state.filters.swap_remove(place);
            state.changes += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_proto::v1;

    fn filter(method: &str) -> Filter {
        let asked = v1::CallFilter { methods: vec![method.to_owned()], ..v1::CallFilter::default() };
        let request = v1::SubscribeRequest { filter: Some(asked), ..v1::SubscribeRequest::default() };
        Filter::of(&request).map_err(tonic::Status::from).expect("it is well formed")
    }

    #[test]
    fn each_has_a_place_and_equal_filters_are_one_of_the_audience() {
        let subscribers = Arc::new(Subscribers::default());
        let join = |number: usize| subscribers.join(filter(&format!("method{}", number / 2)));
        let mut all: Vec<_> = (0..SUBSCRIBERS_MAX).map_while(join).collect();
        assert_eq!((all.len(), subscribers.count()), (SUBSCRIBERS_MAX, SUBSCRIBERS_MAX));
        assert!(join(0).is_none());
        let members = || {
            subscribers.refresh();
            subscribers.audience().len()
        };
        // Nobody is in an audience before one is made.
        assert_eq!((subscribers.audience().len(), members()), (0, SUBSCRIBERS_MAX / 2));
        assert!(Arc::ptr_eq(all[0].filter(), all[1].filter()) && !Arc::ptr_eq(all[1].filter(), all[2].filter()));
        let made = subscribers.audience();
        subscribers.refresh();
        assert!(Arc::ptr_eq(&made, &subscribers.audience()), "nothing changed");
        // One of two with the same filter goes, then the other.
        all.remove(0);
        assert_eq!((subscribers.count(), members()), (SUBSCRIBERS_MAX - 1, SUBSCRIBERS_MAX / 2));
        all.remove(0);
        assert_eq!((subscribers.count(), members()), (SUBSCRIBERS_MAX - 2, SUBSCRIBERS_MAX / 2 - 1));
        all.truncate(1);
        assert_eq!(all[0].others(), 0);
        drop(all);
        assert_eq!((subscribers.count(), members()), (0, 0));
    }

    #[test]
    fn as_many_as_there_may_be_are_an_audience() {
        let subscribers = Arc::new(Subscribers::default());
        let all: Vec<_> =
            (0..SUBSCRIBERS_MAX).map_while(|number| subscribers.join(filter(&format!("m{number}")))).collect();
        subscribers.refresh();
        assert_eq!((all.len(), subscribers.audience().len()), (SUBSCRIBERS_MAX, SUBSCRIBERS_MAX));
    }
}
