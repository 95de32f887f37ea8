use crate::ports::Keys;
use crate::replay::Trace;
use crate::state::{Credential, Held, Known, Shaped};
use crate::trail::Trail;
use crate::{Admission, Reason, Rejection, Stage};

/// Finds the key and its state. Costs no cryptography, also for names that no key has.
///
/// # Errors
/// [`Reason::KeyUnknown`], [`Reason::KeyDead`]: `-2015` on `/api`, `-2008` on `/sapi`.
pub fn key<'a>(
    call: Admission<'a, Shaped<'a>>,
    keys: &dyn Keys,
    trail: &mut Trail,
) -> Result<Admission<'a, Known<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Key, reason);
    let api_key = match &call.state.credential {
        Credential::None => return Ok(call.into(|shaped| Known { shaped, held: None })),
        Credential::KeyOnly(api_key)
        | Credential::Payload { api_key, .. }
        | Credential::Message9421 { api_key, .. } => api_key,
    };
    let key = keys.find(api_key).ok_or_else(|| refuse(Reason::KeyUnknown))?;
    trail.known(key.account.id, key.id);
    // Generations first: a change that lands after this line is seen at the hand-over.
    let (key_generation, account_generation) = (key.generation(), key.account.generation());
    let state = key.state();
    state.alive(trail.arrived()).map_err(refuse)?;
    let held = Held { key, state, key_generation, account_generation, remembered: false, trace: Trace::None };
    Ok(call.into(|shaped| Known { shaped, held: Some(held) }))
}
