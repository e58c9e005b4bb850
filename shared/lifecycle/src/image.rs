//! An image as a policy sees it.

use pullsafe::digest::Digest;
use pullsafe::timestamp::Timestamp;

/// Where ECR keeps an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageClass {
    /// The standard class, from where it can be pulled.
    Standard,
    /// The archive, from where it cannot be pulled.
    Archive,
}

impl StorageClass {
    /// The name that a policy writes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Archive => "archive",
        }
    }
}

/// One image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its digest.
    pub digest: Digest,
    /// All its tags.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// When it was last pulled, as far as ECR has recorded it.
    pub pulled_at: Option<Timestamp>,
    /// When it last came back from the archive.
    pub activated_at: Option<Timestamp>,
    /// When it last went into the archive.
    pub archived_at: Option<Timestamp>,
    /// Where it is kept.
    pub class: StorageClass,
    /// The images that it names, if it is an index. They cannot go before it.
    pub members: Vec<Digest>,
    /// The image that it is attached to, such as the one that it signs. It goes with that image.
    pub subject: Option<Digest>,
}

impl Image {
    /// An image of the standard class that was pushed at this moment, with these tags and nothing else.
    pub fn pushed(digest: Digest, tags: &[&str], pushed_at: Timestamp) -> Self {
        Self {
            digest,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            pushed_at,
            pulled_at: None,
            activated_at: None,
            archived_at: None,
            class: StorageClass::Standard,
            members: Vec::new(),
            subject: None,
        }
    }

    /// The moment from which its age counts: the push, or its last return from the archive.
    pub(crate) fn since_pushed(&self) -> Timestamp {
        self.activated_at.map_or(self.pushed_at, |back| back.max(self.pushed_at))
    }

    /// The moment from which its idleness counts: its last pull, or else the start of its age.
    pub(crate) fn since_pulled(&self) -> Timestamp {
        self.pulled_at.map_or(self.since_pushed(), |pulled| pulled.max(self.since_pushed()))
    }

    /// The moment from which its time in the archive counts. If ECR does not say, this is the push, which gives the
    /// sooner end.
    pub(crate) fn since_transitioned(&self) -> Timestamp {
        self.archived_at.unwrap_or(self.pushed_at)
    }
}

/// What a repository holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    /// Its images, those in the archive too.
    pub images: Vec<Image>,
    /// Which of them are indexes, whether or not it is known what they name.
    pub indexes: Vec<Digest>,
    /// The text of its lifecycle policy, if it has one.
    pub policy: Option<String>,
}

impl Repository {
    /// The image with this digest.
    pub fn image(&self, digest: &Digest) -> Option<&Image> {
        self.images.iter().find(|image| image.digest == *digest)
    }

    /// The image with this tag.
    pub fn tagged(&self, tag: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.tags.iter().any(|own| own == tag))
    }

    /// Sets what an index names.
    pub fn set_members(&mut self, index: &Digest, members: Vec<Digest>) {
        if let Some(image) = self.images.iter_mut().find(|image| image.digest == *index) {
            image.members = members;
        }
    }
}
