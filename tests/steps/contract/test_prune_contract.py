from steps.contract.prune_contract import PruneArguments


def test_a_rule_is_what_keeps_anything():
    asked = PruneArguments(keep_daily=7, keep_within="1m", minimum_redundancy=2)

    assert asked.keeps == ["keep-daily 7", "keep-within 1m"]


def test_without_a_number_there_is_no_rule():
    assert PruneArguments().keeps == []
