//! An export as a file or a stream: a header, sealed chunks, an end.
//!
//! ```text
//! header  "postrider export" | format (2) | id of the master key (8) | id of the export (16) | salt (32)
//! frame   kind (1): 0 rows, 1 the end | length of what follows (4) | sealed, with its tag (16)
//! ```
//!
//! Numbers are little-endian. The key is HKDF-SHA256 (RFC 5869) of the master key with the salt, the whole header as its info: a header that was altered
//! gives another key. Frames are sealed by XChaCha20-Poly1305; the nonce is the frame's kind and number, so that a frame that was moved, left out or
//! repeated does not open, and a file that was cut has no end. A key seals one export alone, so no nonce comes twice. What is sealed is compressed by LZ4:
//! the rows of a chunk are much alike, and what is encrypted cannot be made smaller later on.

use std::io::{self, Read, Write};

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use ring::hkdf;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::portable::{Counts, Portable};
use super::{ExportId, encode};
use crate::codec::Decoder;
use crate::error::StoreError;
use crate::master_key::{KEY_BYTES, KEY_ID_BYTES, KeyFingerprint, MasterKey};
use crate::seal::random;

const MAGIC: &[u8; 16] = b"postrider export";
const FORMAT: u16 = 1;
const HEADER_BYTES: usize = 16 + 2 + KEY_ID_BYTES + 16 + 32;
const TAG_BYTES: usize = 16;
/// The longest frame that is read, in bytes; the longest row fits many times.
const FRAME_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum FrameKind {
    Rows = 0,
    End = 1,
}

/// Why an export cannot be written or read, in a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ExportFileError {
    /// It is something else.
    #[error("this is no Postrider export; give a file that `postrider export` wrote")]
    NotAnExport,
    /// A later program wrote it.
    #[error("the export has format {0}, which this Postrider does not know; use that version or a newer one")]
    NewerFormat(u16),
    /// The keys given are others.
    #[error(
        "the export was sealed with encryption key {sealed_with}, and {given} was given; name the file of the source's key with --source-encryption-key-file"
    )]
    OtherKey {
        /// The id of the key that it was sealed with.
        sealed_with: String,
        /// The ids of those given.
        given: String,
    },
    /// A frame does not open.
    #[error(
        "the export is damaged: part {0} was altered, moved or repeated; copy it again from where it was written, or export again"
    )]
    Altered(u64),
    /// There is no end.
    #[error(
        "the export is cut off after part {0}: its end is missing; copy it again from where it was written, or export again"
    )]
    Cut(u64),
    /// The file or stream itself.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A row, or the system's randomness.
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Result<T> = std::result::Result<T, ExportFileError>;

/// The names of keys, as errors tell them.
#[must_use]
fn names(keys: &[&MasterKey]) -> String {
    let names: Vec<_> = keys.iter().map(|key| key.id.to_string()).collect();
    names.join(" or ")
}

/// The bytes that an export begins with.
struct Header([u8; HEADER_BYTES]);

impl Header {
    fn new(master: &MasterKey, export: ExportId) -> Result<Self> {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..18].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[18..26].copy_from_slice(&master.id.0);
        bytes[26..42].copy_from_slice(export.0.as_bytes());
        random(&mut bytes[42..])?;
        Ok(Header(bytes))
    }

    fn format(&self) -> u16 {
        u16::from_le_bytes([self.0[16], self.0[17]])
    }

    fn master_id(&self) -> KeyFingerprint {
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&self.0[18..26]);
        KeyFingerprint(id)
    }

    fn export(&self) -> ExportId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.0[26..42]);
        ExportId(Uuid::from_bytes(id))
    }

    fn cipher(&self, master: &MasterKey) -> Result<XChaCha20Poly1305> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, &self.0[42..]).extract(master.bytes.as_ref());
        let expanded = derived.expand(&[&self.0], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(key.as_mut()));
        let too_long = |_| StoreError::Sealed { reason: "the export's key cannot be derived".to_owned() };
        expanded.map_err(too_long)?;
        Ok(XChaCha20Poly1305::new(&(*key).into()))
    }
}

fn nonce(kind: FrameKind, number: u64) -> XNonce {
    let mut nonce = [0; 24];
    nonce[0] = kind as u8;
    nonce[16..].copy_from_slice(&number.to_le_bytes());
    nonce.into()
}

/// Writes an export.
pub struct ExportWriter<W> {
    out: W,
    cipher: XChaCha20Poly1305,
    frames: u64,
    counts: Counts,
    bytes: u64,
}

impl<W: Write> ExportWriter<W> {
    /// Begins a new export, sealed for this master key.
    ///
    /// # Errors
    /// When `out` refuses, or the system gives no randomness.
    pub fn begin(mut out: W, master: &MasterKey, export: ExportId) -> Result<Self> {
        let header = Header::new(master, export)?;
        out.write_all(&header.0)?;
        let cipher = header.cipher(master)?;
        Ok(ExportWriter { out, cipher, frames: 0, counts: Counts::default(), bytes: HEADER_BYTES as u64 })
    }

    /// Writes a chunk.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn chunk(&mut self, rows: &[Portable]) -> Result<()> {
        let mut plain = Zeroizing::new(Vec::new());
        for row in rows {
            self.counts.add(row);
            encode::put(&mut plain, row);
        }
        let packed = lz4_flex::compress_prepend_size(&plain);
        self.frame(FrameKind::Rows, packed)
    }

    /// Writes the end, with how many rows of each kind there were. Returns these and the bytes of the whole.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn finish(mut self) -> Result<(W, Counts, u64)> {
        let counts = self.counts.all().map(|(_, count)| count.to_le_bytes());
        self.frame(FrameKind::End, counts.concat())?;
        self.out.flush()?;
        Ok((self.out, self.counts, self.bytes))
    }

    /// What was written so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn frame(&mut self, kind: FrameKind, mut text: Vec<u8>) -> Result<()> {
        let too_long = |_| StoreError::Sealed { reason: "a part of the export is too long".to_owned() };
        let sealed = self.cipher.encrypt_inout_detached(&nonce(kind, self.frames), &[], text.as_mut_slice().into());
        let tag = sealed.map_err(too_long)?;
        let len = u32::try_from(text.len() + TAG_BYTES).ok().filter(|len| *len as usize <= FRAME_BYTES_MAX);
        let len = len.ok_or_else(|| too_long(chacha20poly1305::Error))?;
        self.out.write_all(&[kind as u8])?;
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(&text)?;
        self.out.write_all(&tag)?;
        self.frames += 1;
        self.bytes += 5 + u64::from(len);
        Ok(())
    }
}

/// Reads an export.
pub struct ExportReader<R> {
    from: R,
    header: Header,
    cipher: XChaCha20Poly1305,
    frames: u64,
    counts: Counts,
    bytes: u64,
    is_ended: bool,
}

impl<R: Read> ExportReader<R> {
    /// Reads the header; one of the keys must be the one that the export was sealed with.
    ///
    /// # Errors
    /// When it is no export, or another key is needed.
    pub fn begin(mut from: R, keys: &[&MasterKey]) -> Result<Self> {
        let mut bytes = [0; HEADER_BYTES];
        let read = read_up_to(&mut from, &mut bytes)?;
        if read < MAGIC.len() + 2 || !bytes.starts_with(MAGIC) {
            return Err(ExportFileError::NotAnExport);
        }
        let header = Header(bytes);
        if header.format() != FORMAT {
            return Err(ExportFileError::NewerFormat(header.format()));
        }
        if read < HEADER_BYTES {
            return Err(ExportFileError::Cut(0));
        }
        let sealed_with = header.master_id();
        let Some(master) = keys.iter().find(|key| key.id == sealed_with) else {
            return Err(ExportFileError::OtherKey { sealed_with: sealed_with.to_string(), given: names(keys) });
        };
        let cipher = header.cipher(master)?;
        let bytes = HEADER_BYTES as u64;
        Ok(ExportReader { from, header, cipher, frames: 0, counts: Counts::default(), bytes, is_ended: false })
    }

    /// Which export it is.
    pub fn export(&self) -> ExportId {
        self.header.export()
    }

    /// The next chunk, with its number; none once the end was read and nothing comes after it.
    ///
    /// # Errors
    /// When it is altered or cut off, or cannot be read.
    pub fn chunk(&mut self) -> Result<Option<(u64, Vec<Portable>)>> {
        if self.is_ended {
            return Ok(None);
        }
        let number = self.frames;
        let (kind, text) = self.frame()?;
        let altered = |_| ExportFileError::Altered(number);
        if kind == FrameKind::End {
            self.end(number, &text)?;
            return Ok(None);
        }
        let claimed = text.first_chunk::<4>().map(|len| u32::from_le_bytes(*len) as usize);
        if claimed.is_none_or(|bytes| bytes > FRAME_BYTES_MAX) {
            return Err(ExportFileError::Altered(number));
        }
        let plain = Zeroizing::new(lz4_flex::decompress_size_prepended(&text).map_err(altered)?);
        let mut rows = Vec::new();
        let mut decoder = Decoder::new(&plain);
        while !decoder.is_at_end() {
            let row = encode::take(&mut decoder).map_err(|_| ExportFileError::Altered(number))?;
            self.counts.add(&row);
            rows.push(row);
        }
        Ok(Some((number, rows)))
    }

    /// What was read so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn frame(&mut self) -> Result<(FrameKind, Vec<u8>)> {
        let number = self.frames;
        let mut head = [0; 5];
        if read_up_to(&mut self.from, &mut head)? < head.len() {
            return Err(ExportFileError::Cut(number));
        }
        let kind = match head[0] {
            0 => FrameKind::Rows,
            1 => FrameKind::End,
            _ => return Err(ExportFileError::Altered(number)),
        };
        let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if !(TAG_BYTES..=FRAME_BYTES_MAX).contains(&len) {
            return Err(ExportFileError::Altered(number));
        }
        let mut sealed = Vec::new();
        // What is read makes the room, so that a length that was altered takes none.
        if Read::by_ref(&mut self.from).take(len as u64).read_to_end(&mut sealed)? < len {
            return Err(ExportFileError::Cut(number));
        }
        let altered = || ExportFileError::Altered(number);
        let tag = Tag::try_from(&sealed[len - TAG_BYTES..]).map_err(|_| altered())?;
        sealed.truncate(len - TAG_BYTES);
        let opened = self.cipher.decrypt_inout_detached(&nonce(kind, number), &[], sealed.as_mut_slice().into(), &tag);
        opened.map_err(|_| altered())?;
        self.frames += 1;
        self.bytes += 5 + len as u64;
        Ok((kind, sealed))
    }

    /// The counts must be those of what was read, and nothing may follow.
    fn end(&mut self, number: u64, text: &[u8]) -> Result<()> {
        let (numbers, rest) = text.as_chunks::<8>();
        let numbers: Vec<_> = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let told = <[u64; 8]>::try_from(numbers).ok().filter(|_| rest.is_empty()).map(Counts::of);
        if told != Some(self.counts) || read_up_to(&mut self.from, &mut [0])? != 0 {
            return Err(ExportFileError::Altered(number));
        }
        self.is_ended = true;
        Ok(())
    }
}

/// Reads until the buffer is full or nothing more comes.
fn read_up_to(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match from.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
