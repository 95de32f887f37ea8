use latchkey_crypto::verify::SignatureShape;
use latchkey_protocol::params::decode_signature;

use crate::ports::OpenMaterial;
use crate::state::{Credential, Proven, Ready};
use crate::trail::Trail;
use crate::{Admission, Reason, Rejection, Stage};

/// Verifies the signature over the bytes received: the only dear step.
///
/// # Errors
/// `-1022`.
pub fn signature<'a>(
    call: Admission<'a, Ready<'a>>,
    opener: &dyn OpenMaterial,
    trail: &mut Trail,
) -> Result<Admission<'a, Proven<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Signature, reason);
    let known = &call.state.0;
    if let (Credential::Payload { signature, .. }, Some(held)) = (&known.shaped.credential, &known.held) {
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
        verifier.verify(known.shaped.params.payload(), &signature).map_err(|_| refuse(Reason::SignatureWrong))?;
        held.key.used(trail.arrived());
        trail.proven();
    }
    Ok(call.into(|Ready(known)| Proven(known)))
}
