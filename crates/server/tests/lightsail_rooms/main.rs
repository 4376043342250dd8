//! The rooms that container images live in: which manifest stays as long as which name or push
//! wants it, what a crash leaves at any call of the stores, what a deleted service leaves.
//!
//! Expected values come from lightsail-containers.md sections 3, 4, 6.4 and 13.

mod crashes;
mod leaving;
mod logs;
mod numbers;
mod retention;
mod room;
mod runtime;
