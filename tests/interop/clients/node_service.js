// Administers enrollments with Microsoft's azure-iot-provisioning-service.
//
//     node node_service.js
//
// What it needs is in the variables DPS_* (and NODE_EXTRA_CA_CERTS); it prints one line of JSON:
// what it saw at each step.

'use strict';

const fs = require('fs');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');

const { env } = process;
const connectionString = env.DPS_CONNECTION_STRING;
const fresh = (name) => ({ registrationId: name, attestation: { type: 'symmetricKey' } });
const MANY = [fresh('two'), fresh('three')];

async function status(call) {
  try {
    await call();
    return 200;
  } catch (error) {
    return error.response.statusCode;
  }
}

// Its promises begin anew with each call unless they are told where to go on.
async function pages(query) {
  const found = [];
  while (query.hasMoreResults) {
    found.push((await query.next(query.continuationToken)).responseBody);
  }
  return found;
}

// The promise of this call never settles; its callback is called.
function bulk(client, operation) {
  return new Promise((resolve, reject) => {
    client.runBulkEnrollmentOperation(operation, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

// Makes an enrollment, and has it changed by two, one of whom is late.
async function one(client) {
  await client.createOrUpdateIndividualEnrollment(fresh('one'));
  const made = (await client.getIndividualEnrollment('one')).responseBody;
  const mechanism = (await client.getIndividualEnrollmentAttestationMechanism('one')).responseBody;
  const changed = { ...made, provisioningStatus: 'disabled' };
  const updated = (await client.createOrUpdateIndividualEnrollment(changed)).responseBody;
  return {
    'made': made.provisioningStatus,
    'key in a plain read': Boolean(made.attestation.symmetricKey?.primaryKey),
    'length of its key': mechanism.symmetricKey.primaryKey.length,
    'changed': updated.provisioningStatus,
    'changed too late': await status(() => client.createOrUpdateIndividualEnrollment(changed)),
  };
}

// Makes a group.
async function group(client) {
  const certificate = fs.readFileSync(env.DPS_GROUP_CERTIFICATE_FILE, 'utf8');
  const made = (await client.createOrUpdateEnrollmentGroup({
    enrollmentGroupId: 'a-group',
    attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate } } } },
  })).responseBody;
  const { primary } = made.attestation.x509.signingCertificates;
  return { 'subject of the group': primary.info.subjectName };
}

// Makes two at once, and reads all page by page.
async function many(client) {
  const made = await bulk(client, { mode: 'create', enrollments: MANY });
  const everything = { query: 'SELECT * FROM enrollments' };
  const found = await pages(client.createIndividualEnrollmentQuery(everything, 2));
  return {
    'bulk': made.isSuccessful,
    'pages': found.map((page) => page.length).sort(),
    'enrollments': found.flat().map((each) => each.registrationId).sort(),
  };
}

// Sees what became of a device of the group `root`, and forgets it.
async function device(client) {
  const name = env.DPS_REGISTRATION_ID;
  const state = (await client.getDeviceRegistrationState(name)).responseBody;
  const all = { query: 'SELECT *' };
  const query = client.createEnrollmentGroupDeviceRegistrationStateQuery(all, 'root');
  const found = (await pages(query)).flat();
  await client.deleteDeviceRegistrationState(name);
  return {
    'device': state.status,
    'devices of its group': found.map((each) => each.registrationId),
    'device deleted': await status(() => client.getDeviceRegistrationState(name)),
  };
}

// Deletes everything.
async function away(client) {
  await client.deleteIndividualEnrollment('one');
  await client.deleteEnrollmentGroup((await client.getEnrollmentGroup('a-group')).responseBody);
  await bulk(client, { mode: 'delete', enrollments: MANY });
  return {
    'deleted': await status(() => client.getIndividualEnrollment('one')),
    'group deleted': await status(() => client.getEnrollmentGroup('a-group')),
  };
}

async function story() {
  const client = ProvisioningServiceClient.fromConnectionString(connectionString);
  const wrong = connectionString.replace(/SharedAccessKey=.*/, 'SharedAccessKey=c3RyYW5nZXI=');
  const stranger = ProvisioningServiceClient.fromConnectionString(wrong);
  const seen = {};
  for (const chapter of [one, group, many, device, away]) Object.assign(seen, await chapter(client));
  seen['wrong key'] = await status(() => stranger.getIndividualEnrollment('one'));
  return seen;
}

story().then((seen) => console.log(JSON.stringify(seen)));
