"""What rows have in common: the dictionary against which the rows of version 3 are compressed (recovery/contracts/encoding/row_codec.py).

Never change a byte of it: the rows written with it could not be read any more. New words belong into the dictionary of a new version.
Each line is a stretch as msgpack writes it, a length before each word: `\\xd6\\xff` is a time in whole seconds, `\\xd7\\xff` one with a
fraction, `\\xde\\x00` begins a struct. What is missing here costs its bytes in each row and is otherwise no harm.
"""

from typing import Final

WORDS_3: Final = b"".join(
    (
        # rarer than the rest: what some customers and cases have
        b"\xa5email\xa9complaint\xa6bounce\xa9withdrawn\x81\xa5holds\x81\xa0\x82\xa4kind\xa7stopped\xa5until\xa7snoozed\xa8excluded",
        b"\xaasuppressed\x81\xa7contact\x81\xa7consent\x81\xa3sms\x83\xa2at\xd7\xff\xa5proof\xa4zone\xa7country\xa2US\xa2GB\xa2DE\xa2IN",
        b"\xa8expiring\x81\xa2at\xd6\xffi\xa9charge_at\xd6\xffi\xacamount_minor\xb1expiry_warned_for\x81\xb2unmatched_failures\x91\x96\xadearly_refunds\x91\x95",
        b"\xa6queued\xc3\xaeinvoice_method\xb3subscription_method\xb6subscription_method_at\xd6\xffi\xa6method\xa8attached\xb5automatically_updated",
        b"\xb5retry_with_new_method\xc3\xacmanual_retry\xc3\xafsnoozed_seconds\xa4test\xc3\xb7authentication_required\xc3\xadmanual_charge\xabend_request",
        b"\xabretry_offer\x83\xa5slots\x91\xa6source\xadmodel_version\xadoffer_request\xb1offer_for_attempt\xacfailed_reads\xb0processing_since\xd6\xffi",
        b"\xacsuspended_at\xd6\xffi\xabpause_noted\xc3\xb1consecutive_noops\xaano_contact\xc3\xaapart_minor\xadfinal_read_at\xd6\xffi\xa6sms_at\xd6\xffi",
        b"\xa8sms_step\x01\xa4visa\xc2\xa6barred\x91\xa9forget_at\xd6\xffi\xaelast_failed_at\xd7\xff\xa8ended_at\xd7\xff\xb1state_observed_at\xd7\xff",
        b"\xa8retry_at\xd7\xff\xa7read_at\xd7\xff\xaadunning_at\xd7\xff\xacdunning_from\xd7\xff\xabnext_due_at\xd7\xff\xa3jpy\xa3kwd\xa3gbp\xa3eur",
        # how cases stand and end
        b"\xaaneeds_auth\xa4code\xb7authentication_required\xa7because\xb7authentication_required\xaafirst_code\xb7authentication_required",
        b"\xa5fraud\xa4code\xaafraudulent\xa7because\xaafraud_code\xa7generic\xc3\xaafirst_code\xaafraudulent\xa9lost_card\xabstolen_card",
        b"\xa4hard\xa4code\xafgeneric_decline\xa7because\xachard_decline\xa7generic\xc3\xa6status\xa7blocked\xafaction_required",
        b"\xacdo_not_honor\xacexpired_card\xadincorrect_cvc\xb0processing_error\xb7transaction_not_allowed\xb0do_not_try_again",
        b"\xaftry_again_later\xb1confirm_card_data\xb4no_sign_of_temporary\xabpickup_card\xd9\x21withdrawal_count_limit_exceeded\xa3cap",
        b"\xaepayment_failed\xaewindow_elapsed\xb0ladder_exhausted\xb0customer_deleted\xa6closed\xa6reason\xa9cancelled\xa9abandoned",
        b"\xa8currency\xa3eur\xa6status\xa9recovered\xa6reason\xa8customer\xa8sequence\x07\xa8requests\x03\xa9opened_at\xd6\xffi",
        b"\xa8ended_at\xd6\xffi\xb1outstanding_minor\xcd\xabpaid_before\xa4paid\xc3\xafrecovered_minor\xcd\xacrecovered_by\xa9our_retry",
        b"\xb0recovered_charge\xaereversed_minor\xb2recovered_by_cause\x81\xacstripe_retry\xa8external\xb2recovered_by_cause\x81\xa8customer\xcd",
        b"\xa4amex\xc2\xa4visa\xc3\xaamastercard\xc2\x96\xa4visa\xc2\x96\xa5mails\x81\xa8attempts\x92\x96\xa8attempts\x93\x96\xa5cases\x82",
        # one case from its first failure to its next retry or mail, in the order in which it is written
        b"\xde\x00\x06\xa7account\xde\x00\x07\xa7account\xde\x00\x08\xa7account\xb5acct_1\xa8customer\xb2cus_\xabnext_due_at\xd6\xffi",
        b"\xa5cases\x81\xbbin_1\xde\x00\x13\xa7invoice\xbbin_1\xacsubscription\xbcsub_1\xa8currency\xa3usd\xa6status\xa7dunning",
        b"\xa6reason\xaepayment_failed\xa8sequence\x03\xa8currency\xa3usd\xa6reason\xa8ladder_1\xa8sequence\x04\xa8requests\x01",
        b"\xa9opened_at\xd6\xffi\xb1outstanding_minor\xcd\xb1state_observed_at\xd6\xffi\xafstate_from_read\xc3\xabstripe_next\xd6\xffi\xa9failed_at\xd6\xffi",
        b"\xaelast_failed_at\xd6\xffi\xa7verdict\x84\xa4kind\xa4soft\xa4code\xb2insufficient_funds\xa7because\xacsoft_decline",
        b"\xadretry_allowed\xc3\xaafirst_code\xb2insufficient_funds\xaawait_hours\xa7decline\x8a\xa4code\xadcard_declined",
        b"\xacdecline_code\xb2insufficient_funds\xabadvice_code\xa0\xb3network_advice_code\xa0\xb4network_decline_code\xa0",
        b"\xacoutcome_type\xafissuer_declined\xaeoutcome_reason\xa0\xaenetwork_status\xa0\xadintent_status\xb7requires_payment_method",
        b"\xabmethod_type\xa0\xa4card\xa4card\x87\xabfingerprint\xb0\xa5brand\xa4visa\xa7country\xa2US\xa7funding\xa6credit",
        b"\xa5debit\xa9exp_month\x04\xa8exp_year\xcd\x07\xed\xa6method\xbbpm_1\xa9renews_at\xd6\xffi\xaepending_effect\x83\xa6effect\xa4kind",
        b"\xa4read\xa6charge\xa7message\xa8deadline\xd6\xffi\xa4lead\xa7read_at\xd6\xffi\xa8retry_at\xd6\xffi\xaadunning_at\xd6\xffi",
        b"\xabladder_used\x01\xabretry_count\x01\xaflast_attempt_at\xd6\xffi\xa7charges\x81.charge.2\xbbch_3\xacdunning_from\xd6\xffi",
        b"\xacdunning_step\x01\xaamails_sent\x01\xa9last_mail.message.4\xa8attempts\x91\x96\xbbch_3\xd6\xffi\xbbin_1",
        b"\xa4visa\xc2\xafrecent_fact_ids\x92\xcf\xa3arm\xa7treated\xa7holdout\xaapropensity\xcb?\xf0\x00\x00\x00\x00\x00\x00\xa4salt",
    )
)
"""At most 65,535 bytes count; each costs a little time whenever a row is read or written."""
