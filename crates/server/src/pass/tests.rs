//! What a pass gives, and every way of getting in with something else.

use postrider_store::{MasterKey, SqliteOptions, SqliteStore};
use tempfile::TempDir;

use super::*;

const NOW: Millis = Millis(1_800_000_000_000);
const OPERATOR: [u8; 32] = [7; 32];

struct Maker {
    passes: Passes,
    _dir: TempDir,
}

fn maker() -> Maker {
    let dir = tempfile::tempdir().unwrap();
    let master = MasterKey::from_base64(&data_encoding::BASE64.encode(&[1; 32])).unwrap();
    let store = SqliteStore::open(dir.path(), master, &SqliteOptions::default()).unwrap();
    Maker { passes: Passes::of(&store).unwrap(), _dir: dir }
}

fn members(kind: PassKind) -> Pass {
    let token = Token {
        organization: "acme".parse().unwrap(),
        role: Role::Viewer,
        system: Some("erp".into()),
        subject: Some("ana \u{1F600}".into()),
        expires_at: NOW + Duration::from_secs(60),
    };
    Pass {
        kind,
        expires_at: token.expires_at,
        member: Some(Member { token: Arc::new(token), organization_made_at: Millis(5) }),
        locale: Some("pt-BR".into()),
        endpoint: Some(EndpointId(uuid::Uuid::from_u128(1))),
    }
}

fn operators() -> Pass {
    Pass { member: None, ..members(PassKind::Session) }
}

impl Maker {
    fn text(&self, pass: &Pass) -> String {
        self.passes.text(pass, &OPERATOR).unwrap().to_string()
    }

    fn judge(&self, text: &str) -> Result<Pass, PassError> {
        self.judge_at(text, &OPERATOR, NOW)
    }

    fn judge_at(&self, text: &str, operator_key: &[u8; 32], now: Millis) -> Result<Pass, PassError> {
        let kind = PassKind::of(text.as_bytes()).ok_or(PassError::Malformed)?;
        self.passes.judge(kind, text.as_bytes(), operator_key, now)
    }
}

#[test]
fn a_pass_says_what_it_was_made_with_until_its_end() {
    let maker = maker();
    for pass in [members(PassKind::Portal), members(PassKind::Session), operators()] {
        let text = maker.text(&pass);
        assert_eq!(maker.judge(&text), Ok(pass.clone()));
        let last = Millis(pass.expires_at.0 - 1);
        assert_eq!(maker.judge_at(&text, &OPERATOR, last), Ok(pass.clone()));
        assert_eq!(maker.judge_at(&text, &OPERATOR, pass.expires_at), Err(PassError::Expired));
    }
}

#[test]
fn no_character_of_a_pass_can_be_another_one_nor_be_left_out() {
    let maker = maker();
    for pass in [members(PassKind::Portal), operators()] {
        let text = maker.text(&pass);
        for at in 0..text.len() {
            for other in ['A', 'B', '.', '_', '=', ' '] {
                let altered: String =
                    text.chars().enumerate().map(|(index, kept)| if index == at { other } else { kept }).collect();
                assert!(altered == text || maker.judge(&altered).is_err(), "{at} {other}");
            }
            assert!(maker.judge(&text[..at]).is_err(), "{at}");
        }
        for longer in [format!("{text}A"), format!("{text}."), format!("{text}=")] {
            assert!(maker.judge(&longer).is_err(), "{longer}");
        }
    }
}

#[test]
fn the_prefix_of_one_kind_does_not_stand_before_the_other() {
    let maker = maker();
    let (portal, session) = (maker.text(&members(PassKind::Portal)), maker.text(&members(PassKind::Session)));
    assert_eq!(maker.judge(&portal.replacen("prt_", "ses_", 1)), Err(PassError::Signature));
    assert_eq!(maker.judge(&session.replacen("ses_", "prt_", 1)), Err(PassError::Signature));
    assert_eq!(PassKind::of(b"prk_x"), None);
}

#[test]
fn an_operators_pass_ends_with_the_operator_key_and_a_members_does_not() {
    let maker = maker();
    let (operators, members) = (maker.text(&operators()), maker.text(&members(PassKind::Session)));
    assert_eq!(maker.judge_at(&operators, &[8; 32], NOW), Err(PassError::Signature));
    assert!(maker.judge_at(&members, &[8; 32], NOW).is_ok());
}

#[test]
fn a_pass_of_another_store_under_the_same_master_key_is_refused() {
    let (one, other) = (maker(), maker());
    assert_eq!(other.judge(&one.text(&members(PassKind::Portal))), Err(PassError::Signature));
}

#[test]
fn what_is_signed_and_cannot_be_meant_is_refused() {
    let maker = maker();
    let sign = |said: &str, operator: bool| {
        let said = format!("{}{}", &said[..4], BASE64URL_NOPAD.encode(&said.as_bytes()[4..]));
        let message = if operator { super::operators(&said, &OPERATOR) } else { said.clone() };
        format!("{said}.{}", BASE64URL_NOPAD.encode(&maker.passes.0.sign(message.as_bytes())))
    };
    let end = NOW.0 + 1;
    // A member's without a member, an operator's with one, a link of the operator's, and what a later program may say.
    for (said, operator) in [
        (format!(r#"ses_{{"exp":{end}}}"#), false),
        (format!(r#"ses_{{"exp":{end},"member":{{"org":"acme","made":5,"role":"admin"}}}}"#), true),
        (format!(r#"prt_{{"exp":{end}}}"#), true),
        (format!(r#"ses_{{"exp":{end},"only":"reading"}}"#), true),
        (format!(r#"ses_{{"exp":{end},"member":{{"org":"acme","made":5,"role":"owner"}}}}"#), false),
        ("ses_nothing".to_owned(), true),
    ] {
        assert_eq!(maker.judge(&sign(&said, operator)), Err(PassError::Malformed), "{said}");
    }
    assert!(maker.judge(&sign(&format!(r#"ses_{{"exp":{end}}}"#), true)).is_ok());
}

#[test]
fn the_longest_pass_is_not_too_long() {
    let maker = maker();
    let mut pass = members(PassKind::Session);
    let token = Token {
        system: Some("\u{1}".repeat(crate::limits::SYSTEM_CHARS_MAX)),
        subject: Some("\u{1}".repeat(crate::limits::TOKEN_SUBJECT_CHARS_MAX)),
        organization: "o".repeat(64).parse().unwrap(),
        ..Token::clone(&pass.member.as_ref().unwrap().token)
    };
    pass.member = Some(Member { token: Arc::new(token), organization_made_at: NOW });
    assert_eq!(maker.judge(&maker.text(&pass)), Ok(pass));
    assert_eq!(maker.judge(&format!("ses_{}", "A".repeat(TOKEN_BYTES_MAX))), Err(PassError::TooLong));
}
