// Provisions one device with a TPM, with Microsoft's azure-iot-provisioning-device. The TPM is one in software.
//
//     node node_tpm.js
//
// What it needs is in the variables DPS_* (and NODE_EXTRA_CA_CERTS); it prints one line of JSON.

'use strict';

const crypto = require('crypto');
const fs = require('fs');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');

const { env } = process;
const EK_POLICY = Buffer.from('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 'hex');
const sha256 = (data) => crypto.createHash('sha256').update(data).digest();
const hmac = (key, ...data) => crypto.createHmac('sha256', key).update(Buffer.concat(data)).digest();
const uint16 = (value) => Buffer.from([value >> 8, value & 255]);
const tpm2b = (data) => Buffer.concat([uint16(data.length), data]);
const name = (area) => Buffer.concat([uint16(0x000b), sha256(area)]);

function split(data) {
  const end = 2 + data.readUInt16BE(0);
  return [data.subarray(2, end), data.subarray(end)];
}

function kdfa(key, label, context, bits) {
  const number = (value) => Buffer.from([0, 0, value >> 8, value & 255]);
  return hmac(key, number(1), Buffer.from(label + '\0'), context, number(bits)).subarray(0, bits / 8);
}

function decrypt(key, data) {
  const cipher = crypto.createDecipheriv('aes-128-cfb', key, Buffer.alloc(16));
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

function check(right, what) {
  if (!right) throw new Error(`the ${what} is not right`);
}

// The secret that is protected for the object with this name.
function unprotect(seed, object, data) {
  const [tag, encrypted] = split(data);
  check(tag.equals(hmac(kdfa(seed, 'INTEGRITY', Buffer.alloc(0), 256), encrypted, object)), 'tag');
  return decrypt(kdfa(seed, 'STORAGE', object, 128), encrypted);
}

class Key {
  constructor(file, attributes, policy) {
    this.pem = fs.readFileSync(file);
    const modulus = Buffer.from(crypto.createPublicKey(this.pem).export({ format: 'jwk' }).n, 'base64url');
    const head = Buffer.from(`0001000b${attributes}`, 'hex');
    const parameters = Buffer.from('00060080004300100800' + '00000000', 'hex');
    this.area = Buffer.concat([head, tpm2b(policy), parameters, tpm2b(modulus)]);
  }

  decrypt(data, label) {
    const oaep = { key: this.pem, oaepHash: 'sha256', oaepLabel: Buffer.from(label + '\0') };
    return crypto.privateDecrypt(oaep, data);
  }
}

class Tpm {
  constructor() {
    this.endorsement = new Key(env.DPS_ENDORSEMENT_KEY_FILE, '000300b2', EK_POLICY);
    this.storageRoot = new Key(env.DPS_STORAGE_ROOT_KEY_FILE, '00030472', Buffer.alloc(0));
  }

  getEndorsementKey(callback) { callback(null, tpm2b(this.endorsement.area)); }

  getStorageRootKey(callback) { callback(null, tpm2b(this.storageRoot.area)); }

  getRegistrationId(callback) { callback(null, env.DPS_REGISTRATION_ID); }

  signWithIdentity(data, callback) { callback(null, hmac(this.key, data)); }

  activateIdentityKey(blob, callback) {
    try {
      this.key = this.read(blob);
      callback(null);
    } catch (error) {
      callback(error);
    }
  }

  read(blob) {
    const parts = [];
    for (let rest = blob; parts.length < 5;) {
      const [part, behind] = split(rest);
      parts.push(part);
      rest = behind;
    }
    const [credential, credentialSeed, duplicate, duplicateSeed, area] = parts;
    const identity = this.endorsement.decrypt(credentialSeed, 'IDENTITY');
    const [inner] = split(unprotect(identity, name(this.storageRoot.area), credential));
    const seed = this.storageRoot.decrypt(duplicateSeed, 'DUPLICATE');
    const [digest, sensitive] = split(decrypt(inner, unprotect(seed, name(area), duplicate)));
    check(digest.equals(sha256(Buffer.concat([sensitive, name(area)]))), 'inner digest');
    const [, values] = split(sensitive.subarray(4));
    const [seedValue, behind] = split(values);
    const [key] = split(behind);
    check(area.subarray(-32).equals(sha256(Buffer.concat([seedValue, key]))), 'public area');
    return key;
  }
}

function answer(document) {
  fs.writeSync(1, JSON.stringify(document) + '\n');
  process.exit(0);
}

const client = ProvisioningDeviceClient.create(env.DPS_HOST, env.DPS_ID_SCOPE, new Http(), new Tpm());
client.register((error, result) => {
  if (error) {
    answer({ error: [`${error.name}: ${error.message}`, error.responseBody || null] });
  } else {
    const { assignedHub, deviceId } = result.registrationState;
    answer({ status: result.status, hub: assignedHub, device_id: deviceId });
  }
});
