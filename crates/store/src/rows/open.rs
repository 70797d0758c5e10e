//! Open deliveries as they are read.

use postrider_domain::{DeliveryId, EndpointId};

use crate::error::StoreError;

/// What is due and does not open is left out of a claim, loudly.
pub(crate) fn tell_faults(endpoint: EndpointId, faults: &[(DeliveryId, StoreError)]) {
    if let Some((delivery, error)) = faults.first() {
        let count = faults.len();
        tracing::error!(%endpoint, count, %delivery, %error, "due deliveries are left out, this one first: they do not open");
    }
}
