//! placeholder
#[derive(Default)]
pub struct Sessions;
