//! The facts of a mistake, so that its text can be said in another language.

/// A fact: a limit that was passed, a name that is meant. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    /// A whole number.
    Number(u64),
    /// A text.
    Text(String),
}

/// Facts by their names, in the order in which they are told.
pub type Params = Vec<(&'static str, Param)>;

impl From<u64> for Param {
    fn from(number: u64) -> Self {
        Param::Number(number)
    }
}

impl From<u32> for Param {
    fn from(number: u32) -> Self {
        Param::Number(number.into())
    }
}

impl From<u16> for Param {
    fn from(number: u16) -> Self {
        Param::Number(number.into())
    }
}

impl From<usize> for Param {
    fn from(number: usize) -> Self {
        Param::Number(u64::try_from(number).unwrap_or(u64::MAX))
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Param::Text(text.to_owned())
    }
}

impl From<String> for Param {
    fn from(text: String) -> Self {
        Param::Text(text)
    }
}
