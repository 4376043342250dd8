//! What the doctor finds, in words that stay: programs read them.

use roadstead_store::metadata::Needer;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The metadata store says that its own file is damaged.
    StoreDamaged,
    /// A row that cannot be understood.
    RowBroken,
    /// A blob without bytes.
    BlobMissing,
    /// A blob with more or fewer bytes than it had.
    BlobResized,
    /// A blob whose bytes have another digest.
    BlobRotten,
    /// A blob whose bytes cannot be read.
    BlobUnreadable,
    /// A blob that is known to be lost and was not pushed again yet.
    BlobLost,
    /// A lost blob whose bytes are there again.
    BlobRestored,
    /// A blob that no repository has.
    BlobUnlinked,
    /// A key that is used twice.
    KeyShared,
    /// An open upload with fewer bytes than were acknowledged.
    UploadShort,
    /// A file that belongs to nothing.
    FileUnknown,
    /// An image without its manifest.
    ManifestMissing,
    /// A manifest whose bytes have another digest, or another length than recorded.
    ManifestRotten,
    /// The recorded contents of an image are not those that its manifest names.
    EdgesWrong,
    /// A blob of an image that its repository cannot read.
    LinkMissing,
    /// A link that leads to no blob, or to another one.
    LinkAstray,
    /// A link that the sweep may take though an image needs it.
    LinkLoose,
    /// A link that the sweep never takes though no image needs it.
    LinkHeld,
    /// An index that lists a manifest which is not there.
    ChildMissing,
    /// A tag that points to no image of its repository.
    TagAstray,
    /// An image that counts as tagged and is not, or the other way round.
    TagCountWrong,
}

impl Kind {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StoreDamaged => "store-damaged",
            Self::RowBroken => "row-broken",
            Self::BlobMissing => "blob-missing",
            Self::BlobResized => "blob-resized",
            Self::BlobRotten => "blob-rotten",
            Self::BlobUnreadable => "blob-unreadable",
            Self::BlobLost => "blob-lost",
            Self::BlobRestored => "blob-restored",
            Self::BlobUnlinked => "blob-unlinked",
            Self::KeyShared => "key-shared",
            Self::UploadShort => "upload-short",
            Self::FileUnknown => "file-unknown",
            Self::ManifestMissing => "manifest-missing",
            Self::ManifestRotten => "manifest-rotten",
            Self::EdgesWrong => "edges-wrong",
            Self::LinkMissing => "link-missing",
            Self::LinkAstray => "link-astray",
            Self::LinkLoose => "link-loose",
            Self::LinkHeld => "link-held",
            Self::ChildMissing => "child-missing",
            Self::TagAstray => "tag-astray",
            Self::TagCountWrong => "tag-count-wrong",
        }
    }
}

/// What was done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Reported,
    /// Bytes were moved to the quarantine.
    SetAside,
    /// The blob is not offered any more, so that clients push it again.
    MarkedLost,
    /// The blob is offered again.
    Restored,
}

impl Action {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::SetAside => "set-aside",
            Self::MarkedLost => "marked-lost",
            Self::Restored => "restored",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// With which row or file: `blob <key>`, `image <repository>@<digest>` and the like.
    pub subject: String,
    /// How, for people.
    pub detail: String,
    /// The images that cannot be pulled because of it, at most 100.
    pub images: Vec<Needer>,
    /// What was done.
    pub action: Action,
}

impl Finding {
    /// A finding about which nothing was done.
    pub(super) fn new(kind: Kind, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
            detail: detail.into(),
            images: Vec::new(),
            action: Action::Reported,
        }
    }
}
