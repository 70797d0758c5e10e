//! Scripts, styles and icons: in the binary, under names that change with their content, so that browsers keep them for good. Each is compressed once.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use flate2::Compression;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, StatusCode};
use ring::digest::{SHA256, digest};

use crate::edge::{gzip, takes_gzip};

/// A file in the binary.
struct Asset {
    name: String,
    kind: &'static str,
    bytes: &'static [u8],
    /// The same compressed, where that is less.
    compressed: Option<Bytes>,
}

/// How much of a file's hash its name carries, in hexadecimal digits.
const HASH_CHARS: usize = 12;

macro_rules! asset {
    ($path:literal, $kind:literal) => {
        Asset::new($path, $kind, include_bytes!(concat!("../assets/", $path)))
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    vec![
        asset!("style.css", "text/css; charset=utf-8"),
        asset!("dashboard.js", "text/javascript; charset=utf-8"),
        asset!("entrance.js", "text/javascript; charset=utf-8"),
        asset!("form.js", "text/javascript; charset=utf-8"),
        asset!("vendor/htmx.min.js", "text/javascript; charset=utf-8"),
        asset!("icon.svg", "image/svg+xml"),
    ]
});

impl Asset {
    fn new(path: &str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let hash = HEXLOWER.encode(digest(&SHA256, bytes).as_ref());
        let file = path.rsplit('/').next().unwrap_or(path);
        let name = format!("{}-{file}", hash.get(..HASH_CHARS).unwrap_or(&hash));
        let compressed = gzip(bytes, Compression::best()).ok().filter(|less| less.len() < bytes.len());
        Asset { name, kind, bytes, compressed: compressed.map(Bytes::from) }
    }

    fn answer(&self, takes_gzip: bool) -> Response {
        let headers = [
            (CONTENT_TYPE, self.kind),
            (CACHE_CONTROL, "public, max-age=31536000, immutable"),
            (VARY, "accept-encoding"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        match self.compressed.clone().filter(|_| takes_gzip) {
            Some(compressed) => ([(CONTENT_ENCODING, "gzip")], headers, compressed).into_response(),
            None => (headers, self.bytes).into_response(),
        }
    }
}

/// Where a file is: `/assets/0123456789ab-style.css`.
pub(crate) fn place(file: &str) -> String {
    let of_file = |asset: &&Asset| asset.name.split_once('-').is_some_and(|(_, known)| known == file);
    ASSETS.iter().find(of_file).map(|asset| format!("/assets/{}", asset.name)).unwrap_or_default()
}

/// `GET /assets/{name}`
pub(crate) async fn read(Path(name): Path<String>, asked: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => asset.answer(takes_gzip(&asked)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody as _;

    use super::*;

    #[test]
    fn every_file_has_a_place_of_its_own() {
        for file in ["style.css", "dashboard.js", "entrance.js", "form.js", "htmx.min.js", "icon.svg"] {
            let place = place(file);
            assert!(place.starts_with("/assets/") && place.ends_with(file), "{file}: {place}");
        }
        assert_eq!(place("no-such-file"), "");
    }

    #[test]
    fn browsers_that_take_it_get_what_was_compressed_once() {
        for asset in ASSETS.iter() {
            let less = asset.compressed.as_ref().map_or(asset.bytes.len(), Bytes::len);
            for (takes_gzip, sent) in [(false, asset.bytes.len()), (true, less)] {
                let response = asset.answer(takes_gzip);
                let is_compressed = response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
                assert_eq!(response.headers()[VARY], "accept-encoding");
                let exact = response.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
                assert_eq!(exact, Some(sent), "{}", asset.name);
                assert_eq!(is_compressed, takes_gzip && asset.compressed.is_some(), "{}", asset.name);
            }
        }
        assert!(ASSETS.iter().filter(|asset| asset.compressed.is_some()).count() > 4);
    }
}
