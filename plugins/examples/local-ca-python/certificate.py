"""Certificates (RFC 5280): reading those of others, writing one's own, with asn1crypto."""

import hashlib
from datetime import datetime, timezone

from asn1crypto import core, x509
from wit_world.exports.provider import ExtendedKeyUsage, KeyUsages

# In the order of their bits.
USAGES = {
    KeyUsages.DIGITAL_SIGNATURE: "digital_signature",
    KeyUsages.CONTENT_COMMITMENT: "non_repudiation",
    KeyUsages.KEY_ENCIPHERMENT: "key_encipherment",
    KeyUsages.DATA_ENCIPHERMENT: "data_encipherment",
    KeyUsages.KEY_AGREEMENT: "key_agreement",
    KeyUsages.KEY_CERT_SIGN: "key_cert_sign",
    KeyUsages.CRL_SIGN: "crl_sign",
    KeyUsages.ENCIPHER_ONLY: "encipher_only",
    KeyUsages.DECIPHER_ONLY: "decipher_only",
}
PURPOSES = {
    ExtendedKeyUsage.CLIENT_AUTH: "client_auth",
    ExtendedKeyUsage.SERVER_AUTH: "server_auth",
}


def root(key, template):
    """A root: what `template` says, signed by its own key."""
    public_key = key.public_key()
    key_id = hashlib.sha256(public_key).digest()
    name = x509.Name.build({"common_name": template.common_name})
    return _sign(
        key,
        issuer=name,
        subject=name,
        public_key=public_key,
        serial=template.serial,
        validity=(template.validity.not_before, template.validity.not_after),
        extensions=[_authority(key_id), *_ca_extensions(template.uri, key_id, None)],
    )


class Issuer:
    """A CA certificate together with its key. It signs what the templates say, and shortens each
    life to its own."""

    def __init__(self, certificate, key):
        self.key = key
        self.certificate = _read(certificate)
        self.key_id = _ca_key_id(self.certificate)
        if self.certificate.public_key.dump() != key.public_key():
            raise ValueError("the certificate is for another key than the one held")

    def leaf(self, public_key, template):
        usages = {word for usage, word in USAGES.items() if usage in template.key_usages}
        purposes = [PURPOSES[usage] for usage in template.extended_key_usages]
        return self._sign(
            x509.Name.build({"common_name": template.common_name}),
            public_key,
            template,
            [
                _authority(self.key_id),
                _names(template.uri),
                _extension("key_usage", True, x509.KeyUsage(usages)),
                _extension("extended_key_usage", False, x509.ExtKeyUsageSyntax(purposes)),
                _subject(hashlib.sha256(public_key).digest()),
                _extension("basic_constraints", True, x509.BasicConstraints({"ca": False})),
            ],
        )

    def intermediate(self, public_key, template):
        key_id = hashlib.sha256(public_key).digest()
        return self._sign(
            x509.Name.build({"common_name": template.common_name}),
            public_key,
            template,
            [_authority(self.key_id), *_ca_extensions(template.uri, key_id, template.path_length)],
        )

    def cross_sign(self, request):
        """Name, key and every extension but the authority key identifier are copied to the byte:
        a chain is built by comparing them."""
        foreign = _read(request.root)
        _ca_key_id(foreign)
        kept = [
            extension
            for extension in foreign["tbs_certificate"]["extensions"]
            if extension["extn_id"].native != "authority_key_identifier"
        ]
        extensions = [_authority(self.key_id), *kept]
        return self._sign(foreign.subject, foreign.public_key.dump(), request, extensions)

    def _sign(self, subject, public_key, wanted, extensions):
        own = self.certificate["tbs_certificate"]["validity"]
        start = max(wanted.validity.not_before, int(own["not_before"].native.timestamp()))
        end = min(wanted.validity.not_after, int(own["not_after"].native.timestamp()))
        if start >= end:
            raise ValueError("the certificate has no life within its issuer's")
        return _sign(
            self.key,
            issuer=self.certificate.subject,
            subject=subject,
            public_key=public_key,
            serial=wanted.serial,
            validity=(start, end),
            extensions=extensions,
        )


def _sign(key, *, issuer, subject, public_key, serial, validity, extensions):
    algorithm = x509.SignedDigestAlgorithm.load(key.signature_algorithm())
    start, end = (x509.Time({_kind(moment): _date(moment)}) for moment in validity)
    signed = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": int.from_bytes(serial, "big"),
            "signature": algorithm,
            "issuer": issuer,
            "validity": {"not_before": start, "not_after": end},
            "subject": subject,
            "subject_public_key_info": _read_key(public_key),
            "extensions": extensions,
        }
    )
    return x509.Certificate(
        {
            "tbs_certificate": signed,
            "signature_algorithm": algorithm,
            "signature_value": key.sign(signed.dump()),
        }
    ).dump()


def _read(der):
    try:
        certificate = x509.Certificate.load(der, strict=True)
        certificate.key_identifier, certificate.ca  # reads all extensions
        return certificate
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError("these bytes are no certificate") from error


def _read_key(der):
    try:
        key = x509.PublicKeyInfo.load(der, strict=True)
        key["algorithm"].native, key["public_key"].contents  # reads both
        return key
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError("these bytes are no public key") from error


def _ca_key_id(certificate):
    if not certificate.ca or certificate.key_identifier is None:
        raise ValueError("the certificate is no CA")
    return certificate.key_identifier


def _ca_extensions(uri, key_id, path_length):
    constraints = {"ca": True}
    if path_length is not None:
        constraints["path_len_constraint"] = path_length
    return [
        _names(uri),
        _extension("key_usage", True, x509.KeyUsage({"key_cert_sign", "crl_sign"})),
        _subject(key_id),
        _extension("basic_constraints", True, x509.BasicConstraints(constraints)),
    ]


def _names(uri):
    # Not x509.URI, which writes a URI anew: this one must stay as it is, to the byte.
    name = x509.GeneralName("uniform_resource_identifier", _Uri(uri))
    return _extension("subject_alt_name", False, x509.GeneralNames([name]))


class _Uri(x509.URI):
    def set(self, value):
        core.IA5String.set(self, value)


def _subject(key_id):
    return _extension("key_identifier", False, core.OctetString(key_id))


def _authority(key_id):
    value = x509.AuthorityKeyIdentifier({"key_identifier": key_id})
    return _extension("authority_key_identifier", False, value)


def _extension(name, critical, value):
    value = core.ParsableOctetString(value.dump())
    return x509.Extension({"extn_id": name, "critical": critical, "extn_value": value})


def _kind(moment):
    """Until 2049 a certificate has two digits of the year (RFC 5280 §4.1.2.5)."""
    return "utc_time" if moment < 2524608000 else "general_time"


def _date(moment):
    return datetime.fromtimestamp(moment, timezone.utc)
