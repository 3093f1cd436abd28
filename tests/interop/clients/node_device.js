// Provisions one device with Microsoft's azure-iot-provisioning-device, as its samples do.
//
//     node node_device.js http|mqtt|mqtt-ws
//
// What it needs is in the variables DPS_* (and NODE_EXTRA_CA_CERTS); it prints one line of JSON.

'use strict';

const fs = require('fs');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { Mqtt, MqttWs } = require('azure-iot-provisioning-device-mqtt');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { X509Security } = require('azure-iot-security-x509');

const TRANSPORTS = { http: Http, mqtt: Mqtt, 'mqtt-ws': MqttWs };
const { env } = process;

function securityClient() {
  if (env.DPS_SYMMETRIC_KEY) {
    return new SymmetricKeySecurityClient(env.DPS_REGISTRATION_ID, env.DPS_SYMMETRIC_KEY);
  }
  return new X509Security(env.DPS_REGISTRATION_ID, {
    cert: fs.readFileSync(env.DPS_CERTIFICATE_FILE, 'utf8'),
    key: fs.readFileSync(env.DPS_KEY_FILE, 'utf8'),
  });
}

function answer(document) {
  fs.writeSync(1, JSON.stringify(document) + '\n');
  process.exit(0);
}

const transport = new TRANSPORTS[process.argv[2]]();
const client = ProvisioningDeviceClient.create(
  env.DPS_HOST, env.DPS_ID_SCOPE, transport, securityClient());
client.setProvisioningPayload({ colour: 'green' });
client.register((error, result) => {
  if (error) {
    const body = error.responseBody || (error.result && error.result.registrationState);
    answer({ error: [`${error.name}: ${error.message}`, body || null] });
  } else {
    answer({ status: result.status, hub: result.assignedHub, device_id: result.deviceId });
  }
});
