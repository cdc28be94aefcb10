"""A CA whose root signs leafs directly, with a key that the host holds.

What the methods below are given and must answer is written in wit/provider.wit, with names in
snake_case. An error is raised: `raise failed(ErrorKind.REFUSED, "…")`. What this module holds in
memory stays as long as the instance lives, which may be one call: what must stay goes into
`state` and `keys`.
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.provider import Capabilities, Description
from wit_world.imports import keys, state
from wit_world.imports.types import Error, ErrorKind, KeyType

import certificate
from certificate import Issuer

# Under this name the key is kept, and the root in the state.
ROOT = "root"
# Under this name is kept which wish the root was made for.
OPERATION = "operation"

CAPABILITIES = (
    Capabilities.CROSS_SIGN | Capabilities.SIGN_INTERMEDIATE | Capabilities.CHOOSES_SERIALS
)


def failed(kind, message):
    return Err(Error(kind, message, None))


class Provider(exports.Provider):
    def describe(self):
        return Description(
            name="local-ca-python",
            version="0.1.0",
            about="signs with a root whose key the agent holds",
            capabilities=CAPABILITIES,
            keys=list(KeyType),
            options=[],
        )

    def configure(self, config):
        return CAPABILITIES

    def check(self):
        pass

    def root(self, request):
        # The same wish comes again after a crash: it must not make a second root.
        kept = state.get(ROOT)
        asked_before = state.get(OPERATION) == request.operation.encode()
        if kept is not None and (asked_before or not request.renew):
            return kept
        keys.remove(ROOT)
        with keys.generate(ROOT, request.template.key) as key:
            root = certificate.root(key, request.template)
        state.set(ROOT, root)
        state.set(OPERATION, request.operation.encode())
        return root

    def sign_leaf(self, request):
        return [signed(lambda issuer: issuer.leaf(request.public_key, request.template))]

    def sign_intermediate(self, request):
        return signed(lambda issuer: issuer.intermediate(request.public_key, request.template))

    def cross_sign(self, request):
        return signed(lambda issuer: issuer.cross_sign(request))

    def intermediate(self, request):
        raise failed(ErrorKind.REFUSED, "this CA does not make an intermediate")

    def accept_intermediate(self, chain):
        raise failed(ErrorKind.REFUSED, "this CA does not take an intermediate")

    def clean_up(self, scope, keep):
        """The host forgets state and keys by itself."""


def signed(sign):
    """What `sign` has the root sign. The root is read anew each time: another instance may have
    made another one since."""
    root, key = state.get(ROOT), keys.open(ROOT)
    if root is None or key is None:
        raise failed(ErrorKind.REFUSED, "there is no root yet")
    with key:
        try:
            return sign(Issuer(root, key))
        except ValueError as error:
            raise failed(ErrorKind.REFUSED, str(error)) from error
