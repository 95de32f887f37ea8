//! Confirmations: a change that needs more than a session is described, proved, and asked for again.
//!
//! ```text
//!  change ─ refused: step-up-needed, with a ceremony ─ proofs, one request each ─ the same change, naming the ceremony
//! ```
//!
//! A ceremony holds the digest of one exact change: account, action, version before, state after. A passkey signs a
//! challenge made from that digest. The ceremony lives five minutes and is gone once a request has used it; the
//! authority compares the digest with the change that is asked for then.
//!
//! What is drawn for a change (recovery codes, the salt of a password) is part of its state after. It rests in the
//! ceremony, sealed, so that the change which was confirmed is the one that is made.

pub(crate) mod sent;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use latchkey_authority::account::{RecoveryCode, Sealed};
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::change::{Action, Outcome};
use latchkey_authority::ports::{Ports, Purpose, SealFor, Secrets, Shelf, ShelfItem, ShelfKind};
use latchkey_authority::refusal::Refusal;
use latchkey_authority::service::AuthorityError;
use latchkey_authority::step_up::{Demand, Factor, FactorSet, StepUp};
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::api::view::name_of;
use crate::console::{Console, Fact};
use crate::factor::code::SentCode;
use crate::factor::{self, passkey, recovery, totp};
use crate::hashing::For;
use crate::problem::{self, Problem};
use crate::session::Signed;
use crate::token::Token;
use crate::wire::{Input, NoBody, Segments, answer};

/// How long a ceremony lives, and with it every proof in it.
const LIFE_MS: i64 = 5 * 60 * 1_000;
/// Ceremonies and registrations of one account at a time.
const CEREMONIES_MAX: u32 = 50;
/// How often an update of a ceremony competes with others.
const TRIES: usize = 4;

/// A ceremony as it rests.
#[derive(Clone, Serialize, Deserialize)]
struct Ceremony {
    /// The session that asked. Another one cannot use the ceremony.
    session: [u8; 32],
    /// The change, and what must be shown for it.
    demand: Demand,
    proven: FactorSet,
    /// When the first proof was given.
    since: Option<Timestamp>,
    ends: Timestamp,
    /// What a passkey is asked to sign besides the digest; new for every question.
    nonce: Option<[u8; 32]>,
    email: SentCode,
    sms: SentCode,
    /// The recovery code that was shown; it is spent with the change.
    recovery: Option<RecoveryCode>,
    /// What was drawn for the change, sealed by [`seal_for`].
    drawn: Option<Sealed>,
}

/// What a ceremony has and lacks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepUpState {
    /// The ceremony, for the header `Latchkey-Step-Up`.
    id: String,
    /// What the change does.
    kind: String,
    /// What is still needed: `factor` (a passkey or a one-time code), `password`, `email-code`, `sms-code`.
    needs: Vec<String>,
    /// What was proved.
    proven: Vec<String>,
    /// When the ceremony ends, in milliseconds since the epoch.
    expires: i64,
}

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenCode {
    /// Digits, without spaces; of a recovery code its letters and digits.
    code: String,
}

/// A password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenPassword {
    /// The account's password.
    password: String,
}

/// A passkey's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenPasskey {
    /// What `navigator.credentials.get()` gave, as `toJSON()` writes it.
    #[schema(value_type = Object)]
    credential: Value,
}

impl Ceremony {
    fn met(&self) -> bool {
        self.demand.met(self.proven)
    }

    fn needs(&self) -> Vec<String> {
        let (rule, proven) = (self.demand.rule, self.proven);
        if self.met() {
            return Vec::new();
        }
        let recovered = self.demand.kind.takes_recovery_code() && proven.contains(Factor::RecoveryCode);
        let factor = recovered || proven.contains(Factor::Totp) || proven.contains(Factor::Passkey);
        [
            ("factor", rule.needs_factor() && !factor),
            ("password", rule.needs_password() && !proven.contains(Factor::Password)),
            ("email-code", rule.needs_email() && !proven.contains(Factor::EmailCode)),
            ("sms-code", rule.needs_sms() && !proven.contains(Factor::SmsCode)),
        ]
        .into_iter()
        .filter(|(_, lacks)| *lacks)
        .map(|(name, _)| name.to_owned())
        .collect()
    }

    fn state(&self, id: &Token) -> StepUpState {
        StepUpState {
            id: id.expose().to_owned(),
            kind: name_of(&self.demand.kind),
            needs: self.needs(),
            proven: self.proven.iter().map(|factor| name_of(&factor)).collect(),
            expires: self.ends.as_millis(),
        }
    }

    fn needed(&self, id: &Token) -> Problem {
        let needs = self.needs();
        let detail = format!("confirm the change with: {}", needs.join(", "));
        let step_up = json!({ "id": id.expose(), "needs": needs, "expires": self.ends.as_millis() });
        Problem::from(problem::STEP_UP_NEEDED).detail(detail).member("stepUp", step_up)
    }

    /// What a passkey signs: the ceremony's digest of the change, and a nonce for this one question.
    fn challenge(&self, nonce: &[u8; 32]) -> [u8; 32] {
        sha256_framed(&[b"latchkey passkey step-up", nonce, &self.session, &self.demand.digest])
    }
}

const fn seal_for(account: AccountId) -> SealFor {
    SealFor { purpose: Purpose::PendingChange, account, key: None }
}

impl<P: Ports + 'static> Console<P> {
    /// The caller of a change for which nothing is drawn; see [`Self::confirmed_with`].
    pub(crate) async fn confirmed(&self, signed: &Signed) -> Result<Caller, Problem> {
        self.confirmed_with(signed).await.map(|(caller, _)| caller)
    }

    /// The caller of a change, and what was drawn for it when it was first asked for. The ceremony that the request names is used up here.
    ///
    /// # Errors
    /// `step-up-wrong` when the ceremony is over or belongs to another session, `step-up-needed` while it lacks
    /// something; it then goes on.
    pub(crate) async fn confirmed_with(&self, signed: &Signed) -> Result<(Caller, Option<Zeroizing<String>>), Problem> {
        let mut caller =
            Caller { account: signed.account, from: signed.from, via: Via::Owner, step_up: None, claim: None };
        let Some(id) = &signed.step_up else { return Ok((caller, None)) };
        let over = "the confirmation is over, was used, or belongs to another session";
        let ceremony = match self.ceremony(signed, id).await {
            Ok((ceremony, _)) => ceremony,
            Err(problem) if problem.row() == problem::CEREMONY_UNKNOWN => {
                self.failed(signed, over, FactorSet::EMPTY).await;
                return Err(Problem::from(problem::STEP_UP_WRONG).detail(over));
            }
            Err(problem) => return Err(problem),
        };
        if !ceremony.met() {
            return Err(ceremony.needed(id));
        }
        // Of two requests that name it at once, one has it.
        if self.shelf().take(ShelfKind::Ceremony, id.key(), self.now()).await?.is_none() {
            return Err(Problem::from(problem::STEP_UP_WRONG).detail(over));
        }
        let at = ceremony.since.unwrap_or(ceremony.ends);
        let proof = StepUp::proven(ceremony.demand.digest, ceremony.proven, at);
        caller.step_up = Some(match ceremony.recovery {
            Some(code) => proof.with_recovery(code),
            None => proof,
        });
        // What does not open is drawn anew, and the proof then fits no more.
        let open = |sealed| self.secrets().open(seal_for(signed.account), sealed).ok();
        let drawn = ceremony.drawn.as_ref().and_then(open);
        let text = drawn.and_then(|drawn| String::from_utf8(drawn.to_vec()).ok()).map(Zeroizing::new);
        Ok((caller, text))
    }

    /// What the authority answered, for the caller: a demand for confirmation becomes a ceremony.
    pub(crate) async fn settled<T>(&self, signed: &Signed, result: Result<T, AuthorityError>) -> Result<T, Problem> {
        self.settled_with(signed, result, None).await
    }

    /// As [`Self::settled`], for a change for which this text was drawn.
    pub(crate) async fn settled_with<T>(
        &self,
        signed: &Signed,
        result: Result<T, AuthorityError>,
        drawn: Option<&str>,
    ) -> Result<T, Problem> {
        match result {
            Ok(value) => Ok(value),
            Err(AuthorityError::Refused(Refusal::StepUpNeeded(demand))) => {
                Err(self.demand(signed, *demand, drawn).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Begins a ceremony for the change of `demand`, and says so.
    async fn demand(&self, signed: &Signed, demand: Demand, drawn: Option<&str>) -> Result<Problem, Problem> {
        self.room(signed.account).await?;
        let (now, id) = (self.now(), Token::draw(self.secrets()));
        let ends = now.plus_millis(LIFE_MS);
        let ceremony = Ceremony {
            session: signed.token.key(),
            demand,
            proven: FactorSet::EMPTY,
            since: None,
            ends,
            nonce: None,
            email: SentCode::default(),
            sms: SentCode::default(),
            recovery: None,
            drawn: drawn.map(|text| self.secrets().seal(seal_for(signed.account), text.as_bytes())),
        };
        let value = encode(&ceremony);
        self.shelf().put(ShelfKind::Ceremony, id.key(), Some(signed.account), &value, now, ends).await?;
        Ok(ceremony.needed(&id))
    }

    /// Refuses another ceremony to an account that has many under way: each takes a place on the shelf.
    pub(crate) async fn room(&self, account: AccountId) -> Result<(), Problem> {
        let open = self.shelf().list(ShelfKind::Ceremony, Some(account), self.now(), CEREMONIES_MAX).await?;
        if (open.len() as u64) < u64::from(CEREMONIES_MAX) {
            return Ok(());
        }
        let detail = "too many confirmations are under way: finish one, or wait until they are over";
        Err(Problem::from(problem::TOO_MANY_ATTEMPTS).detail(detail).retry_after(60))
    }

    async fn ceremony(&self, signed: &Signed, id: &Token) -> Result<(Ceremony, ShelfItem), Problem> {
        let found = self.shelf().get(ShelfKind::Ceremony, id.key(), self.now()).await?;
        let item = found.ok_or(problem::CEREMONY_UNKNOWN)?;
        let ceremony: Ceremony = serde_json::from_slice(&item.value).map_err(|_| problem::CEREMONY_UNKNOWN)?;
        let own = ceremony.demand.account == signed.account && ceremony.session == signed.token.key();
        if own { Ok((ceremony, item)) } else { Err(problem::CEREMONY_UNKNOWN.into()) }
    }

    /// Replaces a record if nobody else did meanwhile.
    pub(crate) async fn replace(
        &self,
        kind: ShelfKind,
        id: &Token,
        item: &ShelfItem,
        value: &[u8],
    ) -> Result<bool, Problem> {
        Ok(self.shelf().swap(kind, id.key(), item.version, value, item.expires).await?)
    }

    /// Changes a ceremony by `change`, on what is stored at that moment.
    async fn update<T>(
        &self,
        signed: &Signed,
        id: &Token,
        change: impl Fn(&mut Ceremony) -> Result<T, Problem>,
    ) -> Result<(T, Ceremony), Problem> {
        for _ in 0..TRIES {
            let (mut ceremony, item) = self.ceremony(signed, id).await?;
            let done = change(&mut ceremony)?;
            if self.replace(ShelfKind::Ceremony, id, &item, &encode(&ceremony)).await? {
                return Ok((done, ceremony));
            }
        }
        Err(problem::BUSY.into())
    }

    /// Adds a proof to a ceremony, or notes that it was refused.
    async fn proved(
        &self,
        signed: &Signed,
        id: &Token,
        factor: Factor,
        judged: Result<(), Problem>,
    ) -> Result<Response, Problem> {
        if let Err(problem) = judged {
            self.failed(signed, problem.row().name, FactorSet::EMPTY.with(factor)).await;
            return Err(problem);
        }
        let now = self.now();
        let ((), ceremony) = self
            .update(signed, id, |ceremony| {
                ceremony.proven = ceremony.proven.with(factor);
                ceremony.since.get_or_insert(now);
                Ok(())
            })
            .await?;
        Ok(answer(StatusCode::OK, &ceremony.state(id)))
    }

    async fn failed(&self, signed: &Signed, why: &str, with: FactorSet) {
        let (account, from) = (signed.account, signed.from);
        let outcome = Outcome::Refused(why.to_owned());
        self.note_failure(Fact { account, from, action: Action::StepUpFailed, outcome, with }).await;
    }
}

fn encode(ceremony: &Ceremony) -> Vec<u8> {
    serde_json::to_vec(ceremony).unwrap_or_default()
}

fn read_id(text: &str) -> Result<Token, Problem> {
    Token::parse(text).ok_or_else(|| problem::CEREMONY_UNKNOWN.into())
}

/// `GET /v1/step-up/{step_up}`.
pub(crate) async fn show<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    let (ceremony, _) = console.ceremony(&signed, &id).await?;
    Ok(answer(StatusCode::OK, &ceremony.state(&id)))
}

/// `POST /v1/step-up/{step_up}/password`.
pub(crate) async fn password<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    Input { value: given, .. }: Input<GivenPassword>,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    console.ceremony(&signed, &id).await?;
    let account = console.own(&signed).await?;
    let check = async {
        if console.password_holds(For::Account(account.id), Some(&account), given.password).await? {
            Ok(())
        } else {
            Err(factor::refused())
        }
    };
    let judged = factor::guess(&console, &account, signed.source(), check).await;
    console.proved(&signed, &id, Factor::Password, judged).await
}

/// `POST /v1/step-up/{step_up}/totp`.
pub(crate) async fn totp<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    Input { value: given, .. }: Input<GivenCode>,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    console.ceremony(&signed, &id).await?;
    let account = console.own(&signed).await?;
    let check = totp::check(&console, &account, &given.code);
    let judged = factor::guess(&console, &account, signed.source(), check).await.and_then(totp::Shown::once);
    console.proved(&signed, &id, Factor::Totp, judged).await
}

/// `POST /v1/step-up/{step_up}/recovery`.
pub(crate) async fn recovery<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    Input { value: given, .. }: Input<GivenCode>,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    console.ceremony(&signed, &id).await?;
    let account = console.own(&signed).await?;
    let check = async { recovery::find(&account, &given.code) };
    let judged = match factor::guess(&console, &account, signed.source(), check).await {
        // It is spent with the change: spending it now would move the version that the change names.
        Ok(code) => {
            let noted = console.update(&signed, &id, |ceremony| {
                ceremony.recovery = Some(code);
                Ok(())
            });
            noted.await.map(drop)
        }
        Err(problem) => Err(problem),
    };
    console.proved(&signed, &id, Factor::RecoveryCode, judged).await
}

/// `POST /v1/step-up/{step_up}/passkey/begin`.
pub(crate) async fn passkey_begin<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    let account = console.own(&signed).await?;
    let mut nonce = [0; 32];
    console.secrets().random(&mut nonce);
    let (options, _) = console
        .update(&signed, &id, |ceremony| {
            ceremony.nonce = Some(nonce);
            passkey::ask(&console.passkeys, &account, ceremony.challenge(&nonce))
        })
        .await?;
    Ok(answer(StatusCode::OK, &options))
}

/// `POST /v1/step-up/{step_up}/passkey/finish`.
pub(crate) async fn passkey_finish<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    Input { value: given, .. }: Input<GivenPasskey>,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    let account = console.own(&signed).await?;
    // A question is answered once: it is gone before the answer is judged.
    let (nonce, ceremony) = console.update(&signed, &id, |ceremony| Ok(ceremony.nonce.take())).await?;
    let judged = match nonce {
        None => Err(factor::refused()),
        Some(nonce) => passkey::check(&console, &account, ceremony.challenge(&nonce), given.credential).await,
    };
    console.proved(&signed, &id, Factor::Passkey, judged).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_authority::step_up::{IntentKind, StepUpRule};

    fn ceremony(digest: [u8; 32], kind: IntentKind, rule: StepUpRule) -> Ceremony {
        Ceremony {
            session: [1; 32],
            demand: Demand { digest, account: AccountId(1), kind, rule },
            proven: FactorSet::EMPTY,
            since: None,
            ends: Timestamp::from_millis(1_790_000_000_000),
            nonce: None,
            email: SentCode::default(),
            sms: SentCode::default(),
            recovery: None,
            drawn: None,
        }
    }

    #[test]
    fn a_passkey_signs_for_one_change_one_session_and_one_question() {
        let one = ceremony([7; 32], IntentKind::CreateKey, StepUpRule::Factor);
        let other_change = ceremony([8; 32], IntentKind::CreateKey, StepUpRule::Factor);
        let other_session = Ceremony { session: [2; 32], ..one.clone() };
        let challenge = one.challenge(&[3; 32]);
        assert_eq!(one.challenge(&[3; 32]), challenge);
        for other in [other_change.challenge(&[3; 32]), other_session.challenge(&[3; 32]), one.challenge(&[4; 32])] {
            assert_ne!(other, challenge);
        }
    }

    #[test]
    fn what_is_needed_is_empty_exactly_when_the_authority_is_content() {
        for kind in IntentKind::ALL {
            for rule in StepUpRule::ALL {
                for shown in 0..1_u8 << Factor::ALL.len() {
                    let mut ceremony = ceremony([7; 32], kind, rule);
                    let factors = Factor::ALL.into_iter().enumerate();
                    ceremony.proven = factors.filter(|(place, _)| shown & (1 << place) != 0).map(|(_, f)| f).collect();
                    let (met, needs) = (ceremony.met(), ceremony.needs());
                    assert_eq!(met, needs.is_empty(), "{kind:?} {rule:?} {:?}: {needs:?}", ceremony.proven);
                }
            }
        }
    }
}
