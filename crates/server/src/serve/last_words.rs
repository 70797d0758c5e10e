//! What a connection is told before it is closed, where no route is asked.

use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::Wire;
use crate::limits::ServerLimits;
use crate::origin::RequestId;
use crate::problem::{Kind, PROBLEM_JSON, Problem};

/// Bytes that are read and thrown away at once.
const DISCARDED_BYTES: usize = 16 * 1024;

/// What a connection beyond the bound is told.
pub(super) fn full() -> Problem {
    Problem::new(Kind::Overloaded, "the server has as many connections as it takes; ask again")
}

/// What is owed to a client whose request the HTTP library could not read; none when there was no request, or it was answered.
pub(super) fn owed(wire: &Wire, error: &hyper::Error, limits: &ServerLimits) -> Option<Problem> {
    if !wire.is_owed_an_answer() {
        return None;
    }
    if error.is_timeout() {
        let patience = Duration::from_millis(limits.head_read_ms_max);
        return Some(Problem::new(Kind::HeadTimeout, format!("the request's head did not arrive within {patience:?}")));
    }
    let bytes_max = limits.head_bytes_max;
    match (error.is_parse_too_large(), wire.has_line()) {
        (true, true) => {
            let detail = format!("request line and headers have more than {bytes_max} bytes together");
            Some(Problem::new(Kind::HeadTooLarge, detail))
        }
        (true, false) => {
            Some(Problem::new(Kind::UriTooLong, format!("the request line has more than {bytes_max} bytes")))
        }
        (false, _) => {
            error.is_parse().then(|| Problem::new(Kind::MalformedRequest, format!("it is not HTTP/1.1: {error}")))
        }
    }
}

/// Tells it, and closes the connection so that it is read: what the client still sends is taken and thrown away, for a while.
pub(super) async fn tell(mut stream: TcpStream, problem: &Problem, limits: &ServerLimits) {
    let told = async {
        stream.write_all(&answer(problem)).await?;
        stream.shutdown().await?;
        let mut thrown_away = vec![0; DISCARDED_BYTES];
        let mut left = limits.discard_bytes_max;
        while left > 0 {
            match stream.read(&mut thrown_away).await? {
                0 => break,
                bytes => left = left.saturating_sub(bytes),
            }
        }
        Ok::<_, std::io::Error>(())
    };
    // Nobody is owed more than the attempt to say so.
    let _ = tokio::time::timeout(Duration::from_millis(limits.refusal_ms_max), told).await;
}

fn answer(problem: &Problem) -> Vec<u8> {
    let (body, status) = (problem.body(), problem.kind.status());
    let retry = if problem.kind.asks_again() { "retry-after: 1\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nx-request-id: {}\r\n{retry}connection: close\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        body.len(),
        RequestId::of(&HeaderMap::new()).0
    );
    [head.as_bytes(), &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_is_told_is_as_long_as_it_says() {
        let text = String::from_utf8(answer(&full())).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && head.contains("\r\nretry-after: 1\r\n"));
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["status"], 503);
    }
}
