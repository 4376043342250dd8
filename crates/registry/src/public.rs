//! What only public registries have (ecr-public.md): aliases, catalog data, tags with their images,
//! limits of pulls. Everything else of a public repository is that of any repository.

mod catalog_data;
mod image_tags;
mod pulls;
mod registries;

pub use catalog_data::{CatalogInput, LogoInput};
pub use pulls::{PullLimits, PullRates};
pub use registries::PublicAddress;
pub use roadstead_store::metadata::TaggedImage;
