//! A name server on the loopback that answers every name as it is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_resolver::proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// How questions are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Every name has this address, for this moment.
    At(Ipv4Addr),
    /// Not, since the servers behind this one cannot be asked (`SERVFAIL`).
    Failing,
}

/// The name server. It ends when this is dropped.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    names: Arc<Mutex<Names>>,
    serving: AbortHandle,
}

impl NameServer {
    /// On a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start(names: Names) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        let names = Arc::new(Mutex::new(names));
        let serving = tokio::spawn(serve(socket, names.clone())).abort_handle();
        NameServer { address, names, serving }
    }

    /// Where it is asked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers like this from now on.
    pub fn set(&self, names: Names) {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(socket: UdpSocket, names: Arc<Mutex<Names>>) {
    let mut packet = [0; 1_500];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        let Ok(question) = Message::from_vec(&packet[..length]) else { continue };
        let now = *names.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(query) = question.queries.first() else { continue };
        if let Ok(answer) = answer(&question, query, now).to_vec() {
            // Who asked may have gone.
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

fn answer(question: &Message, query: &Query, names: Names) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    match names {
        Names::Failing => answer.metadata.response_code = ResponseCode::ServFail,
        Names::At(address) if query.query_type() == RecordType::A => {
            answer.add_answer(Record::from_rdata(query.name().clone(), 0, RData::A(A(address))));
        }
        Names::At(_) => {}
    }
    answer
}
