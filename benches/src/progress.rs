//! How a long run tells that it is alive. Whoever shows it decides how; nothing here writes to a terminal.

/// Receives what a run is busy with.
pub trait Progress {
    /// A stage begins that will advance `total` times; `stage` is a short phrase such as "funding accounts".
    fn begin(&self, stage: &str, total: u64);
    /// So many steps more are done.
    fn advance(&self, steps: u64);
    /// The stage that began last is over.
    fn end(&self);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _steps: u64) {}
    fn end(&self) {}
}
