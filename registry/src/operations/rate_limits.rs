//! How often each client may ask, by the kind of request.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::metrics::{MethodClass, RouteClass};
use crate::{
    Error, Result,
    config::{Rate, RateLimits},
};

/// How often clients that have not asked for a while are forgotten: memory is bounded by how many
/// different ones come within it.
const FORGET_INTERVAL: Duration = Duration::from_secs(10);

/// The limits on each client.
#[derive(Debug)]
pub(crate) struct ClientLimits {
    pull: Option<Limiter>,
    push: Option<Limiter>,
    list: Option<Limiter>,
    login: Option<Limiter>,
}

#[derive(Debug)]
struct Limiter {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl ClientLimits {
    pub(crate) fn new(config: &RateLimits) -> Self {
        let limiter = |rate: Option<Rate>| rate.map(Limiter::new);
        Self {
            pull: limiter(config.pull),
            push: limiter(config.push),
            list: limiter(config.list),
            login: limiter(config.login),
        }
    }

    /// Counts a request, unless it is one too many.
    pub(crate) fn admit(
        &self,
        route: RouteClass,
        method: MethodClass,
        client: IpAddr,
    ) -> Result<()> {
        let is_read = matches!(method, MethodClass::Get | MethodClass::Head);
        let limiter = match route {
            // Whoever watches over the registry must always get an answer.
            RouteClass::Health => return Ok(()),
            RouteClass::Token => &self.login,
            RouteClass::Tags | RouteClass::Catalog | RouteClass::Referrers => &self.list,
            _ if is_read => &self.pull,
            _ => &self.push,
        };
        limiter
            .as_ref()
            .map_or(Ok(()), |limiter| limiter.admit(client))
    }

    /// Forgets clients that have not asked for a while, until told to stop.
    pub(crate) async fn forget_clients(&self, stop: CancellationToken) {
        let limiters = [&self.pull, &self.push, &self.list, &self.login];
        while stop
            .run_until_cancelled(sleep(FORGET_INTERVAL))
            .await
            .is_some()
        {
            for limiter in limiters.into_iter().flatten() {
                limiter.limiter.retain_recent();
                limiter.limiter.shrink_to_fit();
            }
        }
    }
}

impl Limiter {
    fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
        }
    }

    fn admit(&self, client: IpAddr) -> Result<()> {
        self.limiter
            .check_key(&network_of(client))
            .map_err(|until| {
                let wait = until.wait_time_from(self.clock.now());
                // Whole seconds are all that `Retry-After` can say.
                let retry_after_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Error::RateLimited { retry_after_s }
            })
    }
}

/// What one customer is given: an IPv4 address, or the upper 64 bits of an IPv6 address.
fn network_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn each_client_has_its_own_limit() {
        let one = NonZeroU32::MIN;
        let limits = ClientLimits::new(&RateLimits {
            list: Some(Rate {
                per_second: one,
                burst: one,
            }),
            ..RateLimits::default()
        });
        let ask = |route, client: &str| {
            let client = client.parse().unwrap();
            limits.admit(route, MethodClass::Get, client).is_ok()
        };
        assert!(ask(RouteClass::Tags, "192.0.2.1"));
        assert!(!ask(RouteClass::Catalog, "192.0.2.1"));
        assert!(ask(RouteClass::Manifest, "192.0.2.1"));
        assert!(ask(RouteClass::Tags, "192.0.2.2"));
        assert!(ask(RouteClass::Tags, "2001:db8::1"));
        assert!(!ask(RouteClass::Tags, "2001:db8::2"));
        assert!(ask(RouteClass::Tags, "2001:db8:0:1::1"));
    }
}
