//! The address of the client, by which connections and tries are counted.

use std::marker::PhantomData;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Extensions, HeaderMap, header};
use locule_base::address::address_key;
use locule_control::{Limited, LoginOrigin};

use crate::error::ApiError;
use crate::need::Parameter;
use crate::state::AppState;

/// The header in which a proxy in front of the API tells the address of the client.
pub(crate) const FORWARDED_FOR: &str = "x-forwarded-for";

/// The remote address of a connection. The listener adds it to each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

/// The last address in `X-Forwarded-For`, which the proxy in front of the API has added.
pub(crate) fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
    let last = last.to_str().ok()?.rsplit(',').next()?;
    last.trim().parse().ok()
}

/// The key of the client's address. `None`: no listener received the request.
pub(crate) fn client_address(
    headers: &HeaderMap,
    extensions: &Extensions,
    trust_forwarded_for: bool,
) -> Option<IpAddr> {
    let forwarded = trust_forwarded_for.then(|| forwarded_for(headers));
    let connected = extensions.get::<PeerAddress>().map(|peer| peer.0);
    forwarded.flatten().or(connected).map(address_key)
}

/// The address of the client, as the key of its rate limits.
#[derive(Debug, Clone)]
pub(crate) struct Peer(pub(crate) String);

impl Peer {
    pub(crate) fn of(headers: &HeaderMap, extensions: &Extensions, app: &AppState) -> Self {
        let trusted = app.config.trust_forwarded_for;
        let address = client_address(headers, extensions, trusted);
        Self(
            address
                .map(|address| address.to_string())
                .unwrap_or_default(),
        )
    }
}

/// The client of a login: its address, and what it says of itself.
#[derive(Debug, Clone)]
pub(crate) struct LoginClient {
    peer: Peer,
    user_agent: String,
}

impl Parameter for LoginClient {}

impl LoginClient {
    pub(crate) fn origin(&self) -> LoginOrigin<'_> {
        LoginOrigin {
            address: &self.peer.0,
            user_agent: &self.user_agent,
            earlier_token: None,
        }
    }
}

impl FromRequestParts<AppState> for LoginClient {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let user_agent = parts.headers.get(header::USER_AGENT);
        let user_agent = user_agent.and_then(|text| text.to_str().ok());
        Ok(Self {
            peer: Peer::of(&parts.headers, &parts.extensions, app),
            user_agent: user_agent.unwrap_or_default().to_owned(),
        })
    }
}

/// An operation whose rate is limited for each address.
pub(crate) trait AddressRate: Send + Sync + 'static {
    const LIMITED: Limited;
}

macro_rules! rates {
    ($($name:ident = $limited:ident,)*) => { $(
        #[derive(Debug)]
        pub(crate) struct $name;

        impl AddressRate for $name {
            const LIMITED: Limited = Limited::$limited;
        }
    )* };
}

rates! {
    Logins = LoginByAddress,
    SignUps = SignUpByAddress,
    Resets = ResetByAddress,
    Registrations = RegistrationByAddress,
}

/// The client's address is within the rate `R`. The rate is checked before the body is read.
#[derive(Debug)]
pub(crate) struct Within<R>(PhantomData<R>);

impl<R> Parameter for Within<R> {}

impl<R: AddressRate> FromRequestParts<AppState> for Within<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Peer(address) = Peer::of(&parts.headers, &parts.extensions, app);
        app.accounts.limit(R::LIMITED, &address)?;
        Ok(Self(PhantomData))
    }
}
