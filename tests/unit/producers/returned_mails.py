"""Mails as they come back, shaped as real servers send them; addresses, hosts and ids are made up."""

from tests.unit.producers.gateway.gateway_client import LINKS, MESSAGE_ID, SENT

HEADERS = f"""\
Message-ID: {MESSAGE_ID}
From: Heron Yards <billing@heron.example>
To: anna@payer.example
Subject: Your payment did not go through
List-Unsubscribe: <{LINKS.unsubscribe(SENT)[:60]}
 {LINKS.unsubscribe(SENT)[60:]}>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
MIME-Version: 1.0
Content-Type: text/plain; charset="utf-8"
"""


def bounce(status: str = "5.1.1", action: str = "failed", diagnostic: str = "", headers: str = HEADERS, whole: bool = False) -> bytes:
    """A Postfix-like delivery report; with `whole` the mail itself comes back, else its headers."""
    said = diagnostic or f"smtp; 550 {status} <anna@payer.example>: Recipient address\n    rejected: User unknown in virtual mailbox table"
    kind, rest = ("message/rfc822", "\nGood morning,\n") if whole else ("text/rfc822-headers", "")
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.heron.example (Mail Delivery System)
To: billing@heron.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="9B7D41A.1790000000/mx.heron.example"

This is a MIME-encapsulated message.

--9B7D41A.1790000000/mx.heron.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--9B7D41A.1790000000/mx.heron.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.heron.example
X-Postfix-Queue-ID: 9B7D41A
Arrival-Date: Tue, 24 Nov 2026 09:14:07 +0000 (UTC)

Final-Recipient: rfc822; anna@payer.example
Original-Recipient: rfc822;anna@payer.example
Action: {action}
Status: {status}
Remote-MTA: dns; mail.payer.example
Diagnostic-Code: {said}

--9B7D41A.1790000000/mx.heron.example
Content-Description: Undelivered Message Headers
Content-Type: {kind}

{headers}{rest}
--9B7D41A.1790000000/mx.heron.example--
""".encode()


def complaint(kind: str = "abuse", headers: str = HEADERS) -> bytes:
    """A feedback report as RFC 5965 shows it."""
    return f"""\
From: <abusedesk@mailbox.example>
Date: Thu, 8 Mar 2026 17:40:36 EDT
Subject: FW: Your payment did not go through
To: <abuse@heron.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
     boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP
192.0.2.1 on Thu, 8 Mar 2026 14:00:00 EDT.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <billing@heron.example>
Original-Rcpt-To: <anna@payer.example>

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

{headers}
Good morning,

--part1_13d.2e68ed54_boundary--
""".encode()


OUT_OF_OFFICE = b"""\
From: anna@payer.example
To: billing@heron.example
Subject: Out of office
Auto-Submitted: auto-replied
Content-Type: text/plain

I am away until Monday.
"""
