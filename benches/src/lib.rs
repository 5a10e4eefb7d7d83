//! Workloads and the capacity harness of Phalanx.
