"""moto's server, corrected where the real AWS Private CA does otherwise.

moto 5.2.5 knows the protocol, and of the certificates only what two plain templates say: it makes
RSA keys only, lets every certificate live for a year, and ignores ApiPassthrough, SigningAlgorithm,
Validity, ValidityNotBefore, IdempotencyToken and who has signed the request. Here these count, by
AWS's documentation; all else is moto's own. The signature is computed by AWS's own botocore.
"""

import base64
import datetime
import io
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from moto.acmpca import models, responses
from moto.acmpca.exceptions import RequestInProgressException
from moto.core.exceptions import JsonRESTError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

TEMPLATE = "arn:aws:acm-pca:::template/"
KEYS = {
    "EC_prime256v1": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC_secp384r1": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA_2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA_4096": lambda: rsa.generate_private_key(65537, 4096),
}
HASHES = {
    "SHA256WITHECDSA": hashes.SHA256(),
    "SHA384WITHECDSA": hashes.SHA384(),
    "SHA256WITHRSA": hashes.SHA256(),
}
USAGES = {
    "digital_signature": "DigitalSignature",
    "content_commitment": "NonRepudiation",
    "key_encipherment": "KeyEncipherment",
    "data_encipherment": "DataEncipherment",
    "key_agreement": "KeyAgreement",
    "key_cert_sign": "KeyCertSign",
    "crl_sign": "CRLSign",
    "encipher_only": "EncipherOnly",
    "decipher_only": "DecipherOnly",
}
PURPOSES = {
    "SERVER_AUTH": ExtendedKeyUsageOID.SERVER_AUTH,
    "CLIENT_AUTH": ExtendedKeyUsageOID.CLIENT_AUTH,
}


class Refused(JsonRESTError):
    """An error of AWS by its name."""

    code = 400


def made_once(answers, wish, key, make):
    """The answer that the same caller got with this IdempotencyToken, or a new one."""
    token = wish.get("IdempotencyToken")
    if token is None:
        return make()
    if len(token) > 36:
        raise Refused("ValidationException", "IdempotencyToken has at most 36 characters")
    if (key, token) not in answers:
        answers[key, token] = make()
    return answers[key, token]


def moment(validity):
    if validity["Type"] != "ABSOLUTE":
        raise Refused("ValidationException", "only ABSOLUTE is known here")
    return datetime.datetime.fromtimestamp(validity["Value"], datetime.timezone.utc)


def usages(named):
    return x509.KeyUsage(**{ours: named.get(aws, False) for ours, aws in USAGES.items()})


def extensions(template, asked, csr, issuer_key):
    """What the template says, and what it lets through."""
    yield x509.SubjectKeyIdentifier.from_public_key(csr.public_key()), False
    if not template.startswith("RootCA"):
        yield x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False
    ca = {"DigitalSignature": True, "KeyCertSign": True, "CRLSign": True}
    if template == "RootCACertificate_APIPassthrough":
        yield x509.BasicConstraints(ca=True, path_length=None), True
        yield usages(ca), True
    elif template == "SubordinateCACertificate_PathLen0_APIPassthrough":
        yield x509.BasicConstraints(ca=True, path_length=0), True
        yield usages(ca), True
    elif template == "BlankEndEntityCertificate_CriticalBasicConstraints_APIPassthrough":
        yield x509.BasicConstraints(ca=False, path_length=None), True
        if "KeyUsage" in asked:
            yield usages(asked["KeyUsage"]), True
        if "ExtendedKeyUsage" in asked:
            named = [purpose["ExtendedKeyUsageType"] for purpose in asked["ExtendedKeyUsage"]]
            yield x509.ExtendedKeyUsage([PURPOSES[name] for name in named]), False
    else:
        raise Refused("ValidationException", f"no template {template} is known here")
    names = asked.get("SubjectAlternativeNames", [])
    if names:
        uris = [name["UniformResourceIdentifier"] for name in names]
        yield x509.SubjectAlternativeName(map(x509.UniformResourceIdentifier, uris)), False


class Authority(models.CertificateAuthority):
    """Has the key that was asked for, and signs what was asked for."""

    # moto keeps its models by the service that their module is of.
    __module__ = models.__name__

    def __init__(self, **arguments):
        super().__init__(**arguments)
        algorithm = self.certificate_authority_configuration["KeyAlgorithm"]
        self.private_bytes = KEYS[algorithm]().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(self.password),
        )
        self.answers = {}
        self.fetched = set()

    def issue(self, wish):
        try:
            csr = x509.load_pem_x509_csr(base64.b64decode(wish["Csr"]))
            csr.public_key()
        except ValueError as error:
            raise Refused("MalformedCSRException", str(error)) from error
        template = wish["TemplateArn"].removeprefix(TEMPLATE).removesuffix("/V1")
        passed = wish.get("ApiPassthrough", {})
        subject = csr.subject
        if "Subject" in passed:
            name = x509.NameAttribute(NameOID.COMMON_NAME, passed["Subject"]["CommonName"])
            subject = x509.Name([name])
        key = self.key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.issuer)
            .public_key(csr.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment(wish["ValidityNotBefore"]))
            .not_valid_after(moment(wish["Validity"]))
        )
        asked = passed.get("Extensions", {})
        for extension, critical in extensions(template, asked, csr, key.public_key()):
            builder = builder.add_extension(extension, critical)
        signed = builder.sign(key, HASHES[wish["SigningAlgorithm"]])
        arn = f"{self.arn}/certificate/{signed.serial_number:x}"
        self.issued_certificates[arn] = signed.public_bytes(serialization.Encoding.PEM)
        return arn

    def get_certificate(self, certificate_arn):
        # AWS has it a moment later.
        if certificate_arn not in self.fetched:
            self.fetched.add(certificate_arn)
            raise RequestInProgressException("The certificate is not issued yet.")
        return super().get_certificate(certificate_arn)


create_plainly = responses.ACMPCAResponse.create_certificate_authority
created = {}


def create_certificate_authority(self):
    wish = json.loads(self.body)
    caller = self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
    return made_once(created, wish, caller, lambda: create_plainly(self))


def issue_certificate(self):
    wish = json.loads(self.body)
    authority = self.acmpca_backend.describe_certificate_authority(
        wish["CertificateAuthorityArn"]
    )
    arn = made_once(authority.answers, wish, None, lambda: authority.issue(wish))
    return json.dumps({"CertificateArn": arn})


class Signed:
    """Lets through what is signed with this secret."""

    def __init__(self, application, secret):
        self.application = application
        self.secret = secret

    def __call__(self, environ, start_response):
        request = Request(environ)
        said = request.headers.get("Authorization", "")
        # The harness itself looks at what there is.
        harness = said.startswith("AWS4-HMAC-SHA256 Credential=harness/")
        if request.path == "/" and request.method == "POST" and not harness:
            body = request.get_data()
            if said != self.signature(request, body, said):
                error = {
                    "__type": "InvalidSignatureException",
                    "message": "The request signature we calculated does not match the "
                    "signature you provided.",
                }
                return Response(json.dumps(error), 400)(environ, start_response)
            environ["wsgi.input"] = io.BytesIO(body)
        return self.application(environ, start_response)

    def signature(self, request, body, said):
        scope = said.partition("Credential=")[2].partition(",")[0].split("/")
        if len(scope) != 5:
            return None
        named = said.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        headers = {name: request.headers.get(name, "") for name in named}
        asked = AWSRequest("POST", request.url, headers=headers, data=body)
        asked.context["timestamp"] = request.headers.get("X-Amz-Date", "")
        signer = SigV4Auth(Credentials(scope[0], self.secret), scope[3], scope[2])
        text = signer.string_to_sign(asked, signer.canonical_request(asked))
        return (
            f"AWS4-HMAC-SHA256 Credential={'/'.join(scope)}, SignedHeaders={';'.join(named)}, "
            f"Signature={signer.signature(text, asked)}"
        )


def main():
    port, secret = int(sys.argv[1]), sys.argv[2]
    models.CertificateAuthority = Authority
    responses.ACMPCAResponse.create_certificate_authority = create_certificate_authority
    responses.ACMPCAResponse.issue_certificate = issue_certificate
    application = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", port, Signed(application, secret), threaded=True)


if __name__ == "__main__":
    main()
