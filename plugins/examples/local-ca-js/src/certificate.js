// Certificates (RFC 5280): reading those of others, writing one's own.

import { sha256 } from "./sha256.js";

// What a function of the interface throws.
export function error(kind, message, retryAfter = null) {
  return { kind, message, retryAfter };
}

// Text to UTF-8 and back.
export function text(value) {
  if (typeof value === "string") {
    return Uint8Array.from(unescape(encodeURIComponent(value)), (letter) => letter.charCodeAt(0));
  }
  return decodeURIComponent(escape(String.fromCharCode(...value)));
}

// A root: what `template` says, signed by its own key.
export function root(key, template) {
  const publicKey = key.publicKey();
  const id = sha256(publicKey);
  const name = commonName(template.commonName);
  const parts = { issuer: name, subject: name, publicKey, ...template };
  return sign(key, parts, [authorityKeyId(id), ...caExtensions(template.uri, id)]);
}

// A CA certificate together with its key. It signs what the templates say, and shortens each life
// to its own.
export class Issuer {
  constructor(certificate, key) {
    this.key = key;
    this.facts = read(certificate);
    if (!same(this.facts.publicKey, key.publicKey())) {
      throw error("refused", "the certificate is for another key than the one held");
    }
    requireCa(this.facts);
  }

  leaf(publicKey, template) {
    return this.#sign(commonName(template.commonName), publicKey, template, [
      authorityKeyId(this.facts.keyId),
      subjectAlternativeName(template.uri),
      keyUsage(USAGES.map((name) => template.keyUsages[name])),
      extendedKeyUsage(template.extendedKeyUsages),
      subjectKeyId(sha256(publicKey)),
      basicConstraints([]),
    ]);
  }

  intermediate(publicKey, template) {
    return this.#sign(commonName(template.commonName), publicKey, template, [
      authorityKeyId(this.facts.keyId),
      ...caExtensions(template.uri, sha256(publicKey), template.pathLength),
    ]);
  }

  // Name, key and every extension but the authority key identifier are copied to the byte: a
  // chain is built by comparing them.
  crossSign(request) {
    const foreign = read(request.root);
    requireCa(foreign);
    return this.#sign(foreign.subject, foreign.publicKey, request, [
      authorityKeyId(this.facts.keyId),
      ...foreign.extensions.filter(({ oid }) => !same(oid, AUTHORITY_KEY_ID)).map(({ raw }) => raw),
    ]);
  }

  #sign(subject, publicKey, { serial, validity }, extensions) {
    const cut = {
      notBefore: Math.max(validity.notBefore, this.facts.notBefore),
      notAfter: Math.min(validity.notAfter, this.facts.notAfter),
    };
    if (cut.notBefore >= cut.notAfter) {
      throw error("refused", "the certificate has no life within its issuer's");
    }
    const parts = { issuer: this.facts.subject, subject, publicKey, serial, validity: cut };
    return sign(this.key, parts, extensions);
  }
}

// What a certificate says, as far as a CA has to know.
export function read(certificate) {
  try {
    const [whole, ...others] = values(certificate);
    const [signed] = values(whole.content);
    const parts = values(signed.content).filter(({ tag }) => tag !== VERSION);
    const [, , issuer, validity, subject, publicKey, ...rest] = parts;
    const [notBefore, notAfter] = values(validity.content).map(readTime);
    const last = rest.find(({ tag }) => tag === EXTENSIONS);
    const list = last ? values(values(last.content)[0].content) : [];
    const extensions = list.map(({ content, raw }) => {
      const inner = values(content);
      return { oid: inner[0].content, value: inner[inner.length - 1].content, raw };
    });
    const find = (oid) => extensions.find((extension) => same(extension.oid, oid))?.value;
    const constraints = find(BASIC_CONSTRAINTS);
    const keyId = find(SUBJECT_KEY_ID);
    if (others.length > 0 || !(notBefore < notAfter)) {
      throw error("refused", "");
    }
    return {
      subject: subject.raw,
      issuer: issuer.raw,
      publicKey: publicKey.raw,
      notBefore,
      notAfter,
      extensions,
      ca: constraints ? values(values(constraints)[0].content)[0]?.tag === 0x01 : false,
      keyId: keyId && values(keyId)[0].content,
    };
  } catch {
    throw error("refused", "these bytes are no certificate");
  }
}

function requireCa(facts) {
  if (!facts.ca || !facts.keyId) {
    throw error("refused", "the certificate is no CA");
  }
}

function sign(key, { serial, issuer, validity, subject, publicKey }, extensions) {
  requirePublicKey(publicKey);
  const algorithm = key.signatureAlgorithm();
  const life = sequence(time(validity.notBefore), time(validity.notAfter));
  const signed = sequence(
    der(VERSION, integer([2])),
    integer(serial),
    algorithm,
    issuer,
    life,
    subject,
    publicKey,
    der(EXTENSIONS, sequence(...extensions)),
  );
  return sequence(signed, algorithm, der(0x03, [0], key.sign(signed)));
}

function requirePublicKey(bytes) {
  try {
    const [whole, ...others] = values(bytes);
    const [algorithm, bits, ...more] = values(whole.content);
    if (others.length + more.length === 0 && algorithm.tag === 0x30 && bits.tag === 0x03) {
      return;
    }
  } catch {
    // Said below.
  }
  throw error("refused", "these bytes are no public key");
}

// Names and extensions.

const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const COMMON_NAME = [0x55, 0x04, 0x03];
const SUBJECT_KEY_ID = [0x55, 0x1d, 0x0e];
const KEY_USAGE = [0x55, 0x1d, 0x0f];
const SUBJECT_ALTERNATIVE_NAME = [0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];
const AUTHORITY_KEY_ID = [0x55, 0x1d, 0x23];
const EXTENDED_KEY_USAGE = [0x55, 0x1d, 0x25];
const PURPOSES = {
  "server-auth": [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
  "client-auth": [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
};
// In the order of their bits.
const USAGES = [
  "digitalSignature",
  "contentCommitment",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "crlSign",
  "encipherOnly",
  "decipherOnly",
];

function caExtensions(uri, id, pathLength) {
  return [
    subjectAlternativeName(uri),
    keyUsage(USAGES.map((name) => name === "keyCertSign" || name === "crlSign")),
    subjectKeyId(id),
    basicConstraints([der(0x01, [0xff]), pathLength === undefined ? [] : integer([pathLength])]),
  ];
}

function commonName(name) {
  return sequence(der(0x31, sequence(der(0x06, COMMON_NAME), der(0x0c, text(name)))));
}

function extension(oid, critical, value) {
  return sequence(der(0x06, oid), critical ? der(0x01, [0xff]) : [], der(0x04, value));
}

function subjectAlternativeName(uri) {
  return extension(SUBJECT_ALTERNATIVE_NAME, false, sequence(der(0x86, text(uri))));
}

function subjectKeyId(id) {
  return extension(SUBJECT_KEY_ID, false, der(0x04, id));
}

function authorityKeyId(id) {
  return extension(AUTHORITY_KEY_ID, false, sequence(der(0x80, id)));
}

function basicConstraints(parts) {
  return extension(BASIC_CONSTRAINTS, true, sequence(...parts));
}

function extendedKeyUsage(usages) {
  const purposes = usages.map((usage) => der(0x06, PURPOSES[usage]));
  return extension(EXTENDED_KEY_USAGE, false, sequence(...purposes));
}

// A list of named bits ends with the last one that is set (X.690 §11.2.2).
function keyUsage(bits) {
  const length = bits.lastIndexOf(true) + 1;
  const octets = new Array(Math.ceil(length / 8)).fill(0);
  bits.forEach((bit, place) => {
    if (bit) {
      octets[place >> 3] |= 0x80 >> (place & 7);
    }
  });
  return extension(KEY_USAGE, true, der(0x03, [octets.length * 8 - length], octets));
}

// DER.

function der(tag, ...parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = [tag];
  if (length < 0x80) {
    header.push(length);
  } else {
    const digits = [];
    for (let rest = length; rest > 0; rest >>= 8) {
      digits.unshift(rest & 0xff);
    }
    header.push(0x80 | digits.length, ...digits);
  }
  const bytes = new Uint8Array(header.length + length);
  let place = 0;
  for (const part of [header, ...parts]) {
    bytes.set(part, place);
    place += part.length;
  }
  return bytes;
}

function sequence(...parts) {
  return der(0x30, ...parts);
}

// A number that is not negative, the most significant byte first.
function integer(bytes) {
  return der(0x02, bytes[0] & 0x80 ? [0] : [], bytes);
}

function time(seconds) {
  const date = new Date(seconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, "");
  const short = seconds >= 0 && seconds < 2524608000; // until 2049 with two digits of the year
  return short ? der(0x17, text(date.slice(2))) : der(0x18, text(date));
}

function readTime({ tag, content }) {
  const digits = text(content);
  const century = Number(digits.slice(0, 2)) < 50 ? "20" : "19";
  const full = tag === 0x17 ? century + digits : digits;
  const [, year, month, day, hour, minute, second] = full.match(
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
  );
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
}

// The values that stand one after another in `bytes`.
function values(bytes) {
  const found = [];
  for (let start = 0; start < bytes.length; ) {
    let length = bytes[start + 1];
    let header = 2;
    if (length >= 0x80) {
      header += length & 0x7f;
      length = 0;
      for (const digit of bytes.subarray(start + 2, start + header)) {
        length = length * 256 + digit;
      }
    }
    const end = start + header + length;
    if (!(end <= bytes.length)) {
      throw error("refused", "a value is cut off");
    }
    found.push({
      tag: bytes[start],
      content: bytes.subarray(start + header, end),
      raw: bytes.subarray(start, end),
    });
    start = end;
  }
  return found;
}

function same(one, other) {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}
