use super::*;

const COLUMNS: &str = "account\tlabel\ttype\tapi_key\tsecret_key\tpublic_key\tpermissions\tips\tsymbols\tcreated";

fn name(text: &str) -> String {
    format!("{text:0>64}")
}

/// A line of [`COLUMNS`] for an HMAC key.
fn hmac(account: &str, ips: &str) -> String {
    format!("{account}\tbot\thmac\t{}\t{}\t\t\t{ips}\t\t", name("1"), name("secret"))
}

/// What a file of these lines holds, taken in pieces of every size.
fn read(lines: &[&str]) -> Result<Vec<Row>, BadLine> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let whole = read_pieces(&text, text.len().max(1), 0);
    for size in [1, 7, 64] {
        let pieces = read_pieces(&text, size, 0);
        assert_eq!(shown(&pieces), shown(&whole), "in pieces of {size}");
    }
    whole
}

fn shown(read: &Result<Vec<Row>, BadLine>) -> Result<Vec<(u64, Whose)>, BadLine> {
    let rows = read.as_ref().map_err(Clone::clone)?;
    Ok(rows.iter().map(|row| (row.line, row.account.clone())).collect())
}

fn read_pieces(text: &str, size: usize, from: u64) -> Result<Vec<Row>, BadLine> {
    let mut reader = Reader::new(from);
    let mut rows = Vec::new();
    for piece in text.as_bytes().chunks(size) {
        reader.take(piece, &mut |row| rows.push(row))?;
    }
    reader.end(&mut |row| rows.push(row))?;
    Ok(rows)
}

/// What is wrong with a file whose third line is `line`.
fn wrong(line: &str) -> String {
    match read(&[MAGIC, COLUMNS, line]) {
        Err(BadLine { line: 3, problem }) => problem,
        other => panic!("{:?}", other.map(|rows| rows.len())),
    }
}

#[test]
fn a_key_has_what_its_cells_say() {
    let line = format!(
        "Alice@example.com\tbot 1\thmac\t{}\t{}\t\treading, spot-and-margin-trading\t192.0.2.7 10.0.0.0/16\tBTCUSDT,ETHUSDT\t\
         2026-09-01T00:00:00Z",
        name("7"),
        name("secret"),
    );
    let rows = read(&[MAGIC, COLUMNS, &line, &hmac("42", UNRESTRICTED)]).unwrap();
    let [first, second] = &rows[..] else { panic!("{}", rows.len()) };
    assert_eq!((first.line, &first.account), (3, &Whose::Email("alice@example.com".into())));
    assert_eq!(first.key.label, "bot 1");
    assert_eq!(first.key.fixed.api_key.unwrap().as_str(), name("7"));
    assert_eq!(first.key.fixed.secret.as_ref().unwrap().expose(), name("secret"));
    assert_eq!(first.key.permissions, PermissionSet::READING.with(Permission::SpotAndMarginTrading));
    assert_eq!(first.key.ips.as_deref(), Some("192.0.2.7 10.0.0.0/16"));
    assert_eq!(first.key.symbols.as_ref().unwrap().len(), 2);
    assert_eq!(first.key.created, Some(Timestamp::from_millis(1_788_220_800_000)));
    assert_eq!((second.line, &second.account), (4, &Whose::Uid(AccountId(42))));
    assert_eq!((&second.key.ips, second.key.permissions), (&None, PermissionSet::READING));
    assert_eq!((&second.key.symbols, second.key.created), (&None, None));
}

#[test]
fn columns_stand_in_any_order_and_what_is_optional_may_be_missing() {
    let line = format!("unrestricted\t{}\ted25519\tAAAA\tbot\t7", name("1"));
    let rows = read(&[MAGIC, "ips\tapi_key\ttype\tpublic_key\tlabel\taccount\r", &line]).unwrap();
    assert_eq!(rows[0].key.proof, NewProof::Public("AAAA".into()), "the authority says what is wrong with it");
    let refused = |columns: &str| read(&[MAGIC, columns]).err().unwrap();
    assert_eq!(refused("account\tlabel\ttype\tapi_key").problem, "the column `ips` is missing");
    assert_eq!(refused("account\tlabel\ttype\tapi_key\tips\tips").problem, "the column `ips` is named twice");
    assert!(refused(&hmac("1", "")).problem.starts_with("it must name the columns"));
    assert_eq!(read(&[]).err().unwrap().line, 1);
    assert_eq!(
        read(&[MAGIC]).err().unwrap(),
        BadLine { line: 2, problem: "the file ends before its columns are named".into() }
    );
    assert_eq!(read(&["# latchkey keys 2", COLUMNS]).err().unwrap().line, 1);
    assert_eq!(read(&[MAGIC, COLUMNS]).unwrap().len(), 0);
}

#[test]
fn a_wrong_line_is_told_by_its_number_without_its_cells() {
    let replaced = |from: &str, to: &str| {
        let line = hmac("42", UNRESTRICTED);
        assert!(line.contains(from), "{from}");
        wrong(&line.replacen(from, to, 1))
    };
    assert_eq!(wrong(&hmac("nobody", "")), "`account` is neither a uid nor an e-mail address");
    assert_eq!(wrong(&hmac("", "")), "`account` is neither a uid nor an e-mail address");
    assert_eq!(wrong(&hmac("42", "")), "`ips` is empty: list addresses, or write `unrestricted`");
    assert_eq!(replaced("hmac", "HMAC"), "`type` is not `hmac`, `rsa` or `ed25519`");
    assert_eq!(replaced("hmac", "rsa"), "`secret_key` must be empty here");
    assert_eq!(replaced(&name("1"), "1"), "`api_key` is not an API key: 64 letters and digits");
    assert_eq!(replaced(&name("secret"), ""), "`secret_key` is not a secret key: 64 letters and digits");
    assert_eq!(replaced("\t\t\tunre", "\t\tflying\tunre"), "`permissions` names no known permission at some place");
    assert_eq!(replaced("\t\t\tunre", "\tAAAA\t\tunre"), "`public_key` must be empty here");
    assert_eq!(replaced("ed\t\t", "ed\tbtc-usdt\t"), "`symbols` names no symbol at some place");
    assert_eq!(replaced("ed\t\t", "ed\t\tyesterday"), "`created` is not a time such as 2026-09-01T00:00:00Z");
    assert_eq!(wrong(""), "it has 1 cells where 10 columns are named");
    let moved = format!("42\tbot\thmac\t{}\t\t\t{}\t\t\t", name("1"), name("secret"));
    assert!(!wrong(&moved).contains("secret00") && !wrong(&moved).contains(&name("secret")));
    let signer = latchkey_crypto::sign::Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(7));
    let public: String = signer.public_key().unwrap().to_pem().lines().filter(|line| !line.starts_with('-')).collect();
    let other = format!("42\tbot\trsa\t{}\t\t{public}\t\t{UNRESTRICTED}\t\t", name("1"));
    assert_eq!(wrong(&other), "`public_key` is a key of another type");
}

#[test]
fn a_line_is_no_longer_than_its_bound() {
    let long = hmac("42", &"192.0.2.7,".repeat(LINE_MAX / 10));
    assert_eq!(wrong(&long), format!("it is longer than {LINE_MAX} bytes"));
    let just = format!("{:<LINE_MAX$}", hmac("42", UNRESTRICTED));
    assert_eq!(read(&[MAGIC, COLUMNS, &just]).unwrap().len(), 1);
    let mut reader = Reader::new(0);
    assert!(reader.take(&vec![b'a'; LINE_MAX + 1], &mut |_| {}).is_err(), "before its end is seen");
}

#[test]
fn keys_that_are_there_already_are_left_out() {
    let text = format!("{MAGIC}\n{COLUMNS}\n\tnot looked at\n{}\n{}", hmac("4", UNRESTRICTED), hmac("5", UNRESTRICTED));
    let rows = read_pieces(&text, 9, 5).unwrap();
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [5]);
    assert_eq!(read_pieces(&text, 9, 4).unwrap().len(), 2);
    assert_eq!(read_pieces(&text, 9, 3).err().unwrap().line, 3);
}

#[test]
fn a_refused_entry_of_an_ip_list_is_not_repeated() {
    use latchkey_authority::ip::{IpForms, IpRule};
    use latchkey_authority::policy::Policy;
    let secret = name("secret");
    let error = IpRule::parse_list(&secret, IpForms::AddressesAndNetworks, &Policy::default()).unwrap_err();
    let refusal = Refusal::Ip(error);
    assert!(refusal.to_string().contains(&secret), "an owner sees the entry");
    assert_eq!(told(&refusal), "the IP list is refused: an entry is not an IP address");
}
