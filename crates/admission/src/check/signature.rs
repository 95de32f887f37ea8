use latchkey_authority::policy::ReplayRule;
use latchkey_crypto::verify::SignatureShape;
use latchkey_protocol::params::decode_signature;

use crate::ports::OpenMaterial;
use crate::replay::{Replay, SignatureId, Trace};
use crate::state::{Credential, Proven, Ready};
use crate::trail::Trail;
use crate::{Admission, Reason, Rejection, Stage};

/// Verifies the signature over the bytes received: the only dear step. What held is remembered.
///
/// # Errors
/// `-1022`.
pub fn signature<'a>(
    call: Admission<'a, Ready<'a>>,
    opener: &dyn OpenMaterial,
    replay: &Replay,
    trail: &mut Trail,
) -> Result<Admission<'a, Proven<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Signature, reason);
    let known = &call.state.0;
    let mut trace = Trace::None;
    if let (Credential::Payload { signature, window, .. }, Some(held)) = (&known.shaped.credential, &known.held) {
        let verifier = held.key.verifier(opener).ok_or_else(|| refuse(Reason::KeyUnusable))?;
        let text = decode_signature(signature).map_err(|_| refuse(Reason::SignatureShape("percent-encoding")))?;
        let signature = verifier.decode(text.as_bytes()).map_err(|shape| {
            refuse(Reason::SignatureShape(match shape {
                SignatureShape::Hex => "not 64 hexadecimal digits",
                SignatureShape::Length(_) => "not as long as the key's signatures",
                SignatureShape::Base64 => "not canonical base64",
                SignatureShape::PlusLost => "a plus was sent as a space",
            }))
        })?;
        let payload = known.shaped.params.payload();
        if verifier.verify(payload, &signature).is_err() {
            trail.unproven(&payload.concat());
            return Err(refuse(Reason::SignatureWrong));
        }
        held.key.used(trail.arrived());
        trail.proven();
        if held.state.replay != ReplayRule::Off {
            let once = Replay::acts_once(held.state.replay, call.row);
            let id = SignatureId::of_signature(signature.as_bytes());
            trace = held.key.share(replay, verifier).note(id, call.row, window.end(), once, trail.arrived());
        }
    }
    Ok(call.into(|Ready(mut known)| {
        if let Some(held) = &mut known.held {
            held.trace = trace;
        }
        Proven(known)
    }))
}
