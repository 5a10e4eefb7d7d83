//! What happened while a batch was executed in parallel. None of it shows in results, and some of it depends on timing.

macro_rules! statistics {
    ($($(#[doc = $doc:literal])+ $field:ident: $name:literal,)+) => {
        /// Counts of one batch, or of many.
        #[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
        pub struct Statistics {
            $($(#[doc = $doc])+ pub $field: u64,)+
        }

        impl Statistics {
            /// Adds another batch's.
            pub fn add(&mut self, other: &Statistics) {
                $(self.$field += other.$field;)+
            }

            /// All counts with their names.
            pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$(($name, self.$field)),+].into_iter()
            }
        }
    };
}

impl Statistics {
    /// Calls that were executed again, in whatever way.
    pub fn again(&self) -> u64 {
        self.repaired_calls + self.suffix_calls
    }
}

statistics! {
    /// Rounds that were executed in parallel.
    rounds: "rounds",
    /// Calls that were executed in parallel.
    optimistic_calls: "calls executed in parallel",
    /// Calls that were executed in parallel with the keys that they declared.
    hinted_calls: "calls executed with the keys that they declared",
    /// Calls that touched a key that they had not declared.
    strayed_calls: "calls that strayed from what they declared",
    /// Calls that were executed in order between others that declared their keys.
    unhinted_calls: "calls executed in order between declared ones",
    /// Calls whose checks failed when their round was chained.
    dirty_calls: "dirty calls",
    /// Calls that were executed again, each by itself.
    repaired_calls: "repaired calls",
    /// Calls that became dirty while others were repaired.
    reopened_calls: "reopened calls",
    /// Calls that were executed again because the rest of their round was executed in order.
    suffix_calls: "calls of suffixes",
    /// Rounds of which the rest was executed in order.
    suffixes: "suffixes executed in order",
    /// Exact reads that stood although the key had been written: the value was the same.
    rescued_reads: "rescued reads",
    /// Answers to deltas that became others.
    changed_predicates: "changed predicates",
    /// Scans that would have found other entries.
    phantoms: "phantoms",
    /// Writes that only the second execution of a call made.
    new_writes: "new writes",
    /// Writes that only the first execution of a call made.
    dropped_writes: "dropped writes",
    /// Repairs that were given up because chains were too long.
    long_chains: "repairs given up for long chains",
}
