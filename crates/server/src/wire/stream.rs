//! A page of a stream: deliveries with the requests that a receiver would get.

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;
use postrider_engine::{StreamPage, StreamPosition, Streamed};
use serde::Serialize;
use utoipa::ToSchema;

use crate::limits::STREAM_AFTER_BYTES_MAX;
use crate::wire::delivery::{DeliveryBody, RequestShown};
use crate::wire::{HeaderMap, as_text};

/// Deliveries, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamPage)]
pub(crate) struct StreamBody<'a> {
    data: Vec<StreamedBody<'a>>,
    /// What to give as `after` for those behind them.
    next_after: String,
}

/// A delivery with its request as it would be sent at the moment of reading.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamedDelivery)]
pub(crate) struct StreamedBody<'a> {
    #[serde(flatten)]
    delivery: DeliveryBody,
    /// `null` once its event's retention has ended.
    #[schema(required = true)]
    request: Option<RequestShown<'a>>,
}

impl<'a> StreamBody<'a> {
    pub(crate) fn new(page: &'a StreamPage) -> Self {
        StreamBody {
            data: page.rows.iter().map(StreamedBody::new).collect(),
            next_after: BASE64URL_NOPAD.encode(&page.position.to_bytes()),
        }
    }
}

impl<'a> StreamedBody<'a> {
    fn new(streamed: &'a Streamed) -> Self {
        let request = streamed.request.as_ref().map(|request| {
            let (body, body_base64) = as_text(&request.body);
            let headers = request.headers.iter().map(|(name, value)| (Cow::from(name), Cow::from(value)));
            RequestShown {
                method: "POST",
                url: &request.url,
                headers: HeaderMap::new(headers),
                body: Some(body),
                body_base64,
            }
        });
        StreamedBody { delivery: DeliveryBody::new(&streamed.delivery), request }
    }
}

/// Reads a `next_after`.
pub(crate) fn read_position(text: &str) -> Option<StreamPosition> {
    let bytes =
        if text.len() <= STREAM_AFTER_BYTES_MAX { BASE64URL_NOPAD.decode(text.as_bytes()).ok()? } else { return None };
    StreamPosition::from_bytes(&bytes)
}
