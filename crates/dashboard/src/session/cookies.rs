//! The cookies of the dashboard's own pages.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::app::App;

/// Over `https` the name's prefix has browsers hold it to this host, this path and `https` (RFC 6265bis, section 4.1.3.2). Plain `http`, as on a developer's machine, cannot have it.
pub(crate) fn session_cookie_name(app: &App) -> &'static str {
    if app.is_secure() { "__Host-postrider" } else { "postrider" }
}

/// A cookie that the browser sent.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Has the browser keep one until it is closed: no script reads it, and other sites' requests do not carry it.
pub(super) fn kept(name: &str, value: &str, app: &App) -> Option<HeaderValue> {
    written(name, value, "", app)
}

/// Has the browser forget one.
pub(super) fn ended(name: &str, app: &App) -> Option<HeaderValue> {
    written(name, "", "; Max-Age=0", app)
}

fn written(name: &str, value: &str, more: &str, app: &App) -> Option<HeaderValue> {
    let secure = if app.is_secure() { "; Secure" } else { "" };
    let mut header =
        HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}
