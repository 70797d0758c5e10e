//! Contracts as JSON: what receivers are promised.

use std::time::Duration;

use postrider_contract::{Contract, Derived, EventType, Plan, SchemePromise, SecretKind, SignaturePromise};
use postrider_domain::ScheduleKind;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A contract as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contract)]
pub(crate) struct ContractBody<'a> {
    #[schema(example = "standard")]
    name: &'a str,
    title: &'a str,
    description: &'a str,
    /// The content hash of its file as it is now. A delivery keeps to the revision that it was made under.
    revision: String,
    /// Whether organisations that name no contract have this one.
    default: bool,
}

impl<'a> ContractBody<'a> {
    pub(crate) fn new(contract: &'a Contract) -> Self {
        ContractBody {
            name: contract.name(),
            title: contract.title(),
            description: contract.description(),
            revision: contract.revision().to_string(),
            default: contract.is_default(),
        }
    }
}

/// A contract with what it promises.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContractWithPromises)]
pub(crate) struct ContractDetailBody<'a> {
    #[serde(flatten)]
    contract: ContractBody<'a>,
    /// Whether event types beside the catalogue's are passed on as they are.
    open: bool,
    /// The body, as JSON in which a text such as `$occurred_at` stands for what differs between requests (`docs/contracts.md`); a `?` behind it leaves out what is not there.
    #[schema(required = true, value_type = Object, example = json!({"type": "$type", "timestamp": "$occurred_at", "data": "$data"}))]
    envelope: Option<&'a RawValue>,
    /// The media type of bodies.
    #[schema(example = "application/json")]
    content_type: &'a str,
    /// Its own headers, in order; a text such as `${event.id}` stands for what differs between requests. Without that of the signature.
    headers: Vec<HeaderBody<'a>>,
    /// Whether requests are signed.
    signed: bool,
    /// How requests are signed; `null` where nothing is.
    #[schema(required = true)]
    signature: Option<SignatureBody<'a>>,
    secret: SecretBody<'a>,
    /// How long one attempt may take, in milliseconds.
    timeout_ms: u64,
    retries: RetriesBody,
    /// When endpoints that keep failing are disabled; never when `null`.
    #[schema(required = true)]
    disable: Option<DisableBody>,
    /// The plans that an organisation may be on.
    plans: Vec<PlanBody<'a>>,
    limits: LimitsBody,
    /// Whether only `https` is accepted, unless the operator allows `http`.
    https_only: bool,
    custom_headers: CustomHeadersBody,
    event_types: Vec<EventTypeBody<'a>>,
    /// What events also are.
    derived: Vec<DerivedBody<'a>>,
}

impl<'a> ContractDetailBody<'a> {
    pub(crate) fn new(contract: &'a Contract) -> Self {
        let limits = contract.limits();
        let headers = contract.custom_headers();
        ContractDetailBody {
            contract: ContractBody::new(contract),
            open: contract.is_open(),
            // It was checked when the contract was read.
            envelope: serde_json::from_str(contract.envelope()).ok(),
            content_type: contract.content_type(),
            headers: contract.headers().map(|(name, value)| HeaderBody { name, value }).collect(),
            signed: contract.is_signed(),
            signature: contract.signature().map(SignatureBody::new),
            secret: SecretBody::new(contract),
            timeout_ms: ms(contract.response().timeout),
            retries: RetriesBody::new(contract),
            disable: contract.disable().map(|rule| DisableBody {
                consecutive_failures: rule.consecutive_failures,
                minimum_span_ms: ms(rule.minimum_span),
            }),
            plans: limits.plans.iter().map(PlanBody::new).collect(),
            limits: LimitsBody {
                endpoints_max: limits.endpoints_max,
                endpoints_per_event_and_system_max: limits.endpoints_per_event_and_system_max,
            },
            https_only: contract.url().https_only,
            custom_headers: CustomHeadersBody {
                allowed: headers.allowed,
                count_max: headers.count_max,
                bytes_max: headers.bytes_max,
            },
            event_types: contract.event_types().iter().map(EventTypeBody::new).collect(),
            derived: contract.derived().iter().map(DerivedBody::new).collect(),
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A header of every request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContractHeader)]
pub(crate) struct HeaderBody<'a> {
    #[schema(example = "webhook-id")]
    name: &'a str,
    #[schema(example = "${event.id}")]
    value: String,
}

/// How requests are signed. A text such as `${body}` stands for what differs between requests.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignatureRules)]
pub(crate) struct SignatureBody<'a> {
    /// The header that carries the signature.
    #[schema(example = "webhook-signature")]
    header: &'a str,
    /// The header's value.
    #[schema(example = "${version},${signature}")]
    value: String,
    /// What is signed.
    #[schema(example = "${event.id}.${attempt.unix}.${body}")]
    signed: String,
    /// How the signature is written: `hex` or `base64`.
    #[schema(example = "base64")]
    encoding: &'static str,
    /// How old a request may be, in milliseconds; `null` where what is signed does not tell when it was sent.
    #[schema(required = true)]
    tolerance_ms: Option<u64>,
    /// Whose signatures stand in the header while a rotation overlaps, in order: `primary` and `secondary`.
    #[schema(example = json!(["primary", "secondary"]))]
    overlap: Vec<&'static str>,
    /// What stands between them.
    separator: &'a str,
    /// What a receiver answers that has a request sent again at once with the other secret, while a rotation overlaps.
    swap_statuses: &'a [u16],
    /// The ways of signing. The secret says which: by its prefix, or else it is the first.
    schemes: Vec<SchemeBody<'a>>,
}

/// One way of signing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignatureScheme)]
pub(crate) struct SchemeBody<'a> {
    /// What `${version}` stands for; empty where there is only one.
    #[schema(example = "v1")]
    version: &'a str,
    /// What its secrets begin with; empty where they may begin with anything.
    #[schema(example = "whsec_")]
    prefix: &'a str,
    /// `hmac-sha256` or `ed25519`.
    #[schema(example = "hmac-sha256")]
    algorithm: &'static str,
    /// How the key is written behind the prefix: `hex` or `base64`; `text` where the whole secret is the key.
    #[schema(example = "base64")]
    key: &'static str,
    /// What its public keys begin with; empty where it has none, or they begin with nothing.
    public_prefix: &'a str,
}

impl<'a> SignatureBody<'a> {
    fn new(promise: SignaturePromise<'a>) -> Self {
        SignatureBody {
            header: promise.header,
            value: promise.value,
            signed: promise.signed,
            encoding: promise.encoding,
            tolerance_ms: promise.tolerance.map(ms),
            overlap: promise.overlap,
            separator: promise.separator,
            swap_statuses: promise.swap_statuses,
            schemes: promise.schemes.into_iter().map(SchemeBody::new).collect(),
        }
    }
}

impl<'a> SchemeBody<'a> {
    fn new(promise: SchemePromise<'a>) -> Self {
        let SchemePromise { version, prefix, algorithm, key, public_prefix } = promise;
        SchemeBody { version, prefix, algorithm, key, public_prefix }
    }
}

/// What a contract says about secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretRules)]
pub(crate) struct SecretBody<'a> {
    /// Whether an endpoint must have one.
    required: bool,
    /// Whether one is made when none is given.
    generated: bool,
    /// Whether people may bring their own.
    chosen: bool,
    /// How long old and new both work after a rotation, in milliseconds.
    overlap_ms: u64,
    /// The kinds there are, the one that is made unless another is asked for first; empty where nothing is signed.
    kinds: Vec<SecretKindBody<'a>>,
}

/// One kind of secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretKind)]
pub(crate) struct SecretKindBody<'a> {
    /// What its secrets begin with; empty where they may begin with anything.
    #[schema(example = "whsec_")]
    prefix: &'a str,
    /// Whether it is a key pair: receivers then verify with the endpoint's `public_key`.
    asymmetric: bool,
}

impl<'a> SecretBody<'a> {
    fn new(contract: &'a Contract) -> Self {
        let kind_of = |kind: SecretKind<'a>| SecretKindBody { prefix: kind.prefix(), asymmetric: kind.is_asymmetric() };
        let rules = contract.secret();
        SecretBody {
            required: rules.required,
            generated: rules.generated,
            chosen: rules.chosen,
            overlap_ms: ms(rules.overlap),
            kinds: contract.secret_kinds().map(kind_of).collect(),
        }
    }
}

/// When failed deliveries are tried again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Retries)]
pub(crate) struct RetriesBody {
    /// `at`: offsets from the first failure. `after`: waits since the previous attempt.
    #[schema(example = "after")]
    kind: &'static str,
    /// One entry a retry, in milliseconds.
    steps_ms: Vec<u64>,
    /// How much of a wait may be added at random, from 0 to 1.
    jitter: f64,
}

impl RetriesBody {
    fn new(contract: &Contract) -> Self {
        let schedule = contract.schedule();
        let kind = match schedule.kind {
            ScheduleKind::At => "at",
            ScheduleKind::After => "after",
        };
        RetriesBody { kind, steps_ms: schedule.steps.iter().copied().map(ms).collect(), jitter: schedule.jitter }
    }
}

/// When an endpoint that keeps failing is disabled: both conditions together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DisableRule)]
pub(crate) struct DisableBody {
    /// So many failed attempts since the last success.
    consecutive_failures: u32,
    /// And so long since the first of them, in milliseconds.
    minimum_span_ms: u64,
}

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanBody<'a> {
    name: &'a str,
    title: &'a str,
    /// How many endpoints it allows; `null` for no limit.
    #[schema(required = true)]
    endpoints_max: Option<u32>,
}

impl<'a> PlanBody<'a> {
    fn new(plan: &'a Plan) -> Self {
        PlanBody { name: &plan.name, title: &plan.title, endpoints_max: plan.endpoints_max }
    }
}

/// How much an organisation may create.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContractLimits)]
pub(crate) struct LimitsBody {
    /// How many endpoints an organisation without a plan may have; `null` for no limit.
    #[schema(required = true)]
    endpoints_max: Option<u32>,
    /// How many enabled and paused endpoints of one system may subscribe to the same event type.
    #[schema(required = true)]
    endpoints_per_event_and_system_max: Option<u32>,
}

/// What custom headers endpoints may have.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomHeaderRules)]
pub(crate) struct CustomHeadersBody {
    allowed: bool,
    /// How many one endpoint may have.
    count_max: usize,
    /// How many bytes all of its names and values together may have.
    bytes_max: usize,
}

/// One event type of a catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventType)]
pub(crate) struct EventTypeBody<'a> {
    /// Its name, as receivers know it.
    #[schema(example = "deal.won")]
    name: &'a str,
    /// When it happens.
    description: &'a str,
    /// The type of the record that it is about.
    #[schema(example = "deal")]
    resource: &'a str,
    /// Under which heading it is listed.
    category: &'a str,
    /// The JSON Schema (2020-12) of its data.
    #[schema(required = true, value_type = Object)]
    schema: Option<&'a RawValue>,
    /// Realistic data.
    #[schema(required = true, value_type = Object)]
    sample: Option<&'a RawValue>,
}

impl<'a> EventTypeBody<'a> {
    pub(crate) fn new(event_type: &'a EventType) -> Self {
        // Both were checked when the contract was read.
        let as_it_is = |text: &'a str| serde_json::from_str::<&RawValue>(text).ok();
        EventTypeBody {
            name: &event_type.name,
            description: &event_type.description,
            resource: &event_type.resource,
            category: &event_type.category,
            schema: as_it_is(&event_type.schema),
            sample: as_it_is(&event_type.sample),
        }
    }
}

/// What an event of one type also is, under a condition.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DerivedType)]
pub(crate) struct DerivedBody<'a> {
    /// The type that is published.
    #[schema(example = "deal.updated")]
    from: &'a str,
    /// What must hold: a condition in the language of filters.
    #[schema(example = "changes.stage")]
    when: &'a str,
    /// What the event then also is.
    #[serde(rename = "type")]
    #[schema(example = "deal.stage_changed")]
    event_type: &'a str,
}

impl<'a> DerivedBody<'a> {
    fn new(derived: &'a Derived) -> Self {
        DerivedBody { from: &derived.from, when: derived.when.as_str(), event_type: &derived.event_type }
    }
}
