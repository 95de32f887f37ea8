//! A creation that is sent again after the server was killed.

use serde_json::{Value, json};

use crate::desk::{Desk, totp_code};
use crate::owners::{SEED, alice, confirmed_with};
use crate::server::Server;
use crate::world::house;

#[test]
fn a_creation_is_known_after_the_server_was_killed_and_is_not_made_again() {
    let house = house();
    let (desk, token) = alice(&house.server);
    let (path, once) = ("/v1/accounts/me/keys", "Idempotency-Key: before-the-end\r\n");
    let new = json!({ "label": "bot", "ips": ["127.0.0.1"] });
    let (status, made) = confirmed_with(&desk, ("POST", path), once, Some(&new), |id, need| {
        assert_eq!(need, "factor");
        let proved = desk.post(&format!("/v1/step-up/{id}/totp"), json!({ "code": totp_code(SEED, 1) }));
        assert_eq!(proved.status, 200, "{}", proved.text());
    });
    assert_eq!((status, made["secretShown"].as_bool()), (201, Some(false)), "{made}");
    let secret = made["secretKey"].as_str().expect("a secret");
    // It ends at once, without a word to anybody.
    drop(house.server);

    let again = Server::start(house.folder.path(), &house.world);
    let desk = Desk::console(&again, &token);
    let repeated = desk.with("POST", path, once, Some(&new));
    assert_eq!(repeated.status, 201, "{}", repeated.text());
    assert!(!repeated.text().contains(secret));
    let repeated = repeated.json();
    assert_eq!((&repeated["secretKey"], &repeated["secretShown"]), (&Value::Null, &json!(true)));
    assert_eq!(repeated["key"]["id"], made["key"]["id"]);
    let keys = desk.get(path).json();
    let bots = keys["keys"].as_array().expect("keys").iter().filter(|key| key["label"] == "bot").count();
    assert_eq!(bots, 1);
    let other = desk.with("POST", path, once, Some(&json!({ "label": "other", "ips": ["127.0.0.1"] })));
    assert_eq!(other.status, 422, "{}", other.text());
}
