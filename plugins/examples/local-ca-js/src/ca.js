// A CA whose root signs leafs directly, with a key that the host holds.
//
// What the functions below are given and must answer is written in wit/provider.wit, with names
// in camelCase. An error is thrown: `{ kind, message, retryAfter }`. QuickJS keeps what this file
// holds in memory as long as the instance lives, which may be one call: what must stay goes into
// `state` and `keys`.

import keys from "chancery:ca/keys@1.1.0";
import state from "chancery:ca/state@1.1.0";

import { Issuer, error, text, root as writeRoot } from "./certificate.js";

// Under this name the key is kept, and the root in the state.
const ROOT = "root";
// Under this name is kept which wish the root was made for.
const OPERATION = "operation";

export const provider = {
  describe() {
    return {
      name: "local-ca-js",
      version: "0.1.0",
      about: "signs with a root whose key the agent holds",
      capabilities,
      keys: ["ec-p256", "ec-p384", "ec-p521", "ed25519", "rsa2048", "rsa4096"],
      options: [],
    };
  },

  configure() {
    return capabilities;
  },

  check() {},

  root(request) {
    // The same wish comes again after a crash: it must not make a second root.
    const kept = state.get(ROOT);
    const operation = state.get(OPERATION);
    if (kept && (!request.renew || (operation && text(operation) === request.operation))) {
      return kept;
    }
    keys.remove(ROOT);
    return using(keys.generate(ROOT, request.template.key), (key) => {
      const root = writeRoot(key, request.template);
      state.set(ROOT, root);
      state.set(OPERATION, text(request.operation));
      return root;
    });
  },

  signLeaf(request) {
    return withIssuer((issuer) => [issuer.leaf(request.publicKey, request.template)]);
  },

  signIntermediate(request) {
    return withIssuer((issuer) => issuer.intermediate(request.publicKey, request.template));
  },

  crossSign(request) {
    return withIssuer((issuer) => issuer.crossSign(request));
  },

  intermediate() {
    throw error("refused", "this CA does not make an intermediate");
  },

  acceptIntermediate() {
    throw error("refused", "this CA does not take an intermediate");
  },

  // The host forgets state and keys by itself.
  cleanUp() {},
};

const capabilities = {
  crossSign: true,
  signIntermediate: true,
  ownIntermediate: false,
  externalIntermediate: false,
  importRoot: false,
  choosesSerials: true,
};

// The root with its key, read anew each time: another instance may have made another root since.
function withIssuer(act) {
  const root = state.get(ROOT);
  const key = root && keys.open(ROOT);
  if (!key) {
    throw error("refused", "there is no root yet");
  }
  return using(key, (key) => act(new Issuer(root, key)));
}

// Handles of keys are few: each is given back as soon as it is done with.
function using(key, act) {
  try {
    return act(key);
  } finally {
    key[Symbol.dispose]();
  }
}
