//! What an owner is told about an endpoint, in words.

use postrider_domain::{Millis, Notice, NoticeKind};
use postrider_texts::Texts;
use postrider_texts::fluent_bundle::{FluentArgs, FluentValue};

use crate::texts::texts_of;

/// What is to be said, and to whom: what a notice holds, and what the endpoint and its organisation are called now.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// What happened.
    pub notice: &'a Notice,
    /// The organisation's name.
    pub organization: &'a str,
    /// The language its owner wishes, as a language tag.
    pub locale: Option<&'a str>,
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// Its URL; what stands behind `?` may be a credential and is not told.
    pub url: &'a str,
}

/// A letter in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its language, as a language tag.
    pub language: &'static str,
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML, with everything that is not ours escaped.
    pub html: String,
}

impl Letter<'_> {
    /// Puts it into words.
    #[must_use]
    pub fn write(&self) -> Mail {
        let texts = texts_of(self.locale);
        let args = self.arguments(&texts);
        let (kind, act) = match self.notice.kind {
            NoticeKind::Failing => ("failing", "failing"),
            NoticeKind::Disabled => ("disabled", "disabled"),
            NoticeKind::Gone => ("gone", "disabled"),
        };
        let latest = if self.notice.last_status_code.is_some() { "latest-status" } else { "latest-failure" };
        let mut names = vec![format!("what-{kind}"), "address".to_owned()];
        if self.notice.kind != NoticeKind::Gone {
            names.push(latest.to_owned());
        }
        names.extend([format!("then-{act}"), format!("do-{act}"), "why".to_owned()]);
        let paragraphs: Vec<String> = names.iter().map(|name| texts.text(name, &args)).collect();
        Mail {
            language: texts.language,
            subject: one_line(&texts.text(&format!("subject-{kind}"), &args)),
            text: paragraphs.iter().map(|paragraph| format!("{paragraph}\r\n")).collect::<Vec<_>>().join("\r\n"),
            html: html(texts.language, &paragraphs),
        }
    }

    fn arguments(&self, texts: &Texts) -> FluentArgs<'static> {
        let notice = self.notice;
        let reason = texts.text(&format!("reason-{}", notice.last_failure.as_str()), &FluentArgs::new());
        let mut args = FluentArgs::new();
        args.set("name", one_line(self.endpoint));
        args.set("organization", one_line(self.organization));
        args.set("url", one_line(without_query(self.url)));
        args.set("failures", FluentValue::from(notice.failures));
        args.set("max", FluentValue::from(notice.failures_max.unwrap_or(notice.failures)));
        args.set("since", moment(notice.failing_since));
        args.set("status", notice.last_status_code.unwrap_or_default().to_string());
        args.set("reason", reason);
        args
    }
}

/// A name stays on its line, whatever is in it.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

fn moment(at: Millis) -> String {
    let shown = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    jiff::Timestamp::from_millisecond(at.0).map(shown).unwrap_or_default()
}

fn html(language: &str, paragraphs: &[String]) -> String {
    let body: String = paragraphs.iter().map(|paragraph| format!("<p>{}</p>\r\n", escape(paragraph))).collect();
    format!(
        "<!DOCTYPE html>\r\n<html lang=\"{language}\">\r\n<head><meta charset=\"utf-8\"></head>\r\n<body>\r\n{body}</body>\r\n</html>\r\n"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use postrider_domain::{EndpointId, FailureKind, NoticeId};

    use super::*;

    fn notice(kind: NoticeKind) -> Notice {
        let id: NoticeId = "ntc_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        Notice {
            id,
            organization: "acme".parse().unwrap(),
            endpoint: EndpointId(id.0),
            kind,
            failures: 50,
            failures_max: Some(50),
            failing_since: Millis(1_800_000_000_000),
            last_failure: FailureKind::Status,
            last_status_code: Some(503),
            made_at: Millis(1_800_000_100_000),
        }
    }

    fn letter<'a>(notice: &'a Notice, locale: &'a str) -> Letter<'a> {
        let (organization, endpoint) = ("Acme & Söhne", "<b>Lager</b>\r\nBcc: x@example.com");
        let url = "https://example.com/in?token=url-secret#f";
        Letter { notice, organization, locale: Some(locale), endpoint, url }
    }

    #[test]
    fn every_kind_is_told_in_every_language_with_its_facts_and_without_secrets() {
        for language in postrider_texts::LANGUAGES {
            for kind in NoticeKind::ALL {
                let notice = notice(kind);
                let mail = letter(&notice, language).write();
                assert_eq!(mail.language, language);
                for part in [&mail.text, &mail.html] {
                    assert!(part.contains("https://example.com/in") && part.contains("2027-01-15 08:00 UTC"), "{part}");
                    assert!(!part.contains("url-secret") && !part.contains("$") && !part.contains('{'), "{part}");
                }
                let has_status = mail.text.contains("503");
                assert_eq!(has_status, kind != NoticeKind::Gone, "{}", mail.text);
                assert!(!mail.subject.contains(['\r', '\n']), "{}", mail.subject);
            }
        }
    }

    #[test]
    fn names_are_escaped_in_html_and_stay_as_they_are_in_text() {
        let notice = notice(NoticeKind::Disabled);
        let mail = letter(&notice, "en").write();
        assert!(
            mail.html.contains("“&lt;b&gt;Lager&lt;/b&gt;") && mail.html.contains("Acme &amp; Söhne"),
            "{}",
            mail.html
        );
        assert!(mail.text.contains("“<b>Lager</b>") && mail.text.contains("Acme & Söhne"), "{}", mail.text);
        assert!(
            mail.subject.starts_with("Webhook “<b>Lager</b>  Bcc: x@example.com” was disabled"),
            "{}",
            mail.subject
        );
    }

    #[test]
    fn without_an_answer_the_reason_is_told_in_words() {
        let failed = Notice { last_failure: FailureKind::Dns, last_status_code: None, ..notice(NoticeKind::Failing) };
        let mail = letter(&failed, "pt-BR").write();
        assert!(
            mail.text.contains("o nome não pôde ser resolvido") && mail.text.contains("Depois de 50 falhas"),
            "{}",
            mail.text
        );
    }
}
