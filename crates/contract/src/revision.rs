//! Revisions: a contract file's text, named by its content.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;

/// The SHA-256 of a contract file's text. Deliveries name the revision they were made under, so that an edited file changes
/// none of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub [u8; 32]);

/// Why a text is no revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a revision is 64 lower-case hexadecimal digits")]
pub struct RevisionError;

impl Revision {
    /// The revision of a file's text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Revision(bytes)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({self})")
    }
}

impl FromStr for Revision {
    type Err = RevisionError;
    fn from_str(text: &str) -> Result<Self, RevisionError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| RevisionError)?;
        bytes.try_into().map(Revision).map_err(|_| RevisionError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_the_sha_256_of_the_text_and_survives_its_text_form() {
        let revision = Revision::of("abc");
        // FIPS 180-2, appendix B.1.
        assert_eq!(revision.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(revision.to_string().parse(), Ok(revision));
        assert_eq!("BA".parse::<Revision>(), Err(RevisionError));
    }
}
