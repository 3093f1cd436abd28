"""Deviations of clients that the service tolerates and `--strict` refuses, by rule.

Every client of Microsoft's deviates in one way or another, so the live service must tolerate all
of this; a new client should do none of it. Who does what was seen on the wire or read in source.

| rule | refused | who does that |
| --- | --- | --- |
| http-target | path in another casing, slash at its end, unknown parameters | Node, C# (may) |
| content-type | a body without `Content-Type: application/json` | scripts |
| content-encoding | `Content-Encoding: utf-8`, which is not a coding | the articles' curl |
| body-on-get | a poll with a body | Node |
| user-name | not only `api-version` and an encoded `ClientVersion`, in this order | C, Java |
| client-id | a client id in another casing than the registration id | scripts |
| clean-session | a persistent session, which DPS does not have | Python, Java |
| empty-password | an empty password | the new .NET client |
| not-subscribed | a request without a subscription to responses | Python, reconnecting |
| topic | `$rid` not first, other keys, another casing | scripts |
| poll-payload | a poll with a payload | Python and Node (a space), C |
| id-scope | the id scope in another casing | scripts |
| registration-id | an id that does not begin with a letter or digit | scripts |
| registration-id-missing | a body that does not name the id, or no body | C#, the new clients |
| registration-id-casing | a body that names it in another casing | scripts |
| members | unknown members, of a newer version, or in another casing | third parties |
| null | a member that is null instead of absent | Python (`payload`) |
| two-proofs | a certificate and a signature at once | scripts |
| sas-resource | `sr` not escaped with upper-case hex, or in another casing | Node, C, Java |
| sas-signature | `sig` not escaped | scripts |
| sas-policy | `skn` absent, or anything but `registration` | Python, Java |
| sas-expired | a token that has expired, even by a second | slow clocks |
| common-name | a CN in another casing than the registration id | scripts |
| leaf-ca | a device's certificate that is a CA's, or does not say | hand-made certificates |
| leaf-usage | one whose extended key usage is not clientAuth | hand-made certificates |
| early-poll | a poll before the time of `Retry-After` is over | Python, the new .NET client |
| in-flight | a register request while another one is in progress | all, reconnecting |
"""

from __future__ import annotations

import enum


class StrictRule(enum.Enum):
    """A rule of `--strict`, with the advice for clients that break it."""

    HTTP_TARGET = "http-target", "write path and query as the specification does"
    CONTENT_TYPE = "content-type", "send Content-Type: application/json with a body"
    CONTENT_ENCODING = "content-encoding", "send no Content-Encoding"
    BODY_ON_GET = "body-on-get", "send no body with GET"
    USER_NAME = (
        "user-name",
        "write {scope}/registrations/{id}/api-version={v}[&ClientVersion={v}]",
    )
    CLIENT_ID = "client-id", "write the client id as the registration id in the user name"
    CLEAN_SESSION = "clean-session", "ask for a clean session"
    EMPTY_PASSWORD = "empty-password", "leave the password out if there is none"
    NOT_SUBSCRIBED = "not-subscribed", "subscribe to $dps/registrations/res/# first"
    TOPIC = "topic", "write the topic as the documentation does, $rid first"
    POLL_PAYLOAD = "poll-payload", "send no payload with a poll"
    ID_SCOPE = "id-scope", "write the id scope in its own casing"
    REGISTRATION_ID = "registration-id", "begin the registration id with a letter or digit"
    REGISTRATION_ID_MISSING = "registration-id-missing", "name registrationId in the body"
    REGISTRATION_ID_CASING = "registration-id-casing", "write registrationId as in the request"
    MEMBERS = "members", "send only members that this api-version has, as it writes them"
    NULL = "null", "leave out members that have no value"
    TWO_PROOFS = "two-proofs", "show a certificate or a signature, not both"
    SAS_RESOURCE = "sas-resource", "write sr as {idScope}%2Fregistrations%2F{registrationId}"
    SAS_SIGNATURE = "sas-signature", "percent-encode sig"
    SAS_POLICY = "sas-policy", "write skn=registration"
    SAS_EXPIRED = "sas-expired", "send a token that has not expired"
    COMMON_NAME = "common-name", "write the registration id as the certificate's CN"
    LEAF_CA = "leaf-ca", "issue device certificates with basicConstraints CA:FALSE"
    LEAF_USAGE = "leaf-usage", "issue device certificates with extendedKeyUsage clientAuth"
    EARLY_POLL = "early-poll", "wait as long as Retry-After says"
    IN_FLIGHT = "in-flight", "poll the operation that is in progress"

    def __init__(self, rule: str, advice: str) -> None:
        self.rule = rule
        """Its name in refusals."""
        self.advice = advice
        """What to do instead."""
