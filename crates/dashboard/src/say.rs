//! What screens say, in the viewer's language.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use postrider_texts::fluent_bundle::{FluentArgs, FluentValue};
use postrider_texts::{LANGUAGES, Texts, decimal, grouped};

/// The texts of one language: a file for each part of the dashboard.
macro_rules! sources {
    ($language:literal) => {
        &[
            include_str!(concat!("../texts/", $language, "/actions.ftl")),
            include_str!(concat!("../texts/", $language, "/advice.ftl")),
            include_str!(concat!("../texts/", $language, "/codes.ftl")),
            include_str!(concat!("../texts/", $language, "/common.ftl")),
            include_str!(concat!("../texts/", $language, "/contract.ftl")),
            include_str!(concat!("../texts/", $language, "/deliveries.ftl")),
            include_str!(concat!("../texts/", $language, "/diagnosis.ftl")),
            include_str!(concat!("../texts/", $language, "/moments.ftl")),
            include_str!(concat!("../texts/", $language, "/keys.ftl")),
            include_str!(concat!("../texts/", $language, "/audit.ftl")),
            include_str!(concat!("../texts/", $language, "/notifications.ftl")),
            include_str!(concat!("../texts/", $language, "/operator.ftl")),
            include_str!(concat!("../texts/", $language, "/delivery.ftl")),
            include_str!(concat!("../texts/", $language, "/events.ftl")),
            include_str!(concat!("../texts/", $language, "/failures.ftl")),
            include_str!(concat!("../texts/", $language, "/found.ftl")),
            include_str!(concat!("../texts/", $language, "/form.ftl")),
            include_str!(concat!("../texts/", $language, "/happened.ftl")),
            include_str!(concat!("../texts/", $language, "/webhook.ftl")),
            include_str!(concat!("../texts/", $language, "/webhooks.ftl")),
        ]
    };
}

/// In the order of [`LANGUAGES`].
const SOURCES: [&[&str]; 3] = [sources!("en"), sources!("pt-BR"), sources!("es")];

static TEXTS: LazyLock<Vec<Texts>> = LazyLock::new(|| {
    LANGUAGES.into_iter().zip(SOURCES).map(|(language, sources)| Texts::new(language, sources)).collect()
});

/// Speaks one language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Say(&'static Texts);

impl Say {
    /// One of [`LANGUAGES`]; the default for anything else.
    pub(crate) fn new(language: &str) -> Self {
        Say(TEXTS.iter().find(|texts| texts.language == language).unwrap_or(&TEXTS[0]))
    }

    /// The language's tag.
    pub(crate) fn language(self) -> &'static str {
        self.0.language
    }

    /// A message.
    pub(crate) fn text(self, name: &str) -> String {
        self.0.text(name, &FluentArgs::new())
    }

    /// A message with an argument.
    pub(crate) fn with<'v>(self, name: &str, argument: &'v str, value: impl Into<FluentValue<'v>>) -> String {
        self.all(name, [(argument, value.into())])
    }

    /// A message with two arguments.
    pub(crate) fn with2<'v>(
        self,
        name: &str,
        argument: &'v str,
        value: impl Into<FluentValue<'v>>,
        other: &'v str,
        other_value: impl Into<FluentValue<'v>>,
    ) -> String {
        self.all(name, [(argument, value.into()), (other, other_value.into())])
    }

    /// A message with any arguments.
    pub(crate) fn all<'v>(self, name: &str, arguments: impl IntoIterator<Item = (&'v str, FluentValue<'v>)>) -> String {
        self.0.text(name, &arguments.into_iter().collect())
    }

    /// The message of a family, such as that of one of the words for a status; the word itself where there is none.
    pub(crate) fn named(self, family: &str, word: &str) -> String {
        self.maybe(&format!("{family}{word}")).unwrap_or_else(|| word.to_owned())
    }

    /// A message, where there is one.
    pub(crate) fn maybe(self, name: &str) -> Option<String> {
        self.0.has(name).then(|| self.text(name))
    }

    /// A whole number.
    pub(crate) fn number(self, number: impl Into<u64>) -> String {
        grouped(number.into(), self.language())
    }

    /// A share from 0 to 1, in percent with one digit after the point: what is not all is never rounded to all.
    pub(crate) fn percent(self, share: f64) -> String {
        let tenths = (share * 1000.0).floor() / 10.0;
        self.with("percent", "number", decimal(tenths, self.language()))
    }

    /// A span of time in milliseconds, in the unit that fits.
    pub(crate) fn milliseconds(self, milliseconds: u64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "shown to two digits")]
        let seconds = milliseconds as f64 / 1000.0;
        if milliseconds < 1_000 {
            return self.with("span-ms", "number", grouped(milliseconds, self.language()));
        }
        self.with("span-s", "number", decimal((seconds * 100.0).round() / 100.0, self.language()))
    }

    /// The hour of a moment with its day, in UTC, for what has little room. What is not RFC 3339 is repeated.
    pub(crate) fn hour(self, moment: &str) -> String {
        let Ok(at) = moment.parse::<Timestamp>() else { return moment.to_owned() };
        let at = at.to_zoned(TimeZone::UTC);
        let month = self.text(&format!("month-{}", at.month()));
        let parts =
            [("day", at.day().to_string()), ("month", month), ("time", format!("{:02}:{:02}", at.hour(), at.minute()))];
        self.all("moment-hour", parts.map(|(name, text)| (name, FluentValue::from(text))))
    }

    /// A day, such as `2026-03-05`. What is none is repeated.
    pub(crate) fn date(self, day: &str) -> String {
        let Ok(date) = day.parse::<Date>() else { return day.to_owned() };
        let month = self.text(&format!("month-{}", date.month()));
        let parts = [("day", date.day().to_string()), ("month", month), ("year", date.year().to_string())];
        self.all("moment-date", parts.map(|(name, text)| (name, FluentValue::from(text))))
    }

    /// A moment in full, in UTC. `moment` is RFC 3339; what is not is repeated.
    pub(crate) fn moment(self, moment: &str) -> String {
        let Ok(at) = moment.parse::<Timestamp>() else { return moment.to_owned() };
        let at = at.to_zoned(TimeZone::UTC);
        let month = self.text(&format!("month-{}", at.month()));
        let time = format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
        self.all(
            "moment",
            [
                ("day", FluentValue::from(at.day().to_string())),
                ("month", FluentValue::from(month)),
                ("year", FluentValue::from(at.year().to_string())),
                ("time", FluentValue::from(time)),
            ],
        )
    }
}

#[cfg(test)]
mod tests;
