use latchkey_crypto::verify::{SignatureShape, Verifier};
use latchkey_protocol::params::{RawParams, decode_signature};

use super::message;
use crate::explain::shown_payload;
use crate::live::Scheme;
use crate::permit::Window;
use crate::ports::OpenMaterial;
use crate::replay::{Place, Replay, SignatureId, Trace};
use crate::state::{Credential, Held, Known, Proven, Ready};
use crate::trail::Trail;
use crate::{Admission, Reason, Rejection, Stage};

/// Verifies the signature over the bytes received: the only dear step. What held is remembered.
///
/// # Errors
/// `-1022`; for a message signature also `-1102`, when it names what the request or the key does not have.
pub fn signature<'a>(
    call: Admission<'a, Ready<'a>>,
    opener: &dyn OpenMaterial,
    replay: &Replay,
    trail: &mut Trail,
) -> Result<Admission<'a, Proven<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Signature, reason);
    let Known { shaped, held } = &call.state.0;
    let Some(held) = held else { return Ok(call.into(|Ready(known)| Proven(known))) };
    let verifier = || held.key.verifier(opener).ok_or_else(|| refuse(Reason::KeyUnusable));
    let (id, window, verifier) = match &shaped.credential {
        Credential::None | Credential::KeyOnly(_) => return Ok(call.into(|Ready(known)| Proven(known))),
        Credential::Payload { signature, window, .. } => {
            held.state.accepts(Scheme::Payload).map_err(refuse)?;
            let verifier = verifier()?;
            (payload(verifier, signature, &shaped.params, trail).map_err(refuse)?, *window, verifier)
        }
        Credential::Message9421 { message, window, .. } => {
            held.state.accepts(Scheme::Message9421).map_err(refuse)?;
            let verifier = verifier()?;
            message::verify(verifier, message, call.raw, trail).map_err(refuse)?;
            (SignatureId::of_nonce(message.nonce), *window, verifier)
        }
    };
    held.key.used(trail.arrived(), trail.peer());
    trail.proven();
    let place = Place { row: call.row, path: call.raw.path };
    let trace = note(held, replay, verifier, id, place, window, trail);
    Ok(call.into(|Ready(mut known)| {
        if let Some(held) = &mut known.held {
            held.trace = trace;
        }
        Proven(known)
    }))
}

fn payload(
    verifier: &Verifier,
    signature: &[u8],
    params: &RawParams<'_>,
    trail: &mut Trail,
) -> Result<SignatureId, Reason> {
    let text = decode_signature(signature).map_err(|_| Reason::SignatureShape("percent-encoding"))?;
    let signature = verifier.decode(text.as_bytes()).map_err(|shape| {
        Reason::SignatureShape(match shape {
            SignatureShape::Hex => "not 64 hexadecimal digits",
            SignatureShape::Length(_) => "not as long as the key's signatures",
            SignatureShape::Base64 => "not canonical base64",
            SignatureShape::PlusLost => "a plus was sent as a space",
        })
    })?;
    verifier.verify(params.payload(), &signature).map_err(|_| {
        trail.unproven(shown_payload(params.payload()));
        Reason::SignatureWrong
    })?;
    Ok(SignatureId::of_signature(signature.as_bytes()))
}

fn note(
    held: &Held,
    replay: &Replay,
    verifier: &Verifier,
    id: SignatureId,
    place: Place<'_>,
    window: Window,
    trail: &Trail,
) -> Trace {
    // Also where the key's rule is off: it may be another one before the call is handed over.
    let once = Replay::acts_once(held.state.replay, place.row);
    held.key.share(replay, verifier).note(id, place, window.end(), once, trail.arrived())
}
