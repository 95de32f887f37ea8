//! Every route of the management API, each with what the document says about it.

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get};
use latchkey_admission::records::ASKED_MAX;
use latchkey_authority::ports::Ports;
use serde_json::json;

use crate::api::{account, calls, can, factors, keys, records, sessions, subs, view};
use crate::console::Console;
use crate::describe::{Operation, Routes, operation};
use crate::problem::{self, Problem};
use crate::reset;
use crate::sign_in;
use crate::step_up::{self, sent};

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;
const PATCH: MethodFilter = MethodFilter::PATCH;
const DELETE: MethodFilter = MethodFilter::DELETE;

/// The routes under `/v1`.
pub(crate) fn router<P: Ports + 'static>(console: Arc<Console<P>>, origin: &str) -> Router {
    let routes = call_routes(account_routes(key_routes(factor_routes(step_up_routes(session_routes(Routes::new()))))));
    let (router, document) = routes.finish(origin);
    let serve = move || {
        let document = Arc::clone(&document);
        async move { document_answer(&document) }
    };
    router
        .with_state(console)
        .route("/v1/openapi.json", get(serve))
        .fallback(|| async { Problem::from(problem::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { Problem::from(problem::METHOD_NOT_ALLOWED) })
        .layer(axum::middleware::from_fn(to_the_end))
}

fn document_answer(document: &str) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (StatusCode::OK, [(CONTENT_TYPE, kind)], document.to_owned()).into_response()
}

/// Drives a request to its end though the caller may have gone: a change that was begun is put in force.
async fn to_the_end(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a request ended early");
            Problem::from(problem::UNAVAILABLE).into_response()
        }
    }
}

type Of<P> = Routes<Arc<Console<P>>>;

/// The limits of a guessable proof.
const GUESSED: &[&problem::Row] = &[problem::TOO_MANY_ATTEMPTS];

fn session_routes<P: Ports + 'static>(routes: Of<P>) -> Of<P> {
    let op = |id, summary| operation(id, "session", summary);
    let entry = |id, summary| {
        op(id, summary)
            .open()
            .refused(&[problem::CEREMONY_UNKNOWN, problem::PROOF_REFUSED, problem::NO_FACTOR, problem::BUSY])
            .refused(GUESSED)
            .gives::<sign_in::SignedIn>(201, "Signed in. A browser gets its cookies.")
    };
    routes
        .add(
            POST,
            "/v1/session",
            sign_in::password::<P>,
            op("signIn", "Sign in with e-mail address and password")
                .open()
                .refused(&[problem::SIGN_IN_REFUSED])
                .refused(GUESSED)
                .takes::<sign_in::SignIn>()
                .gives::<sign_in::FactorNeeded>(200, "The password is right; a second factor is needed.")
                .gives::<sign_in::SignedIn>(201, "Signed in. A browser gets its cookies."),
        )
        .add(
            POST,
            "/v1/session/totp",
            sign_in::totp::<P>,
            entry("signInTotp", "Finish a sign-in with a one-time code").takes::<sign_in::SignInCode>(),
        )
        .add(
            POST,
            "/v1/session/recovery",
            sign_in::recovery::<P>,
            entry("signInRecovery", "Finish a sign-in with a recovery code").takes::<sign_in::SignInCode>(),
        )
        .add(
            POST,
            "/v1/session/passkey/begin",
            sign_in::passkey_begin::<P>,
            op("signInPasskeyBegin", "Ask for what a passkey must sign")
                .open()
                .refused(&[problem::CEREMONY_UNKNOWN, problem::NO_FACTOR])
                .takes::<sign_in::SignInName>()
                .gives::<Options>(200, "For `navigator.credentials.get()`."),
        )
        .add(
            POST,
            "/v1/session/passkey/finish",
            sign_in::passkey_finish::<P>,
            entry("signInPasskeyFinish", "Finish a sign-in with a passkey")
                .refused(&[problem::INVALID])
                .takes::<sign_in::SignInPasskey>(),
        )
        .add(
            POST,
            "/v1/password/reset",
            reset::begin::<P>,
            op(
                "beginPasswordReset",
                "Ask for a code to choose a password; the answer is the same for unknown addresses",
            )
            .open()
            .refused(&[problem::NO_CHANNEL])
            .refused(GUESSED)
            .takes::<reset::AskReset>()
            .gives::<reset::ResetBegun>(202, "A code is on its way, if the address has an account."),
        )
        .add(
            POST,
            "/v1/password/reset/finish",
            reset::finish::<P>,
            op("finishPasswordReset", "Choose a password by the code; every session of the account ends")
                .open()
                .refused(&[problem::CEREMONY_UNKNOWN, problem::PROOF_REFUSED, problem::INVALID, problem::BUSY])
                .refused(GUESSED)
                .takes::<reset::FinishReset>()
                .done(),
        )
        .add(
            GET,
            "/v1/session",
            sessions::current,
            op("showSession", "Show the session that asks").gives::<sessions::SessionView>(200, "The session."),
        )
        .add(DELETE, "/v1/session", sessions::sign_out::<P>, op("signOut", "Sign out").done())
        .add(
            GET,
            "/v1/sessions",
            sessions::list::<P>,
            op("listSessions", "List the sessions of the account")
                .gives::<sessions::SessionList>(200, "The sessions, newest first."),
        )
        .add(
            DELETE,
            "/v1/sessions",
            sessions::revoke_all::<P>,
            op("signOutEverywhere", "End every session of the account, this one too").done(),
        )
        .add(
            DELETE,
            "/v1/sessions/{session}",
            sessions::revoke::<P>,
            op("endSession", "End one session").refused(&[problem::SESSION_UNKNOWN]).done(),
        )
}

/// Options for the browser's passkey functions.
#[derive(utoipa::ToSchema)]
#[schema(value_type = Object)]
struct Options(#[expect(dead_code, reason = "stands for a JSON object in the document")] serde_json::Value);

fn step_up_routes<P: Ports + 'static>(routes: Of<P>) -> Of<P> {
    let op = |id, summary| operation(id, "step-up", summary).refused(&[problem::CEREMONY_UNKNOWN, problem::BUSY]);
    let proof = |id, summary| {
        op(id, summary)
            .refused(&[problem::PROOF_REFUSED, problem::NO_FACTOR])
            .refused(GUESSED)
            .gives::<step_up::StepUpState>(200, "What the confirmation has and lacks.")
    };
    let sends = |id, summary| op(id, summary).refused(&[problem::NO_CHANNEL]).refused(GUESSED).done();
    routes
        .add(
            GET,
            "/v1/step-up/{step_up}",
            step_up::show::<P>,
            op("showStepUp", "Show a confirmation")
                .gives::<step_up::StepUpState>(200, "What the confirmation has and lacks."),
        )
        .add(
            POST,
            "/v1/step-up/{step_up}/password",
            step_up::password::<P>,
            proof("proveWithPassword", "Prove with the password").takes::<step_up::GivenPassword>(),
        )
        .add(
            POST,
            "/v1/step-up/{step_up}/totp",
            step_up::totp::<P>,
            proof("proveWithTotp", "Prove with a one-time code").takes::<step_up::GivenCode>(),
        )
        .add(
            POST,
            "/v1/step-up/{step_up}/recovery",
            step_up::recovery::<P>,
            proof("proveWithRecoveryCode", "Prove with a recovery code; for changes of factors alone")
                .takes::<step_up::GivenCode>(),
        )
        .add(
            POST,
            "/v1/step-up/{step_up}/passkey/begin",
            step_up::passkey_begin::<P>,
            op("askPasskey", "Ask for what a passkey must sign")
                .refused(&[problem::NO_FACTOR])
                .gives::<Options>(200, "For `navigator.credentials.get()`."),
        )
        .add(
            POST,
            "/v1/step-up/{step_up}/passkey/finish",
            step_up::passkey_finish::<P>,
            proof("proveWithPasskey", "Prove with a passkey")
                .refused(&[problem::INVALID])
                .takes::<step_up::GivenPasskey>(),
        )
        .add(POST, "/v1/step-up/{step_up}/email", sent::email::<P>, sends("sendEmailCode", "Send a code by e-mail"))
        .add(
            POST,
            "/v1/step-up/{step_up}/email/verify",
            sent::email_verify::<P>,
            proof("proveWithEmailCode", "Prove with the code from the e-mail").takes::<step_up::GivenCode>(),
        )
        .add(POST, "/v1/step-up/{step_up}/sms", sent::sms::<P>, sends("sendSmsCode", "Send a code as a text message"))
        .add(
            POST,
            "/v1/step-up/{step_up}/sms/verify",
            sent::sms_verify::<P>,
            proof("proveWithSmsCode", "Prove with the code from the text message").takes::<step_up::GivenCode>(),
        )
}

fn factor_routes<P: Ports + 'static>(routes: Of<P>) -> Of<P> {
    let op = |id, summary| operation(id, "factors", summary);
    let change = |id, summary| op(id, summary).confirmed().changes();
    routes
        .add(
            GET,
            "/v1/factors",
            factors::list::<P>,
            op("listFactors", "List the second factors of the account")
                .gives::<factors::FactorList>(200, "The factors."),
        )
        .add(
            POST,
            "/v1/factors/totp/begin",
            factors::totp_begin::<P>,
            op("beginTotp", "Draw a seed for an authenticator app")
                .refused(GUESSED)
                .gives::<factors::TotpInvitation>(201, "The seed, shown once."),
        )
        .add(
            POST,
            "/v1/factors/totp/confirm",
            factors::totp_confirm::<P>,
            change("addTotp", "Enrol one-time codes with the app's first code")
                .refused(&[problem::CEREMONY_UNKNOWN, problem::PROOF_REFUSED])
                .refused(GUESSED)
                .takes::<factors::ConfirmTotp>()
                .done(),
        )
        .add(
            DELETE,
            "/v1/factors/totp",
            factors::totp_remove::<P>,
            change("removeTotp", "Remove the one-time codes").refused(&[problem::FACTOR_UNKNOWN]).done(),
        )
        .add(
            POST,
            "/v1/factors/passkeys/begin",
            factors::passkey_begin::<P>,
            op("beginPasskey", "Ask for what a new passkey must sign")
                .refused(&[problem::LIMIT])
                .refused(GUESSED)
                .gives::<factors::PasskeyInvitation>(201, "For `navigator.credentials.create()`."),
        )
        .add(
            POST,
            "/v1/factors/passkeys/finish",
            factors::passkey_finish::<P>,
            change("addPasskey", "Enrol a passkey")
                .refused(&[problem::CEREMONY_UNKNOWN, problem::PROOF_REFUSED, problem::LIMIT])
                .takes::<factors::AddPasskey>()
                .gives::<factors::PasskeyView>(201, "The passkey."),
        )
        .add(
            DELETE,
            "/v1/factors/passkeys/{passkey}",
            factors::passkey_remove::<P>,
            change("removePasskey", "Remove a passkey").refused(&[problem::FACTOR_UNKNOWN]).done(),
        )
        .add(
            POST,
            "/v1/factors/recovery-codes",
            factors::recovery_codes::<P>,
            change("makeRecoveryCodes", "Make new recovery codes; the former ones are void")
                .gives::<factors::RecoveryCodes>(201, "The codes, shown once."),
        )
        .add(
            POST,
            "/v1/password",
            factors::change_password::<P>,
            change("changePassword", "Change the password; every other session ends")
                .takes::<factors::ChangePassword>()
                .done(),
        )
}

fn key_routes<P: Ports + 'static>(routes: Of<P>) -> Of<P> {
    let op = |id, summary| operation(id, "keys", summary);
    let change = |id, summary| op(id, summary).confirmed().changes();
    let one = |operation: Operation| operation.refused(&[problem::KEY_UNKNOWN]);
    let made = "The key, with its secret: here, once, and never again.";
    let counted = "How many keys it reached.";
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 100});
    routes
        .add(
            GET,
            "/v1/accounts/{account}/keys",
            keys::list::<P>,
            op("listKeys", "List the keys of an account, ended ones too")
                .query("after", &json!({"type": "string", "format": "uuid"}), "The last key of the page before.")
                .query("limit", &limit, "Keys of a page.")
                .gives::<view::KeyPage>(200, "A page of keys, oldest first."),
        )
        .add(
            POST,
            "/v1/accounts/{account}/keys",
            keys::create::<P>,
            change("createKey", "Make a key")
                .idempotent()
                .takes::<keys::CreateKey>()
                .gives::<view::CreatedView>(201, made)
                .tagged(),
        )
        .add(
            DELETE,
            "/v1/accounts/{account}/keys",
            keys::delete_all::<P>,
            change("deleteKeys", "Delete every key of an account").gives::<keys::Count>(200, counted),
        )
        .add(
            POST,
            "/v1/accounts/{account}/freeze-keys",
            keys::freeze_all::<P>,
            change("freezeKeys", "Put every key of an account out of use")
                .takes::<keys::FreezeKeys>()
                .gives::<keys::Count>(200, counted),
        )
        .add(
            POST,
            "/v1/accounts/{account}/tax-key",
            keys::create_tax::<P>,
            change("createTaxKey", "Make the tax report key")
                .idempotent()
                .takes::<keys::CreateTaxKey>()
                .gives::<view::CreatedView>(201, made)
                .tagged(),
        )
        .add(
            POST,
            "/v1/accounts/{account}/special-keys",
            keys::create_special::<P>,
            change("createSpecialKey", "Make a margin special key")
                .idempotent()
                .refused(&[problem::SPECIAL])
                .takes::<keys::CreateSpecialKey>()
                .gives::<view::CreatedView>(201, made)
                .tagged(),
        )
        .add(
            GET,
            "/v1/accounts/{account}/keys/{key}",
            keys::show::<P>,
            one(op("showKey", "Show a key")).gives::<view::KeyView>(200, "The key.").tagged(),
        )
        .add(
            PATCH,
            "/v1/accounts/{account}/keys/{key}",
            keys::edit::<P>,
            one(change("editKey", "Edit a key"))
                .versioned()
                .takes::<keys::EditKey>()
                .gives::<view::KeyView>(200, "The key as it is now.")
                .tagged(),
        )
        .add(
            DELETE,
            "/v1/accounts/{account}/keys/{key}",
            keys::delete::<P>,
            one(change("deleteKey", "Delete a key")).done(),
        )
        .add(
            POST,
            "/v1/accounts/{account}/keys/{key}/disable",
            keys::disable::<P>,
            one(change("disableKey", "Put a key out of use")).done(),
        )
        .add(
            POST,
            "/v1/accounts/{account}/keys/{key}/enable",
            keys::enable::<P>,
            one(change("enableKey", "Put a key back into use")).done(),
        )
        .add(
            POST,
            "/v1/accounts/{account}/keys/{key}/rotate",
            keys::rotate::<P>,
            one(change("rotateKey", "Make a successor; both live for a while"))
                .idempotent()
                .takes::<keys::RotateKey>()
                .gives::<view::CreatedView>(201, made)
                .tagged(),
        )
        .add(
            GET,
            "/v1/accounts/{account}/keys/{key}/descendants",
            keys::descendants::<P>,
            one(op("listDescendants", "List the keys that this one made by signed calls, directly or not"))
                .gives::<keys::Descendants>(200, "Those that are not deleted."),
        )
        .add(
            POST,
            "/v1/accounts/{account}/keys/{key}/end-descendants",
            keys::end_descendants::<P>,
            one(change("endDescendants", "Delete every key that this one made by signed calls, directly or not"))
                .gives::<keys::Count>(200, counted),
        )
        .add(
            POST,
            "/v1/accounts/{account}/keys/{key}/can",
            can::can::<P>,
            one(op("mayKey", "Ask whether a key may make a call, and which rules say so"))
                .refused(&[problem::INVALID])
                .takes::<can::Question>()
                .gives::<can::Verdict>(200, "What every rule says."),
        )
}

fn account_routes<P: Ports + 'static>(routes: Of<P>) -> Of<P> {
    let op = |id, summary| operation(id, "accounts", summary);
    let change = |id, summary| op(id, summary).confirmed().changes();
    let after = json!({"type": "integer", "minimum": 0});
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 200});
    routes
        .add(
            GET,
            "/v1/accounts/{account}",
            account::show::<P>,
            op("showAccount", "Show an account").gives::<view::AccountView>(200, "The account.").tagged(),
        )
        .add(
            PATCH,
            "/v1/accounts/{account}",
            account::edit::<P>,
            change("editAccount", "Set the switches of an account, and open products")
                .versioned()
                .takes::<account::EditAccount>()
                .gives::<view::AccountView>(200, "The account as it is now.")
                .tagged(),
        )
        .add(
            POST,
            "/v1/accounts/{account}/terms",
            account::sign_terms::<P>,
            change("signTerms", "Sign an agreement")
                .takes::<account::SignTerms>()
                .gives::<view::AccountView>(200, "The account as it is now.")
                .tagged(),
        )
        .add(
            POST,
            "/v1/accounts/{account}/freeze",
            account::freeze::<P>,
            change("freezeAccount", "Freeze an account and its sub-accounts").takes::<account::Freeze>().done(),
        )
        .add(
            POST,
            "/v1/accounts/{account}/unfreeze",
            account::unfreeze::<P>,
            change("unfreezeAccount", "End a freeze").done(),
        )
        .add(
            GET,
            "/v1/accounts/{account}/sub-accounts",
            subs::list::<P>,
            op("listSubAccounts", "List the sub-accounts of a master")
                .query("after", &after, "How many sub-accounts came in the pages before.")
                .query("limit", &limit, "Sub-accounts of a page.")
                .gives::<subs::SubAccounts>(200, "A page of sub-accounts, oldest first."),
        )
        .add(
            POST,
            "/v1/accounts/{account}/sub-accounts",
            subs::create::<P>,
            change("createSubAccount", "Open a sub-account")
                .refused(&[problem::LIMIT])
                .idempotent()
                .takes::<subs::CreateSubAccount>()
                .gives::<view::AccountView>(201, "The sub-account.")
                .tagged(),
        )
        .add(
            GET,
            "/v1/accounts/{account}/notices",
            records::notices::<P>,
            op("listNotices", "List what the owner should know")
                .query("after", &after, "The number of the last notice of the page before.")
                .query("limit", &limit, "Notices of a page.")
                .gives::<records::NoticePage>(200, "A page of notices, oldest first."),
        )
        .add(
            GET,
            "/v1/accounts/{account}/audit",
            records::audit::<P>,
            op("exportAudit", "Export the audit records of an account")
                .query("after", &after, "The revision of the last record of the page before.")
                .query("limit", &limit, "Records of a page.")
                .gives::<records::AuditPage>(200, "A page of records, oldest first."),
        )
}

fn call_routes<P: Ports + 'static>(routes: Of<P>) -> Of<P> {
    let filtered = |id, summary| {
        let millis = json!({"type": "integer", "minimum": 0, "maximum": calls::TIME_MAX});
        let text = json!({"type": "string", "maxLength": 128});
        operation(id, "calls", summary)
            .query("key", &json!({"type": "string", "format": "uuid"}), "Calls of this key alone.")
            .query("startTime", &millis, "Not before this time, in milliseconds.")
            .query("endTime", &millis, "Before this time, in milliseconds.")
            .query("path", &text, "Calls of this route alone.")
            .query("outcome", &text, "`answered`, `rejected`, `unknown`, `client-gone`, or an exact reason.")
            .query("ip", &json!({"type": "string", "maxLength": 45}), "Calls from this address alone.")
    };
    let limit = json!({"type": "integer", "minimum": 1, "maximum": ASKED_MAX});
    let formats = json!({"type": "string", "enum": calls::FORMATS});
    routes
        .add(
            GET,
            "/v1/accounts/{account}/calls",
            calls::list::<P>,
            filtered("listCalls", "List the calls of an account")
                .query("cursor", &json!({"type": "string", "maxLength": 64}), "`cursor` of the page before.")
                .query("limit", &limit, "Calls of a page.")
                .refused(&[problem::BUSY])
                .gives::<calls::CallPageView>(200, "A page of calls, newest first."),
        )
        .add(
            GET,
            "/v1/accounts/{account}/calls/export",
            calls::export::<P>,
            filtered("exportCalls", "Export the calls of an account as one file, newest first")
                .query("format", &formats, "`csv`, or `parquet` where the server was built with it.")
                .refused(&[problem::BUSY])
                .sends("The calls.", calls::MEDIA_TYPES),
        )
}
