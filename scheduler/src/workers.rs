//! Work spread over the threads of the pool that the caller runs in.

use parking_lot::Mutex;

/// Calls `work` once with each item, at the same time where there are threads.
pub(crate) fn each<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) {
    match items {
        [] => {}
        [only] => work(only),
        [first, rest @ ..] => rayon::in_place_scope(|scope| {
            for item in rest {
                scope.spawn(|_| work(item));
            }
            work(first);
        }),
    }
}

/// Items that workers take one after another.
pub(crate) struct Queue<I>(Mutex<I>);

impl<I: Iterator> Queue<I> {
    pub(crate) fn new(items: I) -> Self {
        Self(Mutex::new(items))
    }

    pub(crate) fn take(&self) -> Option<I::Item> {
        self.0.lock().next()
    }
}
