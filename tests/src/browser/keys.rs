//! Keys of a keyboard.

use serde_json::{Value, json};

/// A key that is pressed and let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// To the next thing that takes the focus.
    Tab,
    /// To the one before.
    BackTab,
    /// Enter.
    Enter,
    /// The space bar.
    Space,
    /// Escape.
    Escape,
    /// The arrow down.
    Down,
    /// A character.
    Char(char),
}

impl Key {
    /// What the driver does for it (W3C WebDriver, section 17.4.2: the code points of keys without a character).
    pub(super) fn strokes(self) -> Vec<Value> {
        let stroke = |kind: &str, key: char| json!({"type": kind, "value": key.to_string()});
        let typed = |key: char| vec![stroke("keyDown", key), stroke("keyUp", key)];
        match self {
            Key::Tab => typed('\u{e004}'),
            Key::BackTab => {
                [vec![stroke("keyDown", '\u{e008}')], typed('\u{e004}'), vec![stroke("keyUp", '\u{e008}')]].concat()
            }
            Key::Enter => typed('\u{e007}'),
            Key::Space => typed(' '),
            Key::Escape => typed('\u{e00c}'),
            Key::Down => typed('\u{e015}'),
            Key::Char(key) => typed(key),
        }
    }
}
