//! The ECR operations: wire shapes in, use cases, wire shapes out, one file per family.
//!
//! Every function here takes a call whose access and members are checked. None decides a rule.

pub(super) mod authorization;
mod ids;
pub(super) mod images;
pub(super) mod layers;
pub(super) mod lifecycle;
pub(super) mod listings;
pub(super) mod registry;
pub(super) mod repositories;
pub(super) mod resource_tags;
pub(super) mod storage_class;
