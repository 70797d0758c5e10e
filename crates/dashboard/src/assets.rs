//! Scripts, styles and icons: in the binary, under names that change with their content, so that browsers keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use ring::digest::{SHA256, digest};

/// A file in the binary.
struct Asset {
    name: String,
    kind: &'static str,
    bytes: &'static [u8],
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
        Asset { name, kind, bytes }
    }
}

/// Where a file is: `/assets/0123456789ab-style.css`.
pub(crate) fn place(file: &str) -> String {
    let of_file = |asset: &&Asset| asset.name.split_once('-').is_some_and(|(_, known)| known == file);
    ASSETS.iter().find(of_file).map(|asset| format!("/assets/{}", asset.name)).unwrap_or_default()
}

/// `GET /assets/{name}`
pub(crate) async fn read(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, asset.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_place_of_its_own() {
        for file in ["style.css", "dashboard.js", "entrance.js", "form.js", "htmx.min.js", "icon.svg"] {
            let place = place(file);
            assert!(place.starts_with("/assets/") && place.ends_with(file), "{file}: {place}");
        }
        assert_eq!(place("no-such-file"), "");
    }
}
