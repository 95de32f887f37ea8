"""`binance-sdk-margin-trading`: liquidation loans, and the way out of special-key mode."""

from decimal import Decimal

import pytest
from binance_common.errors import BadRequestError

import clients
from conftest import DEBTOR
from latchkey import HOME


def code(action) -> int:
    with pytest.raises(BadRequestError) as error:
        action()
    return error.value.status_code


def test_a_loan_is_repaid_before_the_mode_is_left(server, secrets):
    key, lender = server.key(DEBTOR, "loans"), server.key(DEBTOR, "trader")
    debtor = clients.margin(server.api, key)
    loan = debtor.query_liquidation_loan().data()
    assert [Decimal(n) for n in (loan.amount, loan.repaid_amount, loan.remaining_amount)] == [0, 0, 0]
    # Outside the mode there is nothing to leave, which is no error.
    assert debtor.exit_special_key_mode().data() == {}

    special = debtor.create_special_key("fast", ip=HOME).data()
    secrets.add(special.secret_key)
    uid = clients.spot(server.api, key).get_account().data().uid
    opened = {"uid": uid, "asset": "USDC", "amount": "500"}
    assert server.operate("POST", "/ops/v1/venue/liquidation-loan", opened).status_code == 200
    assert server.operate("POST", "/ops/v1/venue/liquidation-loan", {**opened, "amount": "0"}).status_code == 422
    loan = debtor.query_liquidation_loan().data()
    assert (loan.asset, loan.amount, loan.remaining_amount) == ("USDC", "500.00000000", "500.00000000")
    assert code(debtor.exit_special_key_mode) == -1020

    # The spot wallet holds 400.
    assert code(lambda: debtor.liquidation_loan_repay("USDC", 500.5)) == -3015
    assert code(lambda: debtor.liquidation_loan_repay("USDC", 450)) == -3041
    assert code(lambda: debtor.liquidation_loan_repay("USDT", 1)) == -1130
    assert code(lambda: debtor.liquidation_loan_repay("USDC", 0)) == -1130
    # Repaying needs the permission for loans, not that for orders.
    assert code(lambda: clients.margin(server.api, lender).liquidation_loan_repay("USDC", 1)) == -2015
    repaid = debtor.liquidation_loan_repay("USDC", 300).data()
    assert (repaid.asset, repaid.amount, repaid.status) == ("USDC", "300.00000000", "SUCCESS")
    balance = {b.asset: b.free for b in clients.spot(server.api, key).get_account().data().balances}
    assert balance["USDC"] == "100.00000000"
    history = debtor.query_liquidation_loan_repay_history().data()
    assert history.total == 1 and history.rows[0].repay_id == repaid.repay_id
    assert history.rows[0].create_time == repaid.create_time
    before = debtor.query_liquidation_loan_repay_history(end_time=repaid.create_time - 1000).data()
    assert (before.total, before.rows) == (0, [])

    deposit = {"uid": uid, "wallet": "spot", "asset": "USDC", "amount": "100"}
    assert server.operate("POST", "/ops/v1/venue/deposit", deposit).status_code == 200
    debtor.liquidation_loan_repay("USDC", 200)
    assert debtor.query_liquidation_loan().data().remaining_amount == "0.00000000"
    assert [row.amount for row in debtor.query_liquidation_loan_repay_history(current=2, size=1).data().rows] == [
        "300.00000000"
    ]

    assert debtor.exit_special_key_mode().data() == {}
    assert debtor.query_special_key_list().data() == []
    with pytest.raises(BadRequestError) as error:
        debtor.create_special_key("again", ip=HOME)
    assert error.value.status_code == -1020 and "cooldown" in error.value.error_message
