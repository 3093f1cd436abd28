"""Files as other tools write them, which OpenSSL accepts and `cryptography` does not, and others."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aiodps.input_files.der import elements, sequence
from aiodps.input_files.pem import armoured
from aiodps.pki import Credential

INTEGER_1: Final = b"\x02\x01\x01"


def padded_key(credential: Credential, *, encoding: Encoding = Encoding.PEM) -> bytes:
    """An EC key whose value has a zero byte in front, as GnuTLS writes half of its keys."""
    key = credential.private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    der = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    version, value, *others = elements(der)[0].children
    padded = b"\x04\x21\0" + value.content
    der = sequence(version.whole, padded, *(each.whole for each in others))
    return der if encoding is Encoding.DER else armoured(der, "EC PRIVATE KEY").pem


def trusted_certificate(credential: Credential) -> bytes:
    """What `openssl x509 -trustout` writes: the certificate, then what it is trusted for."""
    der = credential.certificate.public_bytes(Encoding.DER)
    return armoured(der + sequence(b"\x0c\x04name"), "TRUSTED CERTIFICATE").pem


RSA_PSS_CERTIFICATE: Final = b"""\
-----BEGIN CERTIFICATE-----
MIIDbjCCAiGgAwIBAgIUfzGzBeqxd6t6q2G2GAP7X/7XexAwQgYJKoZIhvcNAQEK
MDWgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEF
AKIEAgIA3jATMREwDwYDVQQDDAhkZXZpY2UtMTAgFw0yNjExMjkyMTA0MjlaGA8y
MTI1MDYyMzIxMDQyOVowEzERMA8GA1UEAwwIZGV2aWNlLTEwggEgMAsGCSqGSIb3
DQEBCgOCAQ8AMIIBCgKCAQEA3Cp5LH2yK+S30yQHTagARRG4vCQnDRKOAL0jA/P1
uBkszdjsOtIsflUx8VJ1ugAxsAI945EPt63KpcJHuNhgtIor4apTRcESSG5oQAyQ
L7mleceePhdfOG8IGT7Dw/wOT6dAzeEbFfKqNpcCKID09dwpGOCgQT6eKPjoA8nO
lrDHg7CnFCEF9kod0k9keoc+RIljURyi+jgbex1ViX5YZa2P8ORdoRqV4jz7ND4T
sLX0GA9LvlFfB7T3kZneK5K7vJ9gfdOFZgXgy2WA4XdbuIDEmbiJ5YfALz0tifgA
ESfvF1UQiHO/UaiQR3huxRR2U+S/zB9infbCZVVcRqOW+wIDAQABo1AwTjAdBgNV
HQ4EFgQU+7ljH7WV0qFHNIiUyFAuPB1VFPAwHwYDVR0jBBgwFoAU+7ljH7WV0qFH
NIiUyFAuPB1VFPAwDAYDVR0TAQH/BAIwADBCBgkqhkiG9w0BAQowNaAPMA0GCWCG
SAFlAwQCAQUAoRwwGgYJKoZIhvcNAQEIMA0GCWCGSAFlAwQCAQUAogQCAgDeA4IB
AQBDzqo2zm1CZ3qvST+bcNDczVRpFpcT8mrEpTEQbvRziuCOij6c26HAfZTCJuFh
fiB/ebSInOafGr+yF8/TgYFarsDgN/f1MHLprjLAV8fDpjoWwo+Y5pKWWTXFKdQy
wGSSBYraU8a/LB60+uupKmVId2Dq+dY8ZWJJXMU4jJuKmNop4v1sKLozg1NGUNox
0658pEL3afUTnVOH720nPzoiUP2DKQHhpzNwB6m58o2gswBY1pOCFI2Iyac7rgH7
MznrHiRYNI8i1s0pS9jtREwPqM0mmU6Wv5sSM3PpRTN67Y8Cq8F5h72mqM83sKgc
kDqYhNHUYaIr6FUz2clkKmXR
-----END CERTIFICATE-----
"""
"""CN=device-1, self-signed, valid for 98 years; its key is for RSA-PSS alone."""

RSA_PSS_KEY: Final = b"""\
-----BEGIN PRIVATE KEY-----
MIIEuwIBADALBgkqhkiG9w0BAQoEggSnMIIEowIBAAKCAQEA3Cp5LH2yK+S30yQH
TagARRG4vCQnDRKOAL0jA/P1uBkszdjsOtIsflUx8VJ1ugAxsAI945EPt63KpcJH
uNhgtIor4apTRcESSG5oQAyQL7mleceePhdfOG8IGT7Dw/wOT6dAzeEbFfKqNpcC
KID09dwpGOCgQT6eKPjoA8nOlrDHg7CnFCEF9kod0k9keoc+RIljURyi+jgbex1V
iX5YZa2P8ORdoRqV4jz7ND4TsLX0GA9LvlFfB7T3kZneK5K7vJ9gfdOFZgXgy2WA
4XdbuIDEmbiJ5YfALz0tifgAESfvF1UQiHO/UaiQR3huxRR2U+S/zB9infbCZVVc
RqOW+wIDAQABAoIBACLiV/DEucZapwW9X6reQ6yt8iddUxKvLfDQBwxJS1WwJ3k2
NbfcNVCPDyq9dgnSngzVThkQkvz3fHRnJBYVsrzoZ6uJ4UfcH5l6ZOpBE1d8gsuY
5WnRKjU24oGdgEc9WMcmKQ517GS93lpn8t+YDzgleh2G+d1cnpK/XYO8Jg+aB8S6
kc4q1UkNRGXOCqjOb8y4LEXeeN042YJnTcSFCfX3KGnELIQerTlCdUntjwPQTAzk
h3IDdCDAmJb1AlRnRAuPuHHGlhHcyY/Fn99B9J8N8lLoZt6Mp8OV9DfZGwKCXnBp
lpiqBs21UqZdZGsA07k3C7HmqxnYCT+DQWsJfIECgYEA8SInHm0QqDMNzU6G8MU2
7P0BerrP/QGnB5G8VvuXM5qZbRxQtRseP0fgA5grwzhBuTdj0ugtxjn0unP+bnDP
OHekmMPY/BcKKQo1RL6XeioTeQM0v4La8oZfcjGtI4mEC1eiYFN8CCaN2m0d4opH
0nXpOlBm4etjDseDal2rXIcCgYEA6b1jHFtpbXHqVMcsobDAIUaLoaJDNnJpEnNq
2fkf+3+15tnJ8Bv/EPvNBxUZMata/QSM/gATqthI4jSLbetweCeyfxw4qqD1hPR8
xH8hqLrv00I7XVhVFELCUnl+EeOcxB+/I1TnKV56jbmc8cqlOef5CJ2V3WGjAlIr
23fjIu0CgYBnfxItRACvQOJ+qWLPusX9aAaXh9E3tdrcK9gbuXbHZmbN5yZY5V/R
J2dmA41dCCtldPm6j37+IugAk0K0YmT+xpN2IjFi2fy5arE8ZVWc0Kx090RPormY
+MXEvL+kjiSHvcBq+co1sV6XTthR4Ko9EfDd356Y/zAQKuAj6jpfxwKBgQDcC1f/
vSreRszE7RDeUyg8603OZ5SA8GpsXU2tULPEL3GOl19ddO3GDlbxIPKr6NZqtdsJ
0Aaz4pOSqMbOP0SNSUnoEihisc8RUJ0Y21pTn1DhgEukz+Cgh0yrGgcOTkop9H0b
hPVt46zaOXA/zHeJsRGoA7qvRBiSucrh/NZO7QKBgBKIOXkNlAOS9cJ5Q1hm5fu4
y3G8nytNjeqjnRoYzACllxqdFU4nQTGJuDlQ03NQ1Pr8LV0DZ6qm+T8NRXSUGZKb
ADBO8YhQyK0SzfL91iPfkcmTTLDkGy+l7Z6712z+jrx8coYuXlKUD6mrnftAhQXr
1U9Lv84Cxy7hqR8Uewqs
-----END PRIVATE KEY-----
"""
"""The key of `RSA_PSS_CERTIFICATE`; `cryptography` writes no such key."""

PKCS12_ENCRYPTED_KEY: Final = b"""\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGxMBwGCiqGSIb3DQEMAQMwDgQIm3NB7fFDLpcCAggABIGQ4gpmJqCA9B006W2o
lDewEGiaExB0p+EHS5rkVYuOtQKEs4wtXwLeZDn0CyggFSeeLPHZTwUa49WEA/qj
lnNUXZ5idV7U1m789LaSFzM9SULfJkCz8JFGr1WNNN5LQb4779H67ZOZhq/nCmaW
iILcHThpxQpFXlTqZ5nM75YqcSEcUS0mWQ/qnLutWRBLpG7D
-----END ENCRYPTED PRIVATE KEY-----
"""
"""An EC key in PKCS#8, encrypted as PKCS#12 does (PBE-SHA1-3DES); its password is x."""

SERIAL_ZERO: Final = b"""\
-----BEGIN CERTIFICATE-----
MIIBZDCCAQmgAwIBAgIBADAKBggqhkjOPQQDAjARMQ8wDQYDVQQDDAZ6ZXJvLTEw
IBcNMjYxMTI5MjIzOTU5WhgPMjEyNTA2MjMyMjM5NTlaMBExDzANBgNVBAMMBnpl
cm8tMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDwBVRPYzraFpvXfNUpiavU/
QFft8u58sst5Cj5vyPEEZNJB1gClqHBko4RAgGil9eO/8rh/gPqyQQvl8UqFE26j
UDBOMB0GA1UdDgQWBBQDw55auXOK4jooxL60XNYImN4OXTAfBgNVHSMEGDAWgBQD
w55auXOK4jooxL60XNYImN4OXTAMBgNVHRMBAf8EAjAAMAoGCCqGSM49BAMCA0kA
MEYCIQCL9p2FeWlv7wUGCQubRiDmyPNbFyI+ZdiORWrlfMrLGgIhALrwCKbm2/0R
2pEdqPomtygIeRWQ3yPSD8VmvIijVMX5
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXiiHCqCydYkoVDaO
kk572MYKCT9NYoi06+2csJK7PyShRANCAAQ8AVUT2M62hab13zVKYmr1P0BX7fLu
fLLLeQo+b8jxBGTSQdYApahwZKOEQIBopfXjv/K4f4D6skEL5fFKhRNu
-----END PRIVATE KEY-----
"""
"""CN=zero-1, self-signed, valid for 98 years, and its key; its serial number is 0."""
