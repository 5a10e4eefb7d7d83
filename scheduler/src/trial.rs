//! Calls that are tried: each is executed alone on the state as it is, and leaves that as it is.
//!
//! A call that executes in parallel writes nothing but records anyway, so one that is tried does the same, and its records are
//! never applied. There is no branch to be discarded, and what it saw is known.

use crate::executor::{Executor, Verdict};
use crate::key::CallIndex;
use crate::run::RunLog;
use crate::state::State;
use crate::view::{Base, View};
use std::sync::Arc;

/// The call that is tried, the only one of its batch.
const TRIED: CallIndex = CallIndex(0);

/// A state on which calls are tried.
pub struct Trial {
    state: Arc<State>,
    /// Absent while a call has it. Its run is the log of the last call.
    view: Option<Box<View>>,
}

impl Trial {
    /// Calls are tried on this state, which must have no open branch with writes.
    pub fn new(mut state: State) -> Self {
        let log = state.spare.pop().unwrap_or_default();
        let state = Arc::new(state);
        let mut view = Box::new(View::new(Base::Snapshot(Arc::clone(&state))));
        view.run = log;
        Self { state, view: Some(view) }
    }

    /// Executes a batch's only call. To be called on worker 0, in [`Team::run`](crate::Team::run).
    pub fn execute<E: Executor>(&mut self, executor: &mut E, shared: &E::Shared) -> E::Run {
        let mut view = self.view.take().expect("the call before has given it back");
        view.run.begin(0, TRIED.0, true);
        executor.begin_run(shared, TRIED);
        view.begin_call(TRIED);
        let (mut view, verdict) = executor.execute(shared, TRIED, view);
        view.end_call(verdict == Verdict::Keep);
        self.view = Some(view);
        executor.end_run(shared, CallIndex(TRIED.0 + 1))
    }

    /// What the last call read, and wrote.
    pub fn log(&self) -> &RunLog {
        &self.view.as_ref().expect("no call is running").run
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Gives the state back.
    pub fn into_state(self) -> State {
        let log = self.view.map(|view| view.run).unwrap_or_default();
        let mut state = Arc::into_inner(self.state).expect("no view has a part of it");
        state.recycle(log);
        state
    }
}
