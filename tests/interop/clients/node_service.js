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

async function story() {
  const client = ProvisioningServiceClient.fromConnectionString(connectionString);
  const seen = {};

  // An individual enrollment whose keys the service makes
  await client.createOrUpdateIndividualEnrollment(fresh('one'));
  const made = (await client.getIndividualEnrollment('one')).responseBody;
  const mechanism = (await client.getIndividualEnrollmentAttestationMechanism('one')).responseBody;
  seen['made'] = made.provisioningStatus;
  seen['key in a plain read'] = Boolean(made.attestation.symmetricKey?.primaryKey);
  seen['length of its key'] = mechanism.symmetricKey.primaryKey.length;

  // Changed by two, one of whom is late
  const changed = { ...made, provisioningStatus: 'disabled' };
  const updated = (await client.createOrUpdateIndividualEnrollment(changed)).responseBody;
  seen['changed'] = updated.provisioningStatus;
  seen['changed too late'] = await status(() => client.createOrUpdateIndividualEnrollment(changed));

  // A group
  const certificate = fs.readFileSync(env.DPS_GROUP_CERTIFICATE_FILE, 'utf8');
  const group = (await client.createOrUpdateEnrollmentGroup({
    enrollmentGroupId: 'a-group',
    attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate } } } },
  })).responseBody;
  const { primary } = group.attestation.x509.signingCertificates;
  seen['subject of the group'] = primary.info.subjectName;

  // Many at once, and page by page
  const enrollments = [fresh('two'), fresh('three')];
  seen['bulk'] = (await bulk(client, { mode: 'create', enrollments })).isSuccessful;
  const everything = { query: 'SELECT * FROM enrollments' };
  const found = await pages(client.createIndividualEnrollmentQuery(everything, 2));
  seen['pages'] = found.map((page) => page.length).sort();
  seen['enrollments'] = found.flat().map((each) => each.registrationId).sort();

  // What became of a device of the group `root`
  const name = env.DPS_REGISTRATION_ID;
  seen['device'] = (await client.getDeviceRegistrationState(name)).responseBody.status;
  const query = client.createEnrollmentGroupDeviceRegistrationStateQuery({ query: 'SELECT *' }, 'root');
  seen['devices of its group'] = (await pages(query)).flat().map((each) => each.registrationId);
  await client.deleteDeviceRegistrationState(name);
  seen['device deleted'] = await status(() => client.getDeviceRegistrationState(name));

  // And away
  await client.deleteIndividualEnrollment('one');
  seen['deleted'] = await status(() => client.getIndividualEnrollment('one'));
  await client.deleteEnrollmentGroup(group);
  seen['group deleted'] = await status(() => client.getEnrollmentGroup('a-group'));
  await bulk(client, { mode: 'delete', enrollments });

  const wrong = connectionString.replace(/SharedAccessKey=.*/, 'SharedAccessKey=c3RyYW5nZXI=');
  const stranger = ProvisioningServiceClient.fromConnectionString(wrong);
  seen['wrong key'] = await status(() => stranger.getIndividualEnrollment('one'));
  return seen;
}

story().then((seen) => console.log(JSON.stringify(seen)));
