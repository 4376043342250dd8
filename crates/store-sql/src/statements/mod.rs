//! The port's traits, implemented once over any driver, the text of each statement beside its use.
//!
//! Every statement reaches its rows through an index: a page costs the page, a deletion what it
//! names (`plans` checks both). Numbers that stand for values live in `codes`.

mod blobs;
pub(crate) mod codes;
mod containers_read;
mod containers_text;
mod containers_write;
mod control;
mod deleted;
mod events;
mod garbage;
mod images_read;
mod images_write;
mod inspection;
mod lifecycle_images;
mod lifecycle_read;
mod lifecycle_write;
mod public;
mod reap;
mod repositories;
mod uploads;
