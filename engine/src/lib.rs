//! The embeddable Phalanx engine: contract runtime, state, digests, replay log.
