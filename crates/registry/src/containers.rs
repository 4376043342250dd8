//! Amazon Lightsail container services: their images, deployments, and what runs them.

pub mod runtime;
