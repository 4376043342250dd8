//! What a public repository says of itself to whoever looks for images.
//!
//! Kept as it was given, in its order: values that the gallery does not know are no errors
//! (`RepositoryCatalogDataInput` in the ECR Public API model).

use super::logo::LogoId;

/// Catalog data of a repository. Texts that are empty count as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogData {
    /// The short description.
    pub description: Option<String>,
    /// The architectures that the images are for.
    pub architectures: Vec<String>,
    /// The operating systems that the images are for.
    pub operating_systems: Vec<String>,
    /// The long description, Markdown.
    pub about_text: Option<String>,
    /// How to use the images, Markdown.
    pub usage_text: Option<String>,
    /// The logo, if there is one.
    pub logo: Option<LogoId>,
}
