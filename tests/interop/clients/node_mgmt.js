// Proves possession of a CA with Microsoft's @azure/arm-deviceprovisioningservices.
//
//     node node_mgmt.js
//
// What it needs is in the variables DPS_* (and NODE_EXTRA_CA_CERTS); it prints one line of JSON:
// what it saw at each step. The proof is issued with openssl.

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync } = require('child_process');
const { IotDpsClient } = require('@azure/arm-deviceprovisioningservices');

const { env } = process;
const credential = {
  getToken: async () => ({ token: env.DPS_BEARER_TOKEN, expiresOnTimestamp: Date.now() + 3600000 }),
};
const client = new IotDpsClient(credential, '00000000-0000-0000-0000-000000000000', {
  endpoint: `https://${env.DPS_HOST}:${env.DPS_HTTPS_PORT}`,
  retryOptions: { maxRetries: 0 },
});
const calls = client.dpsCertificate;
const [GROUP, DPS, NAME] = ['group-1', 'dps-1', 'my-root'];

// Issues the certificate whose CN is the code, as the articles do.
function proof(code) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'proof-'));
  const [request, certificate] = ['request', 'certificate'].map((name) => path.join(directory, name));
  const quiet = { stdio: 'ignore' };
  execFileSync('openssl', ['req', '-new', '-subj', `/CN=${code}`, '-newkey', 'rsa:2048', '-nodes',
    '-keyout', os.devNull, '-out', request], quiet);
  execFileSync('openssl', ['x509', '-req', '-in', request, '-CA', env.DPS_GROUP_CERTIFICATE_FILE,
    '-CAkey', env.DPS_GROUP_KEY_FILE, '-set_serial', '1', '-days', '1', '-out', certificate], quiet);
  const pem = fs.readFileSync(certificate);
  fs.rmSync(directory, { recursive: true });
  return { certificate: pem.toString('base64') };
}

async function status(call) {
  try {
    await call();
    return 200;
  } catch (error) {
    return error.statusCode;
  }
}

async function story() {
  const seen = {};
  const certificate = fs.readFileSync(env.DPS_GROUP_CERTIFICATE_FILE);
  const made = await calls.createOrUpdate(GROUP, DPS, NAME, { properties: { certificate } });
  const { created, updated, expiry } = made.properties;
  seen['subject'] = made.properties.subject;
  seen['verified at first'] = made.properties.isVerified;
  seen['has dates'] = created <= updated && updated < expiry;

  const coded = await calls.generateVerificationCode(NAME, made.etag, GROUP, DPS);
  const verify = (code) => calls.verifyCertificate(NAME, coded.etag, GROUP, DPS, proof(code));
  seen['wrong proof'] = await status(() => verify('another-code'));
  const proved = await verify(coded.properties.verificationCode);
  seen['verified'] = proved.properties.isVerified;
  seen['listed'] = (await calls.list(GROUP, DPS)).value.map((each) => each.name).sort();
  seen['got'] = (await calls.get(NAME, GROUP, DPS)).properties.isVerified;

  seen['deleted too late'] = await status(() => calls.delete(GROUP, made.etag, DPS, NAME));
  await calls.delete(GROUP, proved.etag, DPS, NAME);
  seen['deleted'] = await status(() => calls.get(NAME, GROUP, DPS));
  return seen;
}

story().then((seen) => console.log(JSON.stringify(seen)));
