//! The driver: carries out what [`crate::call::Call`] decides.

use latchkey_protocol::Timestamp;

use crate::call::{Call, Input, NotSent, Output, Policy, Scheme};
use crate::clock::ServerClock;
use crate::credentials::Credentials;
use crate::http::{BaseUrl, HttpSettings, HttpTransport, SettingsError};
use crate::outcome::Outcome;
use crate::placement;
use crate::request::{Request, SignError};
use crate::timing::{SystemTiming, Timing};
use crate::transport::{Transport, Wire};

/// Makes calls, one at a time; it blocks. `Debug` shows no secret.
///
/// ```no_run
/// use latchkey_client::client::Client;
/// use latchkey_client::credentials::Credentials;
/// use latchkey_client::http::BaseUrl;
/// use latchkey_client::outcome::Outcome;
/// use latchkey_client::request::Request;
///
/// # fn example(credentials: Credentials) -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Client::connect(BaseUrl::parse("http://127.0.0.1:8600")?, Some(credentials))?;
/// let order = Request::post("/api/v3/order")
///     .param("symbol", "BTCUSDT")
///     .param("side", "BUY")
///     .param("type", "MARKET")
///     .param("quantity", "0.001")
///     .build()?;
/// match client.call(&order)? {
///     Outcome::Answered(answer) => println!("{}", String::from_utf8_lossy(&answer.body)),
///     Outcome::Refused(refusal) => println!("refused: {refusal}"),
///     Outcome::Unknown(unknown) => println!("ask again for {:?}", unknown.client_order_id),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client<T = HttpTransport, C = SystemTiming> {
    transport: T,
    timing: C,
    credentials: Option<Credentials>,
    policy: Policy,
    clock: ServerClock,
}

/// Why a call has no outcome: nothing was executed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// The request could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No connection could be made.
    #[error(transparent)]
    NotSent(#[from] NotSent),
}

impl Client {
    /// A client over HTTP with the usual settings; it measures the venue's clock before its first signed call.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn connect(base: BaseUrl, credentials: Option<Credentials>) -> Result<Self, SettingsError> {
        let transport = HttpTransport::new(base, &HttpSettings::default())?;
        let policy = Policy { measure_first: true, ..Policy::default() };
        Ok(Self::new(transport, SystemTiming::new(), credentials, policy))
    }
}

impl<T: Transport, C: Timing> Client<T, C> {
    /// Puts a client together.
    pub fn new(transport: T, timing: C, credentials: Option<Credentials>, policy: Policy) -> Self {
        Self { transport, timing, credentials, policy, clock: ServerClock::default() }
    }

    /// The venue's clock as far as it is known.
    pub fn clock(&self) -> ServerClock {
        self.clock
    }

    /// Makes one call and follows it to its outcome. An order without `newClientOrderId` gets one.
    ///
    /// # Errors
    /// [`CallError`]: nothing was executed.
    pub fn call(&mut self, request: &Request) -> Result<Outcome, CallError> {
        let (mut noise, mut seed) = ([0; 16], [0; 8]);
        self.timing.entropy(&mut noise);
        self.timing.entropy(&mut seed);
        let (request, placement) = placement::prepare(request.clone(), noise);
        let (has_credentials, seed) = (self.credentials.is_some(), u64::from_be_bytes(seed));
        let mut call = Call::new(request, placement, self.policy, self.clock, has_credentials, seed);
        let outcome = self.follow(&mut call);
        self.clock = call.clock();
        outcome
    }

    fn seal(&mut self, request: &Request, timestamp: Timestamp) -> Result<Wire, SignError> {
        let (credentials, recv_window) = (self.credentials.as_ref(), self.policy.recv_window);
        match self.policy.scheme {
            Scheme::Compatible => request.seal(credentials, timestamp, recv_window),
            Scheme::Message9421 => {
                let mut noise = [0; 16];
                self.timing.entropy(&mut noise);
                let nonce = format!("{:032x}", u128::from_be_bytes(noise));
                request.seal_message(credentials, timestamp, recv_window, &self.transport.recipient(), &nonce)
            }
        }
    }

    fn follow(&mut self, call: &mut Call) -> Result<Outcome, CallError> {
        let mut input = Input::Begin;
        loop {
            input = match call.step(self.timing.now(), input) {
                Output::Send(request, timestamp) => {
                    let wire = self.seal(&request, timestamp)?;
                    self.transport.exchange(&wire).map_or_else(Input::Lost, Input::Reply)
                }
                Output::Wait(duration) => {
                    self.timing.wait(duration);
                    Input::Woken
                }
                Output::Done(outcome) => return Ok(outcome?),
            };
        }
    }
}
