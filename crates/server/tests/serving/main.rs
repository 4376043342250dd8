//! Black box: how the real server serves. TLS and plain HTTP on one port, both families of
//! addresses, certificates that change, silent peers, the end among transfers.
//!
//! hostile.md C6; faults.md F41.

mod ending;
mod peers;
mod pki;
#[path = "../support/mod.rs"]
mod support;
mod tls;
