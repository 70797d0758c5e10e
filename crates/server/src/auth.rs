//! Who is asking, and what they may do.
//!
//! The *operator key* may do everything. An *organisation key* (`prk_…`) may do what its scopes say, within its organisation; the rest of the world
//! does not exist for it. A *token* may do what its role says, within its organisation, by the same scopes. A *pass* is a token that this server signed
//! itself ([`crate::pass`]), or stands for the operator. Keys are known by their SHA-256 alone.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use data_encoding::BASE32_NOPAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use parking_lot::Mutex;
use postrider_domain::{Actor, EndpointId, Key, Millis, OrganizationId, Role, Scope};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::limits::ServerLimits;
use crate::pass::{Pass, PassError, PassKind, mark};
use crate::problem::{Kind, Problem};
use crate::state::Running;
use crate::token::{Token, TokenError};

/// What organisation keys begin with, so that scanners of leaked secrets find them.
pub(crate) const KEY_PREFIX: &str = "prk_";
const KEY_RANDOM_BYTES: usize = 32;
/// How much of a key is kept to recognise it by, in characters.
const KEY_HINT_CHARS: usize = 10;

/// Who is asking.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Operator,
    Key(Arc<Key>),
    Token(Arc<Token>),
}

/// How the caller was let in.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// With a key or a JWT.
    Own,
    /// With a pass, and the mark that tells it from others.
    Pass(Arc<Pass>, [u8; 16]),
}

/// What the dashboard has to know of whoever is looking.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// None for the operator.
    pub(crate) token: Option<Arc<Token>>,
    pub(crate) locale: Option<String>,
    pub(crate) endpoint: Option<EndpointId>,
    /// From when the credential is refused; never, when none.
    pub(crate) expires_at: Option<Millis>,
}

impl Shown {
    /// The pass that was shown, if it was one.
    pub(crate) fn pass(&self) -> Option<(&Pass, [u8; 16])> {
        match self {
            Shown::Own => None,
            Shown::Pass(pass, mark) => Some((pass, *mark)),
        }
    }

    /// With the token that the caller is known by.
    pub(crate) fn standing(&self, token: Option<Arc<Token>>) -> Standing {
        match self.pass() {
            None => {
                let expires_at = token.as_ref().map(|token| token.expires_at);
                Standing { token, locale: None, endpoint: None, expires_at }
            }
            Some((pass, _)) => {
                let locale = pass.locale.clone();
                Standing { token, locale, endpoint: pass.endpoint, expires_at: Some(pass.expires_at) }
            }
        }
    }
}

/// What a route needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// The operator key.
    Operator,
    /// The operator key, or a token of an admin of the organisation.
    Admin,
    /// The operator key, an organisation key with this scope, or a token whose role has it.
    Scope(Scope),
}

/// What somebody who is not the operator may do: one organisation's key, or a token's role.
struct Grant<'a> {
    organization: &'a OrganizationId,
    scopes: &'a [Scope],
    is_admin: bool,
}

impl Caller {
    /// The organisation that the path names, if the caller may do this there. One that the caller has nothing to do with is like one that
    /// does not exist.
    pub(crate) fn enter(&self, named: &str, need: Need) -> Result<OrganizationId, Problem> {
        let organization = OrganizationId::from_str(named).map_err(|_| Problem::missing("organization"))?;
        let Some(grant) = self.grant() else { return Ok(organization) };
        if *grant.organization != organization {
            return Err(Problem::missing("organization"));
        }
        match need {
            Need::Scope(scope) if grant.scopes.contains(&scope) => Ok(organization),
            Need::Scope(scope) => {
                Err(Problem::new(Kind::Forbidden, format!("this credential lacks the scope {}", scope.as_str())))
            }
            Need::Admin if grant.is_admin => Ok(organization),
            Need::Admin => Err(Problem::new(Kind::Forbidden, "this needs the operator key or an admin's token")),
            Need::Operator => Err(operator_only()),
        }
    }

    /// None for the operator, who may do everything.
    fn grant(&self) -> Option<Grant<'_>> {
        match self {
            Caller::Operator => None,
            Caller::Key(key) => Some(Grant { organization: &key.organization, scopes: &key.scopes, is_admin: false }),
            Caller::Token(token) => Some(Grant {
                organization: &token.organization,
                scopes: token.role.scopes(),
                is_admin: token.role == Role::Admin,
            }),
        }
    }

    /// The one organisation that the caller belongs to; none for the operator.
    pub(crate) fn organization(&self) -> Option<&OrganizationId> {
        self.grant().map(|grant| grant.organization)
    }

    /// The system that the caller acts for.
    pub(crate) fn system(&self) -> Option<&str> {
        match self {
            Caller::Token(token) => token.system.as_deref(),
            Caller::Operator | Caller::Key(_) => None,
        }
    }

    /// Refuses everyone but the operator.
    pub(crate) fn operator(&self) -> Result<(), Problem> {
        match self {
            Caller::Operator => Ok(()),
            Caller::Key(_) | Caller::Token(_) => Err(operator_only()),
        }
    }

    /// How the audit trail names this caller.
    pub(crate) fn actor(&self) -> Actor {
        match self {
            Caller::Operator => Actor::Operator,
            Caller::Key(key) => Actor::Key(key.id),
            Caller::Token(token) => Actor::Token { subject: token.subject.clone(), role: token.role },
        }
    }

    /// What tells this caller from another, for the hash of a request.
    pub(crate) fn identity(&self) -> [u8; 16] {
        match self {
            Caller::Operator => [0; 16],
            Caller::Key(key) => key.id.0.into_bytes(),
            Caller::Token(token) => {
                let parts = [
                    token.organization.as_str(),
                    token.role.as_str(),
                    token.subject.as_deref().unwrap_or_default(),
                    token.system.as_deref().unwrap_or_default(),
                ];
                let hash = sha256(format!("{parts:?}").as_bytes());
                std::array::from_fn(|at| hash[at])
            }
        }
    }
}

fn operator_only() -> Problem {
    Problem::new(Kind::Forbidden, "this needs the operator key")
}

/// Finds out who is asking.
pub(crate) async fn authenticate(app: &Running, headers: &HeaderMap) -> Result<(Caller, Shown), Problem> {
    let credential = bearer(headers)?;
    let hash = sha256(credential);
    let operator_key = app.operator_key.hash(app.store()).await;
    if is_equal(&hash, &operator_key) {
        return Ok((Caller::Operator, Shown::Own));
    }
    match PassKind::of(credential) {
        Some(kind) => admit_pass(app, kind, credential, &operator_key).await,
        None => Ok((known(app, credential, hash).await?, Shown::Own)),
    }
}

/// The bearer of a pass, if the organisation that it was made for is still there.
async fn admit_pass(
    app: &Running,
    kind: PassKind,
    credential: &[u8],
    operator_key: &[u8; 32],
) -> Result<(Caller, Shown), Problem> {
    let refused = |error: PassError| Problem::new(Kind::Unauthenticated, error.to_string());
    let pass = app.given.passes.judge(kind, credential, operator_key, app.now()).map_err(refused)?;
    let caller = match &pass.member {
        None => Caller::Operator,
        Some(member) => {
            let found = app.store().organization(&member.token.organization).await?;
            if found.is_none_or(|found| found.created_at != member.organization_made_at) {
                return Err(refused(PassError::Gone));
            }
            Caller::Token(Arc::clone(&member.token))
        }
    };
    Ok((caller, Shown::Pass(Arc::new(pass), mark(credential))))
}

/// The bearer of an organisation key or a JWT.
async fn known(app: &Running, credential: &[u8], hash: [u8; 32]) -> Result<Caller, Problem> {
    let unknown = || Problem::new(Kind::Unauthenticated, "the credential is not known");
    // Nothing else that is a credential here has a dot in it.
    if credential.contains(&b'.') && app.given.tokens.is_any() {
        let token = app.given.tokens.judge(credential, app.now());
        let refused = |error: TokenError| Problem::new(Kind::Unauthenticated, error.to_string());
        return token.map(|token| Caller::Token(Arc::new(token))).map_err(refused);
    }
    if !credential.starts_with(KEY_PREFIX.as_bytes()) {
        return Err(unknown());
    }
    let key = app.keys.find(app, hash).await?.ok_or_else(unknown)?;
    if key.expires_at.is_some_and(|end| end <= app.now()) {
        return Err(Problem::new(Kind::Unauthenticated, "the key has expired"));
    }
    Ok(Caller::Key(key))
}

fn bearer(headers: &HeaderMap) -> Result<&[u8], Problem> {
    let missing = || Problem::new(Kind::Unauthenticated, "the request has no `Authorization: Bearer` header");
    let value = headers.get(AUTHORIZATION).ok_or_else(missing)?.as_bytes();
    // RFC 9110, section 11.1: the scheme's case does not matter.
    match value.split_at_checked(7) {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case(b"bearer ") => Ok(credential.trim_ascii()),
        _ => Err(missing()),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// Compares in a time that says nothing about where two hashes differ.
fn is_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |seen, (a, b)| seen | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// A new organisation key: its text, its hash, and its first characters.
pub(crate) struct MadeKey {
    pub(crate) text: Zeroizing<String>,
    pub(crate) hash: [u8; 32],
    pub(crate) hint: String,
}

pub(crate) fn make_key() -> Result<MadeKey, Problem> {
    let random = random_bytes::<KEY_RANDOM_BYTES>()?;
    let text = Zeroizing::new(format!("{KEY_PREFIX}{}", BASE32_NOPAD.encode(&random[..]).to_ascii_lowercase()));
    let hash = sha256(text.as_bytes());
    let hint = text.chars().take(KEY_HINT_CHARS).collect();
    Ok(MadeKey { text, hash, hint })
}

/// Random bytes from the system.
pub(crate) fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, Problem> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(&mut bytes[..]).map_err(|_| Problem::internal("the system gave no random bytes"))?;
    Ok(bytes)
}

/// Keys by their hash, each with when it was read.
type FoundKeys = HashMap<[u8; 32], (Arc<Key>, Instant)>;

/// Organisation keys seen of late, so that not every request reads the store.
#[derive(Debug)]
pub(crate) struct KeyCache {
    found: Mutex<FoundKeys>,
    /// Counts deletions, so that a key that was read before one is not kept after it.
    deletions: AtomicU64,
    keys_max: usize,
    fresh_for: Duration,
}

impl KeyCache {
    pub(crate) fn new(limits: &ServerLimits) -> Self {
        KeyCache {
            found: Mutex::default(),
            deletions: AtomicU64::new(0),
            keys_max: limits.keys_cached_max,
            fresh_for: Duration::from_millis(limits.key_cached_ms_max),
        }
    }

    async fn find(&self, app: &Running, hash: [u8; 32]) -> Result<Option<Arc<Key>>, Problem> {
        if let Some((key, at)) = self.found.lock().get(&hash)
            && at.elapsed() < self.fresh_for
        {
            return Ok(Some(Arc::clone(key)));
        }
        let deletions = self.deletions.load(Ordering::Acquire);
        let Some(key) = app.store().key_by_hash(hash).await? else { return Ok(None) };
        let key = Arc::new(key);
        let mut found = self.found.lock();
        if self.deletions.load(Ordering::Acquire) == deletions {
            if found.len() >= self.keys_max {
                found.clear();
            }
            found.insert(hash, (Arc::clone(&key), Instant::now()));
        }
        Ok(Some(key))
    }

    /// Forgets all keys: call after a key, or an organisation with its keys, was deleted.
    pub(crate) fn forget(&self) {
        let mut found = self.found.lock();
        self.deletions.fetch_add(1, Ordering::AcqRel);
        found.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use postrider_domain::KeyId;

    fn key_of(organization: &str, scopes: &[Scope]) -> Caller {
        Caller::Key(Arc::new(Key {
            id: KeyId(uuid::Uuid::nil()),
            organization: organization.parse().unwrap(),
            name: "k".into(),
            scopes: scopes.to_vec(),
            hint: String::new(),
            created_at: Millis(0),
            expires_at: None,
        }))
    }

    fn kind_of(caller: &Caller, named: &str, need: Need) -> Result<String, Kind> {
        caller.enter(named, need).map(|id| id.to_string()).map_err(|p| p.kind)
    }

    #[test]
    fn a_key_has_its_scopes_in_its_organisation_and_nothing_elsewhere() {
        let caller = key_of("acme", &[Scope::EventsWrite]);
        let write = Need::Scope(Scope::EventsWrite);
        assert_eq!(kind_of(&caller, "acme", write), Ok("acme".to_owned()));
        assert_eq!(kind_of(&caller, "acme", Need::Scope(Scope::EndpointsRead)), Err(Kind::Forbidden));
        assert_eq!(kind_of(&caller, "acme", Need::Operator), Err(Kind::Forbidden));
        for other in ["globex", "no such id", ""] {
            for need in [write, Need::Scope(Scope::EndpointsRead), Need::Operator] {
                assert_eq!(kind_of(&caller, other, need), Err(Kind::NotFound), "{other}");
            }
        }
        assert_eq!(kind_of(&Caller::Operator, "globex", Need::Operator), Ok("globex".to_owned()));
    }

    #[test]
    fn what_tells_callers_apart_for_an_idempotency_key_names_whom_a_token_acts_for() {
        let token = |system: Option<&str>, subject: Option<&str>| {
            let token = Token {
                organization: "acme".parse().unwrap(),
                role: Role::Admin,
                system: system.map(str::to_owned),
                subject: subject.map(str::to_owned),
                expires_at: Millis(0),
            };
            Caller::Token(Arc::new(token)).identity()
        };
        let all = [token(None, None), token(Some("a"), None), token(Some("b"), None), token(None, Some("a"))];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(token(Some("a"), Some("b")), token(Some("a"), Some("b")));
    }

    #[test]
    fn the_bearer_scheme_is_read_in_any_case_and_no_other_scheme() {
        let read = |value: &'static str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            bearer(&headers).ok().map(<[u8]>::to_vec)
        };
        assert_eq!(read("Bearer abc"), Some(b"abc".to_vec()));
        assert_eq!(read("bEARER  abc "), Some(b"abc".to_vec()));
        assert_eq!(read("Basic abc"), None);
        assert_eq!(read("Bearer"), None);
        assert!(bearer(&HeaderMap::new()).is_err());
    }

    #[test]
    fn made_keys_differ_carry_the_prefix_and_hash_to_what_is_kept() {
        let (one, other) = (make_key().unwrap(), make_key().unwrap());
        assert_ne!(*one.text, *other.text);
        assert!(one.text.starts_with(KEY_PREFIX) && one.text.len() == 56);
        assert_eq!(one.hash, sha256(one.text.as_bytes()));
        assert!(one.text.starts_with(&one.hint) && one.hint.len() == KEY_HINT_CHARS);
    }

    #[test]
    fn hashes_are_equal_only_when_every_byte_is() {
        let one = sha256(b"a");
        assert!(is_equal(&one, &sha256(b"a")));
        for index in 0..32 {
            let mut other = one;
            other[index] ^= 1;
            assert!(!is_equal(&one, &other), "{index}");
        }
    }
}
