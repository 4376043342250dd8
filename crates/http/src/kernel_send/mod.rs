//! Blobs from the page cache to the socket without a copy through this process.
//!
//! A body gives out slices of a memory map (`file_body`), so its bytes are right whoever reads
//! them. The stream under a connection (`stream`) asks `mapping` where a slice comes from and
//! lets the kernel send that part of the file. In between, hyper speaks HTTP and knows of
//! nothing. This module must never be the only way to the bytes: what is not recognised is
//! written as any other memory.

mod file_body;
mod mapping;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use file_body::FileBody;
pub(crate) use stream::KernelSend;
