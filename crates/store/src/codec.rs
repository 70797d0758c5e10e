//! How several values share one sealed or plain column: numbers little-endian, bytes after their length.

use crate::error::{Result, StoreError};

/// Appends a length and bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a text.
pub(crate) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// Appends a text that may be missing.
pub(crate) fn put_opt_str(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_str(out, text);
    }
}

/// Appends a count or length; what has more than 4 billion of anything was refused long before.
pub(crate) fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// Reads what the functions above wrote.
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Decoder { rest: bytes }
    }

    pub(crate) fn len(&mut self) -> Result<usize> {
        let (len, rest) = self.rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        self.rest = rest;
        usize::try_from(u32::from_le_bytes(*len)).map_err(|_| malformed())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.len()?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn str(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed())
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        let (flag, rest) = self.rest.split_first().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(*flag != 0)
    }

    pub(crate) fn opt_str(&mut self) -> Result<Option<&'a str>> {
        if self.flag()? { self.str().map(Some) } else { Ok(None) }
    }
}

pub(crate) fn malformed() -> StoreError {
    StoreError::Sealed { reason: "it is not in the form this program writes; restore it from a backup".to_owned() }
}
