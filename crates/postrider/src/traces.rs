//! The way to the operator's collector. It is the operator's own choice, often on a private address: the guard's rules for customers' URLs do not hold for
//! it, everything else that bounds an attempt does.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use ipnet::{Ipv4Net, Ipv6Net};
use postrider_domain::Secret;
use postrider_egress::{Client, ClientSettings, Request, UrlRules, VettedUrl};
use postrider_traces::{Carried, Carrier, Sampling, Source, Tracer};

use crate::settings::TraceSettings;

/// How long one message may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A tracer as the settings ask for it.
pub(crate) fn tracer(
    settings: Option<&TraceSettings>,
    extra_ca_pems: Vec<Vec<u8>>,
    node: String,
) -> anyhow::Result<Tracer> {
    let Some(settings) = settings else { return Ok(Tracer::default()) };
    let carrier = Collector::new(settings, extra_ca_pems)?;
    let source = Source { node, version: env!("CARGO_PKG_VERSION") };
    Ok(Tracer::start(&source, Sampling::of(settings.sampling_ratio), Arc::new(carrier)))
}

struct Collector {
    client: Client,
    url: VettedUrl,
    headers: Vec<(String, Secret)>,
}

impl Collector {
    fn new(settings: &TraceSettings, extra_ca_pems: Vec<Vec<u8>>) -> anyhow::Result<Self> {
        let rules = UrlRules {
            allow_http: true,
            allow_cidrs: vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
            ..UrlRules::default()
        };
        let client = Client::new(ClientSettings { rules, extra_ca_pems, ..ClientSettings::default() })?;
        let url = client.judge_url(&settings.url).map_err(|refusal| anyhow::anyhow!(refusal.message));
        let url = url.context("otlp_endpoint cannot be used")?;
        Ok(Collector { client, url, headers: settings.headers.clone() })
    }
}

#[async_trait]
impl Carrier for Collector {
    async fn carry(&self, message: Bytes) -> Carried {
        let own = [("Content-Type", b"application/x-protobuf".as_slice())];
        let given = self.headers.iter().map(|(name, value)| (name.as_str(), value.reveal().as_bytes()));
        let headers: Vec<_> = own.into_iter().chain(given).collect();
        let request = Request {
            url: &self.url,
            method: http::Method::POST,
            headers: &headers,
            body: message,
            deadline: DEADLINE,
            response_bytes_max: ANSWER_BYTES_MAX,
        };
        match self.client.send(request).await.result {
            Ok(answer) => {
                let seconds =
                    answer.header_values("retry-after").next().and_then(|value| std::str::from_utf8(value).ok());
                let retry_after = seconds.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
                Carried::Answered { status: answer.status, body: answer.body, retry_after }
            }
            Err(error) => Carried::Unanswered(format!("{}: {}", error.kind.as_str(), error.reason)),
        }
    }
}
