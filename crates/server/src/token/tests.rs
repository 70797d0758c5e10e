//! What is accepted, and every known way of getting in without the right key.

use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use ring::{hmac, signature};
use serde_json::{Value, json};

use super::*;

const NOW: Millis = Millis(1_800_000_000_000);
const NOW_S: i64 = 1_800_000_000;
const SECRET: &str = "a shared secret of more than 32 bytes";
const RSA_PRIVATE: &[u8] = include_bytes!("testdata/rsa_private.pk8");
const RSA_PUBLIC: &str = include_str!("testdata/rsa_public.pem");
const RSA_PUBLIC_SHORT: &str = include_str!("testdata/rsa_public_1024.pem");

/// Whoever signs tokens.
enum Signer {
    Secret(Vec<u8>),
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

fn rsa() -> Signer {
    Signer::Rsa(Box::new(RsaKeyPair::from_pkcs8(RSA_PRIVATE).unwrap()))
}

fn p256() -> Signer {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
    Signer::P256(pair.unwrap())
}

fn ed25519() -> Signer {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Signer::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
}

fn secret() -> Signer {
    Signer::Secret(SECRET.as_bytes().to_vec())
}

impl Signer {
    fn algorithm(&self) -> &'static str {
        match self {
            Signer::Secret(_) => "HS256",
            Signer::Rsa(_) => "RS256",
            Signer::P256(_) => "ES256",
            Signer::Ed25519(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Signer::Secret(bytes) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), message).as_ref().to_vec(),
            Signer::Rsa(pair) => {
                let mut signed = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signed).unwrap();
                signed
            }
            Signer::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Signer::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// Its public half, as a JWK.
    fn jwk(&self, id: &str) -> Value {
        let base64 = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        match self {
            Signer::Secret(bytes) => json!({"kty": "oct", "kid": id, "alg": "HS256", "k": base64(bytes)}),
            Signer::Rsa(pair) => {
                let parts: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "kid": id, "use": "sig", "n": base64(&parts.n), "e": base64(&parts.e)})
            }
            Signer::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": id, "x": base64(x), "y": base64(y)})
            }
            Signer::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "alg": "EdDSA", "x": base64(pair.public_key().as_ref())})
            }
        }
    }
}

fn claims() -> Value {
    json!({"org": "acme", "role": "admin", "exp": NOW_S + 300, "sub": "ana", "system": "erp"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn token_of(signer: &Signer, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let message = format!("{}.{}", part(header), part(claims));
    format!("{message}.{}", BASE64URL_NOPAD.encode(&signer.sign(message.as_bytes())))
}

fn token(signer: &Signer, id: Option<&str>, claims: &Value) -> String {
    let mut header = json!({"alg": signer.algorithm(), "typ": "JWT"});
    if let Some(id) = id {
        header["kid"] = json!(id);
    }
    token_of(signer, &header, claims)
}

/// Every kind of key at once.
fn of_secret_and_set(signers: &[(&Signer, &str)]) -> Tokens {
    let tokens = Tokens::new(vec![TokenKey::shared_secret(SECRET).unwrap()], None, None);
    if !signers.is_empty() {
        rotate(&tokens, signers);
    }
    tokens
}

fn rotate(tokens: &Tokens, signers: &[(&Signer, &str)]) {
    let keys: Vec<_> = signers.iter().map(|(signer, id)| signer.jwk(id)).collect();
    tokens.rotate(TokenKey::read_set(json!({"keys": keys}).to_string().as_bytes()).unwrap());
}

fn judge(tokens: &Tokens, text: &str) -> Result<Token, TokenError> {
    tokens.judge(text.as_bytes(), NOW)
}

#[test]
fn each_algorithm_is_accepted_with_its_key_and_gives_what_the_claims_say() {
    let signers = [rsa(), p256(), ed25519()];
    let tokens = of_secret_and_set(&[(&signers[0], "r"), (&signers[1], "e"), (&signers[2], "d")]);
    let expected = Token {
        organization: "acme".parse().unwrap(),
        role: Role::Admin,
        system: Some("erp".into()),
        subject: Some("ana".into()),
        expires_at: Millis((NOW_S + 300 + TOKEN_LEEWAY_S) * 1_000),
    };
    for (signer, id) in
        [(&secret(), None), (&signers[0], Some("r")), (&signers[1], Some("e")), (&signers[2], Some("d"))]
    {
        assert_eq!(judge(&tokens, &token(signer, id, &claims())), Ok(expected.clone()), "{}", signer.algorithm());
        assert_eq!(judge(&tokens, &token(signer, None, &claims())), Ok(expected.clone()), "{}", signer.algorithm());
    }
    let bare = json!({"org": "acme", "role": "viewer", "exp": NOW_S + 1});
    let seen = judge(&tokens, &token(&secret(), None, &bare)).unwrap();
    assert_eq!((seen.role, seen.system, seen.subject), (Role::Viewer, None, None));
}

#[test]
fn a_public_key_in_pem_verifies_and_is_never_a_secret() {
    let tokens = Tokens::new(vec![TokenKey::public_pem(RSA_PUBLIC.as_bytes()).unwrap()], None, None);
    assert!(judge(&tokens, &token(&rsa(), None, &claims())).is_ok());
    // The classic confusion: the public key's own text, or its bytes, as the secret of HS256.
    let der = data_encoding::BASE64
        .decode(RSA_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect::<String>().as_bytes());
    for bytes in [RSA_PUBLIC.as_bytes().to_vec(), RSA_PUBLIC.trim().as_bytes().to_vec(), der.unwrap()] {
        let forged = token(&Signer::Secret(bytes), None, &claims());
        assert_eq!(judge(&tokens, &forged), Err(TokenError::NoKey));
    }
    assert!(TokenKey::shared_secret(RSA_PUBLIC).unwrap_err().to_string().contains("jwt_public_key_file"));
}

#[test]
fn no_algorithm_is_none_and_none_is_taken_from_the_token() {
    let signer = rsa();
    let tokens = of_secret_and_set(&[(&signer, "r")]);
    for alg in ["none", "None", "NONE", "nOnE", "", "HS1", "RS1"] {
        let header = json!({"alg": alg, "typ": "JWT"});
        let unsigned = format!("{}.", token_of(&secret(), &header, &claims()).rsplit_once('.').unwrap().0);
        assert!(matches!(judge(&tokens, &unsigned), Err(TokenError::Malformed(_))), "{alg}");
        assert!(matches!(judge(&tokens, &token_of(&secret(), &header, &claims())), Err(TokenError::Malformed(_))));
    }
    // Known to the library, but of no key here.
    for alg in ["HS384", "HS512", "RS384", "RS512", "PS256", "ES384"] {
        let header = json!({"alg": alg, "kid": "r"});
        assert_eq!(judge(&tokens, &token_of(&signer, &header, &claims())), Err(TokenError::NoKey), "{alg}");
    }
    // An RSA key's name with another algorithm, and the other way round.
    let header = json!({"alg": "HS256", "kid": "r"});
    assert_eq!(judge(&tokens, &token_of(&rsa(), &header, &claims())), Err(TokenError::Signature));
    let header = json!({"alg": "RS256"});
    assert_eq!(judge(&tokens, &token_of(&secret(), &header, &claims())), Err(TokenError::Signature));
}

#[test]
fn another_key_an_altered_token_and_half_a_token_are_refused() {
    let ours = p256();
    let tokens = of_secret_and_set(&[(&ours, "e")]);
    assert_eq!(judge(&tokens, &token(&p256(), Some("e"), &claims())), Err(TokenError::Signature));
    assert_eq!(judge(&tokens, &token(&ours, Some("other"), &claims())), Err(TokenError::NoKey));
    let other = Signer::Secret(b"another secret of more than 32 bytes!".to_vec());
    assert_eq!(judge(&tokens, &token(&other, None, &claims())), Err(TokenError::Signature));
    let good = token(&secret(), None, &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let forged = BASE64URL_NOPAD.encode(with("role", json!("viewer")).to_string().as_bytes());
    assert_eq!(judge(&tokens, &format!("{}.{forged}.{}", parts[0], parts[2])), Err(TokenError::Signature));
    for text in [
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}=", parts[0], parts[1], parts[2]),
        format!("..{}", parts[2]),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
    ] {
        assert!(judge(&tokens, &text).is_err(), "{text}");
    }
    assert_eq!(judge(&tokens, &format!("{good}{}", "A".repeat(TOKEN_BYTES_MAX))), Err(TokenError::TooLong));
}

#[test]
fn a_key_that_the_token_brings_along_counts_for_nothing() {
    let (ours, theirs) = (p256(), p256());
    let tokens = of_secret_and_set(&[(&ours, "e")]);
    for (name, value) in [
        ("jwk", theirs.jwk("e")),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "e"});
        header[name] = value;
        assert_eq!(judge(&tokens, &token_of(&theirs, &header, &claims())), Err(TokenError::Signature), "{name}");
    }
    for crit in [json!(["exp"]), json!([]), json!(["b64"])] {
        let header = json!({"alg": "HS256", "crit": crit, "b64": false});
        assert_eq!(judge(&tokens, &token_of(&secret(), &header, &claims())), Err(TokenError::Critical));
    }
}

#[test]
fn times_are_the_engines_within_a_minute_and_an_end_there_must_be() {
    let tokens = of_secret_and_set(&[]);
    let at = |claims: &Value| judge(&tokens, &token(&secret(), None, claims)).map(|_| ());
    assert_eq!(at(&with("exp", json!(NOW_S - TOKEN_LEEWAY_S + 1))), Ok(()));
    assert_eq!(at(&with("exp", json!(NOW_S - TOKEN_LEEWAY_S))), Err(TokenError::Expired));
    assert_eq!(at(&with("exp", json!(NOW_S as f64 + 0.5))), Ok(()));
    assert_eq!(at(&with("nbf", json!(NOW_S + TOKEN_LEEWAY_S))), Ok(()));
    assert_eq!(at(&with("nbf", json!(NOW_S + TOKEN_LEEWAY_S + 1))), Err(TokenError::NotYet));
    let mut endless = claims();
    endless.as_object_mut().unwrap().remove("exp");
    let nowhere = [json!("never"), json!("1900000000"), json!(null), json!(-1), json!(true), json!([NOW_S + 1])];
    for wrong in nowhere.iter().map(|value| with("exp", value.clone())).chain([endless]) {
        assert!(matches!(at(&wrong), Err(TokenError::Claims(_))), "{wrong}");
    }
    assert!(matches!(at(&with("nbf", json!("tomorrow"))), Err(TokenError::Claims(_))));
    // It is the moment given that counts, not the host's clock.
    let text = token(&secret(), None, &claims());
    assert_eq!(tokens.judge(text.as_bytes(), Millis(NOW.0 + 400_000)), Err(TokenError::Expired));
}

#[test]
fn claims_that_say_nothing_usable_are_refused_each_with_its_reason() {
    let tokens = of_secret_and_set(&[]);
    for (name, value) in [
        ("org", json!("no such id")),
        ("org", json!(null)),
        ("org", json!(["acme"])),
        ("role", json!("owner")),
        ("role", json!("Admin")),
        ("role", json!(null)),
        ("system", json!("")),
        ("system", json!("s".repeat(SYSTEM_CHARS_MAX + 1))),
        ("sub", json!("s".repeat(TOKEN_SUBJECT_CHARS_MAX + 1))),
        ("sub", json!(7)),
    ] {
        let refused = judge(&tokens, &token(&secret(), None, &with(name, value.clone())));
        assert!(matches!(refused, Err(TokenError::Claims(_))), "{name} {value}: {refused:?}");
    }
}

#[test]
fn issuer_and_audience_are_held_to_the_settings() {
    let of = |issuer: Option<&str>, audience: Option<&str>| {
        let key = TokenKey::shared_secret(SECRET).unwrap();
        Tokens::new(vec![key], issuer.map(str::to_owned), audience.map(str::to_owned))
    };
    let at = |tokens: &Tokens, claims: &Value| judge(tokens, &token(&secret(), None, claims)).map(|_| ());
    let trusting = of(Some("crm"), None);
    assert_eq!(at(&trusting, &with("iss", json!("crm"))), Ok(()));
    assert_eq!(at(&trusting, &with("iss", json!("other"))), Err(TokenError::Issuer));
    assert_eq!(at(&trusting, &claims()), Err(TokenError::Issuer));
    let named = of(None, Some("postrider"));
    assert_eq!(at(&named, &with("aud", json!("postrider"))), Ok(()));
    assert_eq!(at(&named, &with("aud", json!(["other", "postrider"]))), Ok(()));
    for aud in [json!("other"), json!([]), json!(["other"])] {
        assert_eq!(at(&named, &with("aud", aud)), Err(TokenError::Audience));
    }
    assert_eq!(at(&named, &claims()), Err(TokenError::Audience));
    // Meant for somebody, and we are nobody in particular.
    assert_eq!(at(&of(None, None), &with("aud", json!("postrider"))), Err(TokenError::Audience));
}

#[test]
fn keys_of_a_set_are_replaced_by_name_while_the_server_runs() {
    let (old, new) = (ed25519(), ed25519());
    let tokens = of_secret_and_set(&[(&old, "2026-01")]);
    let (before, after) = (token(&old, Some("2026-01"), &claims()), token(&new, Some("2026-02"), &claims()));
    assert_eq!((judge(&tokens, &before).is_ok(), judge(&tokens, &after)), (true, Err(TokenError::NoKey)));
    rotate(&tokens, &[(&old, "2026-01"), (&new, "2026-02")]);
    assert!(judge(&tokens, &before).is_ok() && judge(&tokens, &after).is_ok());
    rotate(&tokens, &[(&new, "2026-02")]);
    assert_eq!((judge(&tokens, &before), judge(&tokens, &after).is_ok()), (Err(TokenError::NoKey), true));
    assert!(judge(&tokens, &token(&secret(), None, &claims())).is_ok(), "what is fixed stays");
}

#[test]
fn a_set_keeps_what_is_ours_leaves_what_is_for_something_else_and_refuses_what_is_damaged() {
    let read = |keys: Value| TokenKey::read_set(json!({"keys": keys}).to_string().as_bytes()).map(|keys| keys.len());
    let (one, other) = (p256().jwk("a"), rsa().jwk("b"));
    let but = |name: &str, value: &str| {
        let mut jwk = one.clone();
        jwk[name] = json!(value);
        jwk
    };
    assert_eq!(read(json!([one, other])), Ok(2));
    let elsewhere = json!([one, but("use", "enc"), but("alg", "ES384"), {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"}, {"kty": "new", "alg": "ML-DSA-44", "pub": "AA"}]);
    assert_eq!(read(elsewhere), Ok(1));
    for wrong in [
        json!([]),
        json!([but("use", "enc")]),
        json!([one, one]),
        json!([but("x", "AA")]),
        json!([but("x", "not base64!")]),
        json!([{"kty": "oct", "k": BASE64URL_NOPAD.encode(b"short")}]),
        json!([{"kty": "RSA", "n": BASE64URL_NOPAD.encode(&[0xff; 128]), "e": "AQAB"}]),
        json!(vec![one.clone(); JWKS_KEYS_MAX_AND_ONE]),
    ] {
        assert!(read(wrong.clone()).is_err(), "{wrong}");
    }
    for text in ["", "{", "[]", "null", "{\"keys\": {}}", "not json"] {
        assert!(TokenKey::read_set(text.as_bytes()).is_err(), "{text}");
    }
}

const JWKS_KEYS_MAX_AND_ONE: usize = crate::limits::JWKS_KEYS_MAX + 1;

#[test]
fn only_public_keys_of_our_kinds_are_read_from_pem() {
    assert!(TokenKey::public_pem(RSA_PUBLIC.as_bytes()).is_ok());
    let private = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        data_encoding::BASE64.encode(RSA_PRIVATE)
    );
    for text in [private.as_str(), RSA_PUBLIC_SHORT, "", "-----BEGIN PUBLIC KEY-----", "text"] {
        assert!(TokenKey::public_pem(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_secret_is_as_long_as_its_hash() {
    assert!(TokenKey::shared_secret(&"x".repeat(32)).is_ok());
    assert!(TokenKey::shared_secret(&"x".repeat(31)).is_err());
}
