//! The server's messages as bytes (PostgreSQL's documentation, "Message Formats"): a tag, a length that counts itself, a body.

use bytes::{Buf, Bytes, BytesMut};

use super::limits::MESSAGE_BYTES_MAX;
use super::pgoutput::Envelope;
use super::walsender::{Lost, not_understood};

/// Tag and length.
const HEADER_BYTES: usize = 5;
/// Of a message that is too large: enough to know what it is about.
const HEAD_BYTES: usize = HEADER_BYTES + Envelope::DATA_AT + 16;

/// One message of the server.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) tag: u8,
    pub(super) body: Bytes,
}

impl Frame {
    /// What an error response says ("Error and Notice Message Fields"): its primary message alone, since the others may hold values of rows.
    pub(super) fn refused(&self) -> Lost {
        let (mut code, mut message) = (String::new(), String::new());
        for field in self.body.split(|byte| *byte == 0) {
            let text = || String::from_utf8_lossy(field.get(1..).unwrap_or_default()).into_owned();
            match field.first() {
                Some(b'C') => code = text(),
                Some(b'M') => message = text(),
                _ => {}
            }
        }
        Lost::Refused { code, message }
    }
}

/// What could be cut off the beginning of what was read.
#[derive(Debug)]
pub(super) enum Cut {
    /// The message is not all there.
    Nothing,
    Whole(Frame),
    /// The beginning of a body that is too large; `rest` bytes of it are still to be passed over.
    TooLarge {
        head: Bytes,
        rest: usize,
    },
}

impl Cut {
    pub(super) fn from(inbox: &mut BytesMut) -> Result<Self, Lost> {
        let Some(mut length) = inbox.get(1..HEADER_BYTES) else { return Ok(Cut::Nothing) };
        let bytes = match usize::try_from(length.get_u32()) {
            Ok(length) if length >= 4 => length + 1,
            _ => return Err(not_understood()),
        };
        let wanted = if bytes > MESSAGE_BYTES_MAX { HEAD_BYTES } else { bytes };
        if inbox.len() < wanted {
            inbox.reserve(wanted - inbox.len());
            return Ok(Cut::Nothing);
        }
        let mut body = inbox.split_to(wanted).freeze();
        let tag = body.get_u8();
        body.advance(HEADER_BYTES - 1);
        Ok(if bytes > wanted {
            Cut::TooLarge { head: body, rest: bytes - wanted }
        } else {
            Cut::Whole(Frame { tag, body })
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    #[test]
    fn a_message_that_is_too_large_shows_its_beginning() {
        let mut inbox = BytesMut::new();
        inbox.put_u8(b'd');
        inbox.put_u32(u32::try_from(MESSAGE_BYTES_MAX + 100).unwrap());
        inbox.put_bytes(b'x', 10);
        assert!(matches!(Cut::from(&mut inbox), Ok(Cut::Nothing)));
        inbox.put_bytes(b'y', 100);
        let Ok(Cut::TooLarge { head, rest }) = Cut::from(&mut inbox) else { panic!("not cut off") };
        assert_eq!(&head[..12], b"xxxxxxxxxxyy");
        assert_eq!(HEADER_BYTES + head.len() + rest, MESSAGE_BYTES_MAX + 101);
        assert_eq!(inbox.len(), 110 - head.len());
    }

    #[test]
    fn an_error_is_told_by_its_code_and_its_message_alone() {
        let body = Bytes::from_static(b"SERROR\0C55006\0Mreplication slot is active\0DKey (a)=(secret)\0\0");
        let lost = Frame { tag: b'E', body }.refused().to_string();
        assert_eq!(lost, "replication slot is active (55006)");
    }
}
