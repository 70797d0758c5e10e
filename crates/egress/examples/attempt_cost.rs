//! CPU and time of one attempt on keep-alive connections, against a receiver in a process of its own.
//!
//! `cargo run --release -p postrider-egress --example attempt_cost [attempts at a time] [seconds] [worker threads]`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for people, not part of the product")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use postrider_egress::{Client, ClientSettings, Request, UrlRules};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const RECEIVE: &str = "receive";
const BODY_BYTES: usize = 1_024;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == RECEIVE) {
        return runtime(1).block_on(receive());
    }
    let number = |at: usize, default: usize| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let (at_a_time, seconds, threads) = (number(0, 32), number(1, 5), number(2, 1));

    let mut receiver = Command::new(std::env::current_exe().unwrap());
    let mut receiver = receiver.arg(RECEIVE).stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(receiver.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let url = format!("http://{}/hook", address.trim());
    runtime(threads).block_on(measure(&url, at_a_time, Duration::from_secs(seconds as u64)));
    receiver.kill().unwrap();
    receiver.wait().unwrap();
}

fn runtime(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

async fn measure(url: &str, at_a_time: usize, duration: Duration) {
    let allow_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
    let rules = UrlRules { allow_http: true, allow_cidrs, ..UrlRules::default() };
    let client = Client::new(ClientSettings { rules, ..ClientSettings::default() }).unwrap();
    let url = Arc::new(client.judge_url(url).unwrap());
    let done = Arc::new(AtomicU64::new(0));
    let (started, cpu_before) = (Instant::now(), cpu_ms());
    let senders: Vec<_> = (0..at_a_time)
        .map(|_| {
            let (client, url, done) = (client.clone(), Arc::clone(&url), Arc::clone(&done));
            tokio::spawn(async move {
                while started.elapsed() < duration {
                    assert_eq!(send_one(&client, &url).await, 200);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let (done, cpu) = (done.load(Ordering::Relaxed), cpu_ms() - cpu_before);
    let per_second = done as f64 / started.elapsed().as_secs_f64();
    println!(
        "{done} attempts, {at_a_time} at a time: {per_second:.0}/s, {:.1} µs of CPU each",
        cpu * 1_000.0 / done as f64
    );
    println!("{:?}", client.stats());
}

async fn send_one(client: &Client, url: &postrider_egress::VettedUrl) -> u16 {
    let headers: [(&str, &[u8]); 6] = [
        ("content-type", b"application/json"),
        ("user-agent", b"Postrider/1"),
        ("webhook-id", b"msg_0192f0c1a7f07d0e9b1c2d3e4f506172"),
        ("webhook-timestamp", b"1795212000"),
        ("webhook-signature", b"v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
        ("x-custom", b"one"),
    ];
    let request = Request {
        url,
        method: http::Method::POST,
        headers: &headers,
        body: Bytes::from_static(&[b'x'; BODY_BYTES]),
        deadline: Duration::from_secs(15),
        response_bytes_max: 64 * 1024,
    };
    client.send(request).await.result.unwrap().status
}

/// User and system time of this process (proc(5): fields 14 and 15 of `stat`, in hundredths of a second).
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let fields = after_name.split(' ').skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().unwrap() * 10.0).sum()
}

async fn receive() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut unread = Vec::with_capacity(8_192);
            while tcp.read_buf(&mut unread).await.is_ok_and(|n| n > 0) {
                let head = unread.windows(4).position(|four| four == b"\r\n\r\n");
                if head.is_some_and(|head| unread.len() >= head + 4 + BODY_BYTES) {
                    unread.clear();
                    tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
                        .await
                        .unwrap();
                }
            }
        });
    }
}
