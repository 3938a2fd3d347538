"""The table of surviving mutants is made from what mutmut prints."""

from tests.support.mutants import A_WORD, NO_REASON, names, reason, rows, survivor

RESULTS = """
    recovery.decide.timers.x__run_case__mutmut_7: survived
    recovery.decide.timers.x__run_case__mutmut_8: no tests
    recovery.decide.transition.xǁTransitionǁwithdraw__mutmut_2: survived
"""
SHOWN = """# recovery.decide.timers.x__run_case__mutmut_7: survived
--- recovery/decide/timers.py
+++ recovery/decide/timers.py
@@ -1,3 +1,3 @@
 def _run_case(turn, case):
-    if case.until <= turn.now:
+    if case.until < turn.now:
         pass
"""


def test_only_survivors_are_listed():
    assert names(RESULTS) == ["recovery.decide.timers.x__run_case__mutmut_7", "recovery.decide.transition.xǁTransitionǁwithdraw__mutmut_2"]


def test_a_row_names_the_place_the_change_and_the_reason():
    one = survivor("recovery.decide.timers.x__run_case__mutmut_7", SHOWN)
    reasons = [{"place": "timers._run_case", "change": "case.until <", "why": "the very moment"}]
    expected = "| timers._run_case 7 | `if case.until <= turn.now:` | `if case.until < turn.now:` | the very moment |"
    assert list(rows([one], reasons)) == [expected]


def test_a_survivor_of_which_nobody_has_thought_says_so():
    one = survivor("recovery.decide.timers.x__run_case__mutmut_7", SHOWN)
    assert reason(one, []) == NO_REASON
    assert reason(one, [{"place": "other", "why": "no"}, {"place": "timers", "change": "elsewhere", "why": "no"}]) == NO_REASON


def test_a_changed_word_is_called_one():
    assert reason(survivor("x", '-    turn.note = "no_case"\n+    turn.note = "XXno_caseXX"'), []) == A_WORD
    assert reason(survivor("x", '-    turn.note = "no_case"\n+    turn.note = "NO_CASE"'), []) == A_WORD


def test_a_word_that_is_compared_is_a_rule():
    assert reason(survivor("x", '-    if kind != "fraud":\n+    if kind != "XXfraudXX":'), []) == NO_REASON
    assert reason(survivor("x", '-    if kind == "fraud":\n+    if kind == "FRAUD":'), []) == NO_REASON
