//! A cable between one node and Postgres that can be cut and mended.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What the cable does to what should go over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Everything passes.
    Whole,
    /// Nothing passes and nothing is said, as when packets are dropped; what was sent arrives when the line is whole again.
    Silent,
    /// Connections end, and new ones end as soon as they are made.
    Broken,
}

/// The cable. It ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    accepting: AbortHandle,
}

impl Proxy {
    /// A whole one to this server.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let line = watch::Sender::new(Line::Whole);
        let accepting = tokio::spawn(accept(listener, server, line.clone())).abort_handle();
        Proxy { address, line, accepting }
    }

    /// Where it is reached.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the line is like this.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.line.send_replace(Line::Broken);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, line: watch::Sender<Line>) {
    while let Ok((near, _)) = listener.accept().await {
        let (line, mut broken) = (line.subscribe(), line.subscribe());
        tokio::spawn(async move {
            tokio::select! {
                () = join(near, server, line) => {}
                _ = broken.wait_for(|line| *line == Line::Broken) => {}
            }
        });
    }
}

/// Carries both ways until one of them ends.
async fn join(near: TcpStream, server: SocketAddr, mut line: watch::Receiver<Line>) {
    if !is_whole(&mut line).await {
        return;
    }
    let Ok(far) = TcpStream::connect(server).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    // A Postgres connection is never half open.
    tokio::select! {
        () = carry(near_read, far_write, line.clone()) => {}
        () = carry(far_read, near_write, line) => {}
    }
}

/// Waits until the line is whole; false when it never will be again.
async fn is_whole(line: &mut watch::Receiver<Line>) -> bool {
    line.wait_for(|line| *line == Line::Whole).await.is_ok()
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        // What was read when the line went silent waits for it: its sender cannot tell that from a packet on the way.
        if !is_whole(&mut line).await || to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
    }
}
