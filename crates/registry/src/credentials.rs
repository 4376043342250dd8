//! placeholder
#[derive(Default)]
pub struct KeyCache;
