//! The codes of mistakes: what a client goes by that says them in another language. They are part of the API and do not change.

/// Which rule something breaks.
macro_rules! codes {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        /// Which rule is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $text] $name,)*
        }

        impl Code {
            /// All of them, in the order in which they are explained.
            pub(crate) const ALL: &[Code] = &[$(Code::$name,)*];

            /// As it stands in answers.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $code,)*
                }
            }

            /// What it means; the names in back-ticks are parameters.
            pub(crate) fn meaning(self) -> &'static str {
                match self {
                    $(Code::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    FieldMissing = "field.missing", "It must be there.";
    FieldNull = "field.null", "It must not be `null`.";
    FieldUnknown = "field.unknown", "There is no such field or parameter here.";
    FieldTwice = "field.twice", "It is given twice.";
    FieldFixed = "field.fixed", "It cannot be changed.";
    FieldType = "field.type", "It is JSON of another type, `found`, than the one that is `expected`.";
    FieldConflict = "field.conflict", "It cannot stand beside the field `other`.";
    FieldIdOfPath = "field.id_of_path", "It must be the id in the path.";
    BodyUnexpected = "body.unexpected", "This request takes no body.";
    TextEmpty = "text.empty", "It must not be empty.";
    TextTooLong = "text.too_long", "It has `has` characters; at most `max` are accepted.";
    TextTooManyBytes = "text.too_many_bytes", "It has `has` bytes; at most `max` are accepted.";
    TextControlCharacter = "text.control_character", "It has a control character, `character`.";
    TextEscape = "text.escape", "It has an escape that stands for no character.";
    ListSize = "list.size", "It has `has` entries; `min` to `max` are accepted.";
    ObjectTooManyMembers = "object.too_many_members", "It has more than `max` members.";
    NumberRange = "number.range", "It must be a whole number from `min` to `max`.";
    ChoiceUnknown = "choice.unknown", "It is none of the words that are accepted, `choices`.";
    IdInvalid = "id.invalid", "It has not the form of such an id.";
    EmailInvalid = "email.invalid", "It must be an e-mail address.";
    LocaleInvalid = "locale.invalid", "It must be a language tag such as `pt-BR`.";
    OriginInvalid = "origin.invalid", "It must be an origin such as `https://crm.example.com`; `http` on this machine alone.";
    TimeInvalid = "time.invalid", "It must be a moment in RFC 3339.";
    TimeNotFuture = "time.not_future", "It must be in the future.";
    TimeNotPast = "time.not_past", "It must be in the past.";
    TimeOrder = "time.order", "It must be on the right side of the field `other`: what begins stands before what ends.";
    TimeSpan = "time.span", "The span is longer than `days_max` days.";
    DurationInvalid = "duration.invalid", "It must be a number and `s`, `m`, `h` or `d`, at least `min` and at most `max`.";
    CursorInvalid = "cursor.invalid", "It is not a cursor of this list with these filters.";
    PositionInvalid = "position.invalid", "It is not a position in this stream.";
    ContractUnknown = "contract.unknown", "There is no such contract; known are `known`.";
    PlanUnknown = "plan.unknown", "The contract `contract` has no such plan; its plans are `known`.";
    PlanNone = "plan.none", "The contract `contract` has no plans.";
    EndpointUnknown = "endpoint.unknown", "The organisation has no such endpoint.";
    ResourceInvalid = "resource.invalid", "It must be a type and an id with a colon between, such as `contact:42`.";
    ResourceColon = "resource.colon", "It must have no colon.";
    EventsInvalid = "events.invalid", "It is no event type, no prefix such as `contact.*`, and not `*`.";
    EventsUnknown = "events.unknown", "The contract `contract` has no such event type.";
    EventsUnknownPrefix = "events.unknown_prefix", "No event type of the contract `contract` begins so.";
    EventsRenamed = "events.renamed", "The contract `contract` calls it `name`.";
    EventTooLarge = "event.too_large", "The event has more than `max` bytes.";
    EventTooDeep = "event.too_deep", "It is nested more than `max` deep.";
    EventData = "event.data", "It does not fit the JSON Schema of the event type `event_type`; the detail says how.";
    EventChanges = "event.changes", "It does not say what was modified; the detail says how it is to look.";
    EventIdReused = "event.id_reused", "It was used before, for another event.";
    FilterInvalid = "filter.invalid", "The filter cannot be read from character `at` on; the detail says why.";
    UrlTooLong = "url.too_long", "The URL has `has` bytes; at most `max` are accepted.";
    UrlCharacter = "url.character", "The URL has a space, control or invisible character, `character`, at byte `at`.";
    UrlScheme = "url.scheme", "The URL must begin with `https://`.";
    UrlHttpNotAllowed = "url.http_not_allowed", "The URL begins with `http://`, which sends in the clear.";
    UrlSlashes = "url.slashes", "The URL needs two slashes after its scheme.";
    UrlBackslash = "url.backslash", "The URL has a backslash.";
    UrlFragment = "url.fragment", "The URL has a fragment (what follows `#`), which is never sent.";
    UrlUserInfo = "url.user_info", "The URL has a user name or password.";
    UrlHost = "url.host", "The URL's host is missing or not valid; the detail says why.";
    UrlHostEncoded = "url.host_encoded", "The URL's host has a percent sign.";
    UrlPrivateName = "url.private_name", "The host `host` is a private name that public DNS does not know.";
    UrlReservedName = "url.reserved_name", "The host `host` lies in a domain that is reserved and never has a receiver.";
    UrlPortInvalid = "url.port_invalid", "The URL's port must be a number from 1 to 65535.";
    UrlPortRefused = "url.port_refused", "The port `port` belongs to another protocol.";
    UrlPrivateAddress = "url.private_address", "The address `address` is not a public one, or not one to call.";
    UrlPath = "url.path", "The URL's path or query has a character that must be percent-encoded.";
    SecretRequired = "secret.required", "The contract signs always, and its secrets are chosen.";
    SecretRotate = "secret.rotate", "It is set by a rotation.";
    SecretKept = "secret.kept", "It cannot be removed: the contract signs every delivery.";
    SecretUnsigned = "secret.unsigned", "The contract signs nothing.";
    SecretSame = "secret.same", "It is the present secret.";
    SecretGenerated = "secret.generated", "The contract's secrets are generated.";
    SecretLength = "secret.length", "It has `has` characters; `min` to `max` are accepted.";
    SecretCharacters = "secret.characters", "It has control characters, or white space at its ends.";
    SecretPrefix = "secret.prefix", "It must begin with `known`.";
    SecretEncoding = "secret.encoding", "What follows `prefix` is not `encoding`.";
    SecretKeyLength = "secret.key_length", "Its key has `has` bytes; `min` to `max` are accepted.";
    SecretSeedLength = "secret.seed_length", "Its Ed25519 key has `has` bytes; 32 or 64 are accepted.";
    SecretPair = "secret.pair", "Its public key does not belong to its seed.";
    HeadersNotAllowed = "headers.not_allowed", "The contract allows no custom headers.";
    HeadersTooMany = "headers.too_many", "At most `max` custom headers are accepted.";
    HeadersTooManyBytes = "headers.too_many_bytes", "The custom headers have `has` bytes together; at most `max` are accepted.";
    HeadersName = "headers.name", "A header's name is 1 to `max` letters, digits and some signs.";
    HeadersValue = "headers.value", "A header's value is at most `max` bytes of visible ASCII characters, with spaces and tabs only between them.";
    HeadersOwned = "headers.owned", "The header `name` is set by `owner`.";
    HeadersTwice = "headers.twice", "The header `name` is given twice.";
    LimitReached = "limit.reached", "The limit of `max` is reached; `limit` says what is counted.";
    LimitSystem = "limit.system", "The system has `max` endpoints for the event `event` already, the most that the contract `contract` allows.";
}
