//! F43 and the doctor: what is rotten is never served as good, is found, kept, and healed by a push;
//! what is sound is never called rotten, whoever writes meanwhile.

mod bench;
mod bytes;
mod commands;
mod load;
mod rows;

#[path = "../pushing/mod.rs"]
mod pushing;
#[path = "../support/mod.rs"]
mod support;
