use super::*;
use crate::account::Account;
use crate::tests::{NOW, account};
use serde_json::json;

const POLICY: Policy = Policy::of(crate::policy::Profile::Default);

fn intent() -> Intent {
    let after = json!({"label": "bot", "permissions": ["reading"], "ips": ["127.0.0.1"]});
    Intent { by: AccountId(1), account: AccountId(1), kind: IntentKind::CreateKey, version: 7, after }
}

fn demand(intent: &Intent) -> Demand {
    let rule = intent.kind.rule(&POLICY);
    Demand { digest: intent.digest(), account: intent.by, kind: intent.kind, rule }
}

fn shown(factors: &[Factor]) -> FactorSet {
    factors.iter().copied().collect()
}

fn judge(proof: &StepUp, intent: &Intent, account: &Account, now: Timestamp) -> Result<(), StepUpFlaw> {
    proof.judge(&demand(intent), &Owner::new(account, None).unwrap(), now)
}

#[test]
fn a_proof_fits_the_one_change_that_it_was_given_for() {
    let (intended, owner) = (intent(), account(1));
    let proof = StepUp::proven(intended.digest(), shown(&[Factor::Totp]), NOW);
    assert_eq!(judge(&proof, &intended, &owner, NOW), Ok(()));
    let others = [
        Intent { by: AccountId(2), ..intent() },
        Intent { account: AccountId(2), ..intent() },
        Intent { kind: IntentKind::WidenKey, ..intent() },
        Intent { version: 8, ..intent() },
        Intent { after: json!({"label": "bot", "permissions": ["reading"], "ips": ["127.0.0.2"]}), ..intent() },
    ];
    for other in others {
        assert_eq!(judge(&proof, &other, &owner, NOW), Err(StepUpFlaw::OtherChange), "{other:?}");
    }
    let reordered = json!({"ips": ["127.0.0.1"], "permissions": ["reading"], "label": "bot"});
    assert_eq!(judge(&proof, &Intent { after: reordered, ..intent() }, &owner, NOW), Ok(()));
}

#[test]
fn a_proof_holds_for_five_minutes_and_not_before_it_was_given() {
    let (intended, owner) = (intent(), account(1));
    let proof = StepUp::proven(intended.digest(), shown(&[Factor::Passkey]), NOW);
    let at = |micros| judge(&proof, &intended, &owner, NOW.plus_micros(micros));
    assert_eq!((at(0), at(STEP_UP_LIFE_MICROS - 1)), (Ok(()), Ok(())));
    assert_eq!((at(STEP_UP_LIFE_MICROS), at(-1)), (Err(StepUpFlaw::Stale), Err(StepUpFlaw::Stale)));
}

#[test]
fn each_rule_takes_what_it_names_and_nothing_less() {
    use Factor::*;
    type Row = (StepUpRule, &'static [&'static [Factor]], &'static [&'static [Factor]]);
    let rows: [Row; 6] = [
        (StepUpRule::None, &[&[]], &[]),
        (StepUpRule::Factor, &[&[Totp], &[Passkey]], &[&[], &[Password], &[EmailCode, SmsCode], &[RecoveryCode]]),
        (
            StepUpRule::FactorAndEmail,
            &[&[Totp, EmailCode], &[Passkey, EmailCode]],
            &[&[Totp], &[EmailCode], &[Totp, SmsCode]],
        ),
        (StepUpRule::FactorAndSms, &[&[Totp, SmsCode]], &[&[Totp, EmailCode], &[SmsCode]]),
        (StepUpRule::PasswordAndEmail, &[&[Password, EmailCode]], &[&[Password], &[EmailCode], &[Totp, EmailCode]]),
        (StepUpRule::Password, &[&[Password]], &[&[Totp], &[]]),
    ];
    assert!(rows.iter().map(|row| row.0).eq(StepUpRule::ALL));
    for (rule, enough, too_weak) in rows {
        assert!(enough.iter().all(|factors| rule.met(shown(factors))), "{rule:?}");
        assert!(!too_weak.iter().any(|factors| rule.met(shown(factors))), "{rule:?}");
    }
}

#[test]
fn a_recovery_code_counts_for_changes_of_factors_alone_and_must_be_there() {
    let code = RecoveryCode([5; 32]);
    let mut owner = account(1);
    owner.recovery = vec![code];
    for kind in IntentKind::ALL {
        let intended = Intent { kind, ..intent() };
        let proof = StepUp::proven(intended.digest(), shown(&[Factor::RecoveryCode]), NOW).with_recovery(code);
        let judged = judge(&proof, &intended, &owner, NOW);
        let changes_factors = matches!(
            kind,
            IntentKind::AddFactor | IntentKind::RemoveFactor | IntentKind::RecoveryCodes | IntentKind::ChangePassword
        );
        assert_eq!(judged, if changes_factors { Ok(()) } else { Err(StepUpFlaw::TooWeak) }, "{kind:?}");
        owner.recovery.clear();
        assert_eq!(judge(&proof, &intended, &owner, NOW), Err(StepUpFlaw::TooWeak), "{kind:?}: a spent code");
        owner.recovery = vec![code];
    }
}

#[test]
fn factors_rest_as_a_list_of_names() {
    let set = shown(&[Factor::EmailCode, Factor::Password]);
    let text = serde_json::to_string(&set).unwrap();
    assert_eq!(text, r#"["password","email-code"]"#);
    assert_eq!(serde_json::from_str::<FactorSet>(&text).unwrap(), set);
    assert!(serde_json::from_str::<FactorSet>(r#"["palm"]"#).is_err());
}
